"""Photos read from files and bytes: upright, in sRGB, 8 bits, with alpha and what they say."""

import contextlib
import io
import os
import sys
import tempfile
import threading
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from animegan_tf.errors import InputError
from animegan_tf.images import colours, formats, metadata
from animegan_tf.images.metadata import Metadata
from animegan_tf.images.values import fill_transparent

# Those of Pillow's formats that photos and drawings come in. Others run programs (EPS) or take
# everything for theirs.
_FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM", "PSD", "ICO",
    "QOI", "SGI", "PCX", "SUN", "DDS", "HEIF", "JXL",
)  # fmt: skip
# As OpenCV, which this library read photos with before.
_MOST_PIXELS = 2**30
_DNG_VERSION, _SUB_IFDS, _PHOTOMETRIC = 50706, 330, 262
# Colour filter array, and linear raw.
_RAW_PHOTOMETRICS = (32803, 34892)
_RAW = "it is a raw photo; develop it first (to JPEG, TIFF or PNG)"
# How libjpeg's warnings about data begin; others are about tags.
_BROKEN = ("Corrupt JPEG", "Premature end", "Inconsistent progression", "Invalid")
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Photo:
    """`rgb`: uint8 (H, W, 3), upright, in sRGB. `alpha`: uint8 (H, W), 255 for opaque, or None.

    plain: whether any decoder of the file gives these numbers: it is stored upright, in sRGB.
    lossy: whether it is a WebP that was compressed with loss.
    metadata: a `Metadata`.
    notes: what the user should know, a sentence each. damage: what is broken in it, or None.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    plain: bool = True
    lossy: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple = ()
    damage: str | None = None

    def seen(self):
        """`rgb` as a network should see it: without what lies hidden under transparent pixels."""
        return self.rgb if self.alpha is None else fill_transparent(self.rgb, self.alpha)


def read_photo(path):
    """Read a picture file as a `Photo`, turned upright as it says and converted to sRGB.

    What it is is decided by its content, whatever its name. Gray, palette and CMYK pictures become
    RGB, 16-bit samples 8-bit ones, floats are taken for 0 to 1; of an animation the first frame is
    read. Raises `InputError` with the path for a file that is no picture, cut short or a raw photo,
    `OSError` when it cannot be opened. A JPEG that is damaged inside is read as far as it goes and
    says so in `damage`.
    """
    return decode_photo(Path(path).read_bytes(), path)


def decode_photo(data, path):
    """`read_photo` for the bytes of a file, which errors call `path`."""
    if not data:
        raise InputError(f"{path}: expected a picture, received an empty file")
    kind = formats.kind_of(data[: formats.HEAD])
    if kind == "raw":
        raise InputError(f"{path}: {_RAW}")
    with warnings.catch_warnings():
        # About tags; what matters of it is said here.
        warnings.simplefilter("ignore")
        try:
            image = _open(data, path)
            photo = _by_opencv(data, path) if image is None else _photo(image, data, kind)
        except InputError as error:
            if str(error).startswith(str(path)):
                raise
            raise InputError(f"{path}: {error}") from error
        except MemoryError as error:
            raise InputError(f"{path}: the picture does not fit into memory") from error
        except Exception as error:  # decoders raise all kinds for damaged files
            reason = str(error) or type(error).__name__
            raise InputError(f"{path}: the picture is cut short or damaged ({reason})") from error
    return photo


def photo_size(data, path):
    """(height, width) of the photo in the bytes of a file, as stored, from its header alone.

    Raises `InputError`, which calls the file `path`, for what has no header of a photo.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = _open(data, path)
            if image is not None:
                return image.height, image.width
            tags = _tiff_tags(data)
            return int(tags[257]), int(tags[256])
        except InputError:
            raise
        except Exception as error:  # decoders raise all kinds for damaged files
            raise InputError(f"{path}: expected a photo, received something else") from error


