"""Check a data set before training: counts, sizes, damaged files, duplicates, colours.

    python tools/check_dataset.py DATA STYLE --contact_sheet=sheet.png
    python tools/check_dataset.py DATA --video=film.mkv --contact_sheet=sheet.png
    python tools/check_dataset.py --tfrecords=SHARDS

DATA contains train_photo/, STYLE/style/ and, optionally, STYLE/smooth/ and val/. With --video the
anime frames are those that --source=video reads from the video; with --tfrecords all images are in
the shards. Training does the same check first; the exit status is 1 if training would refuse.
"""

from absl import flags

from animegan_tf import cli
from animegan_tf.data.config import DataConfig
from animegan_tf.errors import InputError

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_integer("image_size", 256, "Side of the square training images.")
    cli.define_fields(DataConfig, ("crop", "video", "video_every", "tfrecords", "smooth_dir"))
    flags.DEFINE_string("contact_sheet", None, "Image file for a contact sheet of all folders.")
    flags.DEFINE_bool("list", False, "List all problems and duplicates.")


def _config(arguments):
    """The `DataConfig` of the arguments and flags."""
    source = "tfrecord" if FLAGS.tfrecords else "video" if FLAGS.video else "images"
    expected = {"images": "DATA STYLE", "video": "DATA", "tfrecord": "none"}[source]
    if len(arguments) != {"images": 2, "video": 1, "tfrecord": 0}[source]:
        raise InputError(f"arguments: expected {expected}, received {' '.join(arguments)!r}")
    data_dir, style = [*arguments, "", ""][:2]
    return DataConfig(
        data_dir,
        style,
        image_size=FLAGS.image_size,
        crop=FLAGS.crop,
        source=source,
        video=FLAGS.video,
        video_every=FLAGS.video_every,
        tfrecords=FLAGS.tfrecords,
        smooth_dir=FLAGS.smooth_dir,
    )


def main(argv):
    """Check the data set that `argv` names; returns the exit status."""
    from animegan_tf.data import overview
    from animegan_tf.data.check import check_dataset

    report = check_dataset(_config(argv[1:]))
    print(report)
    style = report.folders.get("style")
    if style is not None and style.color_shift is not None:
        shift = ",".join(f"{value:.4f}" for value in style.color_shift)
        print(f"to remove the style's colour cast: --color_shift={shift}")
    if FLAGS.list:
        for problem in report.problems:
            print(problem)
        for path in report.wrong_sizes:
            print(f"{path}: wrong size")
        for what, duplicates in report.duplicates.items():
            for pair in duplicates:
                relation = "is identical to" if pair.exact else "is similar to"
                print(f"{what}: {pair.path} {relation} {pair.original}")
    if FLAGS.contact_sheet:
        overview.write(FLAGS.contact_sheet, report)
        print(f"contact sheet: {FLAGS.contact_sheet}")
    print("training would refuse" if report.problems else "training would start")
    return 1 if report.problems else 0


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
