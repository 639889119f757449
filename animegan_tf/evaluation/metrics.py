"""How a result differs from its photo, in numbers: artifacts, colour, flicker. No TensorFlow.

Pictures are uint8 RGB (height, width, 3), photo and result of one size. Brightness (luma) is that
of ITU-R BT.601 in levels of 0..255.

**High-frequency artifacts** (the grids and speckles that instance norm is known for; total
variation loss does not suppress them). What is measured is the variance of the luma, in levels
squared, that lies above a radial frequency of `CUTOFF` cycles per pixel (half of what a row of
pixels can hold), in flat windows: `WINDOW` pixels square, half overlapping, under a Hann window,
where the photo's luma has a standard deviation of at most `FLAT` levels. There the photo shows
next to nothing, so what a result has there was made by the network. A checkerboard of +-a levels
counts a squared. The index is the ratio of the `typical` energies of result and photo.

**Flicker**: two frames of a film, the first moved onto the second by the optical flow of the film,
differ by little where the flow can be trusted; their results should not differ by more.
"""

import dataclasses

import cv2
import numpy as np

from animegan_tf.errors import InputError
from animegan_tf.images import luma

CUTOFF = 0.25
WINDOW, _STRIDE = 32, 16
FLAT = 5.0

# Where forward and backward flow miss each other by more pixels, or the pictures differ by more
# levels once moved, something is hidden or unclear.
_FLOW_MISMATCH, _MOST_LEVELS = 1.0, 20
# A pair of frames of which less can be compared lies across a cut.
_LEAST_COMPARABLE = 0.5


# --- artifacts -----------------------------------------------------------------------------------


def _radial_frequencies():
    rows, columns = np.fft.fftfreq(WINDOW)[:, None], np.fft.rfftfreq(WINDOW)[None]
    return np.hypot(rows, columns)


def _spectrum_counts():
    """How often each entry of `rfft2` stands in the whole spectrum: but for two columns, twice."""
    counts = np.full((WINDOW, WINDOW // 2 + 1), 2.0)
    counts[:, [0, -1]] = 1.0
    return counts


_HANN = np.hanning(WINDOW + 1)[:-1]
_TAPER = np.outer(_HANN, _HANN)
_ABOVE = _spectrum_counts() * (_radial_frequencies() > CUTOFF) / (WINDOW**2 * (_TAPER**2).sum())
# What rounding to whole levels adds: a variance of 1/12, evenly over all frequencies. It is
# added to every energy, and keeps the index finite where a photo is perfectly flat.
ROUNDING_ENERGY = float((_ABOVE * (_TAPER**2).sum()).sum()) / 12


def flat_windows(rgb):
    """Which windows of a picture are flat: bool (rows, columns) of windows, maybe of none."""
    return _windows(luma(rgb)).std(axis=(2, 3)) <= FLAT


def window_energies(rgb, windows):
    """Energy above `CUTOFF`, with what rounding adds, in each of those `windows`: float64 (n,).

    `windows` come from `flat_windows` of the photo.
    """
    chosen = _windows(luma(rgb))[windows]
    # The mean under the taper itself, or the taper's own spectrum would show.
    means = (chosen * _TAPER).sum(axis=(1, 2), keepdims=True) / _TAPER.sum()
    spectrum = np.fft.rfft2((chosen - means) * _TAPER)
    return (np.square(np.abs(spectrum)) * _ABOVE).sum(axis=(1, 2)) + ROUNDING_ENERGY


def typical(energies):
    """The geometric mean of energies, which a few windows do not rule; None without any."""
    energies = np.asarray(energies)
    return float(np.exp(np.log(energies).mean())) if energies.size else None


def _windows(plane):
    if min(plane.shape) < WINDOW:
        return np.zeros((0, 0, WINDOW, WINDOW), np.float32)
    views = np.lib.stride_tricks.sliding_window_view(plane, (WINDOW, WINDOW))
    return views[::_STRIDE, ::_STRIDE]


# --- colour --------------------------------------------------------------------------------------


def lab_shift(photo, result):
    """Mean CIELAB (L, a, b) of the result minus that of the photo: float64 (3,).

    L is 0 black to 100 white; a is green to red, b blue to yellow. About 2 can be seen side by
    side, 10 at once.
    """
    return _mean_lab(result) - _mean_lab(photo)


def _mean_lab(rgb):
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab.reshape(-1, 3).mean(axis=0, dtype=np.float64)


# --- flicker -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Motion:
    """How to move a frame onto the next one.

    Attributes:
        sources: float32 (H, W, 2), where each pixel of the second frame was in the first: (x, y).
        comparable: bool (H, W), where that can be relied on.
    """

    sources: np.ndarray
    comparable: np.ndarray


def find_motion(first, second):
    """The `Motion` between two frames of a film, or None where they show different things."""
    if first.shape != second.shape:
        raise InputError(f"frames: expected one size, received {first.shape} and {second.shape}")
    grays = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    backward = flow.calc(grays[1], grays[0], None)
    forward = flow.calc(grays[0], grays[1], None)
    height, width = grays[0].shape
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    sources = np.stack([columns, rows], -1).astype(np.float32) + backward
    back_again = cv2.remap(
        forward, sources, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    missed = np.linalg.norm(backward + back_again, axis=-1)
    moved = cv2.remap(grays[0], sources, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alike = cv2.absdiff(moved, grays[1]) <= _MOST_LEVELS
    inside = (sources >= 0).all(-1) & (sources <= (width - 1, height - 1)).all(-1)
    comparable = inside & alike & (missed <= _FLOW_MISMATCH)
    if comparable.mean() < _LEAST_COMPARABLE:
        return None
    return Motion(sources, comparable)


def flicker(first, second, motion):
    """Mean absolute difference, in levels, of the second picture and the first moved onto it."""
    moved = cv2.remap(
        first, motion.sources, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return float(cv2.absdiff(moved, second)[motion.comparable].mean())
