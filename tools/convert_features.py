"""Convert the VGG weights that training needs to a file without pickles.

    python tools/convert_features.py --features=vgg19.npy --output=vgg19.npz

The output can be used as --features like the original. It has a fifth of the size of vgg19.npy, and
reading it cannot execute code. Needs the package installed, no TensorFlow.
"""

from absl import flags

from animegan_tf import cli

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_string("features", None, "vgg16.npy, vgg19.npy or a Keras .h5 file. Required.")
    flags.DEFINE_string("output", None, "Output .npz file. Required.")


def main(argv):
    """Convert with the parsed flags; returns the exit status."""
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
