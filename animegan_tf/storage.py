"""Atomic writing: files are written under temporary names and renamed, so that none is partial."""

import contextlib
import errno
import os
import re
import shutil
import sys
import uuid
from pathlib import Path

import platformdirs

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp(\..+)?")
# Errors of network file systems that do not support locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO)


def user_cache():
    """This project's folder in the user's cache, a `Path` that may not exist.

    Below XDG_CACHE_HOME or ~/.cache, ~/Library/Caches on macOS, %LOCALAPPDATA% on Windows. Raises
    `RuntimeError` for a user without a home folder.
    """
    path = platformdirs.user_cache_path("animegan_tf", appauthor=False, opinion=False)
    if not path.is_absolute():
        raise RuntimeError("this user has no home folder")
    return path


@contextlib.contextmanager
def aside(path, suffix=""):
    """Yield a temporary file beside `path`, which is renamed to `path` or, after an error, removed.

    `suffix` is the end of its name, for writers that need one. Missing folders are created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path.parent, suffix)
    temporary.touch()
    try:
        with _held(temporary):
            yield temporary
            move(temporary, path)
    except OSError as error:
        # The error of a full disk has no file name.
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(parent):
    """Yield a new folder in the folder `parent`; it is removed at the end if it still exists."""
    path = _temporary(parent)
    path.mkdir()
    try:
        with _held(path):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sweep(folder):
    """Remove temporary files of `aside` and `temporary_folder` whose processes were killed."""
    for path in Path(folder).iterdir() if fcntl and os.path.isdir(folder) else ():
        if not _TEMPORARY.fullmatch(path.name) or path.is_symlink():
            continue
        with contextlib.suppress(OSError), _held(path, waiting=False):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _temporary(folder, suffix=""):
    # Hidden and without the suffix of an image, so that it is not listed as one.
    return Path(folder) / f".{uuid.uuid4().hex}.tmp{suffix}"


@contextlib.contextmanager
def _held(path, waiting=True):
    """Lock a temporary file or folder, to show that its process is alive.

    Without `waiting` raises `OSError` if another process has locked it, or if locks are not
    supported.
    """
    opened = os.open(path, os.O_RDONLY) if fcntl else None
    try:
        if fcntl:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if not waiting:
                    raise
        yield
    finally:
        if opened is not None:
            os.close(opened)


def move(made, path):
    """Rename the file or folder `made` to `path`; after a power cut it is complete or missing.

    An existing file is replaced.
    """
    sync(made)
    os.replace(made, path)
    _sync_one(Path(path).parent)


def sync(path):
    """Flush the file `path`, or everything in the folder `path`, to the disk."""
    for folder, _, names in os.walk(path):
        for name in names:
            _sync_one(os.path.join(folder, name))
        _sync_one(folder)
    if not os.path.isdir(path):
        _sync_one(path)


def _sync_one(path):
    try:
        # Windows syncs only files that are open for writing, and cannot open folders.
        opened = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
    except PermissionError:
        return
    try:
        os.fsync(opened)
    except OSError as error:
        # The file system does not support it; a full or failing disk has other errors.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(opened)


def write_bytes(path, data):
    """Write `data` to `path` atomically."""
    with aside(path) as temporary:
        temporary.write_bytes(data)


def write_text(path, text):
    """Write `text` in UTF-8 to `path` atomically; surrogates in file names are kept."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


@contextlib.contextmanager
def locked(path, waiting=None):
    """Lock the file `path`, which is created; `BlockingIOError` if another process has locked it.

    With `waiting`, a message for standard error, wait for the other process instead. The lock ends
    with its process. On file systems without locks nothing is locked.
    """
    import filelock

    if os.path.islink(path):  # opening it would create another file
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))

    lock = filelock.FileLock(path)
    try:
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout as error:
            if waiting is None:
                raise BlockingIOError(f"{path} is held by another process") from error
            print(waiting, file=sys.stderr, flush=True)
            lock.acquire()
    except NotImplementedError:  # some versions of filelock, for ENOSYS
        pass
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()
