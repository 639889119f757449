"""`stylize_video`: what is asked for one film, checked before any work."""

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
from animegan_tf.video.codecs import ANIMATIONS, CONTAINERS
from animegan_tf.video.source import open_source


def stylize_video(
    video, output, stylizer=None, *, compare=False, overwrite=False, progress=False, **options
):
    """Stylise a film, GIF or animated WebP, with its sound; returns a `VideoReport`.

    video: its file. It is never replaced.
    output: the result's file; the suffix says the container (mp4, m4v, mov, mkv, webm, gif, webp).
    stylizer: a `Stylizer`, by default one of the shipped style; or a function from uint8 RGB to
        uint8 RGB.
    compare: source and result side by side.
    overwrite: replace a result that exists, and begin anew where an earlier run was interrupted.
    progress: show a bar and notes on the standard error stream; or a function of the numbers of
        frames done and expected (None if unknown), which is called between batches by the thread
        that runs the network. An exception that it raises ends the run; `resume` continues it.
    options: the fields of `stylize.options.VideoOptions`: codec, crf, start, end, stabilize, hdr,
        deinterlace, bits, resume, engine; container, which the suffix says, only as the same.

    SIGINT and SIGTERM (in the main thread) end it early with a playable result of what was done,
    `stopped` in the report; the same call with `resume` goes on. After a kill there are
    OUTPUT.partial.SUFFIX, also playable, and OUTPUT.partial.jsonl, from which `resume` goes on too.

    Raises `InputError` before any work for a mistake in the arguments and a source that is no film,
    cannot be read, is encrypted or damaged altogether; `OSError` when the result cannot be written,
    for instance on a full disk, when what was done is kept for `resume`.
    """
    output = pathlib.Path(output)
    suffix = output.suffix.lower().removeprefix(".")
    container = "mp4" if suffix == "m4v" else suffix
    if container not in (*CONTAINERS, *ANIMATIONS):
        known = ", ".join(f".{one}" for one in (*CONTAINERS, *ANIMATIONS))
        raise InputError(f"output: expected a file with one of {known}, received {output}")
    unknown = set(options) - {field.name for field in dataclasses.fields(VideoOptions)}
    if unknown:
        raise InputError(f"options: expected those of VideoOptions, received {min(unknown)}")
    if options.get("container", container) != container:
        raise InputError(
            f"container: expected {container} for {output.name}, received {options['container']}"
        )
    checked = VideoOptions(**{**options, "container": container}).check()

    def make():
        from animegan_tf.stylize.stylizer import Stylizer

        return Stylizer() if stylizer is None else stylizer

    return run(video, output, make, checked, compare, overwrite, progress)


def run(video, output, make, options, compare=False, overwrite=False, progress=False):
    """`stylize_video` with checked `VideoOptions`; `output` has a suffix of their container.

    `make` gives the stylizer; it is called when everything else has been looked at.
    """
    output = pathlib.Path(output)
    if not os.path.exists(video):
        raise InputError(f"video: expected a film, found nothing at {video}")
    if output.exists() and os.path.samefile(video, output):
        raise InputError(f"output: {output} is the source, which is never replaced")
    with _alone(output):
        return _run_alone(video, output, make, options, compare, overwrite, progress)


@contextlib.contextmanager
def _alone(output):
    """Keep other processes from making `output` meanwhile: their frames would mix.

    Raises `InputError` where another does. Folders are made, and stay if something comes into them.
    """
    made = [folder for folder in output.parents if not folder.exists()]
    output.parent.mkdir(parents=True, exist_ok=True)
    lock = partial_path(output, "lock")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(storage.locked(lock))
        except BlockingIOError as error:
            raise InputError(f"output: another process is making {output}") from error
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                for folder in made:
                    folder.rmdir()


def _run_alone(video, output, make, options, compare, overwrite, progress):
    old = _interrupted(output, options, overwrite)
    keep_hdr, square = options.hdr == "keep", options.container in ANIMATIONS
    with open_source(video, square, keep_hdr, options.deinterlace) as source:
        facts = source.facts
        if options.start and facts.duration and options.start >= facts.duration:
            raise InputError(
                f"start: expected less than the {facts.duration:g} seconds of {video}, received "
                f"{float(options.start):g}"
            )
        frames = facts.expected_frames(options.start or 0, options.end)
        stylizer = FrameStylizer(make(), options.stabilize, options.engine, frames)
        making = Making(source, output, stylizer, options, compare, old)
        return making.run(progress)


def _interrupted(output, options, overwrite):
    """The `Journal` to go on from, or None; raises `InputError` for what must not be replaced."""
    journal = Journal.load(record_path(output))
    if options.resume and journal is not None:
        return journal
    if overwrite:
        return None
    if unfinished(output):
        state = "is not complete" if os.path.lexists(output) else "was begun and interrupted"
        raise InputError(
            f"output: {output} {state}: --resume goes on with it, --overwrite begins anew"
        )
    if os.path.lexists(output):
        raise InputError(f"output: {output} exists; overwrite replaces it")
    return None
