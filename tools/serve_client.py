"""Stylise photos with TensorFlow Serving and a SavedModel exported by this project.

    python tools/serve_client.py photos/ --output=anime --server=http://localhost:8501
    python tools/serve_client.py photos/ --output=anime --server=grpc://localhost:8500 --batch=4

Arguments are photos and folders of photos. Outputs are written into --output with the names and
sizes of the photos. Existing outputs are kept, and photos are never overwritten. The exit status is
1 if a photo failed.
"""

import os

from absl import flags

from animegan_tf import cli, style_flags
from animegan_tf.errors import InputError
from animegan_tf.stylize.options import DrawOptions

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_string("output", None, "Folder for the outputs; created if missing. Required.")
    flags.DEFINE_string(
        "server",
        "http://localhost:8501",
        "http://HOST:PORT or https://HOST:PORT for REST (TensorFlow Serving's port is 8501), "
        "grpc://HOST:PORT for gRPC (8500), which needs pip install 'animegan_tf[serving]'.",
    )
    flags.DEFINE_string("model", "animegan", "Name of the served model.")
    flags.DEFINE_integer(
        "version", None, "Version of the model. Default: the newest.", lower_bound=0
    )
    flags.DEFINE_enum(
        "signature",
        "image_bytes",
        ["image_bytes", "serving_default"],
        "image_bytes: send and receive files. serving_default: send and receive pixels, over REST "
        "as text (about 12 bytes per pixel).",
    )
    flags.DEFINE_float("timeout", 60.0, "Seconds for a request and its response.")
    flags.DEFINE_integer(
        "retries",
        3,
        "Number of retries if the connection is refused or the server is not ready (503), after "
        "pauses of 0.5 s, 1 s, 2 s and so on, at most 8 s.",
        lower_bound=0,
    )
    flags.DEFINE_integer(
        "batch",
        1,
        "Photos per request; serving_default batches only successive photos of one size.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "max_message_mb",
        256,
        "Longest response, and longest gRPC message. gRPC itself refuses responses over 4 MB, less "
        "than the pixels of a photo of 1.4 megapixels; the limit of the server is 2047.",
        lower_bound=1,
    )
    cli.define_fields(DrawOptions)
    flags.adopt_module_key_flags(style_flags)
    flags.DEFINE_bool("overwrite", False, "Replace existing outputs.")
    flags.DEFINE_bool("recursive", False, "Include subfolders; outputs keep their relative paths.")


def main(argv):
    """Send `argv[1:]` with the parsed flags; returns the exit status."""
    # Before OpenCV is loaded: its messages about damaged files would be duplicates.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    from animegan_tf.serving import client
    from animegan_tf.stylize.__main__ import summary

    if not argv[1:]:
        raise InputError("photos: expected photos or folders of photos, received none (see --help)")
    if not FLAGS.output:
        raise InputError("--output: expected a folder for the outputs, received nothing")
    config = client.ServingConfig(
        FLAGS.server,
        FLAGS.model,
        FLAGS.version,
        FLAGS.signature,
        timeout=FLAGS.timeout,
        retries=FLAGS.retries,
        batch=FLAGS.batch,
        max_message_mb=FLAGS.max_message_mb,
        delivery=style_flags.chosen_delivery(),
    )
    if config.check().scheme == "grpc":
        cli.load_tensorflow()
    report = client.call_server(
        config,
        argv[1:],
        FLAGS.output,
        overwrite=FLAGS.overwrite,
        recursive=FLAGS.recursive,
        progress=True,
    )
    print(summary(report, FLAGS.output))
    return 1 if report.failed else 0


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
