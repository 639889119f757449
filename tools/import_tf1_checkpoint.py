r"""Convert a published TensorFlow 1 checkpoint to a weights file of this project.

  python tools/import_tf1_checkpoint.py --checkpoint=checkpoint/generator_Hayao_weight \
      --output=hayao.weights.h5

The architecture is detected from the names and shapes in the checkpoint. Optimiser slots and the
discriminator are ignored. Needs the package installed.
"""

from absl import flags

from animegan_tf import cli
from animegan_tf.networks import weights

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_string(
        "checkpoint", None, "Prefix or .index file of the checkpoint, or its folder. Required."
    )
    flags.DEFINE_string("output", None, "Output file, ending in .weights.h5. Required.")
    flags.DEFINE_bool("overwrite", False, "Replace an existing output.")


def main(argv):
    """Convert with the parsed flags; returns the exit status."""
    cli.refuse_arguments(argv)
    cli.require_flags("checkpoint", "output")
    weights.check_output(FLAGS.output, FLAGS.overwrite)
    cli.load_tensorflow()
    from animegan_tf.networks import tf1

    arch, model = tf1.load_generator(FLAGS.checkpoint)
    weights.save_generator(model, FLAGS.output)
    print(f"{arch}: {model.count_params():,} parameters in {FLAGS.output}")
    return 0


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
