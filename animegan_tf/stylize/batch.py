"""Photos, films and folders of them, stylised one after the other: `stylize_paths`."""

import dataclasses
import sys
from pathlib import Path

from tqdm import tqdm

from animegan_tf import images
from animegan_tf.errors import InputError, printable
from animegan_tf.stylize import film, jobs
from animegan_tf.stylize.jobs import Report
from animegan_tf.stylize.options import VideoOptions
from animegan_tf.stylize.stylizer import Stylizer


def stylize_paths(
    stylizer,
    inputs,
    output_dir,
    *,
    compare=False,
    overwrite=False,
    recursive=False,
    progress=False,
    video=None,
):
    """Stylise photos, films and folders of them into `output_dir`, and return a `Report`.

    stylizer: a `Stylizer`, or a function without arguments that makes one; it is called when
        everything else has been checked and there is something to do.
    inputs: paths. A folder stands for the photos in it in the order of their names, with
        `recursive` also for those in folders below, whose paths the results keep.
    output_dir: made if missing. A result has its photo's name and format, or PNG for a format that
        is not written; where two photos would give one name, the later gets "-2" and so on.
    compare: write photo and result side by side instead, as NAME_compare.
    overwrite: replace results that exist; they are left and reported as skipped otherwise.
    progress: show a bar, and failures as they happen, on the standard error stream.
    video: `animegan_tf.stylize.options.VideoOptions` for films, GIF and WebP with several frames.

    A photo or film that cannot be read or done is reported in `failed` and the rest goes on. Raises
    `InputError` before any work for missing inputs, folders without photos, and results that would
    replace one of the photos; `OSError` when a result cannot be written.
    """
    video = (video or VideoOptions()).check()
    chosen = {"compare": compare, "overwrite": overwrite, "recursive": recursive}
    todo, skipped = jobs.plan(inputs, output_dir, **chosen, video=video)
    if not todo:
        return Report(skipped=skipped)
    if not isinstance(stylizer, Stylizer):
        stylizer = stylizer()
    # Not before: a style that cannot be had leaves no empty folder.
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
    picture = _stylized(stylizer, _read(job.photo), compare)
    job.result.parent.mkdir(parents=True, exist_ok=True)
    images.write_photo(job.result, picture.rgb, picture.alpha)


def _film(stylizer, job, options, compare, overwrite, progress, written):
    """Do a film; returns the signal that stopped it, or None. Raises `InputError` for damage."""
    options = dataclasses.replace(options, container=options.container_for(job.photo))
    report = film.run(
        job.photo, job.result, lambda: stylizer, options, compare, overwrite, progress
    )
    if report.path is not None:
        written.append(report.path)
    if progress:
        for line in (*report.notes, str(report)):
            tqdm.write(printable(f"{job.photo}: {line}"), file=sys.stderr)
    if report.problems:
        what = "; ".join(report.problems)
        raise InputError(f"{job.photo}: {what}; {job.result} has the {report.frames} frames read")
    return report.stopped


def _read(path):
    """Like `read_photo`, all failures as `InputError`: an unreadable photo does not end the run."""
    try:
        return images.read_photo(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _stylized(stylizer, photo, compare):
    """The `Photo` to write: the result with the photo's alpha, or both side by side."""
    rgb = stylizer(photo.rgb)
    size = rgb.shape[:2]
    alpha = None if photo.alpha is None else images.resize(photo.alpha, *size)
    if compare:
        rgb = images.side_by_side(images.resize(photo.rgb, *size), rgb)
        alpha = None if alpha is None else images.side_by_side(alpha, alpha)
    return images.Photo(rgb, alpha)
