"""`stylize_paths`, which stylises photos, videos and folders of them."""

import contextlib
import dataclasses
import errno
import os
import sys
from collections.abc import Callable, Iterable

from tqdm import tqdm

from animegan_tf import images
from animegan_tf.errors import InputError, printable
from animegan_tf.images import formats, metadata
from animegan_tf.stylize import film, jobs
from animegan_tf.stylize import progress as steps
from animegan_tf.stylize.engines import strips
from animegan_tf.stylize.jobs import Report
from animegan_tf.stylize.options import PhotoOptions, VideoOptions
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
    photo: PhotoOptions | None = None,
) -> Report:
    """Stylise photos, films and folders of them into `output_dir`, and return a `Report`.

    stylizer: a `Stylizer`, or a function without arguments that makes one; it is called when
        everything else has been checked and there is something to do.
    inputs: paths. A folder stands for the photos in it in the order of their names, with
        `recursive` also for those in folders below, whose paths the results keep.
    output_dir: made if missing. A result has its photo's name and format, or PNG for a format that
        is not written; where two photos would give one name, the later gets "-2" and so on. For one
        photo or film also the result's own name, with a suffix that says the format.
    compare: write photo and result side by side instead, as NAME_compare.
    overwrite: replace results that exist; they are left and reported as skipped otherwise.
    progress: show a bar, and failures as they happen, on the standard error stream.
    video: `animegan_tf.stylize.options.VideoOptions` for films, GIF and WebP with several frames.
    photo: `animegan_tf.stylize.options.PhotoOptions`.

    A photo or film that cannot be read or done, or is damaged, is reported in `failed` and the rest
    goes on. Raises `InputError` before any work for missing inputs, folders without photos, and
    results that would replace one of the photos; `OSError` when a result cannot be written.
    """
    video, photo = (video or VideoOptions()).check(), (photo or PhotoOptions()).check()
    chosen = {"compare": compare, "overwrite": overwrite, "recursive": recursive}
    plan = jobs.plan(inputs, output_dir, **chosen, video=video, photo=photo)
    todo, failed = plan.todo, list(plan.failed)
    if progress:
        for path, reason in failed:
            jobs.show_failure(path, reason)
    if not todo:
        return Report((), plan.skipped, plan.failed, notes=plan.notes)
    if not isinstance(stylizer, Stylizer):
        stylizer = stylizer()
    # Not before: a style that cannot be had leaves no empty folder.
    for folder in {job.result.parent for job in todo}:
        folder.mkdir(parents=True, exist_ok=True)

    written, stopped = [], None
    shown = progress and not (len(todo) == 1 and todo[0].film)
    bar = tqdm(todo, unit="photo", disable=None if shown else True)
    for job in bar:
        try:
            if job.film:
                stopped = _film(stylizer, job, video, compare, overwrite, progress, written)
            else:
                with _steps_shown(job.photo, bar) if progress else contextlib.nullcontext():
                    _photo(stylizer, job, photo, compare, progress, written)
        except Exception as error:
            # A result that cannot be written ends the run; a name that is too long, and whatever is
            # wrong with a film, does not.
            known = isinstance(error, (InputError, MemoryError))
            too_long = isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG
            if not (known or too_long) and (isinstance(error, OSError) or not job.film):
                raise
            reason = str(error) if known else f"{job.photo}: {type(error).__name__}: {error}"
            reason = error.strerror if too_long else reason
            failed.append((job.photo, reason))
            if progress:
                jobs.show_failure(job.photo, reason)
        if stopped is not None:
            break
    return Report(tuple(written), plan.skipped, tuple(failed), stopped, plan.notes)


@contextlib.contextmanager
def _steps_shown(path, bar):
    with strips.progress_shown(), steps.shown(path, bar):
        yield


def stylize_bytes(stylizer, data, name, kind=None, *, compare=False, photo=None, progress=False):
    """Stylise the bytes of a photo's file, which errors call `name`.

    Returns the bytes of the result, and whether the photo was undamaged.

    kind: one of `PHOTO_FORMATS`; by default the photo's own, or "png" where that is not written.
    Raises `InputError` for what is no photo. The rest is as in `stylize_paths`.
    """
    options = (photo or PhotoOptions()).check()
    own = formats.kind_of(data[: formats.HEAD])
    kinds = formats.DEEP if options.bits == 16 else formats.WRITTEN
    kind = kind or options.format or (own if own in kinds else "png")
    dataclasses.replace(options, format=kind).check()
    bar = tqdm(total=1, unit="photo", leave=False, disable=None if progress else True)
    with bar, _steps_shown(name, bar) if progress else contextlib.nullcontext():
        source, named = images.decode_photo(data, name), name if progress else None
        rgb, alpha, chosen = _result(stylizer, source, options, compare, kind, named)
        if progress and source.damage:
            jobs.show(name, f"damaged ({source.damage})")
        steps.step("writing")
        return images.encode_photo(kind, rgb, alpha, name, **chosen), source.damage is None


def _photo(stylizer, job, options, compare, progress, written):
    """Do a photo. Raises `InputError` for damage, after what could be read of it is written."""
    photo, kind = _read(job.photo), formats.kind_of_suffix(job.result.suffix)
    named = job.photo if progress else None
    rgb, alpha, chosen = _result(stylizer, photo, options, compare, kind, named)
    steps.step("writing")
    images.write_photo(job.result, rgb, alpha, **chosen)
    written.append(job.result)
    if photo.damage:
        raise InputError(f"{job.photo}: damaged ({photo.damage}); {job.result} has what was read")


def _result(stylizer, photo, options, compare, kind, name):
    """RGB, alpha or None, and what else `write_photo` takes, for an output of that format.

    Notes are printed under the `name`, unless it is None. JPEG gets photos with alpha on white.
    """
    kept, notes = metadata.fitting(
        images.Metadata() if options.strip_metadata else photo.metadata, kind
    )
    for note in (*photo.notes, *notes) if name is not None else ():
        jobs.show(name, note)
    rgb, alpha = _stylized(stylizer, photo, compare, options.bits)
    if kind == "jpeg" and alpha is not None:
        rgb, alpha = images.on_white(rgb, alpha), None
    return (
        rgb,
        alpha,
        {
            "metadata": kept,
            "profile": photo.metadata.profile if options.keep_profile else None,
            "quality": options.quality,
            "lossless": not photo.lossy,
        },
    )


def _film(stylizer, job, options, compare, overwrite, progress, written):
    """Do a film; returns the signal that stopped it, or None. Raises `InputError` for damage."""
    container = job.result.suffix.lower().removeprefix(".").replace("m4v", "mp4")
    options = dataclasses.replace(options, container=container).check()
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
    """`read_photo` with `InputError` for all failures, which do not end the run."""
    try:
        return images.read_photo(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _stylized(stylizer, photo, compare, bits):
    """RGB and alpha or None: the result with the photo's alpha, or both side by side."""
    rgb = stylizer(photo.seen()) if bits == 8 else stylizer.stylized(photo.seen(), bits)
    size = rgb.shape[:2]
    alpha = None if photo.alpha is None else images.resize(photo.alpha, *size)
    if compare:
        rgb = images.side_by_side(images.as_kind(images.resize(photo.rgb, *size), rgb.dtype), rgb)
        alpha = None if alpha is None else images.side_by_side(alpha, alpha)
    return rgb, alpha
