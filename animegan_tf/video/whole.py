"""How long a video file is, and whether it ends where its own headers say. No decoding."""

import os
import struct
import time

import av

from animegan_tf.errors import InputError
from animegan_tf.video.opening import open_input

# Missing bytes that are no frames: padding that some programs count, but do not write.
_PADDING = 1024
# Bytes that are searched for headers, and for the last page or pack.
_HEAD, _TAIL = 4096, 2**17
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
# The first bytes of MXF, and the name of ASF's file properties.
_MXF, _ASF = b"\x06\x0e\x2b\x34\x02", bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
# The seconds after which counting is given up.
_PATIENCE = 2


def count_packets(path, index=0, first=None, last=None, patience=_PATIENCE):
    """The number of readable packets of a stream that are shown, 0 if the file cannot be opened.

    first, last: count only the timestamps `first <= stamp < last`.
    patience: the seconds after which the result is None.
    """
    count, deadline = 0, time.monotonic() + patience
    try:
        with open_input(path) as container:
            for packet in container.demux(container.streams[index]):
                stamp = packet.dts if packet.pts is None else packet.pts
                early = first is not None and stamp is not None and stamp < first
                late = last is not None and stamp is not None and stamp >= last
                count += bool(packet.size and not (packet.is_discard or early or late))
                if time.monotonic() > deadline:
                    return None
    except (av.error.FFmpegError, IndexError, OSError, InputError):
        pass
    return count


def is_cut(path, index):
    """Whether a file ends before the end that its index, its headers or its last element state.

    index: PyAV's index entries of the video, all of them, or nothing.
    """
    size = os.path.getsize(path)
    if any(entry.pos + entry.size > size for entry in index):
        return True
    with open(path, "rb") as file:

        def read(place, count):
            file.seek(max(0, place))
            return file.read(count)

        head, tail = read(0, _HEAD), read(size - _TAIL, _TAIL)
        return size + min(_PADDING, size // 100) < _stated_end(head) or _ends_inside(
            head, tail, read, size
        )


def _stated_end(head):
    """The end of the file according to its header; 0 if that is not stated."""
    if head[:4] == b"RIFF":  # AVI: the first chunk
        return 8 + int.from_bytes(head[4:8], "little")
    if head[:5] == _MXF:  # the footer
        return int.from_bytes(head[44:52], "big")
    place = head.find(_ASF)
    if place >= 0:
        size, flags = struct.unpack_from("<40xQ40xI", head.ljust(place + 92), place)
        return 0 if flags & 1 else size  # of a broadcast
    if head[:4] != b"\x1a\x45\xdf\xa3":
        return 0
    length, begin = _ebml_size(head, 4)
    segment = begin + length
    if head[segment : segment + 4] != b"\x18\x53\x80\x67":
        return 0
    length, begin = _ebml_size(head, segment + 4)
    return begin + length


def _ebml_size(head, place):
    """(size, place after it) of the EBML element whose size is at `place`; 0 if it is unknown."""
    first = head[place] if place < len(head) else 0
    width = 9 - first.bit_length()  # leading zeros are the number of further bytes
    most = (1 << 7 * width) - 1
    size = int.from_bytes(head[place : place + width], "big") & most
    return 0 if size == most else size, place + width


def _ends_inside(head, tail, read, size):
    """Whether the file ends inside a packet, tag, page or box."""
    for width, lead in ((188, 0), (192, 4)):  # transport streams
        last = size - size % width + lead
        places = (lead, lead + width, last - width, last - 2 * width, min(last, size - 1))
        syncs = [read(place, 1) == b"G" for place in places[: 5 if last < size else 4]]
        if size > 4 * width and all(syncs):
            return size % width > 0
    if head[:3] == b"FLV":  # the size of the last tag, after it
        length = int.from_bytes(tail[-4:], "big")
        return int.from_bytes(read(size - 3 - length, 3), "big") != length - 11
    if head[:4] == b"OggS":
        page = tail[tail.rfind(b"OggS") :]
        return len(page) < 27 or 27 + page[26] + sum(page[27 : 27 + page[26]]) > len(page)
    if head[:4] == b"\0\0\1\xba":
        return _ends_inside_pack(tail[max(0, tail.rfind(b"\0\0\1\xba")) :])
    return head[4:8] in _BOXES and _ends_inside_box(read, size)


def _ends_inside_pack(pack):
    """Whether the last pack of an MPEG program stream is incomplete."""
    place = 12 if pack[4:5] < b"\x40" else 14 + (pack[13:14] or b"\0")[0] % 8
    while pack[place : place + 3] == b"\0\0\1" and pack[place + 3 : place + 4] != b"\xb9":
        place += 6 + int.from_bytes(pack[place + 4 : place + 6], "big")
    return place > len(pack)


def _ends_inside_box(read, size):
    """Whether the last box of an MP4 or MOV file is incomplete."""
    place = 0
    while place < size:
        head = read(place, 16).ljust(16, b"\0")
        length = int.from_bytes(head[8:] if head[:4] == b"\0\0\0\1" else head[:4], "big")
        if length < 8 or not head[4:8].isalnum():  # to the end, or no box
            return False
        place += length
    return place > size + _PADDING
