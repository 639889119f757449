"""Whether a video file is as long as its own headers say. No decoding."""

import os

# Missing bytes that are no frames: padding that some programs count, but do not write.
_PADDING = 1024


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
