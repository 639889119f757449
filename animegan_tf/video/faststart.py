"""Move the index of MP4 and MOV files to the front, so that playback starts during a download.

The index (`moov`, ISO/IEC 14496-12) has the offsets of all frames, so muxers write it last. A
finished file is copied with its index before the frames; nothing else is changed.
"""

import contextlib
import os
import struct

import numpy as np

from animegan_tf import storage

# The boxes that contain the tables of offsets, and the types of these tables.
_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_PLACES = {b"stco": np.dtype(">u4"), b"co64": np.dtype(">u8")}
_BLOCK = 2**22


def put_index_first(path):
    """Rewrite the finished file at `path` with its index first.

    The file stays as it is if it has another format, if an offset would no longer fit into its
    integer, or if the disk has no space for a copy.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        boxes = list(_boxes(lambda place, count: _read(file, place, count), 0, size))
        found = [(begin, end) for kind, begin, _, end in boxes if kind == b"moov"]
        if not boxes or boxes[0][0] != b"ftyp" or len(found) != 1:
            return
        ((begin, end),) = found
        index = bytearray(_read(file, begin, end - begin))
    if not _moved(index, 0, len(index), len(index)):
        return
    head = boxes[0][3]
    with (
        contextlib.suppress(OSError),
        storage.aside(path) as temporary,
        open(path, "rb") as file,
        open(temporary, "wb") as output,
    ):
        output.write(_read(file, 0, head) + index)
        for place, until in ((head, begin), (end, size)):
            for block in range(place, until, _BLOCK):
                output.write(_read(file, block, min(_BLOCK, until - block)))


def _read(file, place, count):
    file.seek(place)
    return file.read(count)


def _boxes(read, place, end):
    """Yield (kind, start, start of the content, end) of each box between two offsets."""
    while place + 8 <= end:
        length, kind = struct.unpack(">I4s", read(place, 8))
        content = place + 8
        if length == 1:
            (length,), content = struct.unpack(">Q", read(content, 8)), content + 8
        until = end if length == 0 else min(end, max(content, place + length))
        yield kind, place, content, until
        place = until


def _moved(index, begin, end, by):
    """Add `by` to all frame offsets in a part of the index; False if one does not fit."""
    for kind, _, content, until in _boxes(lambda at, n: index[at : at + n], begin, end):
        if kind in _PARENTS and not _moved(index, content, until, by):
            return False
        if kind in _PLACES:  # after the version and the count
            whole = _PLACES[kind]
            places = np.frombuffer(index[content + 8 : until], whole).astype(np.uint64) + by
            if places.size and places.max() > np.iinfo(whole).max:
                return False
            index[content + 8 : until] = places.astype(whole).tobytes()
    return True
