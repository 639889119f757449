"""Plans which photos and videos to process, and the paths of their outputs. No TensorFlow."""

import dataclasses
import glob
import itertools
import os
import re
import signal
import stat
import sys
from pathlib import Path

from tqdm import tqdm

from animegan_tf import images
from animegan_tf.errors import InputError, printable
from animegan_tf.images import formats
from animegan_tf.stylize.journal import unfinished
from animegan_tf.stylize.options import PhotoOptions
from animegan_tf.stylize.options import result_suffix as film_suffix
from animegan_tf.video.codecs import is_video
from animegan_tf.video.timecode import VIDEO_SUFFIXES

# How many of the names that are passed over are shown.
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Report:
    """The result of a run: outputs written, existing outputs that were kept, failures.

    `failed` holds pairs of a path and the reason. What was damaged is in `written` too, with what
    could be read of it; `stopped` is the signal that ended a film early, or None. `notes` are
    sentences about what was passed over.
    """

    written: tuple[Path, ...] = ()
    skipped: tuple[Path, ...] = ()
    failed: tuple[tuple[Path, str], ...] = ()
    stopped: signal.Signals | None = None
    notes: tuple = ()


@dataclasses.dataclass(frozen=True)
class Job:
    """A photo or video, and the path of its output."""

    photo: Path
    result: Path
    film: bool = False


@dataclasses.dataclass(frozen=True)
class Plan:
    """A list of `Job`; results that exist and stay; `failed` and `notes` as in `Report`."""

    todo: list
    skipped: tuple
    failed: tuple
    notes: tuple


def plan(
    inputs, output, *, compare=False, overwrite=False, recursive=False, video=None, photo=None
):
    """What there is to do: a `Plan`.

    The arguments are those of `animegan_tf.stylize_paths`, but that without `video` folders are
    looked through for photos alone. Raises `InputError` for missing inputs, folders without photos,
    and results that would replace one of the photos.
    """
    inputs, options = _given(inputs), photo or PhotoOptions()
    if not str(output or ""):
        raise InputError("output: expected a folder for the results, received nothing")
    found = _Found(output, recursive, video is not None)
    for given in inputs:
        found.look_at(given)
    photos = list(found.photos.values())
    output = Path(output)
    if _names_a_file(inputs, output, options):
        ((path, _),) = photos
        jobs = [Job(path, output, _is_film(path, video))]
        if jobs[0].film == (output.suffix.lower() in formats.RESULT_SUFFIXES):
            what = "a film's" if jobs[0].film else "a photo's"
            raise InputError(f"output: expected {what} suffix for {path}, received {output}")
    else:
        jobs = _jobs(photos, output, compare, video, options)
    _refuse_replacing_photos(jobs)
    todo = [job for job in jobs if overwrite or _to_do(job)]
    waiting = {job.result for job in todo}
    skipped = tuple(job.result for job in jobs if job.result not in waiting)
    return Plan(todo, skipped, tuple(found.failed), found.notes())


def _to_do(job):
    # What a power cut left empty is no result.
    there = os.path.lexists(job.result) and not _is_empty(job.result)
    return not there or (job.film and unfinished(job.result))


def _is_empty(path):
    return path.is_file() and not path.stat().st_size


def show_failure(photo, reason):
    """Print why a photo failed on the standard error stream, above a progress bar."""
    show(photo, reason, "error: ")


def show(photo, text, before=""):
    """Print something about a photo on the standard error stream, above a progress bar."""
    named = text if str(photo) in text else f"{photo}: {text}"
    # One line for each photo, whatever its name.
    tqdm.write(before + printable(named).replace("\n", "\\n"), file=sys.stderr)


def _given(inputs):
    """The paths that are meant, with wildcards that no shell has expanded."""
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    if not inputs:
        raise InputError("photos: expected at least one photo or folder, received none")
    paths = []
    for given in map(os.fspath, inputs):
        if not given:
            raise InputError("photos: expected a photo or folder, received an empty name")
        if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", given):
            raise InputError(f"photos: expected files, received {given}; nothing is fetched")
        if not os.path.lexists(given):
            given = os.path.expanduser(given)
        matching = [] if os.path.lexists(given) else sorted(glob.glob(given))
        paths += map(Path, matching or [given])
    return paths


def _names_a_file(inputs, output, options):
    """Whether `output` is the result's own name, not a folder; raises `InputError` for mistakes."""
    if output.is_dir():
        return False
    suffix, one = output.suffix.lower(), len(inputs) == 1 and not inputs[0].is_dir()
    is_result = suffix in formats.RESULT_SUFFIXES or suffix in VIDEO_SUFFIXES
    if os.path.lexists(output) and not (one and is_result):
        raise InputError(f"output: expected a folder for the results, {output} is a file")
    if not is_result:
        return False
    if not one:
        raise InputError(
            f"output: expected a folder for the results of more than one photo, received {output}"
        )
    kind = formats.kind_of_suffix(suffix)
    if options.format is not None and kind != options.format:
        raise InputError(f"format: expected the one of {output}, received {options.format}")
    if kind is not None:
        dataclasses.replace(options, format=kind).check()
    return True


