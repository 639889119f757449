"""Photos as paintings with ink lines: brush-like areas, dark lines along long contours.

What results may be compared with; not part of the published method. The areas are those of Kuwahara
(1976), each pixel the mean of the calmest window that it lies in, with soft weights as in Papari,
Petkov and Campisi, "Artistic edge and corner enhancing smoothing" (2007), averaged along the edges
as brushes go. The lines are those of `drawing`, but none where edges are crowded or short, as in
foliage.
"""

import cv2
import numpy as np

from animegan_tf.data import drawing
from animegan_tf.data.flatten import saturate
from animegan_tf.images import luma

# Windows of Kuwahara's filter reach so far, how often it is applied, how sharply it decides, and
# the variance (of levels) below which windows are alike.
_REACH, _ROUNDS, _SHARPNESS, _NOISE = 2, 2, 4.0, 4.0
# Colours are averaged along the edges over so many pixels to both sides.
_BRUSH = 3
_SATURATION, _CONTRAST, _LIFT = 1.2, 1.05, 4.0
# Lines are looked for where bilateral filters have left edges: rounds, diameter, levels, reach.
_CALMING = (4, 9, 40, 6)
# Ink from which a pixel belongs to a line, and the length in pixels of lines that stay.
_INK, _LENGTH = 0.2, 20
# Share of inked pixels around (standard deviation in pixels) from which lines fade, and are gone.
_AROUND, _FADING, _CROWDED = 10.0, 0.12, 0.2


def paint(photo):
    """uint8 RGB (H, W, 3) to the same, as a painting with ink lines."""
    areas = photo
    for _ in range(_ROUNDS):
        areas = _calmest_windows(areas)
    direction = drawing.edge_direction(luma(areas))
    areas = drawing.average_along(areas.astype(np.float32), direction, _BRUSH)
    strong = saturate(areas, _SATURATION).astype(np.float32)
    painted = ((strong - 128) * _CONTRAST + 128 + _LIFT) * (1 - _lines(photo)[..., None])
    return np.clip(np.rint(painted), 0, 255).astype(np.uint8)


def _calmest_windows(picture):
    """The mean of the calmest of the four windows that have each pixel in a corner; uint8."""
    gray, colours = luma(picture), picture.astype(np.float32)
    total, weights = np.zeros_like(colours), np.zeros_like(gray)
    side = (_REACH + 1, _REACH + 1)
    for anchor in ((0, 0), (0, _REACH), (_REACH, 0), (_REACH, _REACH)):
        mean, square, colour = (
            cv2.blur(one, side, anchor=anchor, borderType=cv2.BORDER_REFLECT)
            for one in (gray, gray * gray, colours)
        )
        weight = (np.maximum(square - mean * mean, 0) + _NOISE) ** -_SHARPNESS
        total += weight[..., None] * colour
        weights += weight
    return np.rint(total / weights[..., None]).astype(np.uint8)


def _lines(photo):
    """(H, W): how much ink lies on each pixel."""
    rounds, *how = _CALMING
    for _ in range(rounds):
        photo = cv2.bilateralFilter(photo, *how)
    lightness = luma(photo)
    ink = drawing.lines(lightness, drawing.edge_direction(lightness))
    inked = (ink > _INK).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inked, connectivity=8)
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    # Long, and no blots; component 0 is the background.
    stay = (length >= _LENGTH) & (length**2 >= 3 * stats[:, cv2.CC_STAT_AREA])
    stay[0] = False
    kept = cv2.dilate(stay[labels].astype(np.float32), np.ones((3, 3), np.uint8))
    crowd = cv2.GaussianBlur(inked.astype(np.float32), (0, 0), _AROUND)
    calm = np.clip((_CROWDED - crowd) / (_CROWDED - _FADING), 0, 1)
    return ink * cv2.GaussianBlur(kept, (0, 0), 0.7) * calm
