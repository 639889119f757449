"""Pictures: files in and out, sizes, padding, [-1, 1] and 8 bits, brightness. No TensorFlow.

Unless a name says otherwise a picture is uint8 RGB, (height, width, 3), and an alpha channel is a
picture of its own, uint8 (height, width). Sizes are given as (height, width). What the network
sees is float32 RGB in [-1, 1].
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from animegan_tf import storage
from animegan_tf.errors import InputError

PUBLISHED_MIN_SIDE = 256
PUBLISHED_MULTIPLE = 32

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe")
# What results are written as; other kinds of photos give PNG.
RESULT_SUFFIXES = (*JPEG_SUFFIXES, ".png", ".webp", ".bmp", ".tif", ".tiff")
# What counts as a photo in a folder. HEIC cannot be read, and is here to be named rather than
# passed over in silence.
PHOTO_SUFFIXES = (*RESULT_SUFFIXES, ".jfif", ".avif", ".jp2", ".ppm", ".pgm", ".heic", ".heif")

_JPEG_QUALITY = 95
_EXIF_ORIENTATION = 0x0112
# Files whose 16-bit samples use the whole range: PNG, TIFF of both byte orders, PNM. A 10-bit AVIF
# also arrives as uint16, with 1023 for white.
_FULL_RANGE_16_BIT = (b"\x89PNG", b"II*\0", b"MM\0*", b"P5", b"P6")
# The published code takes the luma weights of RGB to its channels in the order B, G, R, of photo
# and result alike. It is kept, since the reference values have it; written here for R, G, B.
_PUBLISHED_LUMA = (0.114, 0.587, 0.299)


@dataclass(frozen=True)
class Photo:
    """`rgb`: uint8 (H, W, 3), upright. `alpha`: uint8 (H, W) with 255 for opaque, or None.

    `orientation`: the EXIF orientation, 1 to 8, that the file had it stored in; 1 is upright.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    orientation: int = 1


# --- files ---------------------------------------------------------------------------------------


def read_photo(path):
    """Read a picture file as a `Photo`, turned upright as its EXIF orientation says.

    Gray and palette pictures become RGB, 16-bit samples are rounded to 8 bits (of files other than
    PNG, TIFF and PNM without their alpha), of an animation the first frame is taken. Raises
    `InputError` with the path for a file that is no picture or is damaged, `OSError` when it cannot
    be opened.
    """
    # OpenCV's own file functions fail on some non-ASCII names.
    return decode_photo(Path(path).read_bytes(), path)


def decode_photo(data, path):
    """`read_photo` for the bytes of a file, which errors call `path`."""
    pixels, exif = _decode(data, path)
    if pixels.dtype == np.uint16:
        if data.startswith(_FULL_RANGE_16_BIT):
            pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        else:
            upright = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), upright)
    if pixels.dtype != np.uint8:
        raise InputError(f"{path}: expected 8 or 16 bits per sample, received {pixels.dtype}")
    orientation = exif_orientation(exif)
    pixels = _turn_upright(pixels, orientation)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 1:
        return Photo(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), None, orientation)
    if channels == 3:
        return Photo(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), None, orientation)
    if channels == 4:
        alpha = pixels[:, :, 3].copy()
        return Photo(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB), alpha, orientation)
    raise InputError(f"{path}: expected 1, 3 or 4 channels, received {channels}")


def _decode(data, path):
    """Pixels as stored (gray, BGR or BGRA; not turned) and the EXIF block, b"" without one."""
    if not data:
        raise InputError(f"{path}: expected a picture, received an empty file")
    # The only mode that keeps alpha. It leaves EXIF orientation to us, but for TIFF, whose own
    # orientation tag is obeyed and which reports no EXIF block.
    mode = cv2.IMREAD_UNCHANGED
    try:
        pixels, kinds, blocks = cv2.imdecodeWithMetadata(np.frombuffer(data, np.uint8), flags=mode)
    except cv2.error as error:  # for instance more pixels than OpenCV allows
        raise InputError(f"{path}: the picture cannot be decoded: {error.err or error}") from error
    if pixels is None:
        raise InputError(
            f"{path}: expected a picture in a format that OpenCV reads (JPEG, PNG, WebP, TIFF, "
            f"BMP and others; no HEIC), received {len(data)} bytes of something else or damaged"
        )
    exif = [
        np.asarray(block, np.uint8).tobytes()
        for kind, block in zip(kinds, blocks, strict=True)
        if kind == cv2.IMAGE_METADATA_EXIF
    ]
    return pixels, exif[0] if exif else b""


