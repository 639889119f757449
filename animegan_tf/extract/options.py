"""The options of frame extraction; imports neither PyAV, OpenCV nor TensorFlow."""

import dataclasses

from animegan_tf.errors import InputError
from animegan_tf.validation import check_fields, check_whole, option
from animegan_tf.video.timecode import DEINTERLACE

FORMATS = ("png", "jpg")
HASH_BITS = 64


@dataclasses.dataclass(frozen=True)
class FrameOptions:
    """The options of frame extraction. Invalid values raise `InputError`."""

    count: int = option(
        1752, "Number of images, spread evenly over the videos; 0 for all.", least=0
    )
    per_shot: int = option(3, "Number of parts of a shot, with at most one frame each.", least=1)
    every: float = option(
        1.0,
        "Long shots have one part per this many seconds. 0: always --per_shot parts.",
        kind="seconds",
        least=0,
    )
    short_side: int = option(
        256, "Short side of scaled frames in pixels, without black bars.", least=32
    )
    size: int = option(256, "Side of the square images in pixels.", least=32)
    crops: int = option(
        1,
        "Maximum number of images per frame; they do not overlap. Several fit if --short_side is "
        "larger than --size, or if the frame is wide.",
        least=1,
    )
    start: float = option(0.0, "Start time in each video.", kind="seconds", least=0)
    end: float | None = option(
        None,
        "End time in each video; a negative time (--end=-1:30) counts from the end.",
        kind="seconds",
    )
    skip_opening: float = option(
        0.0, "Time to skip at the beginning of each video.", kind="seconds", least=0
    )
    format: str = option("png", "Format of the images.", choices=FORMATS)
    min_distance: int = option(
        12,
        "Minimum number of different bits (of 64) between perceptual hashes. Frames of a still "
        "shot differ in 0 to 8 bits, unrelated ones in about 32.",
        least=0,
        most=HASH_BITS,
    )
    min_sharpness: float = option(
        0.5, "Minimum sharpness as a fraction of the video's median.", least=0, most=1
    )
    deinterlace: str = option(
        "auto",
        "auto: frames marked as interlaced; on: all frames, for videos without such marks; "
        "telecine: films of 24 frames per second whose fields were repeated for 30.",
        choices=DEINTERLACE,
    )

    def __post_init__(self):
        check_fields(self)
        check_whole("short_side", self.short_side, self.size)
        if self.end is not None and 0 <= self.end <= self.begin:
            raise InputError(
                f"end: expected more than the start at {self.begin:g} s, received {self.end:g}"
            )

    @property
    def begin(self):
        """The start of the part of each video, in seconds."""
        return max(self.start, self.skip_opening)
