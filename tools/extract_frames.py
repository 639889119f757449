r"""Extract training pictures from a film, or from all films of a folder.

  python tools/extract_frames.py --video=film.mkv --output=data/Hayao/style

Every frame is looked at. Shots are found; of each, the sharpest frames of several parts are taken.
Black, white, faded, flat (credits), blended and blurred frames are dropped, and of frames that are
alike, wherever in the films, all but one; --count of the rest are kept, evenly spread. Black bars
are cut away, rotation, interlacing and pixel shape seen to; squares are cut from the frame, scaled
so that its short side has --short_side pixels.

Beside the folder stand style_frames.csv (what each picture is and why it was kept),
style_frames.json (settings, and how much was dropped for what) and style_frames.png (all pictures
at a glance). Started again, a run that was stopped goes on; nothing is written over. Pictures that
you delete stay deleted. The exit status is 1 when a film was damaged or gave nothing; what could be
read is kept then.
"""

import os

from absl import flags

from animegan_tf import cli
from animegan_tf.extract.options import FORMATS, FrameOptions
from animegan_tf.video.timecode import DEINTERLACE, parse_time

FLAGS = flags.FLAGS


def _define_flags():
    default = FrameOptions()
    flags.DEFINE_string("video", None, "A film, or a folder of films. Required.")
    flags.DEFINE_string(
        "output", None, "Folder for the pictures, <data_dir>/<style>/style for training. Required."
    )
    flags.DEFINE_integer(
        "count",
        default.count,
        "Pictures wanted, spread evenly over the films; 0: all.",
    )
    flags.DEFINE_integer(
        "per_shot",
        default.per_shot,
        "Parts a shot is divided into, each of which gives one frame at most.",
    )
    flags.DEFINE_float(
        "every",
        default.every,
        "Seconds: a longer shot has a part for each of them. 0: never more than --per_shot.",
    )
    flags.DEFINE_integer(
        "short_side", default.short_side, "Pixels that a frame's short side is scaled to."
    )
    flags.DEFINE_integer("size", default.size, "Side of the square pictures in pixels.")
    flags.DEFINE_integer(
        "crops",
        default.crops,
        "Most pictures of one frame; they do not overlap. More than one fit when --short_side is "
        "greater than --size, or the frame is wide.",
    )
    flags.DEFINE_string("start", "0", "Where to begin in each film: seconds or h:mm:ss.")
    flags.DEFINE_string(
        "end", None, "Where to end; a negative time (--end=-1:30) counts from the film's end."
    )
    flags.DEFINE_string("skip_opening", "0", "What to leave out at each film's beginning.")
    flags.DEFINE_enum("format", default.format, FORMATS, "Of the pictures.")
    flags.DEFINE_integer(
        "min_distance",
        default.min_distance,
        "Of two frames whose perceptual hashes differ in fewer bits (of 64) one is dropped. "
        "Frames of one still shot differ in 0 to 8, unlike ones in about 32.",
    )
    flags.DEFINE_float(
        "min_sharpness",
        default.min_sharpness,
        "Frames that are less sharp than this share of the film's median are dropped.",
    )
    flags.DEFINE_enum(
        "deinterlace",
        default.deinterlace,
        DEINTERLACE,
        "auto: frames that say they are interlaced; on: all, for films that do not say so.",
    )
    flags.DEFINE_list(
        "allow_change",
        [],
        "Settings (e.g. video,count) that may differ from those the folder was filled with; what "
        "is there is added to.",
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
    """Extract as the flags say; returns the exit status."""
    # Before OpenCV is loaded: it would print about pictures that it cannot read.
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
