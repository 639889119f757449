"""Colour profiles (ICC): photos to sRGB, which networks are trained on, and results back."""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

# Of a profile's colour space: the modes of Pillow that hold such pixels.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
_COMPENSATED = ImageCms.Flags.BLACKPOINTCOMPENSATION


@functools.cache
def srgb_profile():
    """The bytes of an sRGB profile, the same ones each time."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[24:36] = bytes.fromhex("07e8 0001 0001 0000 0000 0000")  # when it was made
    return bytes(data)


def to_srgb(image, profile):
    """(the RGB `image` of Pillow in sRGB, whether its numbers changed, a note or None).

    image: of mode RGB, L, CMYK or LAB. profile: bytes of its ICC profile, or None. One that is
    damaged or of other colours than the image is as none, which the note says.
    """
    note = None
    if profile and image.mode != "LAB":
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            wanted = _MODES.get(source.profile.xcolor_space.strip())
            if wanted == "RGB" and image.mode == "L":
                image = image.convert("RGB")
            if wanted != image.mode:
                raise ValueError(f"it is for {source.profile.xcolor_space.strip()} colours")
            transform = _transform(source, _srgb(), image.mode)
            if image.mode == "RGB" and _changes_nothing(transform):
                return image, False, None
            return transform.apply(image), True, None
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            note = f"its colour profile cannot be used, so sRGB is taken ({error})"
    if image.mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return _transform(lab, _srgb(), "LAB").apply(image), True, note
    return image.convert("RGB"), image.mode == "CMYK", note


def from_srgb(rgb, profile):
    """uint8 sRGB (H, W, 3) as the numbers of another RGB profile; None if it is not one."""
    try:
        target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if target.profile.xcolor_space.strip() != "RGB":
            return None
        return np.asarray(_transform(_srgb(), target, "RGB").apply(Image.fromarray(rgb)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _srgb():
    return ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))


def _transform(source, target, mode):
    intent = ImageCms.Intent.PERCEPTUAL
    return ImageCms.buildTransform(source, target, mode, "RGB", intent, _COMPENSATED)


def _changes_nothing(transform):
    """Whether colours stay within a level: then it is sRGB, and their numbers are kept."""
    levels = np.arange(0, 256, 51, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 6, 3)
    made = np.asarray(transform.apply(Image.fromarray(cube)))
    return np.abs(made.astype(int) - cube).max() <= 2
