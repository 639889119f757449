"""One run of a video: decoding, inference, encoding; continued after an interruption."""

import contextlib
import dataclasses
import math
import pathlib
import signal
import time
from fractions import Fraction

import av
from tqdm import tqdm

from animegan_tf import storage
from animegan_tf.errors import InputError
from animegan_tf.signals import Signals
from animegan_tf.stylize.journal import Journal, partial_path, record_path
from animegan_tf.stylize.threads import BatchSize, Drain, Feeder
from animegan_tf.video import animation, writer
from animegan_tf.video.codecs import ANIMATIONS
from animegan_tf.video.encoder import Spec
from animegan_tf.video.faststart import put_index_first
from animegan_tf.video.tracks import DISK_ERRORS, Copies
from animegan_tf.video.whole import count_packets

# Frames of a segment; a kill loses at most the last incomplete segment.
SEGMENT = 96
# Maximum number of frames between threads, and of their pixels.
_DEPTH, _DEPTH_PIXELS = 4, 2**23
# Seconds before the position to continue at that are decoded again.
_WARM_UP = 2
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n}/{total} [{elapsed}<{remaining}, {rate_noinv_fmt}]"


@dataclasses.dataclass(frozen=True)
class VideoReport:
    """The outcome of stylising a video.

    Attributes:
        path: the output; None if it was stopped before the first frame.
        frames: the number of its frames.
        new_frames: those of this run.
        seconds: the time for these, from the first frame to the complete file.
        network_seconds: of this, the time of inference, without the choice of an engine.
        batch: the batch size.
        notes: sentences about what is unusual.
        problems: sentences about damage of the source; the output has the frames before it.
        stopped: the signal that ended the run early, or None.
    """

    path: pathlib.Path | None
    frames: int
    new_frames: int
    seconds: float
    network_seconds: float
    batch: int
    notes: tuple = ()
    problems: tuple = ()
    stopped: signal.Signals | None = None

    def __str__(self):
        if not self.new_frames:
            return f"{self.frames} frames"
        rate = self.new_frames / self.seconds
        network = self.new_frames / self.network_seconds if self.network_seconds else rate
        return (
            f"{self.frames} frames, {rate:.3g} frames/s, {min(1, rate / network):.0%} of the "
            f"network's own {network:.3g} ({self.batch} at once)"
        )


