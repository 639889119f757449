"""`stylize_paths`, which stylises photos, videos and folders of them."""

import dataclasses
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tqdm import tqdm

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.stylize import film, jobs
from animegan_tf.stylize.jobs import Report
from animegan_tf.stylize.options import VideoOptions
from animegan_tf.stylize.stylizer import Stylizer


def stylize_paths(
    stylizer: Stylizer | Callable[[], Stylizer],
    inputs: Iterable[str | os.PathLike],
    output_dir: str | os.PathLike,
    *,
    compare: bool = False,
    overwrite: bool = False,
    recursive: bool = False,
    progress: bool = False,
    video: VideoOptions | None = None,
) -> Report:
    """Stylise photos, videos and folders of them into `output_dir`.

    stylizer: a `Stylizer`, or a function that creates one; it is called after all checks, and only
        if there is something to do.
    inputs: paths. A folder stands for its photos and videos in the order of their names; with
        `recursive` also for those in subfolders, whose relative paths are kept.
    output_dir: created if missing. An output has the name and format of its photo, or PNG if that
        format cannot be written. If two outputs have one name, the later gets "-2" and so on.
    compare: write photo and output side by side, as NAME_compare.
    overwrite: replace existing outputs; otherwise they are kept and reported as skipped.
    progress: show a progress bar, and errors as they happen, on the standard error stream.
    video: `animegan_tf.stylize.options.VideoOptions` for videos and animated GIF and WebP.

    If a photo or video cannot be read or processed, it is listed in `failed` and the others
    continue. Raises `InputError` before any work for missing inputs, folders without photos, and
    outputs that would replace an input; `OSError` if an output cannot be written.
    """
    video = (video or VideoOptions()).check()
    chosen = {"compare": compare, "overwrite": overwrite, "recursive": recursive}
    todo, skipped = jobs.plan(inputs, output_dir, **chosen, video=video)
    if not todo:
        return Report(skipped=skipped)
    if not isinstance(stylizer, Stylizer):
        stylizer = stylizer()
    # Not earlier, so that a style that cannot be loaded leaves no empty folder.
    Path(output_dir).mkdir(parents=True, exist_ok=True)

    written, failed, stopped = [], [], None
    shown = progress and not (len(todo) == 1 and todo[0].film)
    for job in tqdm(todo, unit="photo", disable=None if shown else True):
        try:
            if job.film:
                stopped = _film(stylizer, job, video, compare, overwrite, progress, written)
            else:
                _photo(stylizer, job, compare)
                written.append(job.result)
        except (InputError, MemoryError) as error:
            reason = str(error)
            failed.append((job.photo, reason))
            if progress:
                jobs.show_failure(job.photo, reason)
        if stopped is not None:
            break
    return Report(tuple(written), skipped, tuple(failed), stopped)


def _photo(stylizer, job, compare):
    output = _stylized(stylizer, _read(job.photo), compare)
    job.result.parent.mkdir(parents=True, exist_ok=True)
    images.write_photo(job.result, output.rgb, output.alpha)


def _film(stylizer, job, options, compare, overwrite, progress, written):
    """Stylise a video; returns the signal that stopped it. Raises `InputError` if damaged."""
    options = dataclasses.replace(options, container=options.container_for(job.photo))
    report = film.run(
        job.photo, job.result, lambda: stylizer, options, compare, overwrite, progress
    )
    if report.path is not None:
        written.append(report.path)
    if progress:
        for line in (*report.notes, str(report)):
            tqdm.write(f"{job.photo}: {line}", file=sys.stderr)
    if report.problems:
        what = "; ".join(report.problems)
        raise InputError(f"{job.photo}: {what}; {job.result} has the {report.frames} frames read")
    return report.stopped


def _read(path):
    """`read_photo` with `InputError` for all failures, which do not end the run."""
    try:
        return images.read_photo(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _stylized(stylizer, photo, compare):
    """The output with the photo's alpha channel, or photo and output side by side."""
    rgb = stylizer(photo.rgb)
    size = rgb.shape[:2]
    alpha = None if photo.alpha is None else images.resize(photo.alpha, *size)
    if compare:
        rgb = images.side_by_side(images.resize(photo.rgb, *size), rgb)
        alpha = None if alpha is None else images.side_by_side(alpha, alpha)
    return images.Photo(rgb, alpha)
