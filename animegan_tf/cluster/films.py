"""Videos: cut at shot boundaries into segments, drawn by workers, joined in order.

`Joining` is the run of `animegan-stylize` for a video (`stylize.making`), with segments from the
workers in place of frames: sound and other tracks, the journal and resuming are the same.
"""

import collections
import contextlib
import dataclasses
import hashlib
import pathlib
import posixpath
import shutil
import time
from fractions import Fraction

from animegan_tf import images, storage
from animegan_tf.cluster import places
from animegan_tf.cluster.segments import Film, Segment
from animegan_tf.errors import InputError
from animegan_tf.stylize import film as films
from animegan_tf.stylize import flicker, jobs
from animegan_tf.stylize.journal import partial_path, unfinished
from animegan_tf.stylize.making import Making
from animegan_tf.stylize.options import result_suffix
from animegan_tf.stylize.threads import Stopwatch
from animegan_tf.video.timecode import timecode

# The least number of frames of a segment.
LEAST = 48
# Seconds before the position to continue at that are decoded again.
_WARM_UP = 2


class Remote:
    """Stands for the `FrameStylizer` of the workers; see there."""

    note = None

    def __init__(self, model, options, stabilize):
        self._model, self._options, self.stabilize = model, options, stabilize
        self.watch = Stopwatch()

    def identity(self):
        """The identity of the model and its options, as JSON values."""
        digest = hashlib.sha256(self._model.data or b"").hexdigest()
        chosen = sorted((name, str(value)) for name, value in self._model.options.items())
        return ["cluster", digest, self._model.checkpoint, str(chosen), self._options.engine]


class Joining(Making):
    """The run of one video on the workers of a `Pool`."""

    def __init__(self, source, output, film, model, pool, old):
        """film: the `Film`. model: the `worker.Model`. old: the `Journal` to continue from."""
        remote = Remote(model, film.options, film.options.stabilize)
        super().__init__(source, output, remote, film.options, film.compare, old)
        self._film, self._pool = film, pool
        self._max_side, self._base = model.options.get("max_side"), None
        self._folder = partial_path(output, "segments")
        if old is None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _through(self, bar, signals, between):
        """Process all segments; returns the batch size, see `Making`."""
        self._clock = time.perf_counter()
        self._folder.mkdir(exist_ok=True)
        waiting = collections.deque()
        results = self._pool.run("segment", self._to_do(waiting, bar), lambda: signals.received)
        with contextlib.closing(results):
            for segment, drawn, error in results:
                if error:
                    raise InputError(f"the frames from {timecode(segment.start)} on: {error}")
                if self._writer is None:
                    self._begin(drawn.size, self._base)
                if drawn.extradata != self._journal.job["encoder"]:
                    raise InputError("workers: expected the same encoder on all nodes")
                storage.write_bytes(self._path(segment), drawn.data)
                bar.update(len(segment.frames))
                self._join(waiting)
        self._join(waiting)
        if not signals.received:
            self._folder.rmdir()
        return 1

    def _to_do(self, waiting, bar):
        """Yield the segments that are not in the folder; all are added to `waiting`."""
        for segment in self._segments():
            waiting.append(segment)
            if self._path(segment).exists():
                bar.update(len(segment.frames))
            else:
                yield segment

    def _path(self, segment):
        name = f"{segment.frames[0][0]}-{len(segment.frames)}.{self._film.container}"
        return self._folder / name

    def _join(self, waiting):
        """Append the segments at the front that are done."""
        while waiting and self._path(waiting[0]).exists():
            segment = waiting.popleft()
            if self._writer is None:
                self._begin(tuple(self._old.job["size"]), self._base)
            path = self._path(segment)
            self._writer.take(path, [segment.frames])
            self._frames = [list(frame) for frame in segment.frames]
            self._end_segment({"shots": segment.after})
            path.unlink()

    def _has_more(self):
        return super()._has_more() or (self._folder.is_dir() and any(self._folder.iterdir()))

    # --- cutting ---

    def _segments(self):
        """Yield each remaining `Segment`."""
        shots, first, frames = flicker.Shots(), None, []
        for frame in self._remaining(shots):
            before = shots.state()
            rate = shots.rate(images.limit_side(frame.rgb, self._max_side), frame.time)
            anew = rate >= 1 or not self._options.stabilize
            if first is not None and anew and len(frames) >= LEAST:
                yield self._segment(first, frame.time, frames, before)
                first = None
            if first is None:
                first, frames = (frame.time, before), []
            pts = round((self._facts.origin + frame.time - self._base) / self._facts.tick)
            frames.append((pts, max(1, round(frame.duration / self._facts.tick))))
        if first is not None:
            yield self._segment(first, self._end, frames, shots.state())

    def _segment(self, first, end, frames, after):
        exact = self._source.exact_times
        return Segment(self._film, first[0], end, tuple(frames), first[1], after, exact)

    def _remaining(self, shots):
        """Yield the frames that are not in the file to continue from, and set `_base`."""
        start, until = self._start, None
        if self._done:
            until, self._base = self._resume_at(), Fraction(self._old.job["base"])
            self._source.exact_times = self._done[-1]["exact_times"]
            start = max(start, until - _WARM_UP)
            shots.restore(self._done[-1]["state"]["shots"])
        with contextlib.closing(self._source.frames(start, self._end)) as frames:
            for frame in frames:
                if until is None and self._base is None:
                    self._base = self._zero(frame)
                if until is None or frame.time >= until:
                    yield frame


