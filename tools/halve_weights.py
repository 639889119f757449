r"""Write a generator's weights in float16: a style to share, at half the size.

  python tools/halve_weights.py --checkpoint=RUN --output=mystyle.weights.h5

RUN is whatever `animegan-stylize --checkpoint` takes as weights: a run directory, a .weights.h5
file or a TensorFlow 1 checkpoint. Photos (three small ones that come with the project, or --photos)
are stylised with both and compared; where a picture changes visibly nothing is written. Needs the
package installed.
"""

from pathlib import Path

from absl import flags

from animegan_tf import cli
from animegan_tf.networks import weights

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_string("checkpoint", None, "the weights to halve. Required.")
    flags.DEFINE_string("output", None, "the .weights.h5 file to write. Required.")
    flags.DEFINE_string("photos", None, "folder of photos to compare with; the first ten are used")
    flags.DEFINE_bool("overwrite", False, "replace the output if it exists")


def main(argv):
    """Convert as the flags say; returns the exit status."""
    cli.refuse_arguments(argv)
    cli.require_flags("checkpoint", "output")
    weights.check_output(FLAGS.output, FLAGS.overwrite)
    from animegan_tf.export import check

    photos = check.read_photos(FLAGS.photos, limit=10)
    cli.load_tensorflow()
    from animegan_tf.export.halve import halve_weights

    found = halve_weights(FLAGS.checkpoint, FLAGS.output, photos)
    print(
        f"{FLAGS.output}: {Path(FLAGS.output).stat().st_size / 1e6:.1f} MB; on {found['photos']} "
        f"photos at least {found['psnr_db']['lowest']:.1f} dB, at most "
        f"{found['largest_difference_levels']:.2f} of 255 levels from float32"
    )
    return 0


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
