"""Convert a million photos, or a whole film, to anime style on a cluster with Ray.

    animegan batch photos/ --output=anime
    animegan batch 's3://bucket/photos/' --output=s3://bucket/anime --address=auto
    animegan batch list.parquet --column=path --output=/shared/anime --num_gpus=1
    animegan batch film.mkv --output=anime

Arguments are photos, videos, folders with their subfolders, globs, manifests (CSV, Parquet or JSON
lines with a column of paths) and folders of object stores (s3://, gs://, abfs://). Without
--address a Ray cluster of this machine alone is started. Outputs have the relative paths of their
sources; the log in OUTPUT/_log has a row for each. The same command does only what is missing. The
exit status is 1 if a photo or video failed.
"""

import dataclasses
import os

from absl import flags

from animegan_tf import cli, style_flags, styles
from animegan_tf.errors import InputError
from animegan_tf.stylize.options import PRECISIONS, DrawOptions, PhotoOptions, VideoOptions

FLAGS = flags.FLAGS


def _define_flags():
    flags.DEFINE_string(
        "output",
        None,
        "Folder for the outputs, or its URI in an object store; every node must reach it. For a "
        "single video also the name of its output. Required.",
    )
    style_flags.define_style_flags(
        "a .weights.h5 or .tflite file or a run directory, which are sent to the nodes, or another "
        "checkpoint at a path that all nodes have"
    )
    flags.adopt_module_key_flags(style_flags)
    flags.DEFINE_string("column", "path", "The manifests' column with the paths or URIs.")
    flags.DEFINE_string(
        "address",
        None,
        "Address of a Ray cluster: auto, on a node of it, or HOST:PORT. Default: RAY_ADDRESS in "
        "the environment, else a cluster of this machine alone.",
    )
    flags.DEFINE_integer(
        "concurrency", None, "Workers. Default: as many as the cluster has CPUs or GPUs for."
    )
    flags.DEFINE_float("num_cpus", 1.0, "CPUs of each worker.", lower_bound=0)
    flags.DEFINE_float("num_gpus", 0.0, "GPUs of each worker; 0.5 lets two share one.", 0)
    # Not auto: every worker would measure for itself, and a video's segments would differ.
    flags.DEFINE_enum(
        "precision",
        "float32",
        [name for name in PRECISIONS if name != "auto"],
        "Of the network, on all workers; bfloat16 needs processors that have it.",
    )
    flags.DEFINE_string("log", None, "Folder or URI of the log. Default: OUTPUT/_log.")
    flags.DEFINE_bool("compare", False, "Write photo and output side by side, as NAME_compare.")
    flags.DEFINE_integer(
        "max_side", None, "Shrink photos and videos whose longer side exceeds this first."
    )
    flags.DEFINE_bool("overwrite", False, "Replace existing outputs.")
    cli.define_fields(DrawOptions)
    cli.define_fields(PhotoOptions)
    cli.define_fields(VideoOptions)


def main(argv):
    """Process `argv[1:]` with the parsed flags; returns the exit status."""
    if FLAGS.list_styles:
        print("\n".join(styles.listing(FLAGS.styles_dir)))
        return 0
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    from animegan_tf.cluster import batch
    from animegan_tf.cluster.worker import Model

    cli.require_flags("output")
    if FLAGS.concurrency is not None and FLAGS.concurrency < 1:
        raise InputError(f"concurrency: expected at least 1, received {FLAGS.concurrency}")
    for name in ("num_cpus", "num_gpus"):
        if FLAGS[name].value > 1 and FLAGS[name].value % 1:  # Ray's own rule
            raise InputError(
                f"{name}: above 1 expected a whole number, received {FLAGS[name].value}"
            )
    video, photo = style_flags.chosen_options(VideoOptions, PhotoOptions)
    options = {
        "max_side": FLAGS.max_side,
        "engine": FLAGS.engine,
        "precision": FLAGS.precision,
        **dataclasses.asdict(style_flags.chosen_delivery()),
    }
    settings = batch.Settings(
        inputs=tuple(argv[1:]),
        output=FLAGS.output,
        log=FLAGS.log,
        column=FLAGS.column,
        photo=photo,
        video=video,
        compare=FLAGS.compare,
        overwrite=FLAGS.overwrite,
        address=FLAGS.address or os.environ.get("RAY_ADDRESS"),
        concurrency=FLAGS.concurrency,
        num_cpus=FLAGS.num_cpus,
        num_gpus=FLAGS.num_gpus,
    )
    return batch.run(settings, lambda: Model.of(style_flags.chosen_checkpoint(), **options))


def console():
    """Entry point of `animegan batch`."""
    _define_flags()
    cli.run(main, __name__, __doc__)


if __name__ == "__main__":
    console()
