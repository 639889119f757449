"""Decodes photos: upright, in sRGB, 8 bits, with alpha and metadata."""

import contextlib
import io
import os
import re
import sys
import tempfile
import threading
import warnings
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.images import colours, formats, metadata, numbers, tiff
from animegan_tf.images.arrays import fill_transparent
from animegan_tf.images.metadata import Metadata

# Pillow's formats of photos and drawings. Others run programs (EPS) or accept any file.
_FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM", "PSD", "ICO",
    "QOI", "PCX", "SUN", "DDS", "HEIF", "JXL", "DIB",
)  # fmt: skip
# Maximum number of pixels without a check of the free memory, which takes longer than opening a
# training image.
_SMALL = 2**23
_RAW = "it is a raw photo; develop it first (to JPEG, TIFF or PNG)"
# The start of libjpeg's warnings about data; others are about tags.
_BROKEN = ("Corrupt JPEG", "Premature end", "Inconsistent progression", "Invalid")
# The end of a JPEG.
_END = b"\xff\xd9"
# The bytes by which formats that are not read are known.
_HEAD = 1024
# The operation that turns an image upright, by its orientation in EXIF.
_TURNS = dict(enumerate(
    (
        Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180,
        Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90,
    ), 2,
))  # fmt: skip
_LOCK = threading.RLock()


@dataclass(frozen=True)
class Photo:
    """A decoded photo.

    rgb: uint8 (H, W, 3), upright, in sRGB; uint16 if it was read with `deep` and the file has more
    than 8 bits. alpha: (H, W), uint8 or uint16, the maximum for opaque; or None.
    plain: whether the file stores these values: upright, in sRGB.
    lossy: whether it is a lossy WebP.
    notes: sentences for the user. damage: a sentence about the damage of the file, or None.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    plain: bool = True
    lossy: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple = ()
    damage: str | None = None

    def seen(self) -> np.ndarray:
        """`rgb` for a network: without the colours of transparent pixels."""
        return self.rgb if self.alpha is None else fill_transparent(self.rgb, self.alpha)


def read_photo(path: str | os.PathLike, deep: bool = False) -> Photo:
    """Read an image file as a `Photo`, turned upright and converted to sRGB.

    The format is detected by content, not by name. Gray, palette and CMYK images become RGB, and
    all samples 8 bits, or with `deep` 16 bits if the file has more than 8; floats range from 0 to
    1, or to 255 if their mean exceeds 1. The first image of an animation or of several pages is
    read, and the largest of an icon. A JPEG with damaged data is read as far as possible, and its
    `damage` is set. Raises `InputError` with the path for a file that is not an image, is cut short
    or is a raw photo, and `OSError` if it cannot be opened.
    """
    return decode_photo(memory.read_bytes(path), path, deep)


def decode_photo(data: bytes, path: str | os.PathLike, deep: bool = False) -> Photo:
    """`read_photo` for the bytes of a file; `path` is its name in errors."""
    if not data:
        raise InputError(f"{path}: expected an image, received an empty file")
    kind = formats.kind_of(data[: formats.HEAD])
    with warnings.catch_warnings():
        # Warnings about tags; important ones are reported below.
        warnings.simplefilter("ignore")
        lines = []
        try:
            with _captured(lines) if kind == "tiff" else contextlib.nullcontext():
                photo = _decoded(data, kind, path, deep)
                described = replace(photo.metadata, source=metadata.digest(data))
                return replace(photo, metadata=described)
        except InputError as error:
            if str(error).startswith(str(path)):
                raise
            raise InputError(f"{path}: {error}") from error
        except MemoryError as error:
            raise InputError(f"{path}: the image does not fit into memory") from error
        except Exception as error:  # decoders raise all kinds for damaged files
            reason = lines[-1] if lines else str(error) or type(error).__name__
            raise InputError(f"{path}: the image is cut short or damaged ({reason})") from error


def size_of(data, name):
    """(height, width) in the header of an image, before it is turned upright, or None.

    data: the bytes of its file. Raises `InputError` with `name` for images that do not fit into
    memory.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = formats.kind_of(data[: formats.HEAD])
            found = numbers.size_of(data, kind)
            image = None if found else _open(data, kind, name)
            if image is not None:
                return image.height, image.width
            tags = {} if found else tiff.directory(data)
        height, width = found or (int(tags[tag]) for tag in (257, 256))
    except InputError:
        raise
    except Exception:  # Pillow raises all kinds for damaged files
        return None
    _refuse_large(height, width, name)
    return height, width


def _refuse_large(height, width, name):
    most = memory.most_pixels() if height * width > _SMALL else _SMALL
    if height * width > most:
        raise _too_large(name, f"{width}x{height}", most)


