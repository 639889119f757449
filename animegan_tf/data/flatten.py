"""Photos with flat areas, crisp edges and strong colours: what results may be compared with.

Not part of the published method, which compares them with the photos themselves.
"""

import cv2
import numpy as np

from animegan_tf.images import luma

# Bilateral filters, one after the other: each takes out what differs by less than `_LEVELS` from
# the levels within `_REACH` pixels, and leaves the edges, which differ by more.
_ROUNDS, _DIAMETER, _LEVELS, _REACH = 5, 7, 22, 5
_SATURATION, _CONTRAST, _LIFT = 1.3, 1.05, 4.0


def flatten(photo):
    """uint8 RGB (H, W, 3) to the same: smoothed between its edges, its colours strengthened."""
    strong = _saturate(smooth(photo), _SATURATION)
    strong = (strong - 128.0) * _CONTRAST + 128.0 + _LIFT
    return np.clip(np.rint(strong), 0, 255).astype(np.uint8)


def saturate(picture, factor):
    """uint8 RGB (H, W, 3) to the same, colours `factor` times as far from their luma's gray."""
    return np.clip(np.rint(_saturate(picture, factor)), 0, 255).astype(np.uint8)


def lighten(picture, gamma):
    """uint8 RGB (H, W, 3) to the same, luma to the power `gamma` (of 0 to 1) and colours kept."""
    gray = luma(picture)[..., None]
    lighter = picture - gray + 255 * (gray / 255) ** gamma
    return np.clip(np.rint(lighter), 0, 255).astype(np.uint8)


def _saturate(picture, factor):
    gray = luma(picture)[..., None]
    return (picture - gray) * factor + gray


def smooth(photo):
    """uint8 RGB (H, W, 3) to the same, smoothed between its edges."""
    for _ in range(_ROUNDS):
        photo = cv2.bilateralFilter(photo, _DIAMETER, _LEVELS, _REACH)
    return photo
