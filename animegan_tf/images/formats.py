"""What kind of image a file is, by its first bytes, and the suffixes of kinds. Loads no NumPy."""

import os
import re
import warnings
from pathlib import Path

# The kinds that outputs can have, each with its suffixes, the usual one first.
WRITTEN = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "webp": (".webp",),
    "avif": (".avif",),
    "heic": (".heic", ".heif"),
    "tiff": (".tif", ".tiff"),
    "bmp": (".bmp",),
}
# Those that can have 16 bits.
DEEP = ("png", "tiff")
JPEG_SUFFIXES = WRITTEN["jpeg"]
RESULT_SUFFIXES = tuple(suffix for suffixes in WRITTEN.values() for suffix in suffixes)
# Files of these suffixes in a folder are photos; those that are not are reported.
PHOTO_SUFFIXES = (*RESULT_SUFFIXES, ".jp2", ".ppm", ".pgm", ".jxl")

RAW_SUFFIXES = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos",
    ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".srw", ".x3f",
)  # fmt: skip

# How much of a file `kind_of` looks at.
HEAD = 32
_STARTS = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF8", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\xff\x0a", "jxl"),
    (b"\0\0\0\x0cJXL ", "jxl"),
    (b"\0\0\0\x0cjP  ", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    (b"8BPS", "psd"),
    (b"FUJIFILMCCD-RAW", "raw"),
    (b"IIRO", "raw"),
    (b"IIRS", "raw"),
    (b"MMOR", "raw"),
    (b"IIU\0", "raw"),
    (b"IIII", "raw"),
    (b"FOVb", "raw"),
    (b"\0MRM", "raw"),
    (b"HEAPCCDR", "raw"),
)
# Of the ISO base media file format: image brands. Films have others.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "avif"),
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "heic"
    ),
    b"crx ": "raw",
}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


def kind_of(head: bytes) -> str | None:
    """The kind of image whose file begins with `head`, 32 bytes or all there are; None if none.

    A key of `WRITTEN`, or "gif", "jpeg2000", "pnm", "psd", "jxl" or "raw". (Raw photos that are
    TIFF files by their beginning are found out when they are read.)
    """
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        kind = _BRANDS.get(head[8:12])
        # "mif1" says only that it is an image; another brand says which.
        return "avif" if kind == "heic" and b"avif" in head[8:HEAD] else kind
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    if re.match(rb"P[1-6]\s+[\d#]|P[fF]\s+\d", head):
        return "pnm"
    return None


def kind_of_suffix(suffix: str) -> str | None:
    """The key of `WRITTEN` for files with that suffix, or None."""
    return next((kind for kind, known in WRITTEN.items() if suffix.lower() in known), None)


def head_of(path: str | os.PathLike) -> bytes:
    """The first bytes of the file at `path`, for `kind_of`; b"" when it cannot be read.

    Of a pipe too, which gives its bytes only once.
    """
    if not os.path.isfile(path):
        return b""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError:  # reading the photo will say so
        return b""


def result_suffix(
    path: str | os.PathLike, kind: str | None = None, kinds: tuple[str, ...] = tuple(WRITTEN)
) -> str:
    """The suffix of the output for the photo at `path`, by default in the photo's own format.

    The photo's suffix if it belongs to the format, and ".png" for kinds that are not written.
    kind: a key of `WRITTEN`, the format instead. kinds: the keys that are allowed.
    """
    suffix = Path(path).suffix
    kind = kind or kind_of(head_of(path)) or kind_of_suffix(suffix)
    suffixes = WRITTEN[kind if kind in kinds else "png"]
    return suffix if suffix.lower() in suffixes else suffixes[0]


def is_animated(path: str | os.PathLike) -> bool:
    """Whether the file is a GIF, WebP, PNG or AVIF of several frames, whatever its name."""
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
            warnings.simplefilter("ignore")  # that it is large
            with Image.open(path, formats=[kind.upper()]) as image:
                return image.is_animated
    except Exception:  # of all kinds for damaged files
        return False
