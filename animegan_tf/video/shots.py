"""Detection of shot changes and blends in a video, from thumbnails of its frames.

A cut is a frame that differs from the previous one in most of its area, by more than the frames
around it differ from each other (a moving camera changes every frame), and that is not the same
view shifted or lit differently (shakes, lightning). A blend (in a dissolve, a fade, or at a cut) is
the mean of an earlier and a later frame that differ in content or contrast; movement does not
produce means. A run of blends that ends in a different image is a shot change.

Thumbnails are uint8 (h, w, 3), about 36 x 64; times are seconds. Memory holds about a second.
"""

import collections
import dataclasses

import cv2
import numpy as np

THUMBNAIL = (36, 64)

# Mean absolute differences are levels of 0..255 per sample.
_CUT = 10.0
_CUT_TO_NEIGHBOURS = 3.0
# Fraction of the samples that must change by more than this many levels: a figure that moves in
# front of a still background is not a cut.
_CUT_CHANGED, _CHANGED_LEVELS = 0.35, 6
_NEIGHBOURHOOD = 0.13
# Correlation of the middle of a frame with the other one, from which both are the same view.
_SAME_VIEW = 0.65
_MIDDLE = (slice(6, -6), slice(10, -10))
# Seconds between a blend and the frames before and after that it is compared with. Short blends
# change quickly; over longer spans movement does not look like a blend.
_BLEND_SPANS = (0.1, 0.25, 0.5, 1.0)
_BLEND = 8.0
_BLEND_REMAINDER = 0.25
_MEAN_SHARE = 0.35
# Below these the two frames have different content, or one is faded. Slow camera movement over fine
# detail also produces means, but of similar frames.
_BLEND_CORRELATION, _BLEND_CONTRAST = 0.75, 0.75
# Minimum length of a run of blends that is a shot change, in seconds.
_BLEND_SHORTEST = 0.1
_LOOKAHEAD = max(_BLEND_SPANS)


@dataclasses.dataclass
class _Entry:
    time: float
    thumbnail: np.ndarray
    payload: object
    difference: float
    changed: float


@dataclasses.dataclass(frozen=True)
class Decided:
    """The decision about a frame.

    Attributes:
        time: seconds.
        payload: the object passed to `push`.
        new_shot: why a shot starts here: "start", "cut", "blend"; None within a shot.
        blend: whether the frame is a blend of two frames.
    """

    time: float
    payload: object
    new_shot: str | None
    blend: bool


def difference(first, second):
    """Mean absolute difference of two uint8 images."""
    return cv2.norm(first, second, cv2.NORM_L1) / first.size


def correlation(first, second):
    """Best correlation of the middle of `second` within `first`: at most 1; 0 for flat images."""
    middle = np.ascontiguousarray(second[_MIDDLE])
    if min(first.std(), middle.std()) < 2:
        return 0.0
    return float(cv2.matchTemplate(first, middle, cv2.TM_CCOEFF_NORMED).max())


class ShotDetector:
    """Push frames in order; each is returned as `Decided` about a second later."""

    def __init__(self):
        self._entries = collections.deque()  # undecided ones, and those of the last second
        self._next = 0  # index of the first undecided entry
        self._started = False
        self._blend_from = None  # the entry before the current run of blends

    def push(self, time, thumbnail, payload=None):
        """Add a frame; returns the `Decided` frames so far."""
        change, changed = 0.0, 0.0
        if self._entries:
            before = self._entries[-1].thumbnail
            change = difference(before, thumbnail)
            if change >= _CUT:
                far = cv2.absdiff(before, thumbnail) > _CHANGED_LEVELS
                changed = np.count_nonzero(far) / far.size
        self._entries.append(_Entry(time, thumbnail, payload, change, changed))
        return self._decide(time - _LOOKAHEAD)

    def finish(self):
        """The remaining frames."""
        return self._decide(float("inf"))

    def _decide(self, until):
        decided = []
        entries = self._entries
        while self._next < len(entries) and entries[self._next].time < until:
            index = self._next
            entry = entries[index]
            blend = self._is_blend(index)
            new_shot = self._new_shot(index, blend)
            decided.append(Decided(entry.time, entry.payload, new_shot, blend))
            self._next += 1
            while entries[0].time < entry.time - _LOOKAHEAD and self._next > 1:
                entries.popleft()
                self._next -= 1
        return decided

    def _new_shot(self, index, blend):
        """Why a shot starts at this entry, or None."""
        entry = self._entries[index]
        if not self._started:
            self._started = True
            return "start"
        if self._is_cut(index):
            self._blend_from = None
            return "cut"
        if blend:
            if self._blend_from is None:
                self._blend_from = self._entries[index - 1]
            return None
        before, self._blend_from = self._blend_from, None
        if before is None or entry.time - before.time < _BLEND_SHORTEST:
            return None
        return "blend" if difference(before.thumbnail, entry.thumbnail) >= _CUT else None

    def _is_cut(self, index):
        entry = self._entries[index]
        if entry.difference < _CUT or entry.changed < _CUT_CHANGED:
            return False
        first, last = index - self._next_to(index, -1), index + self._next_to(index, 1)
        around = [self._entries[at].difference for at in range(first, last + 1) if at != index]
        if around and entry.difference < _CUT_TO_NEIGHBOURS * sum(around) / len(around):
            return False
        before = self._entries[index - 1].thumbnail
        return correlation(before, entry.thumbnail) < _SAME_VIEW

    def _next_to(self, index, step):
        """The number of neighbours on one side: two, or more at a high frame rate."""
        count = 0
        while 0 <= index + step * (count + 1) < len(self._entries):
            away = abs(self._entries[index + step * (count + 1)].time - self._entries[index].time)
            if count >= 2 and away > _NEIGHBOURHOOD:
                break
            count += 1
        return count

    def _is_blend(self, index):
        """Whether a frame is the mean of an earlier and a later frame that differ."""
        if index == 0 or index == len(self._entries) - 1:
            return False
        entry = self._entries[index]
        first, last = index - 1, index + 1
        for span in _BLEND_SPANS:
            while first > 0 and entry.time - self._entries[first - 1].time <= span + 1e-6:
                first -= 1
            while (
                last < len(self._entries) - 1
                and self._entries[last + 1].time - entry.time <= span + 1e-6
            ):
                last += 1
            before, after = self._entries[first], self._entries[last]
            apart = difference(before.thumbnail, after.thumbnail)
            if apart < _BLEND:
                continue
            share = (entry.time - before.time) / (after.time - before.time)
            if not _MEAN_SHARE < share < 1 - _MEAN_SHARE:  # near the ends of the video
                continue
            mean = cv2.addWeighted(before.thumbnail, 1 - share, after.thumbnail, share, 0)
            if difference(mean, entry.thumbnail) > _BLEND_REMAINDER * apart:
                continue
            low, high = sorted((before.thumbnail.std(), after.thumbnail.std()))
            if low < _BLEND_CONTRAST * high:
                return True
            if correlation(before.thumbnail, after.thumbnail) < _BLEND_CORRELATION:
                return True
        return False