class _Found:
    """Photos and films that paths stand for.

    Attributes:
        photos: pairs of a path and the path below the given folder, each file once.
        failed: pairs of a path that should be one, and why it cannot be read.
    """

    def __init__(self, output, recursive, films):
        self._output, self._recursive = os.path.realpath(output), recursive
        self._suffixes = {*formats.PHOTO_SUFFIXES, *(VIDEO_SUFFIXES if films else ())}
        self._films = films
        self.photos, self.failed, self._passed_over = {}, [], {}

    def look_at(self, given):
        """Add the photo, or those in the folder, at `given`. Raises `InputError` for nothing."""
        if given.is_dir():
            if not self._folder(given):
                below = "" if self._recursive else "; recursive looks into folders below it"
                where = "it or below it" if self._recursive else "it"
                more = "".join(f"; {note}" for note in self.notes())
                raise InputError(
                    f"photos: expected photos in {given}, found none in {where}{below}{more}"
                )
        elif given.exists():
            self._add(given, given.parent)
        else:
            raise InputError(f"photos: expected a photo or folder, found nothing at {given}")

    def _add(self, path, base):
        first, _ = self.photos.setdefault(os.path.realpath(path), (path, path.relative_to(base)))
        if os.path.abspath(first) != os.path.abspath(path):
            self._passed_over.setdefault("other names of files", []).append(path)

    def _folder(self, top):
        """Add the photos in a folder, sorted; returns how many there are, with those that failed.

        Hidden files are left out, and an output folder below: results of an earlier run.
        """
        count = 0
        failed = []
        for parent, folders, files in os.walk(top, onerror=failed.append):
            below = [Path(parent, name) for name in sorted(folders) if not name.startswith(".")]
            inner = [path for path in below if os.path.realpath(path) != self._output]
            if self._recursive:
                for path in filter(os.path.islink, inner):
                    self._passed_over.setdefault("links to folders", []).append(path)
            folders[:] = [path.name for path in inner if self._recursive]
            for name in sorted(files):
                if not name.startswith("."):
                    count += self._file(Path(parent, name), top)
        self.failed += [(Path(error.filename), error.strerror) for error in failed]
        return count + len(failed)

    def _file(self, path, top):
        """Add a file of a folder if it is a photo or film; 1 if it is or should be one, or 0."""
        suffix = path.suffix.lower()
        try:
            mode = os.stat(path).st_mode
        except OSError as error:  # a link to nothing or to itself
            if suffix in self._suffixes:
                self.failed.append((path, error.strerror))
                return 1
            mode = 0
        if suffix in formats.RAW_SUFFIXES:
            what = "raw photos, to be developed first"
        elif not stat.S_ISREG(mode):
            what = "no files"
        elif suffix in self._suffixes or formats.kind_of(formats.head_of(path)):
            self._add(path, top)
            return 1
        else:
            what = "no photos" + " or films" * self._films
        self._passed_over.setdefault(what, []).append(path)
        return 0

    def notes(self):
        """A sentence for each kind of what was passed over."""
        return tuple(
            f"passed over, {what}: {', '.join(str(path) for path in paths[:_SHOWN])}"
            + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
            for what, paths in self._passed_over.items()
        )


def _is_film(path, video):
    return video is not None and is_video(path)


def _jobs(photos, output_dir, compare, video, options):
    """A `Job` for each photo or film, no two with the same result."""
    moving = {path: _is_film(path, video) for path, _ in photos}
    kinds = formats.DEEP if options.bits == 16 else tuple(formats.WRITTEN)
    suffixes = {
        path: film_suffix(path, video)
        if moving[path]
        else formats.result_suffix(path, options.format, kinds)
        for path, _ in photos
    }
    names = {path: _Names(relative, suffixes[path], compare) for path, relative in photos}
    results = _earlier_names([path for path, _ in photos if not moving[path]], names, output_dir)
    taken = {str(name).casefold() for name in results.values()}
    # Photos that keep their suffix choose first: a.png gives a.png whatever a.gif is beside it.
    for path, _ in sorted(photos, key=lambda pair: suffixes[pair[0]] != pair[0].suffix):
        if path not in results:
            # Some file systems take A.jpg and a.jpg for one.
            free = (name for name in names[path] if str(name).casefold() not in taken)
            results[path] = next(free)
            taken.add(str(results[path]).casefold())
    return [Job(path, output_dir / results[path], moving[path]) for path, _ in photos]


@dataclasses.dataclass(frozen=True)
class _Names:
    """The names that a photo's result may have, below the output folder: a.png, a-2.png, …"""

    relative: Path
    suffix: str
    compare: bool

    def __iter__(self):
        stem = self.relative.stem + ("_compare" if self.compare else "")
        yield self.relative.with_name(stem + self.suffix)
        for count in itertools.count(2):
            yield self.relative.with_name(f"{stem}-{count}{self.suffix}")


def _earlier_names(photos, names, output_dir):
    """The names that results of photos which would have the same one have already, by photo."""
    groups, found = {}, {}
    for path in photos:
        groups.setdefault(str(next(iter(names[path]))).casefold(), []).append(path)
    for group in groups.values():
        existing = itertools.takewhile(
            lambda name: os.path.lexists(output_dir / name), names[group[0]]
        )
        if len(group) > 1 and (existing := list(existing)):
            digests = {images.digest_of(path): path for path in group}
            for name in existing:
                path = digests.get(images.source_of(output_dir / name))
                if path is not None:
                    found.setdefault(path, name)
    return found


def _refuse_replacing_photos(jobs):
    """Compare the files themselves: the same one may be reached by links and other names."""
    photos = {_identity(job.photo) for job in jobs} - {None}
    for job in jobs:
        if _identity(job.result) in photos:
            raise InputError(
                f"output: {job.result} is one of the photos, and photos are never replaced; "
                "choose another folder"
            )


def _identity(path):
    try:
        status = os.stat(path)
    except OSError:  # nothing there, or a name too long
        return None
    return status.st_dev, status.st_ino
