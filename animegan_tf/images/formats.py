"""Detects image formats by the first bytes of a file; suffixes of formats. Loads no NumPy."""

import os
import re
import warnings
from pathlib import Path

# The kinds of outputs with their suffixes, the usual suffix first.
WRITTEN = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "webp": (".webp",),
    "avif": (".avif",),
    "heic": (".heic", ".heif"),
    "tiff": (".tif", ".tiff"),
    "bmp": (".bmp",),
}
# Kinds with 16 bits.
DEEP = ("png", "tiff")
JPEG_SUFFIXES = WRITTEN["jpeg"]
RESULT_SUFFIXES = tuple(suffix for suffixes in WRITTEN.values() for suffix in suffixes)
# Files in folders with these suffixes are photos; failures to read them are reported.
PHOTO_SUFFIXES = (*RESULT_SUFFIXES, ".jp2", ".ppm", ".pgm", ".jxl")

RAW_SUFFIXES = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos",
    ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".srw", ".x3f",
)  # fmt: skip

# The number of bytes that `kind_of` reads.
HEAD = 32
_STARTS = {
    "jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "gif": b"GIF8",
    "tiff": (b"II*\0", b"MM\0*", b"II+\0"), "jxl": (b"\xff\x0a", b"\0\0\0\x0cJXL "),
    "jpeg2000": (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "psd": b"8BPS", "sgi": b"\x01\xda",
    "qoi": b"qoif", "dds": b"DDS ", "sun": b"\x59\xa6\x6a\x95", "pam": b"P7\n",
    "hdr": (b"#?RADIANCE\n", b"#?RGBE\n"),
    "raw": (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"IIII", b"FOVb", b"\0MRM",
            b"HEAPCCDR"),
}  # fmt: skip
_DIB_HEADERS = tuple(bytes((size, 0, 0, 0)) for size in (40, 52, 56, 108, 124))
# TGA has no name at its start: palette or none, kind, position, sides, depth, 0 to 8 bits of alpha.
_TGA = (
    rb".(\x01[\x01\x09]....[\x10\x18\x20]|\x00[\x02\x03\x0a\x0b]\x00{5})"
    rb"....(?!\x00\x00)..(?!\x00\x00).."
    rb"[\x08\x10\x18\x20][\x00-\x08\x10-\x18\x20-\x28\x30-\x38]"
)
# Image brands of the ISO base media file format. Videos have others.
_BRANDS = {b"avif": "avif", b"avis": "avif", b"crx ": "raw"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "heic"
)
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
# The starts of formats that are not read, for messages.
_NOT_READ = {
    "a BigTIFF of big-endian order": rb"MM\x00\+", "OpenEXR": rb"v/1\x01",
    "SVG": rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg", "PDF": b"%PDF",
    "PostScript": rb"%!PS|\xc5\xd0\xd3\xc6", "GIMP's XCF": b"gimp xcf",
    "a Windows metafile": rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "DjVu": b"AT&TFORM",
    "FITS": b"SIMPLE  =", "JPEG XR": rb"II\xbc\x01", "JPEG-LS": rb"\xff\xd8\xff\xf7",
    "a JPEG of 12 bits or more": rb"\xff\xd8.*\xff[\xc0-\xc3]\0.[\x0c\x10]",
    "DPX": b"SDPX|XPDS", "Apple's icons": b"icns", "HTML": rb"\s*<(!DOCTYPE\s+)?html",
}  # fmt: skip


def kind_of(head: bytes) -> str | None:
    """The kind of image of a file with the first bytes `head` (32, or the whole file), or None.

    A key of `WRITTEN`, "raw" (raw photos in TIFF files are detected by `read`), or the name of
    another format.
    """
    for kind, starts in _STARTS.items():
        if head.startswith(starts):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        kind = _BRANDS.get(head[8:12])
        # "mif1" is any image; another brand has the format.
        return "avif" if kind == "heic" and b"avif" in head[8:HEAD] else kind
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    if re.match(rb"P[1-6]\s+[\d#]", head):
        return "pnm"
    if re.match(rb"P[fF]\s+\d", head):
        return "pfm"
    if head[:4] in _DIB_HEADERS and head[12:14] == b"\1\0":  # planes
        return "dib"
    if re.match(rb"\x00\x00[\x01\x02]\x00[^\x00]\x00", head):  # icons and cursors
        return "ico"
    if re.match(rb"\n[\x00\x02-\x05]\x01[\x01\x02\x04\x08]", head):
        return "pcx"
    return "tga" if re.match(_TGA, head, re.DOTALL) else None


def name_of_unread(head: bytes) -> str | None:
    """The name of a known format that is not read, of a file with the first bytes `head`."""
    found = (name for name, start in _NOT_READ.items() if re.match(start, head, re.DOTALL | re.I))
    return next(found, None)


def kind_of_suffix(suffix: str) -> str | None:
    """The key of `WRITTEN` for files with that suffix, or None."""
    return next((kind for kind, known in WRITTEN.items() if suffix.lower() in known), None)


def head_of(path: str | os.PathLike, count: int = HEAD) -> bytes:
    """The first bytes of the file at `path`, by default for `kind_of`; b"" if it cannot be read.

    Pipes are not read, since their bytes can be read only once.
    """
    if not os.path.isfile(path):
        return b""
    try:
        with open(path, "rb") as file:
            return file.read(count)
    except OSError:  # reported when the photo is read
        return b""


def result_suffix(
    path: str | os.PathLike, kind: str | None = None, kinds: tuple[str, ...] = tuple(WRITTEN)
) -> str:
    """The suffix of the output for the photo at `path`, by default in the photo's own format.

    The photo's suffix if it belongs to the format, and ".png" for kinds that are not written.
    kind: a key of `WRITTEN` to use instead. kinds: the keys that are allowed.
    """
    suffix = Path(path).suffix
    kind = kind or kind_of(head_of(path)) or kind_of_suffix(suffix)
    suffixes = WRITTEN[kind if kind in kinds else "png"]
    return suffix if suffix.lower() in suffixes else suffixes[0]


def is_animated(path: str | os.PathLike) -> bool:
    """Whether the file is a GIF, WebP, PNG or AVIF with several frames, by its content."""
    head = head_of(path)
    kind = kind_of(head)
    if kind == "webp":  # a flag
        return head[12:16] == b"VP8X" and head[20:] > b"" and bool(head[20] & 0x02)
    if kind == "avif":
        return head[8:12] == b"avis"
    if kind not in ("gif", "png"):
        return False
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large images
            with Image.open(path, formats=[kind.upper()]) as image:
                return image.is_animated
    except Exception:  # Pillow raises all kinds for damaged files
        return False
