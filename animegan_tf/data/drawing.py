"""Photos as drawings: flat areas in few tones, dark lines along the edges, strong colours.

An optional reference for the losses; the published method uses the photos themselves. The steps are
those of Winnemöller, Olsen and Gooch, "Real-time video abstraction" (SIGGRAPH 2006):
edge-preserving smoothing, soft quantisation of lightness, lines from a difference of Gaussians. The
lines follow the edges as in Kang, Lee and Chui, "Coherent line drawing" (NPAR 2007).
"""

import cv2
import numpy as np

from animegan_tf.data.flatten import smooth
from animegan_tf.images import luma

# Standard deviation of the averaging of edge directions, in pixels.
_FLOW_SIGMA = 2.0
# Lines: standard deviation of the finer Gaussian, ratio of both (Kang et al.), reach along the edge
# to both sides in pixels, and darkness.
_LINE_SIGMA, _LINE_RATIO, _LINE_REACH, _LINE_INK = 0.9, 1.6, 6, 0.8
# A line is drawn where the difference exceeds this many levels and stands out from its
# neighbourhood; without the latter, foliage and gravel would be completely black.
_LINE_LEVELS, _LINE_CONTRAST, _LINE_NEIGHBOURHOOD, _LINE_SLOPE = 1.5, 0.8, 8.0, 0.7
# Colours are averaged along the edges, this many pixels to both sides.
_AREA_REACH = 2
# Number of lightness levels, and the steepness of the transitions between them.
_TONES, _TONE_SLOPE = 8, 4.0
# Saturation of weak colours; colours further from gray than `_STRONG` levels change less.
_SATURATION, _STRONG = 0.5, 60.0
_GAMMA, _CONTRAST, _LIFT = 0.92, 1.08, 4.0


def draw(photo):
    """Convert a photo, uint8 RGB (H, W, 3), to a drawing of the same type and size."""
    areas = smooth(photo)
    lightness = luma(areas)
    direction = edge_direction(lightness)
    ink = lines(lightness, direction)
    drawn = _tones(average_along(areas.astype(np.float32), direction, _AREA_REACH))
    return np.clip(np.rint(drawn * (1 - ink[..., None])), 0, 255).astype(np.uint8)


def edge_direction(lightness):
    """Unit vectors (x, y), each (H, W), along the edges: of the structure tensor, averaged."""
    across, down = (cv2.Sobel(lightness, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    xx, xy, yy = (
        cv2.GaussianBlur(product, (0, 0), _FLOW_SIGMA)
        for product in (across * across, across * down, down * down)
    )
    largest = (xx + yy + np.sqrt((xx - yy) ** 2 + 4 * xy * xy)) / 2
    x, y = largest - xx, -xy
    length = np.hypot(x, y)
    known = length > 1e-6
    length = np.where(known, length, 1)
    return np.where(known, x / length, 0), np.where(known, y / length, 1)


def average_along(values, direction, reach):
    """Gaussian average of float32 `values` along the edges, `reach` pixels (2 sigma) each way."""
    rows, columns = np.indices(values.shape[:2], np.float32)
    total, weights = values.copy(), 1.0
    for way in (1, -1):
        x, y = columns, rows
        step_x, step_y = direction[0] * np.float32(way), direction[1] * np.float32(way)
        for distance in range(1, reach + 1):
            x, y = x + step_x, y + step_y
            weight = float(np.exp(-2 * (distance / reach) ** 2))
            total += weight * _sample(values, x, y, cv2.INTER_LINEAR)
            weights += weight
            next_x, next_y = (_sample(part, x, y, cv2.INTER_NEAREST) for part in direction)
            # The sign of an edge direction is arbitrary: choose the one that continues forwards.
            sign = np.where(next_x * step_x + next_y * step_y < 0, np.float32(-1), np.float32(1))
            step_x, step_y = next_x * sign, next_y * sign
    return total / np.float32(weights)


def _sample(values, x, y, method):
    return cv2.remap(values, x, y, method, borderMode=cv2.BORDER_REPLICATE)


def lines(lightness, direction, width=1.0):
    """The amount of ink on each pixel, (H, W), from 0 to `_LINE_INK`, along the edges.

    lightness: float32 (H, W), levels of 0..255. direction: its `edge_direction`. width: a factor.
    """
    fine = cv2.GaussianBlur(lightness, (0, 0), _LINE_SIGMA * width)
    coarse = cv2.GaussianBlur(lightness, (0, 0), _LINE_SIGMA * width * _LINE_RATIO)
    darker = average_along(coarse - fine, direction, _LINE_REACH)
    around = cv2.GaussianBlur(np.abs(darker), (0, 0), _LINE_NEIGHBOURHOOD)
    over = darker - _LINE_LEVELS - _LINE_CONTRAST * around
    return _LINE_INK * np.tanh(_LINE_SLOPE * np.maximum(over, 0))


def _tones(areas):
    """Soft quantisation of lightness, with stronger colours; float32 RGB, not clipped."""
    gray = luma(areas)
    step = 255 / _TONES
    steps = 255 * (gray / 255) ** _GAMMA / step
    border = np.rint(steps)
    stairs = np.tanh(_TONE_SLOPE * (steps - border)) / np.tanh(_TONE_SLOPE / 2) / 2
    stepped = ((border + stairs) * step)[..., None]
    color = areas - gray[..., None]
    strength = np.exp(-np.abs(color).max(-1, keepdims=True) / _STRONG)
    toned = stepped + color * (1 + _SATURATION * strength)
    return (toned - 128) * _CONTRAST + 128 + _LIFT