class Making:
    """One run for one video."""

    def __init__(self, source, output, stylizer, options, compare, old=None):
        """`old`: the `Journal` of an interrupted run to continue from.

        Raises `InputError` if that run had other options.
        """
        self._source, self._facts, self._output = source, source.facts, pathlib.Path(output)
        self._stylizer, self._options, self._compare = stylizer, options, compare
        self._animated = options.container in ANIMATIONS
        self._container = "mkv" if self._animated else options.container
        self._start, self._end = options.start or Fraction(0), options.end
        self._writer = self._journal = None
        self._frames, self._clock, self._uncounted = [], None, 0
        self._name, self._codec, self._crf = options.codec_for(options.container)
        self._old, self._done = old, []
        self._record, self._recorded = record_path(output), False
        if old is not None:
            self._check(old)
            self._done = old.whole(count_packets(old.film_path, patience=math.inf))

    def _job(self):
        """The source and options, which must be the same to continue a run."""
        path = self._facts.path
        status = path.stat()
        return {
            "source": [path.name, status.st_size, status.st_mtime_ns],
            "result": [self._options.container, self._name, self._crf, self._compare],
            "bits": 10 if self._options.bits == 10 else None,
            "deinterlace": None
            if self._options.deinterlace == "auto"
            else self._options.deinterlace,
            "part": [str(self._start), str(self._end)],
            "stabilize": self._stylizer.stabilize,
            "hdr": "sdr" if self._facts.tone_mapped else None,
            "network": self._stylizer.identity(),
        }

    def _check(self, old):
        for name, value in self._job().items():
            if old.job.get(name) != value:
                raise InputError(
                    f"resume: expected the {name} that {old.path} was started with, "
                    f"{old.job.get(name)}, received {value}; --overwrite starts again"
                )

    def run(self, progress=False):
        """Write the output; returns a `VideoReport`. progress: as in `film.stylize_video`."""
        self._output.parent.mkdir(parents=True, exist_ok=True)
        done = self._frames_done()
        total = self._source.expected_frames(self._start, self._end)
        bar = tqdm(
            desc=self._facts.path.name, total=max(total, done) if total else None, initial=done,
            unit="frame", disable=None if progress is True else True,
            bar_format=_BAR if total else None,
        )  # fmt: skip
        with bar, Signals() as signals:
            try:
                between = progress if callable(progress) else lambda done, expected: None
                batch = self._through(bar, signals, lambda new: between(done + new, total))
                return self._finish(signals.received, batch)
            except BaseException as error:
                self._give_up()
                if not isinstance(error, (OSError, av.error.FFmpegError)):
                    raise
                # On a full disk the next video cannot be written either.
                disk = isinstance(error, OSError) and error.errno in (None, *DISK_ERRORS)
                raise (OSError if disk else InputError)(self._what_is_kept(error)) from error

    # --- frames ---

    def _through(self, bar, signals, between):
        """Process all frames, in three threads; returns the batch size.

        `between` is called after each batch with the number of frames so far.
        """
        pixels = self._facts.height * self._facts.width
        depth = max(1, min(_DEPTH, _DEPTH_PIXELS // pixels))
        feeder = Feeder(self._prepared(), depth)
        drain = Drain(lambda item: self._write(*item, bar), depth)
        sizes, group, count = None, [], 0
        try:
            for frame, prepared in feeder:
                sizes = sizes or BatchSize(self._stylizer.largest_batch(prepared))
                group.append((frame, prepared))
                if len(group) >= sizes.now() or prepared.state is not None or signals.received:
                    self._infer(group, sizes, drain)
                    count, group = count + len(group), []
                    between(count)
                if signals.received:
                    break
            if group:
                self._infer(group, sizes, drain)
        finally:
            feeder.stop()
            drain.finish()
        return (sizes.best or sizes.now()) if sizes else 1

    def _prepared(self):
        """Yield (frame, `Prepared`) for the remaining frames. Runs in the feeder's thread."""
        index = self._frames_done()
        start, until = self._start, None
        if index:
            until = self._resume_at()
            self._source.exact_times = self._done[-1]["exact_times"]
            start = max(start, until - _WARM_UP)
        with contextlib.closing(self._source.frames(start, self._end)) as frames:
            for frame in frames:
                if until is not None:
                    if frame.time < until:
                        self._stylizer.warm_up(frame.rgb, frame.time)
                        continue
                    self._restore(self._done[-1]["state"])
                    until = None
                index += 1
                last = index % SEGMENT == 0
                yield frame, self._stylizer.prepare(frame.rgb, frame.time, keep_state=last)

    def _frames_done(self):
        """The number of frames of earlier runs."""
        return sum(len(segment["frames"]) for segment in self._done)

    def _infer(self, group, sizes, drain):
        """Run the network on frames, in smaller batches if they do not fit into memory."""
        watch = self._stylizer.watch
        while group:
            part = group[: sizes.now()]
            try:
                outputs = self._stylizer.infer([prepared for _, prepared in part])
            except MemoryError:
                if len(part) == 1:
                    raise
                sizes.limit(len(part) // 2)
                continue
            sizes.took(len(part), watch.last)
            # What runs the network may be another from now on.
            sizes.limit(self._stylizer.largest_batch(part[0][1]))
            for (frame, prepared), output in zip(part, outputs, strict=True):
                drain.put((frame, prepared, output))
            group = group[len(part) :]
            if self._clock is None:  # the first batch includes setup and is not counted
                self._clock, self._uncounted, watch.seconds = time.perf_counter(), len(part), 0.0

    def _write(self, frame, prepared, output, bar):
        """Post-process and encode a frame. Runs in the drain's thread."""
        rgb = self._stylizer.finish(prepared, output, self._compare)
        if self._writer is None:
            self._begin(rgb.shape[:2], self._zero(frame))
        pts = round((self._facts.origin + frame.time - self._base) / self._facts.tick)
        duration = max(1, round(frame.duration / self._facts.tick))
        self._writer.frame(rgb, pts, duration)
        self._frames.append((pts, duration))
        if prepared.state is not None:
            self._end_segment(prepared.state)
        bar.update()

    # --- the file ---

    def _zero(self, frame):
        """The source's timestamp that becomes 0, if this is the first frame."""
        return self._facts.origin + frame.time if self._start else self._facts.begin

    def _resume_at(self):
        """A time just before the first frame that remains."""
        pts, duration = self._done[-1]["frames"][-1]
        base = Fraction(self._old.job["base"])
        half = Fraction(1, 2)
        return (pts + duration - half) * self._facts.tick + base - self._facts.origin

    def _begin(self, size, base):
        """Open the output for frames of a size (height, width)."""
        facts = self._facts
        if self._done:
            base = Fraction(self._old.job["base"])
        self._base = base
        spec = Spec.of(self._codec, self._crf, size, facts)
        end = None if self._end is None else facts.origin + self._end
        job = {**self._job(), "base": str(base), "size": list(size)}
        self._journal = Journal(self._record, job, self._partial_name())
        self._writer = writer.Writer(
            self._journal.film_path,
            self._container,
            spec,
            None if self._animated else self._copies(base, end),
            facts.apple,
        )
        job["encoder"] = self._writer.extradata.hex()
        if self._done:
            if self._old.job["encoder"] != job["encoder"]:
                raise InputError(
                    f"resume: {self._old.film} was encoded with another version of the encoder; "
                    "--overwrite starts again"
                )
            segments = [segment["frames"] for segment in self._done]
            self._writer.take(self._old.film_path, segments)
        else:
            # --overwrite replaces an interrupted run from here on.
            before = Journal.load(self._record)
            self._journal.write()
            self._recorded = True
            self._forget(before)

    def _copies(self, base, end):
        cut = bool(self._start)
        return lambda output: Copies(self._facts.path, output, base, end, cut)

    def _restore(self, state):
        try:
            self._stylizer.restore(state)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(
                f"resume: {self._record} is damaged, so no run can continue; --overwrite starts "
                "again"
            ) from error

    def _partial_name(self):
        """A name that differs from that of the file to continue from."""
        first, second = (partial_path(self._output, self._container, n).name for n in (1, 2))
        return second if self._old is not None and self._old.film == first else first

    def _end_segment(self, state):
        self._writer.end_segment()
        segment = {
            "frames": self._frames,
            "exact_times": self._source.exact_times,
            "state": state,
        }
        self._frames = []
        if self._recorded:
            self._journal.add(segment)
            return
        # From now on the new file has more frames than the old file.
        self._journal.segments = [*self._done, segment]
        self._journal.write()
        self._recorded = True
        self._forget(self._old)

    def _forget(self, journal):
        """Remove the partial video of an earlier run; a complete output stays until replaced."""
        mine = self._journal.film if self._journal else None
        if journal is not None and journal.film not in (mine, self._output.name):
            journal.film_path.unlink(missing_ok=True)

    # --- the end ---

    def _finish(self, stopped, batch):
        """Complete the file and move it to the output's path; returns the `VideoReport`."""
        problems = tuple(self._source.problems)
        if self._writer is None and self._done and not stopped:
            # It was killed after the last frame.
            self._begin(tuple(self._old.job["size"]), Fraction(0))
        if self._writer is None:
            if not stopped:
                raise InputError(
                    f"{self._facts.path}: expected frames in the requested part, found "
                    f"none{': ' + problems[0] if problems else ''}"
                )
            return VideoReport(None, 0, 0, 0.0, 0.0, batch, stopped=stopped)
        film, finished = self._writer, self._journal.film_path
        film.close(whole=stopped is None)
        seconds = time.perf_counter() - (self._clock or time.perf_counter())
        notes = (*self._source.notes, *self._size_notes(), *film.notes)
        if self._stylizer.note is not None:
            notes = (*notes, self._stylizer.note)
        if self._animated:
            kind = self._options.container
            notes = (*notes, *animation.notes(kind, self._facts.rate))
            with storage.aside(self._output, f".{kind}") as aside:
                plays = animation.plays(self._facts.path)
                animation.write_animation(finished, aside, kind, plays)
        else:
            if self._container in ("mp4", "mov"):
                put_index_first(finished)
            storage.move(finished, self._output)
        self._writer = None
        if stopped is not None:
            record = Journal.load(self._record)
            record.stopped = True
            record.film = finished.name if self._animated else self._output.name
            record.write()
        else:
            self._record.unlink(missing_ok=True)
            if self._animated:
                finished.unlink()
        self._forget(self._old)
        counted = max(0, film.frames - self._frames_done() - self._uncounted)
        return VideoReport(
            self._output, film.frames, counted, seconds, self._stylizer.watch.seconds, batch,
            notes, problems, stopped,
        )  # fmt: skip

    def _size_notes(self):
        height, width = self._journal.job["size"]
        if not self._codec.even or not (height % 2 or width % 2):
            return ()
        return (
            f"{width}x{height}: {self._name} needs even sides, so the last row or column is "
            "repeated (--codec=vp9 keeps the size)",
        )

    def _what_is_kept(self, error):
        reason = getattr(error, "strerror", None) or error
        kept = self._journal if self._recorded else self._old
        if kept is None or not kept.film_path.exists():
            return f"{self._output}: {reason}"
        return (
            f"{self._output}: {reason}; the frames so far are in {kept.film_path}, and --resume "
            "continues from its last whole segment"
        )

    def _has_more(self):
        """Whether a run could continue from more than the new file."""
        return bool(self._done)

    def _give_up(self):
        """Close all files; remove them if no run could continue from them."""
        if self._journal is None:
            return
        frames = 0
        if self._writer is not None:
            self._writer.abandon()
            frames = self._writer.frames
        begun = frames > 0 or self._has_more()
        if self._recorded and not begun:
            self._record.unlink(missing_ok=True)
        if not (self._recorded and begun):
            self._journal.film_path.unlink(missing_ok=True)
