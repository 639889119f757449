"""Sizes of images, (height, width): resizing, padding, limits, and the published rule."""

import math

import cv2
import numpy as np

from animegan_tf.errors import InputError
from animegan_tf.images.values import to_network, white_of

PUBLISHED_MIN_SIDE = 256
PUBLISHED_MULTIPLE = 32


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

    The sides are also made `at_least` that long; a reflection longer than the image goes back
    and forth. `padded[:H, :W]` is the image.
    """
    height, width = image.shape[:2]
    sides = (_up_to_multiple(max(side, at_least), multiple) for side in (height, width))
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


def _up_to_multiple(size, multiple):
    return -(-size // multiple) * multiple


def published_size(height: int, width: int) -> tuple[int, int]:
    """The size at which the published code runs: a side below 256 becomes 256, any other the next
    lower multiple of 32. Each side by itself, so the aspect ratio may change.
    """
    return _published_side(height), _published_side(width)


def _published_side(side):
    return max(PUBLISHED_MIN_SIDE, side - side % PUBLISHED_MULTIPLE)


def preprocess_published(rgb: np.ndarray) -> np.ndarray:
    """RGB levels (H, W, 3) to the published network input: float32 (1, H', W', 3) in [-1, 1].

    Resized bilinearly to `published_size`, in float32 as published: 8-bit would round in between.
    """
    height, width = published_size(*rgb.shape[:2])
    levels = rgb.astype(np.float32) * np.float32(255 / white_of(rgb))
    resized = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)
    return to_network(resized)[None]


def side_by_side(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two images of the same size and kind, (H, W) or (H, W, 3), as one: (H, 2 W, ...)."""
    if left.shape != right.shape:
        raise InputError(
            f"side_by_side: expected images of one size, received {left.shape} and {right.shape}"
        )
    return np.concatenate([left, right], axis=1)
