"""Which photos and films to do and where their results go: what commands for folders share.

No TensorFlow. `plan` looks at everything before any work; the work is its caller's.
"""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from animegan_tf import images
from animegan_tf.errors import InputError, printable
from animegan_tf.stylize.journal import unfinished
from animegan_tf.stylize.options import result_suffix as film_suffix
from animegan_tf.video.codecs import is_video
from animegan_tf.video.timecode import VIDEO_SUFFIXES


@dataclass(frozen=True)
class Report:
    """What was done: results written, results that existed and were left, failures.

    `failed` holds pairs of a photo's path and the reason. A film that was damaged is in `written`
    too, with the frames before the damage; `stopped` is the signal that ended one early, or None.
    """

    written: tuple = ()
    skipped: tuple = ()
    failed: tuple = ()
    stopped: signal.Signals | None = None


@dataclass(frozen=True)
class Job:
    """A photo, or a film, and the path of its result."""

    photo: Path
    result: Path
    film: bool = False


def plan(inputs, output_dir, *, compare=False, overwrite=False, recursive=False, video=None):
    """What there is to do: a list of `Job`, and a tuple of results that exist and stay.

    The arguments are those of `animegan_tf.stylize_paths`, but that without `video`
    folders are looked through for photos alone. Raises `InputError` for missing
    inputs, folders without photos, and results that would replace one of the photos.
    """
    suffixes = {*images.PHOTO_SUFFIXES, *(VIDEO_SUFFIXES if video else ())}
    photos = _photos(inputs, output_dir, recursive, suffixes)
    jobs = _jobs(photos, Path(output_dir), compare, video)
    _refuse_replacing_photos(jobs)
    todo = [job for job in jobs if overwrite or _to_do(job)]
    waiting = {job.result for job in todo}
    return todo, tuple(job.result for job in jobs if job.result not in waiting)


def _to_do(job):
    # What a power cut left empty is no result.
    there = os.path.lexists(job.result) and not _is_empty(job.result)
    return not there or (job.film and unfinished(job.result))


def _is_empty(path):
    return path.is_file() and not path.stat().st_size


def show_failure(photo, reason):
    """Print why a photo failed on the standard error stream, above a progress bar."""
    named = reason if str(photo) in reason else f"{photo}: {reason}"
    # One line for each photo, whatever its name.
    tqdm.write("error: " + printable(named).replace("\n", "\\n"), file=sys.stderr)


def _photos(inputs, output_dir, recursive, suffixes):
    """Pairs of each photo's path and its path below the given folder; each photo once."""
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    if not inputs:
        raise InputError("photos: expected at least one photo or folder, received none")
    if not str(output_dir or ""):
        raise InputError("output: expected a folder for the results, received nothing")
    if os.path.exists(output_dir) and not os.path.isdir(output_dir):
        raise InputError(f"output: expected a folder for the results, {output_dir} is a file")
    found = {}
    for given in map(Path, inputs):
        if given.is_dir():
            inside = _photos_in(given, output_dir, recursive, suffixes)
            if not inside:
                below = " or below it" if recursive else "; recursive looks into folders below it"
                raise InputError(f"photos: expected photos in {given}, found none in it{below}")
        elif given.exists():
            inside = [given]
        else:
            raise InputError(f"photos: expected a photo or folder, found nothing at {given}")
        base = given if given.is_dir() else given.parent
        for path in inside:
            found.setdefault(path.resolve(), (path, path.relative_to(base)))
    return list(found.values())


def _photos_in(folder, output_dir, recursive, suffixes):
    """The photos in `folder`, sorted; hidden files and an `output_dir` below are left out."""
    output = Path(output_dir).resolve()
    photos = []
    for parent, folders, files in os.walk(folder):
        # The results of an earlier run into a folder below are no photos.
        below = [Path(parent, name) for name in sorted(folders) if not name.startswith(".")]
        folders[:] = [path.name for path in below if recursive and path.resolve() != output]
        photos += [
            Path(parent, name)
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        ]
    return photos


def _jobs(photos, output_dir, compare, video):
    """A `Job` for each photo or film, no two with the same result."""
    moving = {path: video is not None and is_video(path) for path, _ in photos}
    suffixes = {
        path: film_suffix(path, video) if moving[path] else images.result_suffix(path)
        for path, _ in photos
    }
    results, taken = {}, set()
    # Photos that keep their suffix choose first: a.png gives a.png whatever a.gif is beside it.
    for path, relative in sorted(photos, key=lambda pair: suffixes[pair[0]] != pair[0].suffix):
        stem = relative.stem + ("_compare" if compare else "")
        name, count = stem + suffixes[path], 1
        # Some file systems take A.jpg and a.jpg for one.
        while str(relative.with_name(name)).casefold() in taken:
            count += 1
            name = f"{stem}-{count}{suffixes[path]}"
        taken.add(str(relative.with_name(name)).casefold())
        results[path] = output_dir / relative.with_name(name)
    return [Job(path, results[path], moving[path]) for path, _ in photos]


def _refuse_replacing_photos(jobs):
    """Compare the files themselves: the same one may be reached by links and other names."""
    photos = {_identity(job.photo) for job in jobs}
    for job in jobs:
        if job.result.exists() and _identity(job.result) in photos:
            raise InputError(
                f"output: {job.result} is one of the photos, and photos are never replaced; "
                "choose another folder"
            )


def _identity(path):
    status = path.stat()
    return status.st_dev, status.st_ino
