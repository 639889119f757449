"""Convert photos and videos to anime style.

    animegan-stylize holiday.jpg --output=anime
    animegan-stylize holiday.heic --output=anime.jpg
    animegan-stylize photos/ more/*.jpg --output=anime --style=hayao
    animegan-stylize clip.mp4 --output=anime --max_side=960
    animegan-stylize --camera=0
    python -m animegan_tf.stylize holiday.jpg --output=anime --checkpoint=runs/hayao

Arguments are photos, videos, GIFs, animated WebPs and folders of them. Outputs go into --output
under the names of the photos, at their size, with their date, place and camera; videos keep their
sound, subtitles, chapters and timestamps. - is standard input or output, for a photo or raw frames
(YUV4MPEG2); a video's file can become raw frames too. Existing outputs are kept, and photos are
never overwritten. The style is the one that ships with this project, another by name (--list_styles
shows them), or your own --checkpoint. Ctrl-C leaves a playable video of what was done; --resume
continues it, also after a crash. The exit status is 1 if a photo or video failed or was damaged.
"""

import dataclasses
import os
import shlex
import sys

from absl import flags

from animegan_tf import cli, style_flags, styles
from animegan_tf.errors import InputError
from animegan_tf.stylize.options import PRECISIONS, DrawOptions, PhotoOptions, VideoOptions

FLAGS = flags.FLAGS


def _define_flags():
    # Not on import: programs with a flag of the same name could not import this module then.
    flags.DEFINE_string(
        "output",
        None,
        "Folder for the outputs, created if missing; for a single photo or video also the name of "
        "the output, such as out.png, or - for standard output. Required.",
    )
    style_flags.define_style_flags(
        "a run directory of training, a .weights.h5 file, a TensorFlow 1 checkpoint (its folder, "
        "prefix or .index file), or an export: a .tflite file or a SavedModel folder"
    )
    flags.adopt_module_key_flags(style_flags)
    flags.DEFINE_bool("compare", False, "Write photo and output side by side, as NAME_compare.")
    flags.DEFINE_enum(
        "sizing",
        "photo",
        ["photo", "published"],
        "photo: outputs have the photo's size. published: each side is changed to a multiple of "
        "32 and at least 256, as in the published code, and the output has that size.",
    )
    flags.DEFINE_bool(
        "match_brightness",
        None,
        "Give outputs the mean brightness of their photos, as in the published code. Default: on, "
        "except for styles that change brightness on purpose, such as the shipped ones.",
    )
    flags.DEFINE_integer(
        "max_side",
        None,
        "Shrink photos and videos whose longer side exceeds this first.",
    )
    flags.DEFINE_enum(
        "precision",
        "auto",
        PRECISIONS,
        "bfloat16 is twice as fast as float32 on processors that have it, and changes outputs by "
        "about a level. auto uses it with OpenVINO where it cannot be seen (45 dB); float32 for "
        "published styles and --sizing=published.",
    )
    flags.DEFINE_float(
        "strip_memory",
        None,
        "Process every photo in strips within this many GB, besides TensorFlow's own 0.6. By "
        "default only photos that do not fit into free memory are. Results are the same.",
    )
    flags.DEFINE_bool("overwrite", False, "Replace existing outputs.")
    flags.DEFINE_bool("recursive", False, "Include subfolders; outputs keep their relative paths.")
    flags.DEFINE_string(
        "shard",
        None,
        "Process only a part, such as 3/64, by a hash of the outputs' names: 64 runs with the same "
        "other arguments, 1/64 to 64/64, on any machines, process everything once.",
    )
    flags.DEFINE_string(
        "camera",
        None,
        "Number of a camera (0 is the first) or URL of a stream instead of files. It is shown in a "
        "window until q is pressed, and recorded into --output, if set.",
    )
    cli.define_fields(DrawOptions)
    cli.define_fields(PhotoOptions)
    cli.define_fields(VideoOptions)


