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
    shard: str | None = None,
) -> Report:
    """Stylise photos, videos and folders of them into `output_dir`; returns a `Report`.

    stylizer: a `Stylizer`, or a function that returns one; it is called after all checks, if there
        is something to do.
    inputs: paths. A folder stands for the photos and videos in it, sorted by name; with `recursive`
        also for those in its subfolders, and outputs keep the relative paths.
    output_dir: created if missing. An output has its photo's name and format, or PNG for a format
        that cannot be written; if two photos lead to the same name, the later one gets "-2" and so
        on. For a single photo or video also the output's own name; its suffix sets the format.
    compare: write photo and output side by side, as NAME_compare.
    overwrite: replace existing outputs; otherwise they are kept and reported as skipped.
    progress: show a bar, and failures as they happen, on the standard error stream.
    video: options for videos, and GIFs and WebPs with several frames.
    photo: options for photos.
    shard: such as "3/64": process only this part of the inputs, chosen by a hash of the outputs'
        names, so that 64 runs with the same other arguments process everything once.

    A photo or video that cannot be read or processed, or is damaged, is reported in `failed` and
    the others continue. Raises `InputError` before any work for missing inputs, folders without
    photos, and outputs that would replace one of the photos; `OSError` if an output cannot be
    written.
    """
    video, photo = (video or VideoOptions()).check(), (photo or PhotoOptions()).check()
    chosen = {"compare": compare, "overwrite": overwrite, "recursive": recursive, "shard": shard}
    plan = jobs.plan(inputs, output_dir, **chosen, video=video, photo=photo)
    todo, failed = plan.todo, list(plan.failed)
    if progress:
        for path, reason in failed:
            jobs.show_failure(path, reason)
    if not todo:
        return Report((), plan.skipped, plan.failed, notes=plan.notes)
    if not isinstance(stylizer, Stylizer):
        stylizer = stylizer()
    # Not earlier: a style that cannot be loaded leaves no empty folder.
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
                with steps.shown(job.photo, bar) if progress else contextlib.nullcontext():
                    _photo(stylizer, job, photo, compare, progress, written)
        except Exception as error:
            # An output that cannot be written ends the run; a name that is too long, or any other
            # error in a video, does not.
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


def stylize_bytes(stylizer, data, name, kind=None, *, compare=False, photo=None, progress=False):
    """Stylise the bytes of a photo's file; returns (bytes of the output, whether it is undamaged).

    name: the photo's name in errors. kind: one of `PHOTO_FORMATS`; by default the photo's own, or
    "png" if that cannot be written. Raises `InputError` for other files. The other arguments are as
    in `stylize_paths`.
    """
    options = (photo or PhotoOptions()).check()
    own = formats.kind_of(data[: formats.HEAD])
    kinds = formats.DEEP if options.bits == 16 else formats.WRITTEN
    kind = kind or options.format or (own if own in kinds else "png")
    dataclasses.replace(options, format=kind).check()
    bar = tqdm(total=1, unit="photo", leave=False, disable=None if progress else True)
    with bar, steps.shown(name, bar) if progress else contextlib.nullcontext():
        source = images.decode_photo(data, name, options.bits == 16)
        named = name if progress else None
        rgb, alpha, chosen = _output(stylizer, source, options, compare, kind, named)
        if progress and source.damage:
            jobs.show(name, f"damaged ({source.damage})")
        steps.step("writing")
        return images.encode_photo(kind, rgb, alpha, name, **chosen), source.damage is None


def _photo(stylizer, job, options, compare, progress, written):
    """Process a photo. Raises `InputError` for damage, after writing the readable part."""
    try:
        photo = images.read_photo(job.photo, options.bits == 16)
    except OSError as error:  # must not end the run
        raise InputError(f"{job.photo}: {error.strerror or error}") from error
    kind, name = formats.kind_of_suffix(job.result.suffix), job.photo if progress else None
    rgb, alpha, chosen = _output(stylizer, photo, options, compare, kind, name)
    steps.step("writing")
    images.write_photo(job.result, rgb, alpha, **chosen)
    written.append(job.result)
    if photo.damage:
        raise InputError(f"{job.photo}: damaged ({photo.damage}); {job.result} has what was read")


def _output(stylizer, photo, options, compare, kind, name):
    """RGB, alpha or None, and the other arguments of `write_photo` for an output of that format.

    Notes are printed with `name`, unless it is None. In JPEG transparent photos are on white.
    """
    kept, notes = metadata.fitting(
        images.Metadata() if options.strip_metadata else photo.metadata, kind
    )
    for note in (*photo.notes, *notes) if name is not None else ():
        jobs.show(name, note)
    bits = options.bits
    rgb = stylizer(photo.seen()) if bits == 8 else stylizer.stylized(photo.seen(), bits)
    size = rgb.shape[:2]
    alpha = None if photo.alpha is None else images.resize(photo.alpha, *size)
    if compare:
        rgb = images.side_by_side(images.as_kind(images.resize(photo.rgb, *size), rgb.dtype), rgb)
        alpha = None if alpha is None else images.side_by_side(alpha, alpha)
    if kind == "jpeg" and alpha is not None:
        rgb, alpha = images.on_white(rgb, alpha), None
    profile = photo.metadata.profile if options.keep_profile else None
    chosen = {"quality": options.quality, "lossless": not photo.lossy}
    return rgb, alpha, {"metadata": kept, "profile": profile, **chosen}


def _film(stylizer, job, options, compare, overwrite, progress, written):
    """Process a video; returns the signal that stopped it. Raises `InputError` for damage."""
    options = options.for_output(job.result)
    report = film.run(
        job.photo, job.result, lambda: stylizer, options, compare, overwrite, progress
    )
    if report.path is not None:
        written.append(report.path)
    if progress:
        for line in (*report.notes, str(report)):
            tqdm.write(printable(f"{job.photo}: {line}"), file=sys.stderr)
    if report.problems:
        damage, count = "; ".join(report.problems), report.frames
        raise InputError(f"{job.photo}: {damage}; {job.result} has the {count} frames read")
    return report.stopped
