"""A run of `animegan batch`: connects to the cluster, then photos, then videos."""

import contextlib
import dataclasses
import math
import os
import posixpath
import sys

from tqdm import tqdm

from animegan_tf.cluster import films, places, sources
from animegan_tf.cluster import log as logs
from animegan_tf.cluster.photos import Batch
from animegan_tf.cluster.pool import Pool, connected
from animegan_tf.cluster.worker import Worker
from animegan_tf.errors import InputError
from animegan_tf.signals import Signals
from animegan_tf.stylize.options import PhotoOptions, VideoOptions
from animegan_tf.video.timecode import VIDEO_SUFFIXES

_FILM_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to process and where.

    Attributes:
        inputs: see `sources.stream`, as is `column`.
        output: folder or URI of the outputs.
        log: folder or URI of the log; None is OUTPUT/_log.
        photo, video, compare, overwrite: see `stylize_paths`.
        address: of a Ray cluster, see `pool.connected`.
        concurrency: number of workers, or None for as many as the cluster has resources for.
        num_cpus, num_gpus: of each worker.
    """

    inputs: tuple
    output: str
    log: str | None = None
    column: str = "path"
    photo: PhotoOptions = PhotoOptions()  # noqa: RUF009, a frozen value
    video: VideoOptions = VideoOptions()  # noqa: RUF009
    compare: bool = False
    overwrite: bool = False
    address: str | None = None
    concurrency: int | None = None
    num_cpus: float = 1.0
    num_gpus: float = 0.0


def run(settings, make_model, worker=Worker):
    """Process everything; returns the exit status.

    make_model: a function that returns the `worker.Model`. Raises `InputError` for mistakes, and
    `OSError` if no node can write.
    """
    inputs = sources.check(settings.inputs)
    output, name = _split(places.absolute("output", settings.output), inputs)
    log = places.absolute("log", settings.log or places.join(output, "_log"))
    model = make_model()
    done = logs.Names() if settings.overwrite else logs.done(log)
    cpus = settings.concurrency and math.ceil(settings.concurrency * settings.num_cpus)
    # Ray sets a handler of SIGTERM first.
    with connected(settings.address, cpus), Signals() as signals:
        threads = max(1, math.floor(settings.num_cpus))
        arguments = (model, threads, settings.photo, settings.compare)
        gpus = settings.num_gpus
        pool = Pool(worker, arguments, settings.concurrency, settings.num_cpus, gpus)
        bar = tqdm(unit="photo", disable=None)
        with contextlib.closing(pool), logs.Log(log) as rows, bar:
            chosen = (settings.photo, settings.compare, settings.overwrite)
            batch = Batch(output, rows, *chosen, bar)
            found = sources.stream(inputs, settings.column, leave_out=(output, log))
            batch.run(found, pool, done, lambda: signals.received)
            bar.close()  # each video has its own
            stopped = signals.received
            chosen = (settings.video, settings.compare, settings.overwrite)
            for film in batch.films:
                if stopped is None:
                    row, stopped = films.run(film, output, model, pool, *chosen, name)
                    batch.note(row)
    return _report(batch.summary, pool, settings.output, log, stopped)


def _split(output, inputs):
    """(folder, name or None) of an output, which for a single video may be a file's name."""
    folder, name = posixpath.split(output.replace(os.sep, "/"))
    if posixpath.splitext(name)[1].lower() not in _FILM_SUFFIXES or os.path.isdir(output):
        return output, None
    if len(inputs) != 1 or posixpath.splitext(inputs[0])[1].lower() not in VIDEO_SUFFIXES:
        raise InputError(f"output: expected a folder, or a single video with it, received {output}")
    return folder, name


def _report(summary, pool, output, log, stopped):
    """Print the summary; returns the exit status."""
    parts = [f"{summary.written} written to {output}"]
    for count, text in (
        (summary.kept, "existed already (--overwrite replaces them)"),
        (summary.repeated, "named twice"),
        (summary.failed, "failed"),
        (pool.lost, "workers lost"),
    ):
        parts += [f"{count} {text}"] if count else []
    print(f"{', '.join(parts)}; log in {log}")
    if stopped is not None:
        print(f"stopped by {stopped.name}; the same command continues", file=sys.stderr)
        return 128 + stopped
    return 1 if summary.failed else 0