def _too_large(name, size, most):
    return InputError(f"{name}: {size}, more than the {most:,} pixels that fit into memory")


def digest_of(path: str | os.PathLike) -> str | None:
    """A hash of the content of a photo's file; None if it cannot be read."""
    try:
        return metadata.digest(memory.read_bytes(path))
    except (OSError, InputError):
        return None


def source_of(path: str | os.PathLike) -> str | None:
    """The `digest_of` the photo whose output is at `path`, or None if unknown."""
    try:
        data = memory.read_bytes(path)
        return metadata.read_source(_open(data, formats.kind_of(data[: formats.HEAD]), path))
    except Exception:  # Pillow raises all kinds for damaged files
        return None


def _open(data, kind, path):
    """The open image of Pillow, or None for an unknown format."""
    _register(kind, path)
    if kind == "ico":
        data = _icon(data)
    if kind == "webp" and data[12:16] == b"VP8X":  # opening takes memory for the canvas
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        _refuse_large(height, width, path)
    try:
        return _opened(data, kind, _SMALL)
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError:
        most = memory.most_pixels()
        try:
            return _opened(data, kind, most)
        except Image.DecompressionBombError as error:
            pixels = int(re.search(r"\d+", str(error))[0])
            raise _too_large(path, f"{pixels:,} pixels", most) from error


def _icon(data):
    """An icon or cursor as an icon whose list has the depths, which cursors do not have there."""
    data = bytearray(data)
    data[2] = 1
    for entry in range(6, 6 + 16 * data[4], 16):
        place = int.from_bytes(data[entry + 12 : entry + 16], "little")
        is_bitmap = data[place : place + 1] == b"\x28"
        data[entry + 6 : entry + 8] = data[place + 14 : place + 16] if is_bitmap else b"\x20\0"
    return bytes(data)


def _register(kind, path):
    """Load Pillow's plugin for the kind, if it has one."""
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
def _limited(most):
    """A context in which Pillow's limit of pixels, a global variable, is `most`."""
    with _LOCK, warnings.catch_warnings():
        # Pillow warns at its limit, and raises at twice that.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, most // 2
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = usual


def _opened(data, kind, most):
    """`Image.open` for images of up to `most` pixels; some formats decode or allocate here."""
    Image.init()
    known = ["TGA"] if kind == "tga" else [name for name in _FORMATS if name in Image.OPEN]
    with _limited(most):
        # Pillow itself does not read YCbCr; a variable of the process, too.
        TiffImagePlugin.READ_LIBTIFF = kind == "tiff"
        try:
            return Image.open(io.BytesIO(data), formats=known)
        finally:
            TiffImagePlugin.READ_LIBTIFF = False


def _decoded(data, kind, path, deep):
    """The `Photo` of the bytes of a file."""
    tags = tiff.directory(data) if kind == "tiff" else {}
    if kind == "raw" or (tags and tiff.is_raw(data, tags)):
        raise InputError(f"{path}: {_RAW}")
    image, pixels, orientation, notes, number = None, None, None, (), 1
    size = numbers.size_of(data, kind)
    if tiff.is_unusual(tags):
        orientation = tags.get(tiff.ORIENTATION, 1)
        _refuse_large(int(tags[257]), int(tags[256]), path)
        with _limited(2**62):  # since bytes are opened as pixels
            image, *pixels = tiff.read(data, tags, deep)
    elif size is not None:
        _refuse_large(*size, path)
        image = Image.new("L", (1, 1))
    else:
        image = _open(data, kind, path)
    if image is None:
        unusual = "a TIFF of an unusual kind" if tags else None
        name = formats.name_of_unread(data[:_HEAD]) or unusual
        if name is not None:
            raise InputError(
                f"{path}: it is {name}, which is not supported; convert it to PNG or JPEG first"
            )
        raise InputError(
            f"{path}: expected an image in a format that Pillow reads (JPEG, PNG, WebP, HEIC, "
            f"AVIF, TIFF, BMP and others), received {len(data)} bytes of something else or damaged"
        )
    damage = _jpeg_damage(data + _END) if kind == "jpeg" else None
    if damage:
        _load_damaged(image)
    elif kind == "jpeg":
        image = _open(data + _END, kind, path)  # since some cameras leave it out
    pixels = pixels or numbers.read(data, kind, image, deep)
    if kind == "ico":
        order = [(entry.square, entry.bpp, at) for at, entry in enumerate(image.ico.entry)]
        image = image.ico.frame(max(order)[2])  # Pillow has the largest of the fewest colours
    elif kind == "png" and image.mode == "L" and image.info.get("transparency"):
        # Pillow leaves it at 2 or 4 bits.
        image.info["transparency"] *= 255 // (2 ** data[24] - 1)
    elif kind == "tga" and image.mode == "RGBA" and not data[17] & 15:  # declares no alpha
        pixels = None if image.getchannel("A").getextrema()[1] else (image.convert("RGB"), None)
    if kind in ("gif", "png", "avif", "webp"):
        number, parts = getattr(image, "n_frames", 1), "an animation of {} frames"
    elif kind == "tiff":
        number, parts = tiff.pages(data), "a file of {} pages"
    if number > 1:
        notes = (parts.format(number) + "; only the first is used",)
    profile = colours.coded_profile(data, kind, image.info)
    photo = photo_of(image, pixels, orientation, profile, deep)
    return replace(
        photo,
        lossy=kind == "webp" and re.search(rb"VP8[ L]", data)[0] == b"VP8 ",
        notes=notes + photo.notes,
        damage=damage,
    )


