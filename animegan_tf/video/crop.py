"""The crop that Matroska declares for a video track: FFmpeg's library does not apply it."""

import contextlib

from animegan_tf.video.filters import chain

_HEAD = 2**16
_SEGMENT, _TRACKS = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b"
_TRACK, _TYPE, _VIDEO = b"\xae", b"\x83", b"\xe0"
# PixelCropLeft, Right, Top and Bottom.
_SIDES = (b"\x54\xcc", b"\x54\xdd", b"\x54\xbb", b"\x54\xaa")


def declared(path):
    """(left, right, top, bottom) in pixels of the first video track that has a crop, or None."""
    with open(path, "rb") as file:
        head = dict(_elements(file.read(_HEAD)))
    tracks = dict(_elements(head.get(_SEGMENT, b""))).get(_TRACKS, b"")
    for name, track in _elements(tracks):
        fields = dict(_elements(track)) if name == _TRACK else {}
        if fields.get(_TYPE) == b"\x01":
            video = dict(_elements(fields.get(_VIDEO, b"")))
            sides = tuple(int.from_bytes(video.get(side, b""), "big") for side in _SIDES)
            if any(sides):
                return sides
    return None


def _elements(data):
    """(name, contents) of the elements in `data`, those before damage."""
    found, at = [], 0
    with contextlib.suppress(IndexError):
        while at < len(data):
            begin, at = at, at + 9 - data[at].bit_length()
            name, length = data[begin:at], 9 - data[at].bit_length()
            size = int.from_bytes(data[at : at + length], "big") & ((1 << 7 * length) - 1)
            at += length
            found.append((name, data[at : at + size]))
            at += size
    return found


class Crop:
    """Crops FFmpeg frames by the `declared` sides, but for those that would be empty."""

    def __init__(self, sides):
        self._sides, self._graph, self._kind = sides, None, None

    def __call__(self, frame):
        """The cropped frame."""
        left, right, top, bottom = self._sides
        width, height = frame.width - left - right, frame.height - top - bottom
        if min(width, height) < 1:
            return frame
        kind = (frame.width, frame.height, frame.format.name)
        if kind != self._kind:
            self._kind = kind
            self._graph = chain(frame, ("crop", f"{width}:{height}:{left}:{top}:exact=1"))
        self._graph.push(frame)
        return self._graph.pull()
