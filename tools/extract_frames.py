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
from animegan_tf.extract.options import FrameOptions

FLAGS = flags.FLAGS


def _define_flags():
    flags.DEFINE_string("video", None, "Video, or folder of videos. Required.")
    flags.DEFINE_string(
        "output", None, "Folder for the images, <data_dir>/<style>/style for training. Required."
    )
    cli.define_fields(FrameOptions)
    flags.DEFINE_list(
        "allow_change",
        [],
        "Settings (e.g. video,count) that may differ from earlier runs with this folder; new "
        "images are added.",
    )


def main(argv):
    """Extract with the parsed flags; returns the exit status."""
    # Before OpenCV is loaded: its messages about unreadable images would be duplicates.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    cli.refuse_arguments(argv)
    cli.require_flags("video", "output")
    options = FrameOptions(**cli.read_fields(FrameOptions))
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
