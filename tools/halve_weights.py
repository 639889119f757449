r"""Convert a generator's weights to float16: half the file size.

  python tools/halve_weights.py --checkpoint=RUN --output=mystyle.weights.h5

RUN is a run directory, a .weights.h5 file or a TensorFlow 1 checkpoint. Photos (three of this
project, or --photos) are stylised with both and compared; if an output changes visibly, nothing is
written. Needs the package installed.
"""

from pathlib import Path

from absl import flags

from animegan_tf import cli
from animegan_tf.networks import weights

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_string("checkpoint", None, "Checkpoint to convert. Required.")
    flags.DEFINE_string("output", None, "Output file, ending in .weights.h5. Required.")
    flags.DEFINE_string("photos", None, "Folder of photos for comparison; ten are used.")
    flags.DEFINE_bool("overwrite", False, "Replace an existing output.")


def main(argv):
    """Convert with the parsed flags; returns the exit status."""
    cli.refuse_arguments(argv)
    cli.require_flags("checkpoint", "output")
    weights.check_output(FLAGS.output, FLAGS.overwrite)
    from animegan_tf.export import check

    photos = check.read_photos(FLAGS.photos, limit=10)
    cli.load_tensorflow()
    from animegan_tf.export.halve import halve_weights

    result = halve_weights(FLAGS.checkpoint, FLAGS.output, photos)
    print(
        f"{FLAGS.output}: {Path(FLAGS.output).stat().st_size / 1e6:.1f} MB; on {result['photos']} "
        f"photos at least {result['psnr_db']['lowest']:.1f} dB, at most "
        f"{result['largest_difference_levels']:.2f} of 255 levels from float32"
    )
    return 0


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
