"""Values of images: [-1, 1] and levels, brightness, what is hidden under transparent pixels.

Functions whose text says "levels" take uint8 (0 to 255) and uint16 (0 to 65535), and keep the type.
"""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from animegan_tf.errors import InputError

# The published code applies the luma weights of RGB to channels in the order B, G, R, of photo and
# output alike. Kept, as the reference values depend on it; written here in the order R, G, B.
_PUBLISHED_LUMA = (0.114, 0.587, 0.299)


def check_rgb(name: str, image: np.ndarray, kinds: Iterable[type] = (np.uint8,)) -> None:
    """Raise `InputError` unless `image` is a non-empty array (H, W, 3) of one of the `kinds`."""
    received = type(image).__name__
    if isinstance(image, np.ndarray):
        if image.dtype in kinds and image.shape[2:] == (3,) and image.size:
            return
        received = f"{image.dtype} {image.shape}"
    raise InputError(
        f"{name}: expected a uint8 RGB array of shape (height, width, 3), received {received}"
    )


def white_of(image: np.ndarray) -> int:
    """The level of white in an array: 65535 for uint16, 255 for all other types."""
    return 65535 if image.dtype == np.uint16 else 255


def to_network(rgb: np.ndarray) -> np.ndarray:
    """RGB levels, or floats of 0 to 255, of any shape, to float32 in [-1, 1]."""
    rgb = np.asarray(rgb)
    return rgb.astype(np.float32) / np.float32(white_of(rgb) / 2) - np.float32(1)


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Floats in [-1, 1], any shape, to uint8, clipped and rounded: the inverse of `to_network`.

    (The published code truncates; a level too dark, and not the inverse.)
    """
    return to_levels(values, np.uint8)


def to_levels(values: np.ndarray, kind: type) -> np.ndarray:
    """`to_uint8`, or the same for uint16, whichever `kind` is."""
    white = np.iinfo(kind).max
    scaled = (np.asarray(values, np.float32) + np.float32(1)) * np.float32(white / 2)
    return np.rint(np.clip(scaled, 0, white)).astype(kind)


def as_kind(image: np.ndarray, kind: type) -> np.ndarray:
    """Levels of uint8 or uint16 as those of the other, or as they are."""
    if image.dtype == kind:
        return image
    if kind == np.uint16:
        return image.astype(np.uint16) * np.uint16(257)
    return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)


def match_brightness(result: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Scale `result` so that its mean brightness is that of `photo`; both RGB levels (H, W, 3).

    Brightness is 0.114 R + 0.587 G + 0.299 B of the channels' means (the published code's weights,
    see `_PUBLISHED_LUMA`). Values are clipped and truncated, as published, so the mean may end up
    lower. The sizes may differ. An all-black output is returned unchanged.
    """
    scale = brightness_scale(result, photo)
    return result.copy() if scale is None else scale_levels(result, scale)


def brightness_scale(result: np.ndarray, photo: np.ndarray) -> float | None:
    """The factor by which `match_brightness` scales; None for an all-black output."""
    brightness = float(np.dot(_PUBLISHED_LUMA, cv2.mean(result)[:3]))
    if brightness == 0:
        return None
    wanted = float(np.dot(_PUBLISHED_LUMA, cv2.mean(photo)[:3]))
    return wanted / brightness * (white_of(result) / white_of(photo))


def scale_levels(image: np.ndarray, scale: float) -> np.ndarray:
    """Levels multiplied by `scale`, clipped and truncated."""
    white = white_of(image)
    levels = np.clip(np.arange(white + 1) * scale, 0, white).astype(image.dtype)
    return cv2.LUT(image, levels) if white == 255 else levels[image]


def fill_transparent(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """`rgb` with other colours where `alpha` is 0: those of the visible pixels around.

    What lies there by chance is not seen, but a network would look at it. Both have levels. From
    coarse to fine each hole gets the mean of what is visible near it, black where nothing is.
    """
    if alpha.all():
        return rgb
    visible = (alpha > 0).astype(np.uint8)
    size = alpha.shape[::-1]
    colours = _halved(cv2.copyTo(rgb, visible).astype(np.float32))
    coarse = _filled(colours, _halved(visible.astype(np.float32)))
    around = cv2.resize(np.rint(coarse).astype(rgb.dtype), size, interpolation=cv2.INTER_LINEAR)
    return cv2.copyTo(rgb, visible, around)


def _halved(plane):
    height, width = plane.shape[:2]
    return cv2.resize(
        plane, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA
    ).reshape((height + 1) // 2, (width + 1) // 2, *plane.shape[2:])


def _filled(weighted, weights):
    """Colours everywhere, from colours times weights of 0 to 1, and the weights; all float32."""
    if max(weights.shape) == 1 or weights.all():
        return weighted / np.maximum(weights, np.float32(1e-6))[:, :, None]
    coarse = _filled(_halved(weighted), _halved(weights))
    around = cv2.resize(coarse, weights.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return weighted + (1 - weights)[:, :, None] * around.reshape(weighted.shape)


def on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) with an `alpha` laid on white."""
    if (alpha == 255).all():
        return rgb
    alpha = alpha[:, :, None].astype(np.uint16)
    return ((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def luma(rgb: np.ndarray) -> np.ndarray:
    """float32 (H, W), levels of 0..255."""
    return np.asarray(rgb, np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def even_choice(items: Sequence, count: int) -> list:
    """Up to `count` of a list, at even steps, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    if count == 1:
        return [items[0]]
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]