def local_copy(path):
    """The local path of a film: of a URI a copy in this user's cache. Raises `OSError`."""
    if places.scheme_of(path) is None:
        return pathlib.Path(path)
    digest = hashlib.sha256(f"{path} {places.size(path)}".encode()).hexdigest()
    copy = storage.user_cache() / "cluster" / digest / posixpath.basename(path)
    copy.parent.mkdir(parents=True, exist_ok=True)
    with storage.locked(copy.with_name("lock"), waiting=f"another worker is copying {path}"):
        if not copy.exists():
            places.download(path, copy)
    return copy


def run(source, output, model, pool, options, compare=False, overwrite=False, name=None):
    """Process the video of a `Source` into `output`: (its row for the log, the signal or None).

    output: a folder or URI. name: of the output; by default the source's, with the output's suffix
        added if that differs. After a signal the frames so far are in a playable output. Raises
        `OSError` if it cannot be written.
    """
    began, row = time.monotonic(), {"source": source.path, "result": name or source.name}
    try:
        local = local_copy(source.path)
        container = name and posixpath.splitext(name)[1][1:].lower().replace("m4v", "mp4")
        options = dataclasses.replace(options, container=container or options.container)
        suffix = result_suffix(local, options)
        if name is None and posixpath.splitext(source.name)[1] != suffix:
            row["result"] += suffix
        container, resume = options.container_for(local), not overwrite
        # Chosen once, so that all workers have the same.
        engine = options.engine
        if engine == "auto":
            engine = "keras" if pool.gpus else "litert"
        options = dataclasses.replace(options, container=container, resume=resume, engine=engine)
        film = Film(source.path, options.check(), compare)
        target = places.join(output, row["result"])
        path = _made_at(target)
        if not overwrite and places.size(target) and not unfinished(path):
            return {**row, "size": places.size(target)}, None

        def begin(source, old):
            return Joining(source, path, film, model, pool, old)

        report = films.run(local, path, None, options, compare, overwrite, True, begin)
    except InputError as error:
        return {**row, "error": str(error), "seconds": time.monotonic() - began}, None
    if report.stopped is not None:
        return {**row, "error": f"stopped by {report.stopped.name}"}, report.stopped
    for note in (*report.notes, str(report)):
        jobs.show(source.path, note)
    size = path.stat().st_size
    if places.scheme_of(target):
        places.upload(path, target)
        shutil.rmtree(path.parent)
    error = "; ".join(report.problems) or None
    return {**row, "size": size, "seconds": time.monotonic() - began, "error": error}, None


def _made_at(target):
    """The local path at which an output is written first."""
    if places.scheme_of(target) is None:
        return pathlib.Path(target)
    digest = hashlib.sha256(target.encode()).hexdigest()
    return storage.user_cache() / "cluster" / digest / posixpath.basename(target)
