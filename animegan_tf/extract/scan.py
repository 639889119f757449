"""The first pass over a video: detects shots, measures sampled frames, chooses candidates.

Shots are detected from thumbnails of all frames. A shot is divided into equal parts. Four frames
per second are sampled and measured; the sharpest sample of a part without a flaw is its candidate.
Only numbers are kept, some hundred bytes per sample. Times are Fractions, seconds from the first
frame of the video.
"""

import collections
import concurrent.futures
import dataclasses
import itertools
import statistics
from fractions import Fraction

import cv2
import numpy as np

from animegan_tf.extract import quality
from animegan_tf.extract.quality import Bars
from animegan_tf.video.shots import THUMBNAIL, ShotDetector

# Reasons why a sampled frame is not a candidate, besides the flaws of `quality`.
DAMAGED, BLENDED, AT_CUT, LESS_SHARP = "damaged", "blended", "at a cut", "less sharp"

# Increase this when the fields of a scan change, so that stored scans are not used.
VERSION = 2

SAMPLE_SIDE = 256
_SAMPLE_STEP = Fraction(1, 4)
# The first and last frames of a shot are often of poor quality, or blended.
_CUT_MARGIN = 0.04
# A blend starts before, and ends after, the frames where it is detected.
_BLEND_MARGIN = 0.2
# Bars are detected in keyframes of the whole video, or if these are too few, in frames of its first
# minutes.
_BAR_FRAMES, _LEAST_BAR_FRAMES = 64, 8
_BAR_STEP, _BAR_SECONDS = Fraction(1, 2), 120
# With more keyframes than this, and more than a quarter of all frames, they are not listed.
_MANY_KEYFRAMES = 1000


@dataclasses.dataclass(frozen=True)
class Candidate:
    """The best frame of a part of a shot.

    Attributes:
        time: Fraction, seconds.
        shot: number of the shot, from 1.
        shot_start, shot_end: seconds.
        begins: how the shot begins: "start", "cut", "blend".
        part, parts: number of the part, from 1, and number of parts of the shot.
        sampled: number of samples without a flaw in the part.
        sharpness: from `quality.sharpness`.
        hash: from `quality.perceptual_hash`.
    """

    time: Fraction
    shot: int
    shot_start: float
    shot_end: float
    begins: str
    part: int
    parts: int
    sampled: int
    sharpness: float
    hash: int


@dataclasses.dataclass(frozen=True)
class Scan:
    """The result of scanning a video.

    Attributes:
        frames: number of decoded frames.
        samples: number of measured frames.
        shots: number of shots.
        dropped: {reason: number of samples that are not candidates}.
        bars: the video's `Bars`.
        typical_sharpness: the median over the samples without a flaw; 0 if there are none.
        candidates: tuple of `Candidate`s by time.
        keyframes: tuple of the times of keyframes, or None if most frames are keyframes.
        clean_times, problems: those of the `VideoReader`.
    """

    frames: int
    samples: int
    shots: int
    dropped: dict[str, int]
    bars: Bars
    typical_sharpness: float
    candidates: tuple[Candidate, ...]
    keyframes: tuple[Fraction, ...] | None
    clean_times: bool
    problems: tuple[str, ...]

    @classmethod
    def from_json(cls, fields):
        """The scan of which `record.save_scan` wrote the fields."""
        keyframes = fields["keyframes"]
        candidates = (
            Candidate(**{**item, "time": Fraction(item["time"])}) for item in fields["candidates"]
        )
        changed = {
            "bars": Bars(**fields["bars"]),
            "candidates": tuple(candidates),
            "keyframes": None if keyframes is None else tuple(map(Fraction, keyframes)),
            "problems": tuple(fields["problems"]),
        }
        return cls(**{**fields, **changed})


_Frame = collections.namedtuple("_Frame", "time key damaged thumbnail sample")


@dataclasses.dataclass
class _Sample:
    time: Fraction
    flaw: str | None
    sharpness: float = 0.0
    hash: int = 0


def scan(reader, start=0, end=None, per_shot=3, every=1.0, on_frame=None) -> Scan:
    """Scan all frames of a `VideoReader` from `start` to `end` (None: the end of the video).

    Args:
        reader: the video.
        start, end: seconds.
        per_shot: number of parts of a shot.
        every: seconds; a shot longer than `per_shot * every` has one part per `every` seconds. 0:
            always `per_shot` parts.
        on_frame: called with the time of each frame.
    """
    bars = video_bars(reader, start, end)
    collector = _Collector(per_shot, every)
    detector = ShotDetector()
    frames, samples, keyframes = 0, 0, []
    for frame in _prefetched(_scaled_frames(reader, start, end, bars)):
        frames += 1
        if frame.key and keyframes is not None:
            keyframes.append(frame.time)
            if len(keyframes) > _MANY_KEYFRAMES and 4 * len(keyframes) > frames:
                keyframes = None
        sample = None
        if frame.sample is not None:
            samples += 1
            sample = _measure(frame)
        collector.take(detector.push(float(frame.time), frame.thumbnail, sample))
        if on_frame is not None:
            on_frame(frame.time)
    collector.take(detector.finish())
    collector.finish()
    return Scan(
        frames=frames,
        samples=samples,
        shots=collector.shots,
        dropped=dict(collector.dropped),
        bars=bars,
        typical_sharpness=statistics.median_low(collector.sharpness or [0.0]),
        candidates=tuple(collector.candidates),
        keyframes=None if keyframes is None else tuple(keyframes),
        clean_times=reader.clean_times,
        problems=tuple(reader.problems),
    )


