"""Writes photos in the format of the suffix."""

import io
import os
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, PngImagePlugin
from PIL import TiffImagePlugin as plugin

from animegan_tf import storage
from animegan_tf.errors import InputError
from animegan_tf.images import colours, formats, tiff
from animegan_tf.images.arrays import as_kind, check_rgb
from animegan_tf.images.metadata import (
    INNER,
    IPTC,
    XMP,
    Metadata,
    exif_for,
    fitting,
    photoshop_block,
)

# Default quality of lossy formats, 1 to 100.
QUALITIES = {"jpeg": 95, "webp": 95, "avif": 90, "heic": 90}


def write_photo(
    path: str | os.PathLike,
    rgb: np.ndarray,
    alpha: np.ndarray | None = None,
    **options,
) -> None:
    """Write sRGB (H, W, 3), with `alpha` (H, W) unless it is None, in the format of the suffix.

    `options` are the others of `encode_photo`.
    The file is written completely or not at all and replaces an existing file; missing folders are
    created. Raises `InputError` for other arrays, an unknown suffix, alpha in JPEG, or a size that
    the format does not support; `OSError` from the file system.
    """
    suffix = Path(path).suffix.lower()
    kind = formats.kind_of_suffix(suffix)
    if kind is None:
        known = ", ".join(formats.RESULT_SUFFIXES)
        raise InputError(f"{path}: expected one of {known}, received {suffix!r}")
    check_rgb("rgb", rgb, (np.uint8, np.uint16) if kind in formats.DEEP else (np.uint8,))
    if alpha is not None and kind == "jpeg":
        raise InputError(f"{path}: JPEG has no alpha channel; name a .png file instead")
    storage.write_bytes(path, encode_photo(kind, rgb, alpha, path, **options))


def encode_photo(
    kind: str,
    rgb: np.ndarray,
    alpha: np.ndarray | None = None,
    path: str | os.PathLike = "image",
    *,
    metadata: Metadata | None = None,
    profile: bytes | None = None,
    quality: int | None = None,
    lossless: bool = True,
) -> bytes:
    """The bytes that `write_photo` writes; `path` is the name in errors.

    kind: a key of `formats.WRITTEN`. rgb: uint8, or uint16 for PNG and TIFF. alpha: uint8 or
    uint16; JPEG leaves it out.
    metadata: that of the photo; with it, the file also gets the profile of sRGB.
    profile: bytes of an RGB ICC profile to convert `rgb` to, instead of sRGB.
    quality: 1 to 100, for JPEG, WebP, AVIF and HEIC.
    lossless: whether a WebP without a `quality` is lossless.
    """
    height, width = rgb.shape[:2]
    options = {}
    if metadata is not None:
        converted = None if profile is None else colours.from_srgb(rgb, profile)
        if converted is None:
            converted, profile = rgb, colours.srgb_profile()
        rgb = converted
        options = _metadata_options(kind, metadata, profile, height, width)
    pixels = rgb
    if alpha is not None and kind != "jpeg":
        if alpha.dtype not in (np.uint8, np.uint16) or alpha.shape != rgb.shape[:2]:
            raise InputError(
                f"alpha: expected uint8 {rgb.shape[:2]}, received {alpha.dtype} {alpha.shape}"
            )
        pixels = np.dstack([rgb, as_kind(alpha, rgb.dtype)])
    if kind == "bmp" and pixels is not rgb:  # Pillow writes no mask for alpha
        return cv2.imencode(".bmp", pixels[:, :, [2, 1, 0, 3]])[1].tobytes()
    if rgb.dtype == np.uint16:
        return (_deep_png if kind == "png" else _deep_tiff)(pixels, options)
    options = _compression(kind, quality, lossless) | options
    if kind == "heic":
        import pillow_heif

        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    try:
        Image.fromarray(pixels).save(file, "HEIF" if kind == "heic" else kind.upper(), **options)
    except (ValueError, OSError, RuntimeError) as error:
        suffix = Path(path).suffix.lower() or kind
        raise InputError(
            f"{path}: an image of {width}x{height} cannot be written as {suffix} ({error})"
        ) from error
    return file.getvalue()