def exif_orientation(exif):
    """The orientation, 1 to 8, in an EXIF block that starts with its TIFF header; 1 if none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if tag == _EXIF_ORIENTATION:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:  # cut short
        pass
    return 1


def _turn_upright(pixels, orientation):
    """Undo an EXIF orientation: 2, 4, 5, 7 are mirrored, 3 lies upside down, 6 and 8 aside."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def result_suffix(path):
    """The suffix for the result of the photo at `path`: its own, or ".png" where that cannot be.

    A file named like a JPEG that is none gets ".png" too: it may hold alpha, which JPEG cannot.
    """
    path = Path(path)
    suffix = path.suffix
    if suffix.lower() not in RESULT_SUFFIXES:
        return ".png"
    if suffix.lower() in JPEG_SUFFIXES:
        try:
            with path.open("rb") as file:
                start = file.read(2)
        except OSError:  # reading the photo will say so
            return suffix
        return suffix if start in (b"\xff\xd8", b"") else ".png"
    return suffix


def write_photo(path, rgb, alpha=None):
    """Write uint8 RGB (H, W, 3), with uint8 `alpha` (H, W) if given, in the format of the suffix.

    The file appears whole or not at all; one of that name is replaced, missing folders are made.
    Raises `InputError` for arrays of another kind, a suffix that cannot be written, alpha in JPEG,
    a size that the format cannot hold; `OSError` from the file system.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    check_rgb("rgb", rgb)
    if suffix not in RESULT_SUFFIXES:
        raise InputError(f"{path}: expected one of {', '.join(RESULT_SUFFIXES)}, got {suffix!r}")
    if alpha is None:
        pixels = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    else:
        if suffix in JPEG_SUFFIXES:
            raise InputError(f"{path}: JPEG has no alpha channel; name a .png file instead")
        if alpha.dtype != np.uint8 or alpha.shape != rgb.shape[:2]:
            raise InputError(
                f"alpha: expected uint8 {rgb.shape[:2]}, received {alpha.dtype} {alpha.shape}"
            )
        pixels = np.dstack([rgb[:, :, ::-1], alpha])
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix in JPEG_SUFFIXES else []
    written, data = cv2.imencode(suffix, pixels, options)
    if not written:
        height, width = rgb.shape[:2]
        raise InputError(f"{path}: a picture of {width}x{height} cannot be written as {suffix}")
    storage.write_bytes(path, data)


# --- values --------------------------------------------------------------------------------------


def check_rgb(name, picture):
    """Raise `InputError` unless `picture` is a non-empty uint8 array (H, W, 3)."""
    received = type(picture).__name__
    if isinstance(picture, np.ndarray):
        if picture.dtype == np.uint8 and picture.shape[2:] == (3,) and picture.size:
            return
        received = f"{picture.dtype} {picture.shape}"
    raise InputError(
        f"{name}: expected a uint8 RGB array of shape (height, width, 3), received {received}"
    )


def to_network(rgb):
    """RGB of 0..255, any shape, to float32 in [-1, 1]."""
    return np.asarray(rgb, np.float32) / np.float32(127.5) - np.float32(1)


def to_uint8(values):
    """Floats in [-1, 1], any shape, to uint8, clipped and rounded: the inverse of `to_network`.

    (The published code truncates; a level too dark, and not the inverse.)
    """
    scaled = (np.asarray(values, np.float32) + np.float32(1)) * np.float32(127.5)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def match_brightness(result, photo):
    """Scale `result` so that its mean brightness is that of `photo`; both uint8 RGB (H, W, 3).

    Brightness is 0.114 R + 0.587 G + 0.299 B of the channels' means (the published code's weights,
    see `_PUBLISHED_LUMA`). Values are clipped and truncated, as published, so the mean may end up
    lower. The sizes may differ. An all-black result is returned as it is.
    """
    scale = brightness_scale(result, photo)
    return result.copy() if scale is None else scale_levels(result, scale)


def brightness_scale(result, photo):
    """The factor by which `match_brightness` scales; None for an all-black result."""
    brightness = float(np.dot(_PUBLISHED_LUMA, cv2.mean(result)[:3]))
    if brightness == 0:
        return None
    return float(np.dot(_PUBLISHED_LUMA, cv2.mean(photo)[:3])) / brightness


def scale_levels(picture, scale):
    """uint8 samples multiplied by `scale`, clipped and truncated."""
    levels = np.clip(np.arange(256) * scale, 0, 255).astype(np.uint8)
    return cv2.LUT(picture, levels)


# --- sizes ---------------------------------------------------------------------------------------


def resize(picture, height, width):
    """Resize (H, W) or (H, W, 3): bilinear, averaging over the covered pixels to shrink."""
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = height <= picture.shape[0] and width <= picture.shape[1]
    return cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )


def limit_side(picture, max_side):
    """Shrink so that the longer side is at most `max_side`, keeping the aspect ratio.

    Never enlarges; `max_side=None` is no limit.
    """
    height, width = picture.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return picture
    scale = max_side / max(height, width)
    return resize(picture, max(1, round(height * scale)), max(1, round(width * scale)))


def enlarged_size(height, width, min_side, max_pixels):
    """The size at which the short side is `min_side`, the aspect ratio kept; never smaller.

    Enlarging stops at `max_pixels`: 4000x2 would otherwise become 512000x256.
    """
    wanted = min_side / min(height, width)
    allowed = math.sqrt(max_pixels / (height * width))
    scale = max(1.0, min(wanted, allowed))
    return max(1, round(height * scale)), max(1, round(width * scale))


def pad_to_multiple(picture, multiple, at_least=1):
    """Pad (H, W, 3) at the bottom and right by reflection to multiples of `multiple`.

    The sides are also made `at_least` that long; a reflection longer than the picture goes back
    and forth. `padded[:H, :W]` is the picture.
    """
    height, width = picture.shape[:2]
    sides = (_up_to_multiple(max(side, at_least), multiple) for side in (height, width))
    return pad_to_size(picture, *sides)


def pad_to_size(picture, height, width):
    """Pad (H, W, 3) at the bottom and right by reflection to exactly that size, not smaller."""
    bottom, right = height - picture.shape[0], width - picture.shape[1]
    return cv2.copyMakeBorder(picture, 0, bottom, 0, right, cv2.BORDER_REFLECT_101)


def size_within(height, width, within_height, within_width):
    """The largest size of that aspect ratio within another, each side at least 1."""
    scale = min(within_height / height, within_width / width)
    sides = ((height, within_height), (width, within_width))
    return tuple(min(limit, max(1, round(side * scale))) for side, limit in sides)


def _up_to_multiple(size, multiple):
    return -(-size // multiple) * multiple


def published_size(height, width):
    """The size at which the published code runs: a side below 256 becomes 256, any other the next
    lower multiple of 32. Each side by itself, so the aspect ratio may change.
    """
    return _published_side(height), _published_side(width)


def _published_side(side):
    return max(PUBLISHED_MIN_SIDE, side - side % PUBLISHED_MULTIPLE)


def preprocess_published(rgb):
    """uint8 RGB (H, W, 3) to the published network input: float32 (1, H', W', 3) in [-1, 1].

    Resized bilinearly to `published_size`, in float32 as published: 8-bit would round in between.
    """
    height, width = published_size(*rgb.shape[:2])
    resized = cv2.resize(rgb.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return to_network(resized)[None]


def side_by_side(left, right):
    """Two pictures of the same size and kind, (H, W) or (H, W, 3), as one: (H, 2 W, ...)."""
    if left.shape != right.shape:
        raise InputError(
            f"side_by_side: expected pictures of one size, got {left.shape} and {right.shape}"
        )
    return np.concatenate([left, right], axis=1)


def luma(rgb):
    """float32 (H, W), levels of 0..255."""
    return np.asarray(rgb, np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def even_choice(items, count):
    """Up to `count` of a list, at even steps, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    if count == 1:
        return [items[0]]
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]
