"""`stylize_video` and its checks before any work."""

import contextlib
import dataclasses
import os
import pathlib

from animegan_tf import storage
from animegan_tf.errors import InputError
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.journal import Journal, partial_path, record_path, unfinished
from animegan_tf.stylize.making import Making
from animegan_tf.stylize.options import VideoOptions
from animegan_tf.video.codecs import ANIMATIONS
from animegan_tf.video.source import open_source


def stylize_video(
    video, output, stylizer=None, *, compare=False, overwrite=False, progress=False, **options
):
    """Stylise a video, GIF or animated WebP, with its sound; returns a `VideoReport`.

    video: its file. It is never replaced.
    output: the file of the output; its suffix sets the container (mp4, m4v, mov, mkv, webm, gif,
        webp).
    stylizer: a `Stylizer`, by default of the shipped style; or a function from uint8 RGB to uint8
        RGB.
    compare: write source and output side by side.
    overwrite: replace an existing output, and start again if an earlier run was interrupted.
    progress: show a bar and notes on the standard error stream; or a function of the numbers of
        frames done and expected (None if unknown), which is called between batches by the thread
        that runs the network. An exception that it raises ends the run; `resume` continues it.
    options: the fields of `stylize.options.VideoOptions`; `container` must agree with the suffix.

    SIGINT and SIGTERM (in the main thread) end it early with a playable output of the frames so
    far, and `stopped` in the report; the same call with `resume` continues. After a kill, `resume`
    continues from OUTPUT.partial.SUFFIX, which is playable too, and OUTPUT.partial.jsonl.

    Raises `InputError` before any work for invalid arguments and a source that is not a video,
    cannot be read, is encrypted or completely damaged; `OSError` if the output cannot be written,
    for instance on a full disk; the frames so far are then kept for `resume`.
    """
    unknown = set(options) - {field.name for field in dataclasses.fields(VideoOptions)}
    if unknown:
        raise InputError(f"options: expected those of VideoOptions, received {min(unknown)}")
    checked = VideoOptions(**options).for_output(output)

    def make():
        from animegan_tf.stylize.stylizer import Stylizer

        return Stylizer() if stylizer is None else stylizer

    return run(video, output, make, checked, compare, overwrite, progress)


def run(video, output, make, options, compare=False, overwrite=False, progress=False, begin=None):
    """`stylize_video` with checked `VideoOptions`; `output` has a suffix of their container.

    make: a function that returns the stylizer; called after all checks.
    begin: instead, a function of the opened source and of the `Journal` of an interrupted run, or
        None, that returns a `Making`.
    """
    output = pathlib.Path(output)
    if not os.path.exists(video):
        raise InputError(f"video: expected a video, found nothing at {video}")
    if output.exists() and os.path.samefile(video, output):
        raise InputError(f"output: {output} is the source, which is never replaced")
    with _alone(output):
        return _run_alone(video, output, make, options, compare, overwrite, progress, begin)


@contextlib.contextmanager
def _alone(output):
    """A context in which no other process writes `output`; raises `InputError` if one does.

    Missing folders are created, and removed if they stay empty.
    """
    created = [folder for folder in output.parents if not folder.exists()]
    output.parent.mkdir(parents=True, exist_ok=True)
    lock = partial_path(output, "lock")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(storage.locked(lock))
        except BlockingIOError as error:
            raise InputError(f"output: another process is writing {output}") from error
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                for folder in created:
                    folder.rmdir()


def _run_alone(video, output, make, options, compare, overwrite, progress, begin):
    old = _interrupted(output, options, overwrite)
    keep_hdr, square = options.hdr == "keep", options.container in ANIMATIONS
    with open_source(video, square, keep_hdr, options.deinterlace) as source:
        facts = source.facts
        if options.start and facts.duration and options.start >= facts.duration:
            raise InputError(
                f"start: expected less than the {facts.duration:g} seconds of {video}, received "
                f"{float(options.start):g}"
            )
        if begin is not None:
            return begin(source, old).run(progress)
        frames = source.expected_frames(options.start or 0, options.end)
        stylizer = FrameStylizer(make(), options.stabilize, options.engine, frames)
        making = Making(source, output, stylizer, options, compare, old)
        return making.run(progress)


def _interrupted(output, options, overwrite):
    """The `Journal` to continue from, or None; `InputError` for an output that must be kept."""
    journal = Journal.load(record_path(output))
    if options.resume and journal is not None:
        return journal
    if overwrite:
        return None
    if unfinished(output):
        state = "is not complete" if os.path.lexists(output) else "was interrupted"
        raise InputError(
            f"output: {output} {state}: --resume continues it, --overwrite starts again"
        )
    if os.path.lexists(output):
        raise InputError(f"output: {output} exists; overwrite replaces it")
    return None
