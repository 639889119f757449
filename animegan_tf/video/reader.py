"""Videos: upright frames with their exact times, in order or at chosen times. No TensorFlow.

FFmpeg decodes, through PyAV. Conventions:

- Images are uint8 RGB (height, width, 3), or gray (height, width), rotated according to the
  display matrix, with square pixels (an anamorphic side is stretched, never shrunk). All images of
  a video have one size.
- Times are `fractions.Fraction` seconds from the first frame, exact also with a variable frame
  rate.
- Untagged YUV is BT.709 above standard definition, as in players, otherwise BT.601. HDR (PQ, HLG)
  is tone-mapped to BT.709, see `animegan_tf.video.tonemap`.
- Memory holds a few frames, for videos of any length.
"""

from fractions import Fraction

from animegan_tf.video.container import VideoFile, VideoInfo, frame_rate
from animegan_tf.video.frame import Deinterlacer, deinterlaced
from animegan_tf.video.seek import Key, Seeker
from animegan_tf.video.timecode import timecode

__all__ = ["Key", "VideoInfo", "VideoReader"]

# Seconds to decode before the first frame: deinterlacing needs the frame before.
_LEAD = Fraction(1, 4)


class VideoReader(VideoFile):
    """Reads one video; a context manager. One use of `frames` or `frames_at` at a time.

    Attributes:
        info: the `VideoInfo`.
        problems: what is wrong with the video, a sentence each: where it stops, damaged frames.
            Complete when `frames()` has ended.
        clean_times: False once timestamps were missing or went back. Times are then counted from
            the beginning, from which the video is always read if this is set to False.
    """

    def __init__(self, path, deinterlace="auto", threads="AUTO", keep_hdr=False):
        """Open the video and decode its first frame.

        Args:
            path: the file.
            deinterlace: "auto" (frames that are marked as interlaced), "on" (all), "off", or
                "telecine" (see `frame.deinterlaced`), which always reads from the beginning.
            threads: FFmpeg's threads for decoding: "AUTO" for several, "NONE" for the caller's.
            keep_hdr: do not tone-map HDR.

        Raises `InputError` if the file cannot be read, is no video, or has no frame that can be
        decoded.
        """
        super().__init__(path, deinterlace, threads, keep_hdr)
        self._seeker = Seeker(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- reading ---

    def frames(self, start=0, end=None, as_stored=False):
        """Yield each `Frame` with `start <= time < end`, in order; `end=None` is the video's end.

        Seeks to the keyframe before `start` if timestamps are reliable after a seek; otherwise all
        frames before it are decoded. `as_stored` does not deinterlace, which is faster.
        """
        deinterlace = "off" if as_stored else self._deinterlace
        lead = _LEAD if self.info.interlaced and deinterlace != "off" else 0
        # The frames that are dropped depend on those before.
        first = 0 if deinterlace == "telecine" else start - lead
        frames = self._from(first) if first > 0 else self._from_beginning()
        frames = (frame for frame in frames if frame.time >= first)
        for frame in deinterlaced(frames, deinterlace, frame_rate(self.stream)):
            if end is not None and frame.time >= end:
                break
            if frame.time >= start:
                yield frame

    def frames_at(self, times, keyframes=None):
        """Yield the `Frame` at each of `times`, in order; times without a frame are skipped.

        Args:
            times: times of frames, as `frames` yields them.
            keyframes: sorted times of keyframes, if known, to seek where that saves decoding.
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
        """Yield up to `count` keyframes spread evenly over the video; no other frame is decoded.

        Fewer if the video has fewer, none if it is not seekable. They are not deinterlaced, and
        their times may be one frame off.
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
        """The `Key` at which decoding must start for the frame at `time`. Decodes nothing.

        None if no keyframe is found, for example in a video that is not seekable.
        """
        return self._seeker.key_before(time)

    def frames_from(self, key):
        """Yield the `Frame`s from a `Key` on, not deinterlaced; none if it does not exist.

        The same images every time, also with unreliable timestamps.
        """
        return self._seeker.frames_from(key)

    def deinterlaced(self, frame):
        """The `Frame`, deinterlaced without its neighbours."""
        if self._deinterlace == "off" or not frame.interlaced:
            return frame
        return next(Deinterlacer(self._deinterlace == "on").run([frame]))

    def _from(self, start):
        """Decode from the last keyframe before `start`, or from the beginning."""
        found = False
        for frame in self._seeker.frames_before(start):
            found = True
            yield frame
        if not found:
            yield from self._from_beginning()

    def _from_beginning(self):
        """Decode the whole video, and add to `problems` what is wrong with it."""
        self.start_over()
        self.problems.clear()
        try:
            yield from self.decode()
            short = self.cut_short(*self.declared_duration())
            if short and not self.problems:
                self.problems.append(short)
        finally:
            if self.damaged:
                first = timecode(self.first_damage)
                self.problems.append(f"{self.damaged} damaged frame(s), the first at {first}")
