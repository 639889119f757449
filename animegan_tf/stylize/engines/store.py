"""Converted networks on disk: those that ship with a style, and those in the user's cache."""

import contextlib
import hashlib
import os

from animegan_tf import memory, storage, styles

# Number of cached files; each is as large as its weights.
_KEPT = 16
# Part of their names, to be increased when the conversion changes.
_FORMAT = 5
# Length of the SHA-256 that precedes the network in a cached file.
_DIGEST = 32


class Store:
    """The converted networks of a weights file; their names follow from its contents."""

    def __init__(self, file):
        self._file, self._digest = file, _digest(file)
        self._folder = None
        with contextlib.suppress(RuntimeError):  # a user without a home folder
            self._folder = storage.user_cache() / "networks"

    def unchanged(self):
        """Whether the file still has the same contents; a training run may replace it."""
        with contextlib.suppress(OSError):
            return _digest(self._file) == self._digest
        return False

    def path(self, runtime):
        """The cached file of a runtime, or None for a user without a home folder."""
        name = f"{self._digest[:32]}-{_FORMAT}.{runtime}"
        return None if self._folder is None else self._folder / name

    def load(self, runtime):
        """The network (bytes) of a runtime, or None if there is none or its file is damaged."""
        if runtime == "litert":
            shipped = styles.shipped_network(self._file, self._digest)
            if shipped is not None:
                return shipped.read_bytes()
        try:
            found = _read(self.path(runtime))
            self.path(runtime).touch()
        except (OSError, ValueError, AttributeError):
            return None
        return found

    def keep(self, runtime, network):
        """Cache the network (bytes) of a runtime, unless the weights have changed meanwhile."""
        if self._folder is None or not self.unchanged():
            return
        with contextlib.suppress(OSError):
            content = hashlib.sha256(network).digest() + network
            storage.write_bytes(self.path(runtime), content)
            kept = sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime)
            for old in kept[:-_KEPT]:
                old.unlink(missing_ok=True)


def _digest(file):
    return hashlib.sha256(memory.read_bytes(file)).hexdigest()


def _read(path):
    """The network in a file of `Store.keep`; `OSError` or `ValueError` for other files.

    Runtimes must not read files that are damaged or belong to another user.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no file")
    if hasattr(os, "getuid") and {path.stat().st_uid, path.parent.stat().st_uid} != {os.getuid()}:
        raise ValueError(f"{path} is another user's")
    kept = path.read_bytes()
    if hashlib.sha256(kept[_DIGEST:]).digest() != kept[:_DIGEST]:
        raise ValueError(f"{path} is damaged")
    return kept[_DIGEST:]
