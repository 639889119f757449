"""The options of frame extraction; imports neither PyAV, OpenCV nor TensorFlow."""

import dataclasses

from animegan_tf.errors import InputError
from animegan_tf.validation import check_choice, check_number, check_seconds, check_whole
from animegan_tf.video.timecode import DEINTERLACE

FORMATS = ("png", "jpg")
HASH_BITS = 64


@dataclasses.dataclass(frozen=True)
class FrameOptions:
    """The options of frame extraction. Invalid values raise `InputError`.

    Attributes:
        count: number of images in the folder, spread evenly over the videos; 0 for all.
        per_shot: number of parts that a shot is divided into; at most one frame per part.
        every: seconds; a long shot has more parts, one per `every` seconds. 0: always `per_shot`.
        short_side: the short side of scaled frames without black bars, in pixels.
        size: side of the square images in pixels.
        crops: maximum number of images per frame; they do not overlap.
        start, end: seconds of each video; an end below 0 counts from its end, None is its end.
        skip_opening: seconds to skip at the beginning of each video.
        format: "png" or "jpg".
        min_distance: minimum number of different bits (of 64) between perceptual hashes.
        min_sharpness: minimum sharpness as a fraction of the video's median.
        deinterlace: "auto" (frames marked as interlaced), "on" or "off".
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
        """The start of the part of each video, in seconds."""
        return max(self.start, self.skip_opening)
