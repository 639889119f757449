"""Write the VGG weights that training needs to a file without pickles.

    python tools/convert_features.py --features=vgg19.npy --output=vgg19.npz

The result serves as --features as the original does, is a fifth of a whole vgg19.npy, and any
program reads it without running what the file says. Needs the package installed, no TensorFlow.
"""

from absl import flags

from animegan_tf import cli

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_string("features", None, "vgg16.npy, vgg19.npy or a Keras .h5. Required.")
    flags.DEFINE_string("output", None, "the .npz file to write. Required.")


def main(argv):
    """Convert as the flags say; returns the exit status."""
    cli.refuse_arguments(argv)
    cli.require_flags("features", "output")
    from animegan_tf.networks import feature_files

    names = feature_files.write_npz(FLAGS.features, FLAGS.output)
    depth = "vgg19" if "conv3_4" in names else "vgg16"
    print(f"{FLAGS.output}: {len(names)} layers, of {depth}")
    return 0


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
