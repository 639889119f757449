r"""Turn a published TensorFlow 1 checkpoint into this project's weights file.

  python tools/import_tf1_checkpoint.py --checkpoint=checkpoint/generator_Hayao_weight \
      --output=hayao.weights.h5

The architecture is found from the names and shapes in the checkpoint. Optimiser slots and the
discriminator are left out. Needs the package installed.
"""

from absl import flags

from animegan_tf import cli
from animegan_tf.networks import weights

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_string(
        "checkpoint", None, "prefix or .index file of the checkpoint, or its folder. Required."
    )
    flags.DEFINE_string("output", None, "the .weights.h5 file to write. Required.")
    flags.DEFINE_bool("overwrite", False, "replace the output if it exists")


def main(argv):
    """Convert as the flags say; returns the exit status."""
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