def _deep_png(pixels, options):
    """The bytes of a PNG of uint16: pixels by OpenCV, metadata by Pillow."""
    order = [2, 1, 0, 3][: pixels.shape[2]]
    data = cv2.imencode(".png", pixels[:, :, order], [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()
    small = io.BytesIO()
    Image.new("RGB", (1, 1)).save(small, "PNG", **options)
    # Signature and header take 33 bytes; a chunk has length, name, content and checksum.
    small, place, ancillary = small.getvalue(), 33, b""
    while place < len(small):
        end = place + 12 + int.from_bytes(small[place : place + 4], "big")
        if small[place + 4 : place + 8] not in (b"IDAT", b"IEND"):
            ancillary += small[place:end]
        place = end
    return data[:33] + ancillary + data[33:]


def _deep_tiff(pixels, options):
    """The bytes of a TIFF of uint16: Pillow writes the compressed bytes as gray pixels."""
    height, width, samples = pixels.shape
    # Differences to the left pixel compress better.
    steps = np.diff(pixels, axis=1, prepend=np.zeros_like(pixels[:, :1])).astype("<u2")
    packed = np.frombuffer(zlib.compress(steps.tobytes(), 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(packed[None]).save(file, "TIFF", **{**options, "compression": None})
    meaning = {
        plugin.IMAGEWIDTH: (width,), plugin.IMAGELENGTH: (height,), plugin.ROWSPERSTRIP: (height,),
        plugin.BITSPERSAMPLE: (16,) * samples, plugin.SAMPLESPERPIXEL: (samples,),
        plugin.PHOTOMETRIC_INTERPRETATION: (2,), plugin.EXTRASAMPLES: (2,) * (samples - 3),
        plugin.COMPRESSION: (8,), plugin.PREDICTOR: (2,),
    }  # fmt: skip
    return tiff.with_tags(file.getvalue(), meaning)


def _compression(kind, quality, lossless):
    if kind == "webp" and lossless and quality is None:
        # With the colours of transparent pixels.
        return {"lossless": True, "exact": True, "quality": 75, "method": 1}
    if kind == "tiff":
        return {"compression": "tiff_lzw"}
    if kind == "png":
        return {"compress_level": 3}  # a third of the time, a tenth larger
    options = {"quality": QUALITIES.get(kind) if quality is None else quality}
    if kind == "heic":
        # The same quality in a third of the time.
        options["enc_params"] = {"preset": "fast"}
    return options if kind in QUALITIES else {}


def _metadata_options(kind, metadata, profile, height, width):
    """Pillow's options for the metadata."""
    metadata, _ = fitting(metadata, kind)
    options = {"icc_profile": profile}
    exif = exif_for(metadata, height, width)
    if metadata.dpi is not None and kind in ("jpeg", "png", "tiff", "bmp"):
        options["dpi"] = metadata.dpi
    if kind == "tiff":
        for tag, value in ((XMP, metadata.xmp), (IPTC, metadata.iptc)):
            if value is not None:
                exif[tag] = value
        options["tiffinfo"] = exif
        # With compression, libtiff does not write these.
        if any(tag in exif for tag in INNER):
            options["compression"] = None
        return options
    if len(exif):
        data = exif.tobytes()
        options["exif"] = data if kind in ("jpeg", "heic") else data.removeprefix(b"Exif\0\0")
    if kind == "jpeg" and metadata.iptc is not None:
        block = photoshop_block(metadata.iptc)
        options["extra"] = b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block
    if metadata.xmp is None:
        return options
    if kind == "png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    elif kind != "bmp":
        options["xmp"] = metadata.xmp
    return options
