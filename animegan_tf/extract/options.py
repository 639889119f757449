"""What frame extraction is asked for; imports neither PyAV, OpenCV nor TensorFlow."""

import dataclasses

from animegan_tf.errors import InputError
from animegan_tf.validation import check_choice, check_number, check_seconds, check_whole
from animegan_tf.video.timecode import DEINTERLACE

FORMATS = ("png", "jpg")
HASH_BITS = 64


@dataclasses.dataclass(frozen=True)
class FrameOptions:
    """What is extracted. Every mistake is an `InputError`.

    Attributes:
        count: pictures wanted in the folder, spread evenly over the films; 0 for all there are.
        per_shot: a shot is divided into this many parts; each gives one frame at most.
        every: seconds; a longer shot has a part for each. 0: never more than `per_shot`.
        short_side: pixels that a frame's short side is scaled to, without bars.
        size: side of the square pictures in pixels.
        crops: most pictures cut from one frame; they do not overlap.
        start, end: seconds of each film; an end below 0 counts from its end, None is its end.
        skip_opening: seconds left out at each film's beginning.
        format: "png" or "jpg".
        min_distance: bits of 64 in which the perceptual hashes of any two frames differ at least.
        min_sharpness: least sharpness as a share of the film's median.
        deinterlace: "auto" (frames that say so), "on" or "off".
    """

    count: int = 1752
    per_shot: int = 3
    every: float = 1.0
    short_side: int = 256
    size: int = 256
    crops: int = 1
    start: float = 0.0
    end: float | None = None
    skip_opening: float = 0.0
    format: str = "png"
    min_distance: int = 12
    min_sharpness: float = 0.5
    deinterlace: str = "auto"

    def __post_init__(self):
        for name, least in (("count", 0), ("per_shot", 1), ("size", 32), ("crops", 1)):
            check_whole(name, getattr(self, name), least)
        check_whole("short_side", self.short_side, self.size)
        check_whole("min_distance", self.min_distance, 0, HASH_BITS)
        for name in ("every", "start", "skip_opening"):
            check_seconds(name, getattr(self, name), 0)
        check_number("min_sharpness", self.min_sharpness, 0, 1)
        if self.end is not None:
            check_seconds("end", self.end)
            if 0 <= self.end <= self.begin:
                raise InputError(
                    f"end: expected more than the start at {self.begin:g} s, received {self.end:g}"
                )
        check_choice("format", self.format, FORMATS)
        check_choice("deinterlace", self.deinterlace, DEINTERLACE)

    @property
    def begin(self):
        """Where each film's part begins, in seconds."""
        return max(self.start, self.skip_opening)