def main(argv):
    """Stylise `argv[1:]` with the parsed flags; returns the exit status."""
    if FLAGS.list_styles:
        print("\n".join(styles.listing(FLAGS.styles_dir)))
        return 0
    # Before OpenCV is loaded: its messages about damaged files would be duplicates.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    from animegan_tf.stylize import batch, engines, stylizer

    photos = argv[1:]
    if not photos and FLAGS.camera is None:
        raise InputError("photos: expected photos or folders of photos, received none (see --help)")
    if not FLAGS.output and FLAGS.camera is None:
        raise InputError(
            "--output: expected a folder for the outputs, received nothing" + _suggestion(photos)
        )
    options = {
        "sizing": FLAGS.sizing,
        "max_side": FLAGS.max_side,
        "engine": FLAGS.engine,
        "precision": FLAGS.precision,
        "strip_memory": FLAGS.strip_memory,
    }
    delivery = style_flags.chosen_delivery()
    stylizer.check_options(FLAGS.checkpoint, style=FLAGS.style, **options)
    video, photo = style_flags.chosen_options(VideoOptions, PhotoOptions)

    models = []

    def make():
        checkpoint = style_flags.chosen_checkpoint()
        if engines.needs_tensorflow(checkpoint, FLAGS.engine, FLAGS.strip_memory):
            if "tensorflow" not in sys.modules:
                print("loading TensorFlow", file=sys.stderr)
            cli.load_tensorflow()
        with cli.muted_stderr():
            model = stylizer.Stylizer(
                checkpoint,
                match_brightness=FLAGS.match_brightness,
                quietly=cli.muted_stderr,
                **dataclasses.asdict(delivery),
                **options,
            )
        if model.note():
            print(f"the model takes {model.note()}", file=sys.stderr)
        models.append(model)
        return model

    if FLAGS.shard and (FLAGS.camera is not None or "-" in (*photos, FLAGS.output)):
        raise InputError(f"shard: expected files and folders with it, received {FLAGS.shard}")
    if FLAGS.camera is not None:
        return _camera(make, photos, video)
    if "-" in (*photos, FLAGS.output):
        return _stream(make, photos, photo, video)
    report = batch.stylize_paths(
        make,
        photos,
        FLAGS.output,
        compare=FLAGS.compare,
        overwrite=FLAGS.overwrite,
        recursive=FLAGS.recursive,
        progress=True,
        video=video,
        photo=photo,
        shard=FLAGS.shard,
    )
    for note in report.notes:
        print(note, file=sys.stderr)
    for model in models:
        if model.drawn_by():
            print(f"drawn by {model.drawn_by()}", file=sys.stderr)
    print(summary(report, FLAGS.output))
    if report.stopped is not None:
        print(f"stopped by {report.stopped.name}; --resume continues", file=sys.stderr)
        return 128 + report.stopped
    return 1 if report.failed else 0


def _suggestion(photos):
    """The probable intention of `in.jpg out.png` or `in.jpg folder`, for an error."""
    *inputs, output = photos
    is_output = not os.path.exists(output) or os.path.isdir(output)
    if not inputs or not is_output or (len(inputs) > 1 and os.path.splitext(output)[1]):
        return ""
    return f"; for that output: {shlex.join(['animegan-stylize', *inputs, f'--output={output}'])}"


def _stream(make, photos, options, video):
    """A photo from standard input or to standard output (-), or raw frames to standard output.

    Returns the exit status.
    """
    from animegan_tf import memory, storage
    from animegan_tf.images import formats
    from animegan_tf.stylize import batch, pipe
    from animegan_tf.video.codecs import is_video

    if len(photos) != 1:
        raise InputError(f"-: expected a single photo with it, received {len(photos)}")
    (name,), output, kind = photos, FLAGS.output, None
    if output != "-":
        kind = formats.kind_of_suffix(os.path.splitext(output)[1])
        if kind is None or os.path.isdir(output):
            raise InputError(f"output: expected a photo's name or -, received {output}")
        if os.path.lexists(output) and not FLAGS.overwrite:
            raise InputError(f"output: {output} exists (--overwrite replaces it)")
    source = sys.stdin.buffer if name == "-" else name
    if output == "-" and (pipe.is_raw_video(source) if name == "-" else is_video(name)):
        pipe.run(make, source, sys.stdout.buffer, video, FLAGS.compare, progress=True)
        return 0
    if name == "-":
        data = source.read()
    elif not os.path.isfile(name):
        raise InputError(f"photos: expected a photo's file or -, received {name}")
    else:
        data = memory.read_bytes(name)
    chosen = {"compare": FLAGS.compare, "photo": options, "progress": True}
    result, whole = batch.stylize_bytes(make(), data, name, kind, **chosen)
    if output == "-":
        sys.stdout.buffer.write(result)
        sys.stdout.flush()
    else:
        storage.write_bytes(output, result)
    return 0 if whole else 1


def _camera(make, photos, video):
    if photos:
        raise InputError(
            f"camera: expected no photos or videos with --camera, received {photos[0]}"
        )
    from animegan_tf.stylize import camera

    report = camera.run(
        FLAGS.camera, make, FLAGS.output, video, compare=FLAGS.compare, progress=True
    )
    print(report)
    return 0


def summary(report, output):
    """A one-line summary of a `Report`."""
    parts = [f"{len(report.written)} written to {output}"]
    if report.skipped:
        parts.append(f"{len(report.skipped)} existed already (--overwrite replaces them)")
    if report.failed:
        parts.append(f"{len(report.failed)} failed")
    return ", ".join(parts)


def console():
    """Entry point of `animegan-stylize` and of `python -m animegan_tf.stylize`."""
    _define_flags()
    cli.run(main, __name__, __doc__)


if __name__ == "__main__":
    console()
