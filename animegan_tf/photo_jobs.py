"""Which photos to do and where their results go: what every command for photos and folders shares.

No TensorFlow. `plan` looks at everything before any work; the work is its caller's.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from animegan_tf import images
from animegan_tf.errors import InputError


@dataclass(frozen=True)
class Report:
    """What was done: results written, results that existed and were left, failures.

    `failed` holds pairs of a photo's path and the reason.
    """

    written: tuple = ()
    skipped: tuple = ()
    failed: tuple = ()


@dataclass(frozen=True)
class Job:
    """A photo and the path of its result."""

    photo: Path
    result: Path


def plan(inputs, output_dir, *, compare=False, overwrite=False, recursive=False):
    """What there is to do: a list of `Job`, and a tuple of results that exist and stay.

    The arguments are those of `animegan_tf.stylizer.stylize_paths`. Raises `InputError` for missing
    inputs, folders without photos, and results that would replace one of the photos.
    """
    jobs = _jobs(_photos(inputs, output_dir, recursive), Path(output_dir), compare)
    _refuse_replacing_photos(jobs)
    todo = [job for job in jobs if overwrite or not os.path.lexists(job.result)]
    waiting = {job.result for job in todo}
    return todo, tuple(job.result for job in jobs if job.result not in waiting)


def show_failure(photo, reason):
    """Print why a photo failed on the standard error stream, above a progress bar."""
    named = reason if str(photo) in reason else f"{photo}: {reason}"
    tqdm.write(f"error: {named}", file=sys.stderr)


def _photos(inputs, output_dir, recursive):
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
            inside = _photos_in(given, output_dir, recursive)
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


def _photos_in(folder, output_dir, recursive):
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
            if not name.startswith(".") and Path(name).suffix.lower() in images.PHOTO_SUFFIXES
        ]
    return photos


def _jobs(photos, output_dir, compare):
    """A `Job` for each photo, no two with the same result."""
    suffixes = {path: images.result_suffix(path) for path, _ in photos}
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
    return [Job(path, results[path]) for path, _ in photos]


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