def video_bars(reader, start=0, end=None) -> Bars:
    """The black bars of a video, from frames of its whole length."""
    count = 0

    def grays():
        nonlocal count
        for frame in reader.glimpses(_BAR_FRAMES, Fraction(start), end):
            count += 1
            yield frame.gray()

    bars = quality.find_bars(grays())
    if count >= _LEAST_BAR_FRAMES:
        return bars
    last = start + _BAR_SECONDS
    frames = reader.frames(start, last if end is None else min(end, last), as_stored=True)
    frames = itertools.islice(_at_steps(frames), _BAR_FRAMES)
    return quality.find_bars(frame.gray() for frame in frames)


def _at_steps(frames):
    following = None
    for frame in frames:
        if following is None or frame.time >= following:
            following = frame.time + _BAR_STEP
            yield frame


def sample_picture(frame, info, bars):
    """The gray image for measuring a frame: without bars, its short side at most 256."""
    scale = min(1, SAMPLE_SIDE / min(bars.size_without(info)))
    size = max(1, round(info.height * scale)), max(1, round(info.width * scale))
    if frame.interlaced:  # one field: the other has another time, and would look like edges
        field = frame.gray()[::2]
        gray = cv2.resize(field, size[::-1], interpolation=cv2.INTER_AREA)
    else:
        gray = frame.small(*size, gray=True)
    return np.ascontiguousarray(bars.cut(gray, info.height, info.width))


def _scaled_frames(reader, start, end, bars):
    """Yield a small `_Frame` for each frame, so that the full frame is not kept."""
    info, next_sample = reader.info, None
    for frame in reader.frames(start, end, as_stored=True):
        sample = None
        if next_sample is None or frame.time >= next_sample:
            next_sample = frame.time + _SAMPLE_STEP
            sample = sample_picture(frame, info, bars)
        thumbnail = bars.cut(frame.small(*THUMBNAIL), info.height, info.width)
        thumbnail = np.ascontiguousarray(thumbnail)
        yield _Frame(frame.time, frame.key, frame.damaged, thumbnail, sample)


def _prefetched(items, batch=16):
    """Yield from `items`, an iterator that runs ahead in another thread."""
    items = iter(items)

    def take():
        return list(itertools.islice(items, batch))

    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        coming = executor.submit(take)
        while current := coming.result():
            coming = executor.submit(take)
            yield from current


def _measure(frame):
    if frame.damaged:
        return _Sample(frame.time, DAMAGED)
    flaw = quality.flaw(frame.sample)
    if flaw:
        return _Sample(frame.time, flaw)
    sharpness = quality.sharpness(frame.sample)
    return _Sample(frame.time, None, sharpness, quality.perceptual_hash(frame.sample))


class _Collector:
    """Collects the samples of the current shot, and chooses candidates when it ends."""

    def __init__(self, per_shot, every):
        self.candidates, self.dropped, self.shots = [], collections.Counter(), 0
        self._per_shot, self._every = per_shot, every
        self._samples, self._blends = [], []  # blends: [first, last] time of a run
        self._start, self._begins, self._end = None, None, None
        self.sharpness = []  # of all usable samples

    def take(self, decided):
        """Add the next frames of the video."""
        for frame in decided:
            if frame.new_shot:
                if self._start is not None:
                    self._close(frame.time, _CUT_MARGIN)
                self._start, self._begins = frame.time, frame.new_shot
                self.shots += 1
            if frame.blend:
                if self._blends and frame.time - self._blends[-1][1] <= 2 * _BLEND_MARGIN:
                    self._blends[-1][1] = frame.time
                else:
                    self._blends.append([frame.time, frame.time])
            if frame.payload is not None:
                self._samples.append(frame.payload)
            self._end = frame.time

    def finish(self):
        """End the last shot."""
        if self._start is not None:
            self._close(self._end, 0)

    def _close(self, end, end_margin):
        """Choose the candidates of the shot that ends at `end`."""
        start_margin = 0 if self._begins == "start" else _CUT_MARGIN
        usable = []
        for sample in self._samples:
            reason = sample.flaw
            if reason is None and self._in_blend(float(sample.time)):
                reason = BLENDED
            if reason is None and not (
                self._start + start_margin <= sample.time <= end - end_margin
            ):
                reason = AT_CUT
            if reason is not None:
                self.dropped[reason] += 1
                continue
            usable.append(sample)
            self.sharpness.append(round(sample.sharpness, 3))
        self._choose(usable, end)
        self._samples = []
        self._blends = [run for run in self._blends if run[1] >= end - 2 * _BLEND_MARGIN]

    def _in_blend(self, time):
        return any(
            first - _BLEND_MARGIN <= time <= last + _BLEND_MARGIN for first, last in self._blends
        )

    def _choose(self, usable, end):
        length = max(end - self._start, 1e-9)
        parts = self._per_shot
        if self._every:
            parts = max(parts, int(length / self._every))
        samples = collections.defaultdict(list)
        for sample in usable:
            part = min(int((float(sample.time) - self._start) / length * parts), parts - 1)
            samples[part].append(sample)
        for part, group in sorted(samples.items()):
            sample = max(group, key=lambda sample: sample.sharpness)
            if len(group) > 1:
                self.dropped[LESS_SHARP] += len(group) - 1
            self.candidates.append(
                Candidate(
                    time=sample.time,
                    shot=self.shots,
                    shot_start=round(self._start, 6),
                    shot_end=round(end, 6),
                    begins=self._begins,
                    part=part + 1,
                    parts=parts,
                    sampled=len(group),
                    sharpness=round(sample.sharpness, 4),
                    hash=sample.hash,
                )
            )
