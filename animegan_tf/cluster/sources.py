"""Streams photos and videos from folders, globs, manifests and object stores.

Nothing is listed as a whole in memory except the names of one folder of a store.
"""

import csv
import dataclasses
import glob
import io
import json
import os
import pathlib
import posixpath
import re

from animegan_tf.cluster import places
from animegan_tf.errors import InputError
from animegan_tf.images import formats
from animegan_tf.video.timecode import VIDEO_SUFFIXES

MANIFESTS = (".csv", ".parquet", ".jsonl", ".ndjson")
_SUFFIXES = {*formats.PHOTO_SUFFIXES, *VIDEO_SUFFIXES}
# Rows of a Parquet manifest that are in memory.
_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class Source:
    """A photo or video.

    Attributes:
        path: local path or URI.
        name: path relative to its input, with forward slashes, which its output keeps.
        error: why it cannot be processed, or None.
    """

    path: str
    name: str
    error: str | None = None

    @property
    def is_film(self):
        """Whether its suffix is that of a video."""
        return posixpath.splitext(self.name)[1].lower() in VIDEO_SUFFIXES


def check(inputs):
    """The inputs as strings. Raises `InputError` for local ones that do not exist, and others."""
    if not inputs:
        raise InputError("inputs: expected photos, folders, manifests or videos, received none")
    inputs = [places.absolute("inputs", path) for path in inputs]
    for path in inputs:
        if places.scheme_of(path) is None and not (os.path.exists(path) or _is_glob(path)):
            raise InputError(f"inputs: expected a file or folder, found nothing at {path}")
    return inputs


def stream(inputs, column, leave_out=()):
    """Yield the `Source`s of `inputs`, the strings that `check` returned.

    column: the name of the manifests' column with the paths. leave_out: paths of folders.
    """
    leave_out = [_real(path) for path in leave_out]
    for path in inputs:
        suffix = posixpath.splitext(path)[1].lower()
        if _is_glob(path) and not os.path.exists(path):
            yield from _glob(path)
        elif suffix in MANIFESTS:
            yield from _manifest(path, suffix, column)
        elif os.path.isdir(path):
            yield from _folder(path, leave_out)
        elif places.scheme_of(path) and suffix not in _SUFFIXES:
            yield from _store(path, leave_out)
        else:
            yield Source(path, posixpath.basename(path.replace(os.sep, "/")))


def _is_glob(path):
    return any(sign in path for sign in "*?[")


def _real(path):
    return path.rstrip("/") if places.scheme_of(path) else os.path.realpath(path)


def _is_wanted(name):
    return not name.startswith(".") and posixpath.splitext(name)[1].lower() in _SUFFIXES


def _folder(top, leave_out):
    """The photos and videos below a local folder, without hidden ones and links to folders."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith(".") and _real(entry.path) not in leave_out:
                            waiting.append(entry.path)
                    elif _is_wanted(entry.name):
                        yield Source(
                            entry.path, pathlib.Path(entry.path).relative_to(top).as_posix()
                        )
        except OSError as error:
            name = pathlib.Path(folder).relative_to(top).as_posix()
            yield Source(folder, name, error.strerror or str(error))


def _store(uri, leave_out):
    """The photos and videos below a folder of a store."""
    system, top = places.file_system(uri)
    found = False
    for folder, _, names in system.walk(top):
        below = posixpath.relpath(folder, top)
        if any(part.startswith(".") and part != "." for part in below.split("/")):
            continue
        if any(f"{_real(uri)}/{below}/".startswith(f"{other}/") for other in leave_out):
            continue
        for name in filter(_is_wanted, sorted(names)):
            found = True
            name = posixpath.normpath(posixpath.join(below, name))
            yield Source(places.join(uri, name), name)
    if not found:
        yield Source(uri, posixpath.basename(top), "expected photos, found none")


def _glob(pattern):
    """The matching files; names are relative to the folder before the first wildcard."""
    base = re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]
    if places.scheme_of(pattern):
        system, inner = places.file_system(pattern)
        base = system.unstrip_protocol(places.file_system(base)[1])
        paths = (system.unstrip_protocol(path) for path in system.glob(inner))
    else:
        paths = filter(os.path.isfile, glob.iglob(pattern, recursive=True))
    found = False
    for path in paths:
        found = True
        if _is_wanted(posixpath.basename(path)):
            yield Source(path, path[len(base) :].lstrip("/") if base else path)
    if not found:
        yield Source(pattern, posixpath.basename(pattern), "expected photos, found none")


def _manifest(path, suffix, column):
    """The files in a manifest; relative paths are relative to its folder."""
    folder = path.rpartition("/")[0]
    for value in _values(path, suffix, column):
        text = str(value or "")
        try:
            target = places.check(column, text)
        except InputError as error:
            yield Source(text, text, str(error))
            continue
        scheme = places.scheme_of(target)
        name = posixpath.normpath(target.partition("://")[2] if scheme else target).lstrip("/")
        relative = not (scheme or posixpath.isabs(target))
        target = places.join(folder, target) if relative and folder else target
        if not text or name == "." or name.split("/")[0] == "..":
            yield Source(text, text, f"{column}: expected a path below the manifest's folder")
        else:
            yield Source(target, name)


def _values(path, suffix, column):
    """The values of a manifest's column. Raises `InputError` if it has none or is damaged."""
    import fsspec

    try:
        with fsspec.open(path, "rb") as file:
            if suffix == ".parquet":
                yield from _parquet(path, file, column)
                return
            text = io.TextIOWrapper(file, "utf-8-sig", newline="")
            rows = (
                csv.DictReader(text)
                if suffix == ".csv"
                else map(json.loads, filter(str.strip, text))
            )
            for row in rows:
                if column not in row:
                    raise InputError(
                        f"{path}: expected the column {column}, found {', '.join(row)}"
                    )
                yield row[column]
    except (ValueError, TypeError, csv.Error, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: expected a manifest, received {error}") from error


def _parquet(path, file, column):
    from pyarrow import parquet

    opened = parquet.ParquetFile(file)
    names = opened.schema_arrow.names
    if column not in names:
        raise InputError(f"{path}: expected the column {column}, found {', '.join(names)}")
    for batch in opened.iter_batches(_ROWS, columns=[column]):
        yield from batch.column(0).to_pylist()
