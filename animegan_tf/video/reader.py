"""Films: upright frames with their exact times, in order or at given times. No TensorFlow.

Decoding is FFmpeg's, through PyAV. Conventions:

- Pictures are uint8 RGB (height, width, 3), or gray (height, width), turned as the film's display
  matrix says, with square pixels (an anamorphic side is stretched, never shrunk). Every picture of
  one film has the film's size.
- Times are `fractions.Fraction` seconds from the film's first frame, exact also when the frame rate
  varies.
- Untagged YUV is taken for BT.709 above standard definition, as players do, otherwise for BT.601.
  HDR (PQ, HLG) is tone-mapped to BT.709, see `animegan_tf.video.tonemap`.
- Memory holds a few frames, whatever the film's length.
"""

from fractions import Fraction

from animegan_tf.video.container import VideoFile, VideoInfo
from animegan_tf.video.frame import Deinterlacer
from animegan_tf.video.seek import Key, Seeker
from animegan_tf.video.timecode import timecode

__all__ = ["Key", "VideoInfo", "VideoReader"]

# Deinterlacing a frame looks at the one before it, so what is before the wanted one is decoded too.
_LEAD = Fraction(1, 4)


class VideoReader:
    """Reads one film; a context manager. One use of `frames` or `frames_at` at a time.

    Attributes:
        info: the `VideoInfo`.
        problems: what was wrong with the film, a sentence each: where it stopped, damaged frames.
            Complete when `frames()` has come to its end.
        clean_times: False once time stamps were missing or went back. Times are then counted on,
            the same whenever the film is read from its beginning; set to False, it always is.
    """

    def __init__(self, path, deinterlace="auto", threads="AUTO", keep_hdr=False):
        """Open the film and decode its first frame.

        Args:
            path: the file.
            deinterlace: "auto" (frames that say they are interlaced), "on" (all) or "off".
            threads: how FFmpeg decodes, "AUTO" in several threads or "NONE" in the caller's.
            keep_hdr: leave HDR as it is, instead of tone-mapping it.

        Raises `InputError` when it cannot be read, is no film or none of its frames can be decoded.
        """
        self._deinterlace = deinterlace
        self._file = VideoFile(path, deinterlace, threads, keep_hdr)
        self._seeker = Seeker(self._file)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the file."""
        self._file.close()

    @property
    def info(self):
        return self._file.info

    @property
    def problems(self):
        return self._file.problems

    @property
    def clean_times(self):
        return self._file.clean_times

    @clean_times.setter
    def clean_times(self, clean):
        self._file.clean_times = clean

    @property
    def tone(self):
        """The `ToneMapper` of its frames, None where colours stay as they are."""
        return self._file.tone

    @property
    def read_until(self):
        """When the last of what was read ends, in seconds from the film's first frame."""
        return self._file.read_until

    @property
    def count(self):
        """How many frames the file's index says are shown, or None."""
        return self._file.count

    def cut_short(self, declared, tolerance):
        """A sentence if the film, read to its end, stops before `declared` seconds; or None."""
        return self._file.cut_short(declared, tolerance)

    # --- reading ---

    def frames(self, start=0, end=None, as_stored=False):
        """Yield each `Frame` with `start <= time < end`, in order; `end=None` is the film's end.

        A later start is reached by seeking to the key frame before it, where the times of this kind
        of file can be relied on after a seek; otherwise all before it is decoded. With `as_stored`
        interlaced frames are left so, which is faster.
        """
        deinterlace = self._deinterlace != "off" and not as_stored
        first = start - _LEAD if deinterlace and self.info.interlaced else start
        frames = self._from(first) if first > 0 else self._from_beginning()
        frames = (frame for frame in frames if frame.time >= first)
        if deinterlace:
            frames = Deinterlacer(self._deinterlace == "on").run(frames)
        for frame in frames:
            if end is not None and frame.time >= end:
                break
            if frame.time >= start:
                yield frame

    def frames_at(self, times, keyframes=None):
        """Yield the `Frame` at each of `times`, in order; where there is none, nothing.

        Args:
            times: of frames, as `frames` gave them.
            keyframes: sorted times of key frames, if known: a seek is made where it saves decoding.
        """
        current, frames = None, iter(())
        for time in sorted(times):
            if current is None or self._seeker.pays(current.time, time, keyframes):
                frames = self.frames(time)
            elif current.time > time:
                continue
            current = next((frame for frame in frames if frame.time >= time), None)
            if current is None:
                return
            if current.time == time:
                yield current

    def glimpses(self, count, start=0, end=None):
        """Yield up to `count` key frames spread evenly over the film; no other frame is decoded.

        Fewer when there are not that many, none when seeking is impossible. They are interlaced as
        stored, and times may be one frame off.
        """
        end = self.info.duration if end is None else end
        if end is None:
            return
        seen = set()
        for index in range(count):
            time = start + (end - start) * (index + Fraction(1, 2)) / count
            frame = self._seeker.glimpse(time, seen)
            if not self._seeker.possible:
                return
            if frame is not None and start <= frame.time < end:
                yield frame

    def key(self, time):
        """The `Key` that decoding begins with for the frame at `time`, or None.

        None where no key frame is found, as in a film that cannot be sought. Nothing is decoded.
        """
        return self._seeker.key_before(time)

    def frames_from(self, key):
        """Yield the `Frame`s from a `Key` on, interlaced as stored; none if it is not there.

        The same pictures, whatever was read before and whatever the film's time stamps are like.
        """
        return self._seeker.frames_from(key)

    def deinterlaced(self, frame):
        """A `Frame` without the lines of its second field, from this frame alone."""
        if self._deinterlace == "off" or not frame.interlaced:
            return frame
        return next(Deinterlacer(self._deinterlace == "on").run([frame]))

    def _from(self, start):
        """Decode from the last key frame before `start`, or from the beginning."""
        found = False
        for frame in self._seeker.frames_before(start):
            found = True
            yield frame
        if not found:
            yield from self._from_beginning()

    def _from_beginning(self):
        """Decode the whole film, and find out what is wrong with it."""
        file = self._file
        file.start_over()
        file.problems.clear()
        try:
            yield from file.decode()
            short = file.cut_short(*file.declared_duration())
            if short and not file.problems:
                file.problems.append(short)
        finally:
            if file.damaged:
                first = timecode(file.first_damage)
                file.problems.append(f"{file.damaged} damaged frame(s), the first at {first}")