def photo_of(
    image: Image.Image,
    pixels: tuple | None = None,
    orientation: int | None = None,
    profile: bytes | None = None,
    deep: bool = False,
) -> Photo:
    """The `Photo` of an image of Pillow: upright, in sRGB, 8 bits; with `deep` 16, if it has them.

    pixels: colours and alpha to use instead of Pillow's, see `numbers.read`. orientation: the
    orientation in EXIF to use instead of the image's. profile: the bytes of an ICC profile, for an
    image without one.
    """
    # Loading turns a TIFF and closes its file; in other formats tags may follow the pixels.
    is_tiff = isinstance(image, TiffImagePlugin.TiffImageFile)
    described = metadata.read_metadata(image) if is_tiff else None
    was_turned = is_tiff and metadata.orientation(image) in _TURNS
    image.load()
    described = described or metadata.read_metadata(image)
    described = replace(described, profile=described.profile or profile)
    opaque, alpha = pixels or _split(image, deep)
    turn = _TURNS.get(orientation or metadata.orientation(image))
    if turn is not None:
        opaque, alpha = _turned(opaque, turn), _turned(alpha, turn)
    rgb, converted, note = colours.to_srgb(opaque, described.profile)
    return Photo(
        rgb,
        alpha,
        plain=turn is None and not was_turned and not converted,
        metadata=described,
        notes=(note,) if note else (),
    )


def _turned(image, turn):
    """An image of Pillow, or an array (H, W) or (H, W, 3), turned; None for None."""
    if image is None or isinstance(image, Image.Image):
        return image and image.transpose(turn)
    planes = [image] if image.ndim == 2 else np.moveaxis(image, 2, 0)
    planes = [np.asarray(Image.fromarray(plane).transpose(turn)) for plane in planes]
    return planes[0].copy() if image.ndim == 2 else np.dstack(planes)


def _split(image, deep):
    """(the image without alpha in RGB, L, CMYK or LAB; alpha as uint8 (H, W), or None).

    With `deep` an image of more than 8 bits is an array of uint16.
    """
    clear = image.info.get("transparency")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        stored = np.asarray(image)
        alpha = None if clear is None else np.where(stored == clear, 0, 255).astype(np.uint8)
        white = tiff.white_of_floats(stored) if image.mode == "F" else 65535
        shown = tiff.levels(stored, white, deep)
        return shown if deep else Image.fromarray(shown), alpha
    if clear is not None and not image.has_transparency_data:
        clear = None
    if clear is not None or image.mode in ("LA", "PA", "La", "RGBA", "RGBa"):
        mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
        image = image.convert(mode + "A")
        return image.convert(mode), np.array(image.getchannel("A"))
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image, None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _load_damaged(image):
    """Load a JPEG that is damaged inside, as far as it can be read; raises if it is cut short."""
    try:
        image.load()
    except OSError as error:
        if "truncated" in str(error) or "progressive" in image.info:
            raise
        with _LOCK:
            ImageFile.LOAD_TRUNCATED_IMAGES = True
            try:
                image.load()
            finally:
                ImageFile.LOAD_TRUNCATED_IMAGES = False


def _jpeg_damage(data):
    """libjpeg's warning about damaged data in a JPEG, or None."""
    lines = []
    with _captured(lines), contextlib.suppress(cv2.error):
        # The fastest way that reads the whole file.
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    return next((line for line in lines if line.startswith(_BROKEN)), None)


@contextlib.contextmanager
def _captured(lines):
    """A context in which lines on the process's error stream are added to `lines` instead.

    libjpeg and libtiff describe the damage of a file only there.
    """
    with _LOCK, contextlib.ExitStack() as stack:
        try:
            stderr = os.dup(2)
        except OSError:  # it is closed
            yield
            return
        captured = stack.enter_context(tempfile.TemporaryFile())
        sys.stderr.flush()
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            lines += captured.read().decode("utf-8", "replace").splitlines()
