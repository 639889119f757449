"""Convert a training data set to TFRecord shards, for network storage and many workers.

    python tools/make_tfrecords.py --data_dir=DATA --style=MyStyle --output=SHARDS
    animegan-train --source=tfrecord --tfrecords=SHARDS --run_dir=RUN

Photos, anime frames, smoothed frames (created if missing) and the photos of val/ are stored byte by
byte, so that training from the shards has the same batches as from the folders. The data set is
checked first, as in training. The same command continues an interrupted run; a folder with shards
of other images is an error.
"""

from absl import flags

from animegan_tf import cli
from animegan_tf.data.config import DataConfig

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    cli.define_fields(DataConfig, ("data_dir", "style", "crop", "smooth_dir"))
    flags.DEFINE_string("output", None, "Folder for the shards. Required.")
    flags.DEFINE_integer("shard_mb", 100, "Size of a shard in megabytes.", lower_bound=1)
    flags.DEFINE_integer("image_size", 256, "Side of the square training images.")


def main(argv):
    """Write the shards; returns the exit status."""
    from animegan_tf.data import tfrecord_writer

    cli.refuse_arguments(argv)
    cli.require_flags("data_dir", "style", "output")
    config = DataConfig(
        FLAGS.data_dir,
        FLAGS.style,
        image_size=FLAGS.image_size,
        crop=FLAGS.crop,
        smooth_dir=FLAGS.smooth_dir,
    )
    plan = tfrecord_writer.make_plan(config, FLAGS.output, FLAGS.shard_mb * 1_000_000)
    print(plan, flush=True)
    if not plan.finished:
        cli.load_tensorflow()
        tfrecord_writer.write(plan)
        print(f"done: {FLAGS.output}")
    return 0


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
