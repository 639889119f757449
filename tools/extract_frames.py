r"""Extract training images from a video, or from all videos of a folder.

  python tools/extract_frames.py --video=film.mkv --output=data/Hayao/style

All frames are scanned and divided into shots. The sharpest frames of several parts of each shot are
candidates. Black, white, faded, flat (credits), blended and blurred frames are dropped, and
duplicates in all videos; --count of the rest are kept, evenly spread. Black bars are removed;
rotation, interlacing and pixel aspect ratio are handled. Frames are scaled to a short side of
--short_side and cropped to squares.

Beside the folder are style_frames.csv (a row per image), style_frames.json (settings, number of
dropped frames by reason) and style_frames.png (a contact sheet). The same command continues an
interrupted run; nothing is overwritten. Images that you delete stay deleted. The exit status is 1
if a video was damaged or had no usable frame; images from readable parts are kept.
"""

import os

from absl import flags

from animegan_tf import cli
from animegan_tf.extract.options import FORMATS, FrameOptions
from animegan_tf.video.timecode import DEINTERLACE, parse_time

FLAGS = flags.FLAGS


def _define_flags():
    default = FrameOptions()
    flags.DEFINE_string("video", None, "Video, or folder of videos. Required.")
    flags.DEFINE_string(
        "output", None, "Folder for the images, <data_dir>/<style>/style for training. Required."
    )
    flags.DEFINE_integer(
        "count", default.count, "Number of images, spread evenly over the videos; 0: all."
    )
    flags.DEFINE_integer(
        "per_shot", default.per_shot, "Number of parts of a shot, with at most one frame each."
    )
    flags.DEFINE_float(
        "every",
        default.every,
        "Long shots have one part per this many seconds. 0: always --per_shot parts.",
    )
    flags.DEFINE_integer("short_side", default.short_side, "Short side of scaled frames in pixels.")
    flags.DEFINE_integer("size", default.size, "Side of the square images in pixels.")
    flags.DEFINE_integer(
        "crops",
        default.crops,
        "Maximum number of images per frame; they do not overlap. Several fit if --short_side is "
        "larger than --size, or if the frame is wide.",
    )
    flags.DEFINE_string("start", "0", "Start time in each video: seconds or h:mm:ss.")
    flags.DEFINE_string(
        "end", None, "End time; a negative time (--end=-1:30) counts from the end of the video."
    )
    flags.DEFINE_string("skip_opening", "0", "Time to skip at the beginning of each video.")
    flags.DEFINE_enum("format", default.format, FORMATS, "Format of the images.")
    flags.DEFINE_integer(
        "min_distance",
        default.min_distance,
        "Minimum number of different bits (of 64) between perceptual hashes. Frames of a still "
        "shot differ in 0 to 8 bits, unrelated ones in about 32.",
    )
    flags.DEFINE_float(
        "min_sharpness",
        default.min_sharpness,
        "Minimum sharpness as a fraction of the video's median.",
    )
    flags.DEFINE_enum(
        "deinterlace",
        default.deinterlace,
        DEINTERLACE,
        "auto: frames marked as interlaced; on: all frames, for videos without such marks.",
    )
    flags.DEFINE_list(
        "allow_change",
        [],
        "Settings (e.g. video,count) that may differ from earlier runs with this folder; new "
        "images are added.",
    )


def _options():
    same_name = (
        "count", "per_shot", "every", "short_side", "size", "crops", "format", "min_distance",
        "min_sharpness", "deinterlace",
    )  # fmt: skip
    times = {name: parse_time(name, FLAGS[name].value) for name in ("start", "skip_opening")}
    end = None if FLAGS.end is None else parse_time("end", FLAGS.end)
    return FrameOptions(**{name: FLAGS[name].value for name in same_name}, **times, end=end)


def main(argv):
    """Extract with the parsed flags; returns the exit status."""
    # Before OpenCV is loaded: its messages about unreadable images would be duplicates.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    cli.refuse_arguments(argv)
    cli.require_flags("video", "output")
    options = _options()
    from animegan_tf.extract import extraction

    report = extraction.extract(FLAGS.video, FLAGS.output, options, FLAGS.allow_change)
    print(report)
    return 1 if report.problems else 0


def console():
    """Entry point."""
    _define_flags()
    cli.run(main, __name__, __doc__)


if __name__ == "__main__":
    console()
