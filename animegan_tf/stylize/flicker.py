"""What keeps a film's stylised frames from flickering: shots, still picture parts, brightness.

Three causes make what does not move change from frame to frame in the result, and each has a remedy
here or in `animegan_tf.stylize.stable`, in one pass and with no picture of the result blended into
another:

- The network normalises by the whole picture: `Shots` gives the rates for the running averages.
- It amplifies the noise of compression: `Still` shows it less of it where nothing moves.
- Matching the brightness scales each frame by its own factor: `Brightness` averages the factors.

Frames are uint8 RGB (H, W, 3) in order. The state of each can be saved and set, as something that
JSON can hold, to go on where another run stopped.
"""

import base64
import math
from functools import reduce

import cv2
import numpy as np

from animegan_tf.video.shots import THUMBNAIL, correlation, difference

# Seconds that averages look back within a shot.
_SECONDS = 3.0
# At this mean change of a thumbnail (in levels) from one frame to the next, averages look back no
# further than the frame itself; at half of it, a quarter counts.
_MOVING = 14.0
# And at this change of its mean: fades are followed at once.
_FADING = 3.0
# A cut, in the measures of `animegan_tf.video.shots`, but decided without looking ahead: taking
# movement for a cut only means not averaging there.
_CUT, _CUT_TO_RECENT, _SAME_VIEW = 10.0, 3.0, 0.65

# Of a part that does not move this share of the change is let through...
_STILL_SHARE = 0.03
# ...and all of it where the change is over these levels, of a sample or averaged around it; nothing
# is held back at twice the first of each pair, a bit at the first.
_SAMPLE_LEVELS, _AROUND_LEVELS = (5.0, 10.0), (1.5, 3.0)
_AROUND = 9


class Shots:
    """`rate(frame, time)`: how much of a frame's statistics goes into averages; 1 at cuts."""

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
        """What `restore` takes."""
        text = None if self._thumbnail is None else encoded(self._thumbnail)
        return [text, self._time, self._count, self._recent]

    def restore(self, state):
        """Go on where another's `state()` was taken."""
        text, self._time, self._count, self._recent = state
        self._thumbnail = None if text is None else decoded(text, np.uint8, (*THUMBNAIL, 3))


class Still:
    """`hold(frame, rate)`: the frame with little of its noise where it shows what was there before.

    What differs by more than noise is shown as it is, so nothing is left behind by what moves.
    """

    def __init__(self):
        self.shown = None

    def hold(self, frame, rate):
        """uint8 (H, W, 3) to the same; a `rate` of 1 begins anew with this frame."""
        if rate >= 1 or self.shown is None or self.shown.shape != frame.shape:
            self.shown = frame.astype(np.float32)
            return frame
        # OpenCV's functions are several times as fast here as numpy's.
        now = frame.astype(np.float32)
        sample = reduce(cv2.max, cv2.split(cv2.absdiff(now, self.shown)))
        around = cv2.blur(sample, (_AROUND, _AROUND))
        passing = cv2.max(_ramp(sample, *_SAMPLE_LEVELS), _ramp(around, *_AROUND_LEVELS))
        passing = cv2.dilate(passing, np.ones((3, 3), np.uint8))
        passing = _STILL_SHARE + (1 - _STILL_SHARE) * passing
        change = cv2.multiply(cv2.subtract(now, self.shown), cv2.merge([passing] * 3))
        self.shown = cv2.add(self.shown, change)
        return cv2.convertScaleAbs(self.shown)


class Brightness:
    """`scale(wanted, rate)`: the running average of the factors that match the brightness."""

    def __init__(self):
        self.logarithm = None

    def scale(self, wanted, rate):
        """The factor to use where `wanted` would be the frame's own; both positive."""
        wanted = math.log(wanted)
        before = wanted if self.logarithm is None else self.logarithm
        self.logarithm = before + rate * (wanted - before)
        return math.exp(self.logarithm)


def _ramp(values, low, high):
    return np.clip((values - low) / (high - low), 0, 1)  # float32 stays so


def encoded(array):
    """An array as text, for a state."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def decoded(text, kind, shape):
    """The array that `encoded` was given."""
    return np.frombuffer(base64.b64decode(text), kind).reshape(shape).copy()
