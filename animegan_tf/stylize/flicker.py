"""Reduces flicker of stylised videos: shots, static regions, brightness.

Static regions flicker for three reasons. Each has a remedy here or in `animegan_tf.stylize.stable`,
in one pass and without blending output frames:

- The network normalises by the whole image: `Shots` gives the rates of the moving averages.
- It amplifies compression noise: `Still` reduces the noise in static regions of its input.
- Matching the brightness scales each frame separately: `Brightness` averages the factors.

Frames are uint8 RGB (H, W, 3) in order. States can be saved as JSON values and restored, to
continue an interrupted run.
"""

import base64
import math
from functools import reduce

import cv2
import numpy as np

from animegan_tf.video.shots import THUMBNAIL, correlation, difference

# Time constant of the averages within a shot, in seconds.
_SECONDS = 3.0
# Mean change of a thumbnail between frames, in levels, at which the rate is 1 (at half: a quarter).
_MOVING = 14.0
# Change of its mean at which the rate is 1, so that fades are followed immediately.
_FADING = 3.0
# Thresholds of a cut, in the measures of `animegan_tf.video.shots`, without later frames. Motion
# that is mistaken for a cut only restarts the averages.
_CUT, _CUT_TO_RECENT, _SAME_VIEW = 10.0, 3.0, 0.65

# The fraction of a change that is passed on in static regions...
_STILL_SHARE = 0.03
# ...and the ranges of levels, of a pixel and of its neighbourhood, over which this rises to 1.
_SAMPLE_LEVELS, _AROUND_LEVELS = (5.0, 10.0), (1.5, 3.0)
_AROUND = 9


class Shots:
    """`rate(frame, time)`: the weight of a frame's statistics in the averages; 1 at cuts."""

    def __init__(self):
        self._thumbnail, self._time, self._count, self._recent = None, 0.0, 0, 0.0

    def rate(self, frame, time):
        """The rate, in (0, 1]; `time` is in seconds."""
        height, width = THUMBNAIL
        thumbnail = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        before, passed = self._thumbnail, float(time) - self._time
        self._thumbnail, self._time = thumbnail, float(time)
        if before is None:
            self._count = 1
            return 1.0
        change = difference(before, thumbnail)
        if self._is_cut(change, before, thumbnail):
            self._count, self._recent = 1, 0.0
            return 1.0
        self._count += 1
        self._recent += (change - self._recent) / min(self._count - 1, 5)
        passing = 1 - math.exp(-max(passed, 0.0) / _SECONDS)
        fading = abs(float(thumbnail.mean()) - float(before.mean())) / _FADING
        return min(1.0, max(passing, 1 / self._count, (change / _MOVING) ** 2, fading**2))

    def _is_cut(self, change, before, thumbnail):
        if change < max(_CUT, _CUT_TO_RECENT * self._recent):
            return False
        return correlation(before, thumbnail) < _SAME_VIEW

    def state(self):
        """The state for `restore`."""
        text = None if self._thumbnail is None else encoded(self._thumbnail)
        return [text, self._time, self._count, self._recent]

    def restore(self, state):
        """Continue from a `state()`."""
        text, self._time, self._count, self._recent = state
        self._thumbnail = None if text is None else decoded(text, np.uint8, (*THUMBNAIL, 3))


class Still:
    """`hold(frame, rate)`: the frame with less noise in static regions.

    Changes larger than noise are not reduced, so that motion leaves no trails.
    """

    def __init__(self):
        self.shown = None

    def hold(self, frame, rate):
        """uint8 (H, W, 3) to the same; a `rate` of 1 restarts with this frame."""
        if rate >= 1 or self.shown is None or self.shown.shape != frame.shape:
            self.shown = frame.astype(np.float32)
            return frame
        # OpenCV's functions are several times faster here than NumPy's.
        now = frame.astype(np.float32)
        sample = reduce(cv2.max, cv2.split(cv2.absdiff(now, self.shown)))
        around = cv2.blur(sample, (_AROUND, _AROUND))
        passing = cv2.max(_ramp(sample, *_SAMPLE_LEVELS), _ramp(around, *_AROUND_LEVELS))
        passing = cv2.dilate(passing, np.ones((3, 3), np.uint8))
        passing = _STILL_SHARE + (1 - _STILL_SHARE) * passing
        # In place: each array takes 100 MB for a frame of 4K.
        change = cv2.subtract(now, self.shown, now)
        cv2.multiply(change, cv2.merge([passing] * 3), change)
        cv2.add(self.shown, change, self.shown)
        return cv2.convertScaleAbs(self.shown)


class Brightness:
    """`scale(wanted, rate)`: the moving average of the brightness factors."""

    def __init__(self):
        self.logarithm = None

    def scale(self, wanted, rate):
        """The factor for a frame whose own factor is `wanted`; both positive."""
        wanted = math.log(wanted)
        before = wanted if self.logarithm is None else self.logarithm
        self.logarithm = before + rate * (wanted - before)
        return math.exp(self.logarithm)


def _ramp(values, low, high):
    return np.clip((values - low) / (high - low), 0, 1)  # keeps float32


def encoded(array):
    """An array as text (Base64), for a state."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def decoded(text, kind, shape):
    """The inverse of `encoded`."""
    return np.frombuffer(base64.b64decode(text), kind).reshape(shape).copy()
