"""Moving in an open film, by its key frames: the frames that decoding can begin at. No TensorFlow.

A time leads to the same frame only in files whose time stamps can be relied on after a seek. A
`Key`, the packet that decoding begins with, leads to the same pictures in every file that can be
sought at all: what is decoded from it on depends on nothing before it.
"""

import bisect
import itertools
import typing
from fractions import Fraction

import av

# MPEG program streams and raw MPEG video: a time stamp need not belong to the frame it stands at,
# so that after a seek times may be one frame off.
_INEXACT = ("mpeg", "mpegvideo")
# How far before the wanted frame a seek is tried again, in seconds, when it had landed behind it.
_BACK_OFF = (0, 1, 4, 16, 64)
# Give up waiting for a key frame after a seek; decode from the beginning instead.
_LONGEST_WAIT = 20
# Without knowing the key frames: how far away the next wanted frame must be to seek it.
_SEEK_BEYOND = 10


class Key(typing.NamedTuple):
    """A packet with a key frame.

    Attributes:
        target: seconds; seeking there has led to it.
        stamp: its time stamp, in the film's units.
    """

    target: Fraction
    stamp: int


class Seeker:
    """Moves in a `VideoFile`.

    Attributes:
        possible: whether the film can be sought, as far as is known.
    """

    def __init__(self, file):
        self._file, self.possible = file, True

    @property
    def exact(self):
        """Whether a time leads to the same frame by seeking as by reading from the beginning."""
        container = self._file.container
        inexact = container is None or container.format.name in _INEXACT
        return self.possible and self._file.clean_times and not inexact

    def pays(self, now, time, keyframes):
        """Whether seeking the frame at `time` is faster than decoding on from the one at `now`."""
        if not self.exact:
            return False
        if keyframes is None:
            return time - now > _SEEK_BEYOND
        before = bisect.bisect_right(keyframes, time)
        return before > 0 and keyframes[before - 1] > now

    def frames_before(self, start):
        """Decode from the last key frame before `start`; nothing where seeking leads astray."""
        for back in _BACK_OFF:
            if start - back <= 0 or not self.exact or not self._to(start - back):
                return
            frames = self._since_key_frame(self._file.decode())
            first = next(frames, None)
            if first is not None and first.time <= start:
                yield first
                yield from frames
                return

    def glimpse(self, time, seen):
        """The key frame before `time`, decoded alone; None where there is none.

        None too when its packet is in `seen`, where it is put. Ends the reading of what follows.
        """
        if not self._to(time):
            return None
        file = self._file
        file.last = None
        try:
            packets = file.container.demux(file.stream)
            packet = next((one for one in packets if one.size and one.is_keyframe), None)
            if packet is None or packet.pts in seen:
                return None
            seen.add(packet.pts)
            decoded = [*packet.decode(), *file.stream.decode(None)]
        except av.error.FFmpegError:
            return None
        return file.frame(decoded[0]) if decoded else None

    def key_before(self, time):
        """The `Key` of the last key frame before `time`, or None. Nothing is decoded.

        Where the file's time stamps lead astray it may be an earlier one, or one a little behind.
        """
        behind = None
        for back in _BACK_OFF[:3]:
            target = max(Fraction(time) - back, Fraction(0))
            if not self._to(target):
                return None
            found = None
            for stamp in self._key_stamps():
                if self._time_of(stamp) > time:
                    behind = behind or Key(target, stamp)
                    break
                found = Key(target, stamp)
                if not back:  # it is the last one; to read on to the next would be slow
                    break
            if found is not None:
                return found
        return behind

    def _key_stamps(self):
        """The time stamps of the key packets from where the file is."""
        stamps = (_stamp(packet) for packet in self._packets() if packet.is_keyframe)
        return (stamp for stamp in stamps if stamp is not None)

    def _time_of(self, stamp):
        return (stamp - self._file.origin) * self._file.time_base

    def frames_from(self, key):
        """Decode from a `Key` on, its frame first; nothing when it is not found again."""
        file = self._file
        time = self._time_of(key.stamp)
        # Where the seek led to it before; then, should the file have moved, ever further back.
        for target in (key.target, *(time - back for back in _BACK_OFF)):
            if not self._to(max(target, 0)):
                return
            packets = self._packets()
            for packet in packets:
                if packet.is_keyframe and _stamp(packet) == key.stamp:
                    frames = file.decode(itertools.chain([packet], packets))
                    yield from self._since_key_frame(frames)
                    return
                if packet.is_keyframe and (_stamp(packet) or key.stamp) > key.stamp:
                    break

    def _to(self, time):
        """Go to the key frame before `time`; whether that is possible in this film."""
        file = self._file
        if self.possible:
            try:
                offset = int(time / file.time_base) + file.origin
                file.container.seek(offset, stream=file.stream)
            except av.error.FFmpegError:
                self.possible = False
        return self.possible

    def _packets(self):
        """The film's packets from where the file is, the empty ones that end it included."""
        file = self._file
        try:
            yield from file.container.demux(file.stream)
        except av.error.FFmpegError:
            return

    def _since_key_frame(self, frames):
        """Skip frames before the first key frame: they may refer to what is missing.

        Nothing when no key frame comes for long: this film does not mark them.
        """
        first = None
        for frame in frames:
            first = frame.time if first is None else first
            if frame.key:
                yield frame
                yield from frames
                return
            if frame.time - first > _LONGEST_WAIT:
                self.possible = False
                return


def _stamp(packet):
    """A packet's time stamp, or None."""
    return packet.dts if packet.pts is None else packet.pts
