"""Seeking in an open video by keyframes, at which decoding can start. No TensorFlow.

A time leads to the same frame only in files whose timestamps are reliable after a seek. A `Key`,
the packet of a keyframe, leads to the same images in every seekable file, since decoding from it
does not depend on earlier packets.
"""

import bisect
import itertools
import typing
from fractions import Fraction

import av

# In MPEG program streams and raw MPEG video timestamps may be one frame off after a seek.
_INEXACT = ("mpeg", "mpegvideo")
# Seconds before the wanted frame for further attempts, after a seek that ended behind it.
_BACK_OFF = (0, 1, 4, 16, 64)
# Seconds without a keyframe after a seek until everything is decoded from the beginning.
_LONGEST_WAIT = 20
# If the keyframes are unknown: seconds to the next wanted frame from which seeking is faster.
_SEEK_BEYOND = 10


class Key(typing.NamedTuple):
    """A packet with a keyframe.

    Attributes:
        target: seconds; seeking there led to the packet.
        stamp: its timestamp in units of the stream.
    """

    target: Fraction
    stamp: int


class Seeker:
    """Seeks in a `VideoFile`.

    Attributes:
        possible: whether the video is seekable, as far as is known.
    """

    def __init__(self, file):
        self._file, self.possible = file, True

    @property
    def exact(self):
        """Whether seeking to a time gives the same frame as decoding from the beginning."""
        container = self._file.container
        inexact = container is None or container.format.name in _INEXACT
        return self.possible and self._file.clean_times and not inexact

    def pays(self, now, time, keyframes):
        """Whether seeking the frame at `time` is faster than decoding from the frame at `now`."""
        if not self.exact:
            return False
        if keyframes is None:
            return time - now > _SEEK_BEYOND
        before = bisect.bisect_right(keyframes, time)
        return before > 0 and keyframes[before - 1] > now

    def frames_before(self, start):
        """Decode from the last keyframe before `start`; yields nothing if seeking fails."""
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
        """The keyframe before `time`, decoded alone; None without one, or if its PTS is in `seen`.

        Adds the PTS to `seen`. Frames after it cannot be decoded without another seek.
        """
        if not self._to(time):
            return None
        file = self._file
        file.last = None
        try:
            packets = file.container.demux(file.stream)
            packet = next(
                (packet for packet in packets if packet.size and packet.is_keyframe), None
            )
            if packet is None or packet.pts in seen:
                return None
            seen.add(packet.pts)
            decoded = [*packet.decode(), *file.stream.decode(None)]
        except av.error.FFmpegError:
            return None
        return file.frame(decoded[0]) if decoded else None

    def key_before(self, time):
        """The `Key` of the last keyframe before `time`, or None. Decodes nothing.

        With unreliable timestamps it may be an earlier one, or one shortly after.
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
                if not back:  # the last one; reading to the next keyframe would be slow
                    break
            if found is not None:
                return found
        return behind

    def _key_stamps(self):
        """The timestamps of the following packets with keyframes."""
        stamps = (_stamp(packet) for packet in self._packets() if packet.is_keyframe)
        return (stamp for stamp in stamps if stamp is not None)

    def _time_of(self, stamp):
        return (stamp - self._file.origin) * self._file.time_base

    def frames_from(self, key):
        """Decode from a `Key` on; yields nothing if it is not found."""
        file = self._file
        time = self._time_of(key.stamp)
        # First the target of the earlier seek, then earlier and earlier ones.
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
        """Seek to the keyframe before `time`; False if the video is not seekable."""
        file = self._file
        if self.possible:
            try:
                offset = int(time / file.time_base) + file.origin
                file.container.seek(offset, stream=file.stream)
            except av.error.FFmpegError:
                self.possible = False
        return self.possible

    def _packets(self):
        """The following packets, including the empty ones at the end."""
        file = self._file
        try:
            yield from file.container.demux(file.stream)
        except av.error.FFmpegError:
            return

    def _since_key_frame(self, frames):
        """Skip frames before the first keyframe, which may refer to missing frames.

        Yields nothing if there is none for a long time: this file does not mark keyframes.
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
    """The timestamp of a packet, or None."""
    return packet.dts if packet.pts is None else packet.pts
