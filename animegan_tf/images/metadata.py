"""Metadata of photos: EXIF, XMP, IPTC, resolution.

Outputs get the metadata that still apply: without orientation, thumbnail, motion photo, depth and
gain map, and the tags about the storage of pixels.
"""

import hashlib
import re
from dataclasses import dataclass, replace

from PIL import ExifTags, Image, TiffImagePlugin

_EXIF_IFD, _INTEROP = ExifTags.IFD.Exif, ExifTags.IFD.Interop
_ORIENTATION, XMP, IPTC = 0x0112, 700, 33723
_WIDTH, _HEIGHT, _PROCESSING_SOFTWARE = 0xA002, 0xA003, 0x000B
_MAKER_NOTE = 0x927C
# About the maximum size of a segment of a JPEG.
_SEGMENT = 65000
_MADE_OF = "animegan_tf, of "
# Tags of subdirectories.
INNER = (_EXIF_IFD, ExifTags.IFD.GPSInfo)
# Tags of the first directory about people, places and cameras; others are about the storage of
# pixels.
_DESCRIPTIVE = frozenset(
    (0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749,
     0x8298, 0x8769, 0x8825, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F)
)  # fmt: skip
# XMP about other images in the file (motion photos, gain and depth maps, thumbnail), and about the
# orientation, which is applied to the pixels.
_PREFIXES = rb"(?:GCamera|Camera|Container|Item|hdrgm|HDRGainMap|apdi|GDepth|GImage|GPano|xmpNote)"
_STALE_XMP = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rb"\s(?:" + _PREFIXES + rb":\w+|tiff:Orientation)\s*=\s*(?:\"[^\"]*\"|'[^']*')",
        rb"<(" + _PREFIXES + rb":\w+|tiff:Orientation|xmp:Thumbnails)(?:\s[^>]*)?>.*?</\1\s*>",
        rb"<(?:" + _PREFIXES + rb":\w+|tiff:Orientation)(?:\s[^>]*)?/>",
    )
)


@dataclass(frozen=True)
class Metadata:
    """The metadata of a photo for its output; each may be None.

    exif: bytes from the TIFF header on, upright and without a thumbnail. xmp, iptc: bytes. dpi:
    dots per inch, (horizontal, vertical). profile: the photo's ICC profile; outputs are sRGB and do
    not get it. source: hash of the photo's file, by which its output is recognised.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple | None = None
    profile: bytes | None = None
    source: str | None = None


def digest(data: bytes) -> str:
    """A hash of a file's bytes, as text."""
    return hashlib.sha256(data).hexdigest()[:16]


def read_source(image: Image.Image) -> str | None:
    """The `source` of the `Metadata` that an image was written with, or None."""
    text = str(image.getexif().get(_PROCESSING_SOFTWARE, ""))
    return text.removeprefix(_MADE_OF) if text.startswith(_MADE_OF) else None


def orientation(image: Image.Image) -> int | None:
    """The orientation in EXIF of an image of Pillow, 1 to 8, or None if unreadable."""
    return _whole(lambda image: image.getexif().get(_ORIENTATION), image)


def read_metadata(image: Image.Image) -> Metadata:
    """The `Metadata` of an open image of Pillow, without damaged parts."""
    return Metadata(
        exif=_whole(_exif, image),
        xmp=_whole(_xmp, image),
        iptc=_whole(_iptc, image),
        dpi=_whole(_dpi, image),
        profile=image.info.get("icc_profile") or None,
    )


def _whole(read, image):
    try:
        return read(image)
    except Exception:  # Pillow raises all kinds for damaged tags
        return None


def _exif(image):
    read, exif = image.getexif(), Image.Exif()
    exif.endian = read.endian
    for tag in _DESCRIPTIVE.intersection(read):
        exif[tag] = read.get_ifd(tag) if tag in INNER else read[tag]
    inner = exif.get(_EXIF_IFD)
    if inner and isinstance(inner.get(_INTEROP), int):
        inner[_INTEROP] = read.get_ifd(_INTEROP)
    if not len(exif):
        return None
    exif[_ORIENTATION] = 1
    return exif.tobytes().removeprefix(b"Exif\0\0")


def _loaded(data):
    """An `Image.Exif` of the bytes or None, including its subdirectories."""
    exif = Image.Exif()
    if data:
        exif.load(data)
    for tag in INNER:
        if tag in exif:
            exif[tag] = exif.get_ifd(tag)
    return exif


def fitting(metadata: Metadata, kind: str) -> tuple[Metadata, tuple[str, ...]]:
    """(the `Metadata` that fit into a file of that kind, sentences about omitted parts)."""
    if kind != "jpeg":
        return metadata, ()
    changes, notes = {}, []
    for name in ("exif", "xmp", "iptc"):
        if len(getattr(metadata, name) or b"") > _SEGMENT:
            changes[name] = None
            notes.append(f"its {name.upper()} is larger than a JPEG can hold, and left out")
    if "exif" in changes:
        exif = _loaded(metadata.exif)
        exif.get(_EXIF_IFD, {}).pop(_MAKER_NOTE, None)
        shorter = exif.tobytes().removeprefix(b"Exif\0\0")
        if len(shorter) <= _SEGMENT:
            changes["exif"] = shorter
            notes[0] = (
                "its EXIF is larger than a JPEG can hold: the camera maker's notes are left out"
            )
    return replace(metadata, **changes), tuple(notes)


def exif_for(metadata: Metadata, height: int, width: int) -> Image.Exif:
    """The `Image.Exif` for an output of that size from a photo with that `Metadata`."""
    exif = _loaded(metadata.exif)
    inner = exif.get(_EXIF_IFD, {})
    if isinstance(inner.get(_INTEROP), int):
        inner[_INTEROP] = exif.get_ifd(_INTEROP)
    if _WIDTH in inner or _HEIGHT in inner:
        inner[_WIDTH], inner[_HEIGHT] = width, height
    if metadata.source:
        exif[_PROCESSING_SOFTWARE] = _MADE_OF + metadata.source
    return exif


def _xmp(image):
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if not xmp:
        return None
    xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    for pattern in _STALE_XMP:
        xmp = pattern.sub(b"", xmp)
    return xmp.rstrip(b"\0") or None


def _iptc(image):
    """The IPTC records: in JPEG in Photoshop's block, in TIFF in a tag."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        value = image.tag_v2.get(IPTC)
        return bytes(value) if isinstance(value, bytes) else None
    return (image.info.get("photoshop") or {}).get(0x0404) or None


def photoshop_block(iptc: bytes) -> bytes:
    """IPTC records as the content of a JPEG's APP13 segment."""
    padded = iptc + bytes(len(iptc) % 2)
    size = len(iptc).to_bytes(4, "big")
    return b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + size + padded


def _dpi(image):
    across, down = image.info["dpi"]
    return (float(across), float(down)) if across > 1 and down > 1 else None
