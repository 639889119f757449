"""The first look at a film: every frame as a thumbnail, some measured, the best of each shot noted.

Nothing but numbers is kept of a frame: some hundred bytes for the best of each part of a shot. A
shot is divided into equal parts; of the frames of a part that are sampled (four a second), the
sharpest without a flaw is its candidate. Times are Fractions, seconds from the film's first frame.
"""

import collections
import concurrent.futures
import dataclasses
import itertools
from fractions import Fraction

import cv2
import numpy as np

from animegan_tf.extract import quality
from animegan_tf.extract.quality import Bars
from animegan_tf.video.shots import THUMBNAIL, ShotDetector

# Why a sampled frame is no candidate, besides the flaws of `frame_quality`.
DAMAGED, BLENDED, AT_CUT, LESS_SHARP = "damaged", "blended", "at a cut", "less sharp"

# Raise it when a film would be scanned otherwise than before: stored scans are then made anew.
VERSION = 1

SAMPLE_SIDE = 256
_SAMPLE_STEP = Fraction(1, 4)
# The first and last frames of a shot are often of poor quality, or blended.
_CUT_MARGIN = 0.04
# A blend begins before and ends after the frames where it is seen for certain.
_BLEND_MARGIN = 0.2
_MOST_SAMPLES = 2048
# Frames for finding bars: key frames all over the film, or when there are fewer than the least,
# frames of its first minutes.
_BAR_FRAMES, _LEAST_BAR_FRAMES = 64, 8
_BAR_STEP, _BAR_SECONDS = Fraction(1, 2), 120
# A film with more key frames than this and one in four frames being one is sought blindly.
_MANY_KEYFRAMES = 1000


@dataclasses.dataclass(frozen=True)
class Candidate:
    """The best frame of a part of a shot.

    Attributes:
        time: Fraction, seconds.
        shot: its number, from 1.
        shot_start, shot_end: seconds.
        begins: how the shot begins: "start", "cut", "blend".
        part, parts: which of how many parts of the shot, from 1.
        sampled: how many sampled frames without a flaw the part had.
        sharpness: by `frame_quality.sharpness`.
        hash: by `frame_quality.perceptual_hash`.
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
    """What was found in a film.

    Attributes:
        frames: number of frames decoded.
        samples: number of those measured.
        shots: number of shots.
        dropped: {reason: number of samples that are no candidates}.
        bars: the film's `Bars`.
        typical_sharpness: the median over the samples without a flaw; 0 when there are none.
        candidates: tuple of `Candidate`s by time.
        keyframes: tuple of their times, or None when most frames are.
        clean_times, problems: of the `VideoReader`.
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

    def to_json(self):
        """As what `json.dumps` takes."""
        fields = dataclasses.asdict(self)
        fields["candidates"] = [
            [str(value) if isinstance(value, Fraction) else value for value in vars(one).values()]
            for one in self.candidates
        ]
        if self.keyframes is not None:
            fields["keyframes"] = [str(time) for time in self.keyframes]
        return fields

    @classmethod
    def from_json(cls, fields):
        """The inverse of `to_json`."""
        keyframes = fields["keyframes"]
        changed = {
            "bars": Bars(**fields["bars"]),
            "candidates": tuple(
                Candidate(Fraction(time), *others) for time, *others in fields["candidates"]
            ),
            "keyframes": None if keyframes is None else tuple(map(Fraction, keyframes)),
            "problems": tuple(fields["problems"]),
        }
        return cls(**{**fields, **changed})


_Look = collections.namedtuple("_Look", "time key damaged thumbnail sample")


@dataclasses.dataclass
class _Sample:
    time: Fraction
    flaw: str | None
    sharpness: float = 0.0
    hash: int = 0


def scan(reader, start=0, end=None, per_shot=3, every=1.0, on_frame=None) -> Scan:
    """Look at every frame of a `VideoReader` from `start` to `end` (None: the film's end).

    Args:
        reader: the film.
        start, end: seconds.
        per_shot: parts that a shot is divided into.
        every: seconds; a shot longer than `per_shot * every` gets as many parts as times it holds
            `every`. 0: never more than `per_shot`.
        on_frame: called with the time of each frame.
    """
    bars = film_bars(reader, start, end)
    collector = _Collector(per_shot, every)
    detector = ShotDetector()
    frames, samples, keyframes = 0, 0, []
    for look in _ahead(_looks(reader, start, end, bars)):
        frames += 1
        if look.key and keyframes is not None:
            keyframes.append(look.time)
            if len(keyframes) > _MANY_KEYFRAMES and 4 * len(keyframes) > frames:
                keyframes = None
        sample = None
        if look.sample is not None:
            samples += 1
            sample = _measure(look)
        collector.take(detector.push(float(look.time), look.thumbnail, sample))
        if on_frame is not None:
            on_frame(look.time)
    collector.take(detector.finish())
    collector.finish()
    return Scan(
        frames=frames,
        samples=samples,
        shots=collector.shots,
        dropped=collector.dropped,
        bars=bars,
        typical_sharpness=collector.median_sharpness(),
        candidates=tuple(collector.candidates),
        keyframes=None if keyframes is None else tuple(keyframes),
        clean_times=reader.clean_times,
        problems=tuple(reader.problems),
    )


