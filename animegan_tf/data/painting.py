"""Photos as paintings with ink lines: brush-like areas, dark lines along long contours.

An optional reference for the losses; the published method uses the photos themselves. Areas are
smoothed as by Kuwahara (1976): each pixel is the mean of the window with the lowest variance that
contains it, with soft weights as in Papari, Petkov and Campisi, "Artistic edge and corner enhancing
smoothing" (2007), averaged along the edges like brush strokes. The lines are those of `drawing`,
without short and crowded ones, as in foliage.
"""

import dataclasses

import cv2
import numpy as np

from animegan_tf.data import drawing
from animegan_tf.data.flatten import saturate
from animegan_tf.images import luma

# Kuwahara's filter: exponent of the weights, and variance (in levels squared) below which windows
# have about equal weights.
_SHARPNESS, _NOISE = 4.0, 4.0
_SATURATION, _CONTRAST, _LIFT = 1.2, 1.05, 4.0
# Bilateral filters before lines are detected: rounds, diameter, levels, reach.
_SMOOTHING = (4, 9, 40, 6)
# Minimum ink of the pixels of a line.
_INK = 0.2
# Neighbourhood (standard deviation in pixels) in which inked pixels are counted.
_AROUND = 10.0


@dataclasses.dataclass(frozen=True)
class Pen:
    """Lines: their width as a factor, darkness as a factor, and minimum length in pixels.

    They start to fade where a fraction `fading` of the pixels around is inked, and are removed
    where that is `crowded`.
    """

    width: float
    darkness: float
    length: int
    fading: float
    crowded: float


FINE = Pen(width=1.0, darkness=1.0, length=20, fading=0.12, crowded=0.2)
# A network draws lines fainter than those it learns from.
BOLD = Pen(width=1.45, darkness=1.125, length=16, fading=0.2, crowded=0.32)


def paint(photo, pen=FINE, brush=2):
    """Convert a photo, uint8 RGB (H, W, 3), to a painting of the same type and size.

    `brush` is the reach of Kuwahara's windows in pixels and the number of their rounds; colours are
    then averaged along the edges, a pixel further to both sides.
    """
    areas = photo
    for _ in range(brush):
        areas = _smoothest_windows(areas, brush)
    direction = drawing.edge_direction(luma(areas))
    areas = drawing.average_along(areas.astype(np.float32), direction, brush + 1)
    strong = saturate(areas, _SATURATION).astype(np.float32)
    painted = ((strong - 128) * _CONTRAST + 128 + _LIFT) * (1 - _lines(photo, pen)[..., None])
    return np.clip(np.rint(painted), 0, 255).astype(np.uint8)


def _smoothest_windows(picture, reach):
    """For each pixel the mean of the smoothest of the four windows with it in a corner; uint8."""
    gray, colours = luma(picture), picture.astype(np.float32)
    total, weights = np.zeros_like(colours), np.zeros_like(gray)
    side = (reach + 1, reach + 1)
    for anchor in ((0, 0), (0, reach), (reach, 0), (reach, reach)):
        mean, square, colour = (
            cv2.blur(plane, side, anchor=anchor, borderType=cv2.BORDER_REFLECT)
            for plane in (gray, gray * gray, colours)
        )
        weight = (np.maximum(square - mean * mean, 0) + _NOISE) ** -_SHARPNESS
        total += weight[..., None] * colour
        weights += weight
    return np.rint(total / weights[..., None]).astype(np.uint8)


def _lines(photo, pen):
    """The amount of ink on each pixel, (H, W)."""
    rounds, *how = _SMOOTHING
    for _ in range(rounds):
        photo = cv2.bilateralFilter(photo, *how)
    lightness = luma(photo)
    ink = pen.darkness * drawing.lines(lightness, drawing.edge_direction(lightness), pen.width)
    inked = (ink > _INK).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inked, connectivity=8)
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    # Keep long and thin components; component 0 is the background.
    stay = (length >= pen.length) & (length**2 >= 3 * stats[:, cv2.CC_STAT_AREA])
    stay[0] = False
    kept = cv2.dilate(stay[labels].astype(np.float32), np.ones((3, 3), np.uint8))
    crowd = cv2.GaussianBlur(inked.astype(np.float32), (0, 0), _AROUND)
    isolated = np.clip((pen.crowded - crowd) / (pen.crowded - pen.fading), 0, 1)
    return ink * cv2.GaussianBlur(kept, (0, 0), 0.7) * isolated
