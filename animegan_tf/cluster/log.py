"""The log of a run: Parquet files with a row for each photo and video, and what they say is done.

Rows have source, result (the name of the output, relative to the output folder), size (bytes of
the output; null without one), seconds (null if it existed already), error (null without one) and
node.
"""

import datetime
import hashlib
import io
import time

import numpy as np

from animegan_tf.cluster import places

# Rows and seconds after which a part is written; a crash of this process loses no more of the log.
_ROWS, _SECONDS = 1000, 30
# New names until they are sorted into the others.
_NEW = 2**16


class Names:
    """A set of strings that takes 8 bytes for each, by a hash of 64 bits."""

    def __init__(self):
        self._sorted, self._new = np.empty(0, np.uint64), set()

    def __contains__(self, name):
        key = _key(name)
        if key in self._new:
            return True
        place = np.searchsorted(self._sorted, np.uint64(key))
        return bool(place < len(self._sorted) and self._sorted[place] == key)

    def add(self, name):
        """Add a string; returns whether it was not there."""
        if name in self:
            return False
        self._new.add(_key(name))
        if len(self._new) >= _NEW:
            new = np.fromiter(self._new, np.uint64, len(self._new))
            self._sorted, self._new = np.union1d(self._sorted, new), set()
        return True


def _key(name):
    data = name.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _schema():
    import pyarrow

    text, whole, real = pyarrow.string(), pyarrow.int64(), pyarrow.float64()
    kinds = (("source", text), ("result", text), ("size", whole), ("seconds", real))
    return pyarrow.schema([*kinds, ("error", text), ("node", text)])


class Log:
    """Writes the parts of a run into a folder, local or in a store; a context manager."""

    def __init__(self, folder):
        now = datetime.datetime.now(datetime.timezone.utc)
        self._folder, self._run = folder, now.strftime("%Y%m%dT%H%M%S%f")
        self._rows, self._parts, self._since = [], 0, time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.flush()

    def add(self, row):
        """Add a row, a dict; missing columns are null."""
        self._rows.append(row)
        if len(self._rows) >= _ROWS or time.monotonic() - self._since >= _SECONDS:
            self.flush()

    def flush(self):
        """Write the rows so far as a part."""
        import pyarrow
        from pyarrow import parquet

        self._since = time.monotonic()
        if self._rows:
            data, name = io.BytesIO(), f"part-{self._run}-{self._parts:06}.parquet"
            rows = [{name: plain(value) for name, value in row.items()} for row in self._rows]
            parquet.write_table(pyarrow.Table.from_pylist(rows, _schema()), data)
            places.write(places.join(self._folder, name), data.getvalue())
            self._rows, self._parts = [], self._parts + 1


def plain(value):
    """A value of a row as Parquet takes it."""
    # File names that are not UTF-8.
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def done(folder):
    """The `Names` of the outputs that exist according to the log in `folder`."""
    from pyarrow import parquet

    names = Names()
    for path in places.listed(folder):
        if path.endswith(".parquet"):
            table = parquet.read_table(io.BytesIO(places.read(path)), columns=["result", "size"])
            for row in table.to_pylist():
                if row["size"]:
                    names.add(row["result"])
    return names