def film_bars(reader, start=0, end=None) -> Bars:
    """The black bars of a film, from frames all over it."""
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
    """The gray picture that a frame is measured by: without bars, its short side at most 256."""
    height = info.height - bars.top - bars.bottom
    width = info.width - bars.left - bars.right
    scale = min(1, SAMPLE_SIDE / min(height, width))
    size = max(1, round(info.height * scale)), max(1, round(info.width * scale))
    if frame.interlaced:  # one field: the other is of another moment, and would look like edges
        field = frame.gray()[::2]
        gray = cv2.resize(field, size[::-1], interpolation=cv2.INTER_AREA)
    else:
        gray = frame.small(*size, gray=True)
    return np.ascontiguousarray(bars.cut(gray, info.height, info.width))


def _looks(reader, start, end, bars):
    """What is needed of each frame, so that the frame itself need not be kept."""
    info, next_sample = reader.info, None
    for frame in reader.frames(start, end, as_stored=True):
        sample = None
        if next_sample is None or frame.time >= next_sample:
            next_sample = frame.time + _SAMPLE_STEP
            sample = sample_picture(frame, info, bars)
        thumbnail = bars.cut(frame.small(*THUMBNAIL), info.height, info.width)
        thumbnail = np.ascontiguousarray(thumbnail)
        yield _Look(frame.time, frame.key, frame.damaged, thumbnail, sample)


def _ahead(items, batch=16):
    """Yield from `items`, which are made in another thread: decoding goes on meanwhile."""
    items = iter(items)

    def take():
        return list(itertools.islice(items, batch))

    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        coming = executor.submit(take)
        while current := coming.result():
            coming = executor.submit(take)
            yield from current


def _measure(look):
    if look.damaged:
        return _Sample(look.time, DAMAGED)
    flaw = quality.flaw(look.sample)
    if flaw:
        return _Sample(look.time, flaw)
    sharpness = quality.sharpness(look.sample)
    return _Sample(look.time, None, sharpness, quality.perceptual_hash(look.sample))


class _Collector:
    """Gathers the samples of the shot that goes on; chooses from them when it ends."""

    def __init__(self, per_shot, every):
        self.candidates, self.dropped, self.shots = [], {}, 0
        self._per_shot, self._every = per_shot, every
        self._samples, self._blends = [], []  # blends: [first, last] time of a run
        self._start, self._begins, self._end = None, None, None
        self._sharpness = np.zeros(1001, np.int64)  # how many usable samples, in thousandths

    def take(self, decided):
        """Add the next frames of the film."""
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
                if len(self._samples) > _MOST_SAMPLES:
                    self._thin_out()
            self._end = frame.time

    def finish(self):
        """The film is at its end."""
        if self._start is not None:
            self._close(self._end, 0)

    def median_sharpness(self):
        total = self._sharpness.sum()
        if not total:
            return 0.0
        return float(np.searchsorted(np.cumsum(self._sharpness), (total + 1) // 2)) / 1000

    def _drop(self, reason, count=1):
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def _thin_out(self):
        """Of each two neighbours keep the better one: a very long shot needs no more memory."""
        pairs = itertools.zip_longest(self._samples[::2], self._samples[1::2])
        kept = []
        for pair in pairs:
            ranked = sorted(filter(None, pair), key=lambda one: (one.flaw is None, one.sharpness))
            kept.append(ranked[-1])
            for other in ranked[:-1]:
                self._drop(other.flaw or LESS_SHARP)
        self._samples = kept

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
                self._drop(reason)
                continue
            usable.append(sample)
            self._sharpness[round(sample.sharpness * 1000)] += 1
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
        best, counts = {}, {}
        for sample in usable:
            part = min(int((float(sample.time) - self._start) / length * parts), parts - 1)
            counts[part] = counts.get(part, 0) + 1
            if part not in best or sample.sharpness > best[part].sharpness:
                best[part] = sample
        for part, sample in sorted(best.items()):
            self._drop(LESS_SHARP, counts[part] - 1)
            self.candidates.append(
                Candidate(
                    time=sample.time,
                    shot=self.shots,
                    shot_start=round(self._start, 6),
                    shot_end=round(end, 6),
                    begins=self._begins,
                    part=part + 1,
                    parts=parts,
                    sampled=counts[part],
                    sharpness=round(sample.sharpness, 4),
                    hash=sample.hash,
                )
            )