def digest_of(path):
    """A text that stands for the content of a photo's file; None if it cannot be read."""
    try:
        return metadata.digest(Path(path).read_bytes())
    except OSError:
        return None


def source_of(path):
    """The `digest_of` the photo that the result at `path` was made of; None where it is unknown."""
    try:
        return metadata.read_source(_open(Path(path).read_bytes(), path))
    except Exception:  # it may be anything
        return None


def _open(data, path):
    """The open image of Pillow, or None for what it does not know."""
    _register(formats.kind_of(data[: formats.HEAD]), path)
    try:
        with _many_pixels():
            image = Image.open(io.BytesIO(data), formats=_known())
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: the picture cannot be decoded: {error}") from error
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _is_raw(image):
        raise InputError(f"{path}: {_RAW}")
    return image


def _known():
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _register(kind, path):
    """Load the plugin for a kind that Pillow reads with one."""
    if kind == "heic":
        import pillow_heif

        if "HEIF" not in Image.OPEN:
            pillow_heif.register_heif_opener()
    elif kind == "jxl" and "JXL" not in Image.OPEN:
        try:
            import pillow_jxl  # noqa: F401, which registers itself
        except ImportError as error:
            raise InputError(
                f"{path}: it is JPEG XL, which takes: pip install pillow-jxl-plugin"
            ) from error


@contextlib.contextmanager
def _many_pixels():
    """Pillow's limit, a variable of its module, as high as ours."""
    with _LOCK:
        usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, _MOST_PIXELS // 2
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = usual


def _is_raw(image):
    """Whether a TIFF is what a camera's sensor saw, with previews of it."""
    tags = image.tag_v2
    if _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) in _RAW_PHOTOMETRICS:
        return True
    image.fp.seek(0)
    head = image.fp.read(12)
    below = tags.get(_SUB_IFDS, ())
    for offset in below if isinstance(below, tuple) else (below,):
        directory = TiffImagePlugin.ImageFileDirectory_v2(head[:8])
        with contextlib.suppress(Exception):  # a damaged one
            image.fp.seek(offset)
            directory.load(image.fp)
            if directory.get(_PHOTOMETRIC) in _RAW_PHOTOMETRICS:
                return True
    return head[8:10] == b"CR"  # Canon's


def _photo(image, data, kind):
    """The `Photo` of an open image of a file."""
    frames = getattr(image, "n_frames", 1) if kind in ("gif", "png", "avif", "webp") else 1
    notes = (f"an animation of {frames} frames, of which the first is taken",) if frames > 1 else ()
    photo = photo_of(image)
    return replace(
        photo,
        lossy=kind == "webp" and _is_lossy(data),
        metadata=replace(photo.metadata, source=metadata.digest(data)),
        notes=notes + photo.notes,
        damage=_libjpeg_says(data) if kind == "jpeg" else None,
    )


def photo_of(image):
    """The `Photo` of an image of Pillow: upright, in sRGB, 8 bits."""
    # A TIFF closes its file when it is loaded, others read tags behind their pixels.
    is_tiff = isinstance(image, TiffImagePlugin.TiffImageFile)
    told = metadata.read_metadata(image) if is_tiff else None
    image.load()
    told = told or metadata.read_metadata(image)
    upright, turned = _upright(image)
    alpha, opaque = _split(upright, getattr(image, "tag_v2", {}))
    rgb, converted, note = colours.to_srgb(opaque, told.profile)
    return Photo(
        np.array(rgb),
        alpha,
        plain=not turned and not converted,
        metadata=told,
        notes=(note,) if note else (),
    )


def _upright(image):
    """(the image turned as its EXIF says, whether it was); one with damaged EXIF as it is."""
    try:
        turned = image.getexif().get(0x0112, 1) not in (0, 1)
        return ImageOps.exif_transpose(image), turned
    except Exception:  # Pillow's reader of tags raises many kinds
        return image, False


