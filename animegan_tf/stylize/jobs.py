"""Plans which photos and videos to process, and the paths of their outputs. No TensorFlow."""

import dataclasses
import functools
import glob
import hashlib
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

# Maximum number of skipped files that are named.
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Report:
    """The outputs that were written, existing outputs that were kept, and failures of a run.

    `failed` holds pairs of a path and the reason; the readable part of a damaged input is in
    `written` too. `stopped` is the signal that ended a video early, or None. `notes` are sentences
    about skipped files.
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
    """A list of `Job`; existing outputs that are kept; `failed` and `notes` as in `Report`."""

    todo: list
    skipped: tuple
    failed: tuple
    notes: tuple


def plan(
    inputs,
    output,
    *,
    compare=False,
    overwrite=False,
    recursive=False,
    video=None,
    photo=None,
    shard=None,
):
    """The `Plan` for the arguments of `animegan_tf.stylize_paths`.

    Without `video`, folders are searched for photos only. `todo` is empty if there is nothing to do
    for the `shard`. Raises `InputError` for missing inputs,
    folders without photos, and outputs that would replace one of the photos.
    """
    inputs, options = _expanded(inputs), photo or PhotoOptions()
    if not str(output or ""):
        raise InputError("output: expected a folder for the outputs, received nothing")
    found = _Found(output, recursive, video is not None)
    for path in inputs:
        found.add(path)
    photos = list(found.photos.values())
    output = Path(output)
    if _names_a_file(inputs, output, options) and photos:
        ((path, _),) = photos
        jobs = [Job(path, output, video is not None and is_video(path))]
        if jobs[0].film == (output.suffix.lower() in formats.RESULT_SUFFIXES):
            kind = "a video's" if jobs[0].film else "a photo's"
            raise InputError(f"output: expected {kind} suffix for {path}, received {output}")
        if jobs[0].film:
            video.for_output(output)
    else:
        jobs = _jobs(photos, output, compare, video, options)
    _refuse_replacing_photos(jobs)
    if shard is not None:
        number, count = parse_shard(shard)
        jobs = [job for job in jobs if _shard_of(job.result.relative_to(output), count) == number]
    todo = [job for job in jobs if overwrite or _to_do(job)]
    waiting = {job.result for job in todo}
    skipped = tuple(job.result for job in jobs if job.result not in waiting)
    return Plan(todo, skipped, tuple(found.failed), found.notes())


def parse_shard(text):
    """(number from 1 on, count) of a shard like "3/64". Raises `InputError` for others."""
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", str(text))
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"shard: expected 1/N to N/N, such as 3/64, received {text}")
    return int(found[1]), int(found[2])


def _shard_of(name, count):
    """The number of an output's shard, 1 to `count`: by its name alone, on every machine."""
    digest = hashlib.sha256(os.fsencode(name.as_posix())).digest()
    return int.from_bytes(digest[:8], "big") % count + 1


def _to_do(job):
    # A power cut may leave an empty file.
    empty = os.path.isfile(job.result) and not os.path.getsize(job.result)
    exists = os.path.lexists(job.result) and not empty
    return not exists or (job.film and unfinished(job.result))


def show_failure(photo, reason):
    """Print why a photo failed on the standard error stream, above a progress bar."""
    show(photo, reason, "error: ")


def show(photo, text, before=""):
    """Print a line about a photo on the standard error stream, above a progress bar."""
    named = text if str(photo) in text else f"{photo}: {text}"
    # One line for each photo, whatever its name.
    tqdm.write(before + printable(named).replace("\n", "\\n"), file=sys.stderr)


def _expanded(inputs):
    """The inputs as paths, with wildcards that no shell has expanded."""
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    if not inputs:
        raise InputError("photos: expected at least one photo or folder, received none")
    paths = []
    for path in map(os.fspath, inputs):
        if not path:
            raise InputError("photos: expected a photo or folder, received an empty name")
        if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", path):
            raise InputError(f"photos: expected files, received {path}; nothing is downloaded")
        if not os.path.lexists(path):
            path = os.path.expanduser(path)
        matching = [] if os.path.lexists(path) else sorted(glob.glob(path))
        paths += map(Path, matching or [path])
    return paths


def _names_a_file(inputs, output, options):
    """Whether `output` is a file's name, not a folder; raises `InputError` for mistakes."""
    if output.is_dir():
        return False
    suffix, single = output.suffix.lower(), len(inputs) == 1 and not inputs[0].is_dir()
    is_result = suffix in formats.RESULT_SUFFIXES or suffix in VIDEO_SUFFIXES
    if os.path.lexists(output) and not (single and is_result):
        raise InputError(f"output: expected a folder for the outputs, {output} is a file")
    if not is_result:
        return False
    if not single:
        raise InputError(
            f"output: expected a folder for the outputs of more than one photo, received {output}"
        )
    kind = formats.kind_of_suffix(suffix)
    if options.format is not None and kind != options.format:
        raise InputError(f"format: expected that of {output}, received {options.format}")
    if kind is not None:
        dataclasses.replace(options, format=kind).check()
    return True


