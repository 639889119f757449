"""Put a training data set into TFRecord shards, for network storage and many workers.

    python tools/make_tfrecords.py --data_dir=DATA --style=MyStyle --output=SHARDS
    animegan-train --source=tfrecord --tfrecords=SHARDS --run_dir=RUN

Photos, anime frames, smoothed frames (made when they are missing) and the photos of val/ go in byte
by byte, so training from the shards computes the same batches as from the folders. The data set is
checked first as training does it. Started again, a run that was stopped goes on; a folder that was
filled from other pictures is refused.
"""

from absl import flags

from animegan_tf import cli

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    from animegan_tf.data.config import CROPS

    flags.DEFINE_string("data_dir", None, "folder with train_photo/, <style>/style/. Required.")
    flags.DEFINE_string("style", None, "name of the style's folder in data_dir. Required.")
    flags.DEFINE_string("output", None, "folder for the shards. Required.")
    flags.DEFINE_integer("shard_mb", 100, "megabytes of a shard", lower_bound=1)
    flags.DEFINE_integer("image_size", 256, "side of the square training pictures")
    flags.DEFINE_enum("crop", "none", CROPS, "how training will cut a square; none: refuse others")


def main(argv):
    """Write the shards and say what is there."""
    from animegan_tf.data import tfrecord_writer
    from animegan_tf.data.config import DataConfig

    cli.refuse_arguments(argv)
    cli.require_flags("data_dir", "style", "output")
    config = DataConfig(FLAGS.data_dir, FLAGS.style, image_size=FLAGS.image_size, crop=FLAGS.crop)
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
