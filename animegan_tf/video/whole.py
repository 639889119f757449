"""How long a video file is, and whether it ends where its own headers say. No decoding."""

import os
import time

import av

from animegan_tf.errors import InputError
from animegan_tf.video.opening import open_input

# Missing bytes that are no frames: padding that some programs count, but do not write.
_PADDING = 1024
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
    """Whether a file ends before the end that its index, or its outermost header, states.

    index: PyAV's index entries of the video, all of them, or nothing.
    """
    size = os.path.getsize(path)
    if any(entry.pos + entry.size > size for entry in index):
        return True
    with open(path, "rb") as file:
        return size + _PADDING < _stated_end(file.read(128))


def _stated_end(head):
    """The end of the first RIFF chunk (AVI) or of the Matroska segment; 0 if not stated."""
    if head[:4] == b"RIFF":
        return 8 + int.from_bytes(head[4:8], "little")
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
