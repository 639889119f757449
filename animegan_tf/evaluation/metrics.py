"""Measures of the difference between output and photo: artifacts, colour, flicker. No TensorFlow.

Images are uint8 RGB (height, width, 3), photo and output of one size. Luma is that of ITU-R BT.601
in levels of 0..255.

**High-frequency artifacts** are the grids and speckles for which instance norm is known; total
variation loss does not suppress them. The measure is the variance of the luma, in levels squared,
above a radial frequency of `CUTOFF` cycles per pixel (half the Nyquist frequency) in flat windows.
Windows are `WINDOW` pixels square, half overlapping, with a Hann taper. They are flat if the
photo's luma has a standard deviation of at most `FLAT` levels, so that details of the output there
come from the network. A checkerboard of +-a levels has an energy of a squared. The index is the
ratio of the `typical` energies of output and photo.

**Flicker**: the first of two frames is warped onto the second by the optical flow of the source
video. Where the flow is reliable, the source frames then differ little; the outputs should not
differ more.
"""

import dataclasses

import cv2
import numpy as np

from animegan_tf.errors import InputError
from animegan_tf.images import luma

CUTOFF = 0.25
WINDOW, _STRIDE = 32, 16
FLAT = 5.0

# The flow is unreliable where forward and backward flow differ by more pixels, or warped frames by
# more levels.
_FLOW_MISMATCH, _MOST_LEVELS = 1.0, 20
# With a smaller reliable fraction there is a cut between the frames.
_LEAST_COMPARABLE = 0.5


# --- artifacts -----------------------------------------------------------------------------------


def _radial_frequencies():
    rows, columns = np.fft.fftfreq(WINDOW)[:, None], np.fft.rfftfreq(WINDOW)[None]
    return np.hypot(rows, columns)


def _spectrum_counts():
    """The number of times each entry of `rfft2` occurs in the full spectrum."""
    counts = np.full((WINDOW, WINDOW // 2 + 1), 2.0)
    counts[:, [0, -1]] = 1.0
    return counts


_HANN = np.hanning(WINDOW + 1)[:-1]
_TAPER = np.outer(_HANN, _HANN)
_ABOVE = _spectrum_counts() * (_radial_frequencies() > CUTOFF) / (WINDOW**2 * (_TAPER**2).sum())
# Energy of rounding to whole levels: a variance of 1/12, uniform over all frequencies. It is added
# to each energy, and keeps the index finite for a perfectly flat photo.
ROUNDING_ENERGY = float((_ABOVE * (_TAPER**2).sum()).sum()) / 12


def flat_windows(rgb):
    """Whether each window of an image is flat: bool (rows, columns) of windows, possibly empty."""
    return _windows(luma(rgb)).std(axis=(2, 3)) <= FLAT


def window_energies(rgb, windows):
    """Energy above `CUTOFF`, including rounding, in each of the `windows`: float64 (n,).

    `windows` come from `flat_windows` of the photo.
    """
    chosen = _windows(luma(rgb))[windows]
    # Subtract the tapered mean, which would otherwise add the spectrum of the taper.
    means = (chosen * _TAPER).sum(axis=(1, 2), keepdims=True) / _TAPER.sum()
    spectrum = np.fft.rfft2((chosen - means) * _TAPER)
    return (np.square(np.abs(spectrum)) * _ABOVE).sum(axis=(1, 2)) + ROUNDING_ENERGY


def typical(energies):
    """The geometric mean of energies, which is robust against outliers; None without energies."""
    energies = np.asarray(energies)
    return float(np.exp(np.log(energies).mean())) if energies.size else None


def _windows(plane):
    if min(plane.shape) < WINDOW:
        return np.zeros((0, 0, WINDOW, WINDOW), np.float32)
    views = np.lib.stride_tricks.sliding_window_view(plane, (WINDOW, WINDOW))
    return views[::_STRIDE, ::_STRIDE]


# --- colour --------------------------------------------------------------------------------------


def lab_shift(photo, output):
    """Mean CIELAB (L, a, b) of the output minus that of the photo: float64 (3,).

    L is 0 black to 100 white; a is green to red, b blue to yellow. A difference of about 2 is
    visible side by side, 10 without comparison.
    """
    return _mean_lab(output) - _mean_lab(photo)


def _mean_lab(rgb):
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab.reshape(-1, 3).mean(axis=0, dtype=np.float64)


# --- flicker -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Motion:
    """The warp of a frame onto the next one.

    Attributes:
        sources: float32 (H, W, 2), the position (x, y) in the first frame of each pixel of the
            second.
        comparable: bool (H, W), where this is reliable.
    """

    sources: np.ndarray
    comparable: np.ndarray


def find_motion(first, second):
    """The `Motion` between two frames of a video, or None across a cut."""
    if first.shape != second.shape:
        raise InputError(f"frames: expected one size, received {first.shape} and {second.shape}")
    grays = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    backward = flow.calc(grays[1], grays[0], None)
    forward = flow.calc(grays[0], grays[1], None)
    height, width = grays[0].shape
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    sources = np.stack([columns, rows], -1).astype(np.float32) + backward
    warped_forward = cv2.remap(
        forward, sources, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    mismatch = np.linalg.norm(backward + warped_forward, axis=-1)
    warped = cv2.remap(grays[0], sources, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    similar = cv2.absdiff(warped, grays[1]) <= _MOST_LEVELS
    inside = (sources >= 0).all(-1) & (sources <= (width - 1, height - 1)).all(-1)
    comparable = inside & similar & (mismatch <= _FLOW_MISMATCH)
    if comparable.mean() < _LEAST_COMPARABLE:
        return None
    return Motion(sources, comparable)


def flicker(first, second, motion):
    """Mean absolute difference, in levels, of the second image and the warped first one."""
    warped = cv2.remap(
        first, motion.sources, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return float(cv2.absdiff(warped, second)[motion.comparable].mean())
