"""Photos with flat areas, crisp edges and strong colours: an optional reference for the losses.

The published method uses the photos themselves.
"""

import cv2
import numpy as np

from animegan_tf.images import luma

# Repeated bilateral filters: each removes differences below `_LEVELS` within `_REACH` pixels and
# keeps edges, which differ by more.
_ROUNDS, _DIAMETER, _LEVELS, _REACH = 5, 7, 22, 5
_SATURATION, _CONTRAST, _LIFT = 1.3, 1.05, 4.0


def flatten(photo):
    """Edge-preserving smoothing and stronger colours: uint8 RGB (H, W, 3) to the same."""
    strong = _saturate(smooth(photo), _SATURATION)
    strong = (strong - 128.0) * _CONTRAST + 128.0 + _LIFT
    return np.clip(np.rint(strong), 0, 255).astype(np.uint8)


def saturate(image, factor):
    """Multiply the differences of RGB from luma by `factor`: uint8 RGB (H, W, 3) to the same."""
    return np.clip(np.rint(_saturate(image, factor)), 0, 255).astype(np.uint8)


def lighten(image, gamma):
    """Raise luma (in [0, 1]) to the power `gamma`, keep chroma: uint8 RGB (H, W, 3) to the same."""
    gray = luma(image)[..., None]
    lighter = image - gray + 255 * (gray / 255) ** gamma
    return np.clip(np.rint(lighter), 0, 255).astype(np.uint8)


def _saturate(image, factor):
    gray = luma(image)[..., None]
    return (image - gray) * factor + gray


def smooth(photo):
    """Edge-preserving smoothing: uint8 RGB (H, W, 3) to the same."""
    for _ in range(_ROUNDS):
        photo = cv2.bilateralFilter(photo, _DIAMETER, _LEVELS, _REACH)
    return photo