class _Found:
    """The photos and videos found at the inputs.

    Attributes:
        photos: pairs of a path and the path relative to its input folder, by real path.
        failed: pairs of a path that cannot be read, and the reason.
    """

    def __init__(self, output, recursive, films):
        self._output, self._recursive = os.path.realpath(output), recursive
        self._suffixes = {*formats.PHOTO_SUFFIXES, *(VIDEO_SUFFIXES if films else ())}
        self._films = films
        self.photos, self.failed, self._skipped = {}, [], {}

    def add(self, path):
        """Add the photo, or the photos in the folder, at `path`; `InputError` if there is none."""
        if path.is_dir():
            if not self._folder(path):
                below = "" if self._recursive else "; recursive includes its subfolders"
                where = "it or its subfolders" if self._recursive else "it"
                more = "".join(f"; {note}" for note in self.notes())
                raise InputError(
                    f"photos: expected photos in {path}, found none in {where}{below}{more}"
                )
        elif not os.path.lexists(path):
            raise InputError(f"photos: expected a photo or folder, found nothing at {path}")
        else:
            mode = self._mode(path)
            # <(...) of a shell is a pipe, too.
            if stat.S_ISREG(mode) or (stat.S_ISFIFO(mode) and path.parts[1:2] == ("dev",)):
                self._add(path, path.parent)
            elif mode:
                self.failed.append((path, "expected a photo, found a pipe or device"))

    def _add(self, path, base):
        first, _ = self.photos.setdefault(os.path.realpath(path), (path, path.relative_to(base)))
        if os.path.abspath(first) != os.path.abspath(path):
            self._skipped.setdefault("other names of the same files", []).append(path)

    def _folder(self, top):
        """Add the photos in a folder, sorted; returns their number, including failures.

        Hidden files and the output folder, with outputs of an earlier run, are left out.
        """
        count, failed = 0, []
        for parent, folders, files in os.walk(top, onerror=failed.append):
            below = [Path(parent, name) for name in sorted(folders) if not name.startswith(".")]
            inner = [path for path in below if os.path.realpath(path) != self._output]
            if self._recursive:
                for path in filter(os.path.islink, inner):
                    self._skipped.setdefault("links to folders", []).append(path)
            folders[:] = [path.name for path in inner if self._recursive]
            for name in sorted(files):
                if not name.startswith("."):
                    count += self._file(Path(parent, name), top)
        self.failed += [(Path(error.filename), error.strerror) for error in failed]
        return count + len(failed)

    def _mode(self, path):
        """The mode of a file, or 0 for a link to nothing or to itself, which has failed."""
        try:
            return os.stat(path).st_mode
        except OSError as error:
            self.failed.append((path, error.strerror))
            return 0

    def _file(self, path, top):
        """Add a file of a folder if it is a photo or video; 1 if it is or should be one, else 0."""
        suffix = path.suffix.lower()
        mode = self._mode(path) if suffix in self._suffixes or os.path.exists(path) else 0
        if not mode and suffix in self._suffixes:
            return 1
        if suffix in formats.RAW_SUFFIXES:
            kind = "raw photos, to be developed first"
        elif not stat.S_ISREG(mode):
            kind = "not regular files"
        elif (
            suffix in self._suffixes
            or formats.kind_of(formats.head_of(path))
            or (self._films and not suffix and is_video(path))
        ):
            self._add(path, top)
            return 1
        else:
            kind = "not photos" + " or videos" * self._films
        self._skipped.setdefault(kind, []).append(path)
        return 0

    def notes(self):
        """A sentence for each kind of skipped files."""
        return tuple(
            f"skipped, {kind}: {', '.join(str(path) for path in paths[:_SHOWN])}"
            + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
            for kind, paths in self._skipped.items()
        )


def _jobs(photos, output_dir, compare, video, options):
    """A `Job` for each photo or video, each with another output."""
    moving = {path: video is not None and is_video(path) for path, _ in photos}
    kinds = formats.DEEP if options.bits == 16 else tuple(formats.WRITTEN)
    suffixes = {
        path: film_suffix(path, video)
        if moving[path]
        else formats.result_suffix(path, options.format, kinds)
        for path, _ in photos
    }
    names = {
        path: functools.partial(_names, relative, suffixes[path], compare)
        for path, relative in photos
    }
    results = _earlier_names([path for path, _ in photos if not moving[path]], names, output_dir)
    taken = {str(name).casefold() for name in results.values()}
    # Photos that keep their suffix come first: a.png becomes a.png even if there is an a.gif.
    for path, _ in sorted(photos, key=lambda pair: suffixes[pair[0]] != pair[0].suffix):
        if path not in results:
            # On some file systems A.jpg and a.jpg are the same file.
            free = (name for name in names[path]() if str(name).casefold() not in taken)
            results[path] = next(free)
            taken.add(str(results[path]).casefold())
    return [Job(path, output_dir / results[path], moving[path]) for path, _ in photos]


def _names(relative, suffix, compare):
    """The names that an output may have, relative to the output folder: a.png, a-2.png, ..."""
    stem = relative.stem + ("_compare" if compare else "")
    yield relative.with_name(stem + suffix)
    for count in itertools.count(2):
        yield relative.with_name(f"{stem}-{count}{suffix}")


def _earlier_names(photos, names, output_dir):
    """The names of existing outputs, by photo, among photos that lead to the same name."""
    groups, found = {}, {}
    for path in photos:
        groups.setdefault(str(next(names[path]())).casefold(), []).append(path)
    for group in groups.values():
        existing = itertools.takewhile(
            lambda name: os.path.lexists(output_dir / name), names[group[0]]()
        )
        if len(group) > 1 and (existing := list(existing)):
            digests = {images.digest_of(path): path for path in group}
            for name in existing:
                path = digests.get(images.source_of(output_dir / name))
                if path is not None:
                    found.setdefault(path, name)
    return found


def _refuse_replacing_photos(jobs):
    """Compare the files themselves; links and other names may lead to the same file."""
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
    except OSError:  # no file, or a name that is too long
        return None
    return status.st_dev, status.st_ino
