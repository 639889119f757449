"""Arrays of images: [-1, 1] and levels, brightness, transparency; sizes and padding.

"Levels" are uint8 (0 to 255) or uint16 (0 to 65535); functions keep the type. Sizes are (height,
width).
"""

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from animegan_tf.errors import InputError

PUBLISHED_MIN_SIDE = 256
PUBLISHED_MULTIPLE = 32
# The published code applies the luma weights of RGB to channels in the order B, G, R, of photo and
# output alike. Kept, as the reference values depend on it; written here in the order R, G, B.
_PUBLISHED_LUMA = (0.114, 0.587, 0.299)


def check_rgb(name: str, image: np.ndarray, kinds: Iterable[type] = (np.uint8,)) -> None:
    """Raise `InputError` unless `image` is a non-empty array (H, W, 3) of one of the `kinds`."""
    fits = isinstance(image, np.ndarray) and image.dtype in kinds and image.shape[2:] == (3,)
    if not (fits and image.size):
        expected = "a uint8 RGB array of shape (height, width, 3)"
        raise InputError(f"{name}: expected {expected}, received {described(image)}")


def described(value: object) -> str:
    """An array's type and shape, or the type of anything else, for errors."""
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


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
    """Convert levels to uint8 or uint16."""
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
    """Replace the colours of transparent pixels (`alpha` 0) by those of visible pixels nearby.

    They are invisible, but would influence a network. `rgb` and `alpha` are levels. Holes are
    filled from coarse to fine with the mean of the visible neighbourhood, or black.
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
    """Fill holes; `weighted` is colours times `weights` (0 to 1), all float32."""
    if max(weights.shape) == 1 or weights.all():
        return weighted / np.maximum(weights, np.float32(1e-6))[:, :, None]
    coarse = _filled(_halved(weighted), _halved(weights))
    around = cv2.resize(coarse, weights.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return weighted + (1 - weights)[:, :, None] * around.reshape(weighted.shape)


def on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Blend uint8 (H, W, 3) over white by `alpha`, uint8 (H, W)."""
    if (alpha == 255).all():
        return rgb
    alpha = alpha[:, :, None].astype(np.uint16)
    return ((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def luma(rgb: np.ndarray) -> np.ndarray:
    """The luma of RGB (H, W, 3), 0 to 255: float32 (H, W) of the same range."""
    return np.asarray(rgb, np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def even_choice(items: Sequence, count: int) -> list:
    """Up to `count` items at even steps, including the first and the last."""
    if len(items) <= count:
        return list(items)
    if count == 1:
        return [items[0]]
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]


# --- sizes ---


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize (H, W) or (H, W, 3): bilinear, averaging over the covered pixels to shrink."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    return cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )


def limit_side(image: np.ndarray, max_side: int | None) -> np.ndarray:
    """Shrink so that the longer side is at most `max_side`, keeping the aspect ratio.

    Never enlarges; `max_side=None` is no limit.
    """
    height, width = image.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return image
    scale = max_side / max(height, width)
    return resize(image, max(1, round(height * scale)), max(1, round(width * scale)))


def enlarged_size(height: int, width: int, min_side: int, max_pixels: int) -> tuple[int, int]:
    """The size at which the short side is `min_side`, the aspect ratio kept; never smaller.

    Enlarging stops at `max_pixels`: 4000x2 would otherwise become 512000x256.
    """
    wanted = min_side / min(height, width)
    allowed = math.sqrt(max_pixels / (height * width))
    scale = max(1.0, min(wanted, allowed))
    return max(1, round(height * scale)), max(1, round(width * scale))


def pad_to_multiple(image: np.ndarray, multiple: int, at_least: int = 1) -> np.ndarray:
    """Pad (H, W, 3) at the bottom and right by reflection to multiples of `multiple`.

    The sides become `at_least` that long; reflections longer than the image go back and forth.
    `padded[:H, :W]` is the image.
    """
    height, width = image.shape[:2]
    sides = (-(-max(side, at_least) // multiple) * multiple for side in (height, width))
    return pad_to_size(image, *sides)


def pad_to_size(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pad (H, W, 3) at the bottom and right by reflection to exactly that size, not smaller."""
    bottom, right = height - image.shape[0], width - image.shape[1]
    return cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REFLECT_101)


def size_within(height: int, width: int, within_height: int, within_width: int) -> tuple[int, int]:
    """The largest size of that aspect ratio within another, each side at least 1."""
    scale = min(within_height / height, within_width / width)
    sides = ((height, within_height), (width, within_width))
    return tuple(min(limit, max(1, round(side * scale))) for side, limit in sides)


def published_size(height: int, width: int) -> tuple[int, int]:
    """The size at which the published code runs, which may change the aspect ratio.

    Sides below 256 become 256, others the next lower multiple of 32.
    """
    return tuple(
        max(PUBLISHED_MIN_SIDE, side - side % PUBLISHED_MULTIPLE) for side in (height, width)
    )


def preprocess_published(rgb: np.ndarray) -> np.ndarray:
    """RGB levels (H, W, 3) to the published network input: float32 (1, H', W', 3) in [-1, 1].

    Resized bilinearly to `published_size`, in float32 as published: 8-bit would round in between.
    """
    height, width = published_size(*rgb.shape[:2])
    levels = rgb.astype(np.float32) * np.float32(255 / white_of(rgb))
    resized = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)
    return to_network(resized)[None]


def side_by_side(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Join two images of the same shape, (H, W) or (H, W, 3), to (H, 2 W, ...)."""
    if left.shape != right.shape:
        raise InputError(
            f"side_by_side: expected images of one size, received {left.shape} and {right.shape}"
        )
    return np.concatenate([left, right], axis=1)
