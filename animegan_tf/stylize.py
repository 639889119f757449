"""Turn photos into anime-style pictures.

    animegan-stylize holiday.jpg --output=anime
    animegan-stylize photos/ more/*.jpg --output=anime --style=hayao
    python -m animegan_tf.stylize holiday.jpg --output=anime --checkpoint=runs/hayao

Arguments are photos and folders of photos. The results go into --output under the photos' names, at
the photos' size. Results that exist are left as they are, and photos are never written over. The
style is the one that ships with this project, another by name (--list_styles shows them), or one's
own --checkpoint. The exit status is 1 when a photo could not be done.
"""

import os
import sys

from absl import flags

from animegan_tf import cli, style_flags, styles
from animegan_tf.errors import InputError

FLAGS = flags.FLAGS


def _define_flags():
    # Not on import: programs with a flag of the same name could not import this module then.
    flags.DEFINE_string("output", None, "Folder for the results; made if missing. Required.")
    style_flags.define_style_flags(
        "a run directory of training, a .weights.h5 file, a TensorFlow 1 checkpoint (its folder, "
        "prefix or .index file), or an export: a .tflite file or a SavedModel folder"
    )
    flags.adopt_module_key_flags(style_flags)
    flags.DEFINE_bool(
        "compare", False, "Write photo and result side by side instead, as NAME_compare."
    )
    flags.DEFINE_enum(
        "sizing",
        "photo",
        ["photo", "published"],
        "photo: results have the photo's size. published: each side is changed to a multiple of "
        "32 and at least 256, as in the original code, and the result has that size.",
    )
    flags.DEFINE_bool(
        "match_brightness", True, "Give the result the photo's mean brightness, as the original."
    )
    flags.DEFINE_integer(
        "max_side",
        None,
        "Shrink photos whose longer side is over this first. The network takes about 1.1 GB per "
        "megapixel (lite 0.5 GB): a 12-megapixel photo needs 13 GB.",
    )
    flags.DEFINE_bool("overwrite", False, "Replace results that exist, instead of leaving them.")
    flags.DEFINE_bool(
        "recursive", False, "Look into folders below the given ones too; results keep their paths."
    )


def main(argv):
    """Stylise `argv[1:]` as the flags say; returns the exit status."""
    if FLAGS.list_styles:
        print("\n".join(styles.listing(FLAGS.styles_dir)))
        return 0
    # Before OpenCV is loaded: what it prints about damaged files is said better here.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    from animegan_tf import engines, stylizer

    photos = argv[1:]
    if not photos:
        raise InputError("photos: expected photos or folders of photos, received none (see --help)")
    if not FLAGS.output:
        raise InputError("--output: expected a folder for the results, received nothing")
    sizes = {"sizing": FLAGS.sizing, "max_side": FLAGS.max_side}
    stylizer.check_options(FLAGS.checkpoint, style=FLAGS.style, **sizes)

    def make():
        checkpoint = style_flags.chosen_checkpoint()
        if engines.needs_tensorflow(checkpoint):
            cli.load_tensorflow()
        with cli.muted_stderr():
            made = stylizer.Stylizer(checkpoint, match_brightness=FLAGS.match_brightness, **sizes)
        if made.note():
            print(f"the model takes {made.note()}", file=sys.stderr)
        return made

    report = stylizer.stylize_paths(
        make,
        photos,
        FLAGS.output,
        compare=FLAGS.compare,
        overwrite=FLAGS.overwrite,
        recursive=FLAGS.recursive,
        progress=True,
    )
    print(summary(report, FLAGS.output))
    return 1 if report.failed else 0


def summary(report, output):
    """A line that says what a `Report` has."""
    parts = [f"{len(report.written)} written to {output}"]
    if report.skipped:
        parts.append(f"{len(report.skipped)} left as they were (--overwrite replaces them)")
    if report.failed:
        parts.append(f"{len(report.failed)} failed")
    return ", ".join(parts)


def console():
    """Entry point of `animegan-stylize` and of `python -m animegan_tf.stylize`."""
    _define_flags()
    cli.run(main, __name__, __doc__)


if __name__ == "__main__":
    console()
