"""Photos whose EXIF block holds an orientation, byte by byte."""

import struct
import zlib

import cv2


def exif_block(orientation, order="<"):
    header = b"II*\0" if order == "<" else b"MM\0*"
    # One entry before it, so that the search has to walk.
    make = struct.pack(f"{order}HHI4s", 0x010F, 2, 4, b"abc\0")
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    start = struct.pack(f"{order}IH", 8, 2)
    return header + start + make + entry + struct.pack(f"{order}I", 0)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def jpeg_with_exif(pixels, exif):
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    block = b"Exif\0\0" + exif
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


def png_with_exif(pixels, exif):
    data = cv2.imencode(".png", pixels)[1].tobytes()
    return data[:33] + png_chunk(b"eXIf", exif) + data[33:]  # after the signature and IHDR