def _split(image, tags):
    """(alpha as uint8 (H, W) or None, the image without it, of 8 bits: RGB, L, CMYK or LAB)."""
    clear = image.info.get("transparency")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        numbers = np.asarray(image)
        levels = _levels(numbers, tags)
        alpha = None if clear is None else np.where(numbers == clear, 0, 255).astype(np.uint8)
        return alpha, Image.fromarray(levels)
    if clear is not None and not image.has_transparency_data:
        clear = None
    if clear is not None or image.mode in ("LA", "PA", "La", "RGBA", "RGBa"):
        if image.mode == "La":
            image = image.convert("LA")
        image = image.convert("RGBA")
        return np.array(image.getchannel("A")), image.convert("RGB")
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return None, image
    return None, image.convert("L" if image.mode == "1" else "RGB")


def _levels(numbers, tags=()):
    """Numbers of more than 8 bits as uint8, rounded. tags: of a TIFF."""
    if numbers.dtype.kind == "f":
        least, most = float(numbers.min()), float(numbers.max())
        if not (least >= 0 and most <= 255):  # also for NaN
            raise InputError(f"expected floats of 0 to 1 or to 255, received {least:g} to {most:g}")
        return np.rint(numbers * (255 if most <= 1 else 1)).astype(np.uint8)
    if tags and numbers.dtype == np.int32:
        raise InputError("expected 8 or 16 bits per sample, received 32")
    white = 65535
    if tags:
        white = 2 ** max(tags.get(258, (16,))) - 1
        if tags.get(_PHOTOMETRIC) == 0:  # which Pillow leaves to us for these
            numbers = white - numbers
    return ((numbers.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)


def _by_opencv(data, path):
    """What Pillow does not know, such as TIFFs of 12 bits or of floats in colour."""
    pixels, tags = None, _tiff_tags(data)
    # It takes planes of colours for stripes, and gray with alpha for gray.
    if tags and tags.get(284) != 2 and tags.get(277) != 2:
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error as error:  # for instance more pixels than OpenCV allows
            reason = error.err or error
            raise InputError(f"{path}: the picture cannot be decoded: {reason}") from error
    if pixels is None:
        raise InputError(
            f"{path}: expected a picture in a format that Pillow reads (JPEG, PNG, WebP, HEIC, "
            f"AVIF, TIFF, BMP and others), received {len(data)} bytes of something else or damaged"
        )
    if pixels.dtype != np.uint8:
        pixels = _levels(pixels)
        pixels = 255 - pixels if tags.get(_PHOTOMETRIC) == 0 else pixels
    if pixels.ndim == 2:
        return Photo(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), plain=False)
    alpha = pixels[:, :, 3].copy() if pixels.shape[2] == 4 else None
    return Photo(np.ascontiguousarray(pixels[:, :, 2::-1]), alpha, plain=False)


def _tiff_tags(data):
    """The tags of a TIFF, an empty dictionary for other files."""
    if formats.kind_of(data[: formats.HEAD]) != "tiff":
        return {}
    tags = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
    file = io.BytesIO(data)
    file.seek(tags.next)
    tags.load(file)
    return tags


def _is_lossy(data):
    """Whether a WebP's first image is compressed with loss."""
    place = 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        if name in (b"VP8 ", b"VP8L"):
            return name == b"VP8 "
        place += 8 + size + size % 2
    return False


def _libjpeg_says(data):
    """What libjpeg finds broken in a JPEG that it decodes to its end; None for nothing.

    It says so on the process's error stream alone, whoever calls it.
    """
    with _LOCK:
        try:
            stderr = os.dup(2)
        except OSError:  # there is none
            return None
        with tempfile.TemporaryFile() as said:
            sys.stderr.flush()
            os.dup2(said.fileno(), 2)
            try:
                # The least that has it read all.
                cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
            except cv2.error:
                return None
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").splitlines()
    return next((line for line in lines if line.startswith(_BROKEN)), None)
