"""Files in local folders and in object stores, by path or URI. Stores are reached with fsspec."""

import contextlib
import os
import pathlib
import posixpath
import re

from animegan_tf import memory, storage
from animegan_tf.errors import InputError

# In these a file appears only once it is complete.
STORES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss")


def scheme_of(path):
    """The scheme of a URI in lower case, or None for a local path."""
    found = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]+)://", str(path))
    return found[1].lower() if found else None


def check(name, path):
    """`path` as a string without file://. Raises `InputError` unless it is local or in a store."""
    path = os.fspath(path)
    scheme = scheme_of(path)
    if scheme == "file":
        return path.partition("://")[2]
    if scheme not in (None, *STORES):
        known = ", ".join(f"{store}://" for store in STORES)
        raise InputError(f"{name}: expected a local path or one of {known}, received {path}")
    return path


def absolute(name, path):
    """`check`, and an absolute path of a local one: nodes have other working directories."""
    path = check(name, path)
    return os.path.abspath(path) if scheme_of(path) is None else path


def file_system(uri):
    """(fsspec's file system, the path in it). Raises `InputError` if its package is missing."""
    import fsspec

    try:
        # A listing from before would hide what others have written since.
        return fsspec.core.url_to_fs(uri, use_listings_cache=False)
    except ImportError as error:
        raise InputError(f"{uri}: {error}") from error


def join(folder, name):
    """The path or URI of the file `name`, relative with forward slashes, in `folder`."""
    return posixpath.join(folder, name) if scheme_of(folder) else os.path.join(folder, name)


def read(path):
    """The bytes of a file. Raises `OSError`, or `InputError` if it does not fit into memory."""
    if scheme_of(path) is None:
        return memory.read_bytes(path)
    system, inner = file_system(path)
    with _errors(path):
        return system.cat_file(inner)


def size(path):
    """The bytes of the file at `path`, or None if there is none. Its contents are not read."""
    try:
        if scheme_of(path) is None:
            return os.stat(path).st_size
        system, inner = file_system(path)
        with _errors(path):
            return system.info(inner)["size"]
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(path, data):
    """Write a file so that it is complete or missing. Raises `OSError`."""
    if scheme_of(path) is None:
        storage.write_bytes(path, data)
        return
    system, inner = file_system(path)
    with _errors(path):
        system.pipe_file(inner, data)


def upload(local, path):
    """Copy the local file to a path in a store. Raises `OSError`."""
    system, inner = file_system(path)
    with _errors(path):
        system.put_file(os.fspath(local), inner)


def download(path, local):
    """Copy a file of a store to the local file, which is complete or missing. Raises `OSError`."""
    system, inner = file_system(path)
    with _errors(path), storage.aside(local) as temporary:
        system.get_file(inner, os.fspath(temporary))


def listed(folder):
    """The sorted paths of the files directly in `folder`; none if there is no such folder."""
    if scheme_of(folder) is None:
        found = pathlib.Path(folder)
        return sorted(str(path) for path in found.iterdir()) if found.is_dir() else []
    system, inner = file_system(folder)
    try:
        with _errors(folder):
            return sorted(system.unstrip_protocol(name) for name in system.ls(inner, detail=False))
    except FileNotFoundError:
        return []


@contextlib.contextmanager
def _errors(path):
    """Turn the errors of the stores' libraries, which share no base class, into `OSError`."""
    try:
        yield
    except (OSError, InputError):
        raise
    except Exception as error:
        raise OSError(None, f"{type(error).__name__}: {error}", path) from error
