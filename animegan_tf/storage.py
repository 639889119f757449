"""Files written aside and moved into place, so that none is ever half there."""

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
# What some network file systems return for locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO)


def user_cache():
    """This project's folder in the user's cache, a `Path` that need not exist.

    Below XDG_CACHE_HOME or ~/.cache, ~/Library/Caches on macOS, %LOCALAPPDATA% on Windows. Raises
    `RuntimeError` for a user without a home folder.
    """
    path = platformdirs.user_cache_path("animegan_tf", appauthor=False, opinion=False)
    if not path.is_absolute():
        raise RuntimeError("this user has no home folder")
    return path


@contextlib.contextmanager
def aside(path, suffix=""):
    """Yield a name beside `path` to write to; it becomes `path` at the end, or is removed.

    `suffix` is what the name must end in for a writer that looks at it. Missing folders are made.
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
        # A full disk is told without a name.
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(parent):
    """Yield a new folder in the folder `parent`; it is removed at the end if it is still there."""
    path = _temporary(parent)
    path.mkdir()
    try:
        with _held(path):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sweep(folder):
    """Remove what processes that were killed have left of `aside` and `temporary_folder`."""
    for path in Path(folder).iterdir() if fcntl and os.path.isdir(folder) else ():
        if not _TEMPORARY.fullmatch(path.name) or path.is_symlink():
            continue
        with contextlib.suppress(OSError), _held(path, waiting=False):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _temporary(folder, suffix=""):
    # Hidden and not named as an image, so that nobody lists it as one.
    return Path(folder) / f".{uuid.uuid4().hex}.tmp{suffix}"


@contextlib.contextmanager
def _held(path, waiting=True):
    """Lock a temporary file or folder, which says that its process is alive.

    Without `waiting` raises `OSError` if another process holds it, or if that cannot be known.
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
    """Rename `made`, a file or a folder, to `path`, so that a power cut leaves it whole or absent.

    A file at `path` is replaced.
    """
    sync(made)
    os.replace(made, path)
    _sync_one(Path(path).parent)


def sync(path):
    """Have the file `path`, or all that is in the folder `path`, on the disk."""
    for folder, _, names in os.walk(path):
        for name in names:
            _sync_one(os.path.join(folder, name))
        _sync_one(folder)
    if not os.path.isdir(path):
        _sync_one(path)


def _sync_one(path):
    try:
        # Windows syncs only what is open for writing, and opens no folders.
        opened = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
    except PermissionError:
        return
    try:
        os.fsync(opened)
    except OSError as error:
        # A file system that cannot; a disk that is full or failing is another matter.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(opened)


def write_bytes(path, data):
    """Write `data` to `path`, replacing it at once."""
    with aside(path) as temporary:
        temporary.write_bytes(data)


def write_text(path, text):
    """Write `text` in UTF-8 to `path`, replacing it at once; names that are not UTF-8 stay."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


@contextlib.contextmanager
def locked(path, waiting=None):
    """Hold the lock file `path`, which is made; `BlockingIOError` if another process does.

    With `waiting`, a sentence for standard error, it waits for the other process instead. The lock
    goes with its process, however that ends. Where the file system has no such locks, nothing is
    held.
    """
    import filelock

    if os.path.islink(path):  # through it another file would be opened
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
