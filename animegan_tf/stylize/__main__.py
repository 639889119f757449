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
(YUV4MPEG2). Existing outputs are kept, and photos are never overwritten. The style is the one that
ships with this project, another by name (--list_styles shows them), or your own --checkpoint.
Ctrl-C leaves a playable video of what was done; --resume continues it, also after a crash. The exit
status is 1 if a photo or video failed or was damaged.
"""

import dataclasses
import os
import shlex
import sys

from absl import flags

from animegan_tf import cli, style_flags, styles
from animegan_tf.errors import InputError

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
    style_flags.define_delivery_flags()
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
    flags.DEFINE_float(
        "strip_memory",
        None,
        "Process every photo in strips within this many GB, besides TensorFlow's own 0.6. By "
        "default only photos that do not fit into free memory are. Results are the same.",
    )
    flags.DEFINE_bool("overwrite", False, "Replace existing outputs.")
    flags.DEFINE_bool("recursive", False, "Include subfolders; outputs keep their relative paths.")


def _define_photo_flags():
    flags.DEFINE_enum(
        "format",
        None,
        ["jpeg", "png", "webp", "avif", "heic", "tiff", "bmp"],
        "Format of the outputs of photos. Default: the photo's own format, or PNG.",
    )
    flags.DEFINE_integer(
        "quality",
        None,
        "Quality of outputs in JPEG, WebP, AVIF and HEIC, 1 to 100. Default: 95, AVIF and HEIC 90; "
        "a WebP is lossless if the photo is.",
    )
    flags.DEFINE_bool(
        "strip_metadata", False, "Leave out the photos' date, place, camera and other tags."
    )
    flags.DEFINE_bool(
        "keep_profile",
        False,
        "Write outputs in the photos' own colour profile, such as Display P3, instead of sRGB.",
    )


def _define_video_flags():
    flags.DEFINE_enum(
        "codec",
        None,
        ["h264", "hevc", "av1", "vp9", "prores", "ffv1"],
        "Codec of videos; ffv1 is lossless. Default: h264, in WebM vp9.",
    )
    flags.DEFINE_integer(
        "bits",
        8,
        "Bits of each colour: 8; 10 for videos, with hevc and av1; 16 for photos, which become PNG "
        "or TIFF.",
    )
    flags.DEFINE_integer(
        "crf",
        None,
        "Quality of videos; smaller values give better quality and larger files: 0 to 51 for h264 "
        "(default 18) and hevc (20), 0 to 63 for av1 (26) and vp9 (22). prores, ffv1, GIF and WebP "
        "have none.",
    )
    flags.DEFINE_enum(
        "container",
        None,
        ["mp4", "mov", "mkv", "webm", "gif", "webp"],
        "Format of output videos. Default: that of the source if it is one of these, mp4 for "
        "others. mkv supports all kinds of sound and subtitles.",
    )
    flags.DEFINE_string("start", None, "Start time in videos, in seconds or h:mm:ss.")
    flags.DEFINE_string("end", None, "End time in videos, in seconds or h:mm:ss.")
    flags.DEFINE_bool(
        "stabilize",
        True,
        "Prevent flicker of brightness and colours in videos by averages within a shot.",
    )
    flags.DEFINE_enum(
        "hdr",
        "sdr",
        ["sdr", "keep"],
        "HDR videos (PQ, HLG, Dolby Vision but profile 5) are tone-mapped to SDR (BT.709), or keep "
        "their colours as they are stored, which are pale to the network.",
    )
    flags.DEFINE_enum(
        "deinterlace",
        "auto",
        ["auto", "on", "off"],
        "Interlaced videos: auto deinterlaces the frames that say they are interlaced, on all of "
        "them, for videos that do not say so.",
    )
    flags.DEFINE_enum(
        "engine",
        "auto",
        ["auto", "keras", "litert"],
        "Inference engine. litert is faster on most CPUs, but needs more memory and some seconds "
        "to start. auto, without a GPU, starts with Keras and switches to the faster one after 20 "
        "seconds of work on photos, or for videos that take more than a minute. It caches the "
        "converted network for the next run.",
    )
    flags.DEFINE_bool("resume", False, "Continue interrupted videos.")
    flags.DEFINE_string(
        "camera",
        None,
        "Number of a camera (0 is the first) or URL of a stream instead of files. It is shown in a "
        "window until q is pressed, and recorded into --output, if set.",
    )


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
            "--output: expected a folder for the results, received nothing" + _meant(photos)
        )
    options = {
        "sizing": FLAGS.sizing,
        "max_side": FLAGS.max_side,
        "engine": FLAGS.engine,
        "strip_memory": FLAGS.strip_memory,
    }
    delivery = style_flags.chosen_delivery()
    stylizer.check_options(FLAGS.checkpoint, style=FLAGS.style, **options)
    video, photo = _options("VideoOptions"), _options("PhotoOptions")

    def make():
        checkpoint = style_flags.chosen_checkpoint()
        if engines.needs_tensorflow(checkpoint, FLAGS.engine, FLAGS.strip_memory):
            if "tensorflow" not in sys.modules:
                print("loading TensorFlow", file=sys.stderr)
            cli.load_tensorflow()
        with cli.muted_stderr():
            made = stylizer.Stylizer(
                checkpoint,
                match_brightness=FLAGS.match_brightness,
                quietly=cli.muted_stderr,
                **dataclasses.asdict(delivery),
                **options,
            )
        if made.note():
            print(f"the model takes {made.note()}", file=sys.stderr)
        return made

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
    )
    for note in report.notes:
        print(note, file=sys.stderr)
    print(summary(report, FLAGS.output))
    if report.stopped is not None:
        print(f"stopped by {report.stopped.name}; --resume continues", file=sys.stderr)
        return 128 + report.stopped
    return 1 if report.failed else 0


def _options(kind):
    """The `VideoOptions` or `PhotoOptions` of the flags."""
    from animegan_tf.stylize import options

    kind = getattr(options, kind)
    values = {field.name: FLAGS[field.name].value for field in dataclasses.fields(kind)}
    # Only the others can have so many.
    if values["bits"] == (16 if kind is options.VideoOptions else 10):
        values["bits"] = 8
    return kind(**values).check()


def _meant(photos):
    """The command that was probably meant by `in.jpg out.png` or `in.jpg folder`, for an error."""
    *inputs, output = photos
    is_output = not os.path.exists(output) or os.path.isdir(output)
    if not inputs or not is_output or (len(inputs) > 1 and os.path.splitext(output)[1]):
        return ""
    return f"; for that output: {shlex.join(['animegan-stylize', *inputs, f'--output={output}'])}"


def _stream(make, photos, options, video):
    """One photo from standard input or to standard output, as - says; returns the exit status.

    Raw frames go from the one to the other.
    """
    from animegan_tf import storage
    from animegan_tf.images import formats
    from animegan_tf.stylize import batch

    if len(photos) != 1:
        raise InputError(f"-: expected one photo with it, received {len(photos)}")
    (name,), output, kind = photos, FLAGS.output, None
    if output != "-":
        kind = formats.kind_of_suffix(os.path.splitext(output)[1])
        if kind is None or os.path.isdir(output):
            raise InputError(f"output: expected a photo's name or -, received {output}")
        if os.path.lexists(output) and not FLAGS.overwrite:
            raise InputError(f"output: {output} exists (--overwrite replaces it)")
    if name == output == "-":
        from animegan_tf.stylize import pipe

        if pipe.is_raw_video(sys.stdin.buffer):
            pipe.run(make, sys.stdin.buffer, sys.stdout.buffer, video, FLAGS.compare, progress=True)
            return 0
    if name == "-":
        data = sys.stdin.buffer.read()
    elif not os.path.isfile(name):
        raise InputError(f"photos: expected a photo's file or -, received {name}")
    else:
        with open(name, "rb") as file:
            data = file.read()
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
    _define_photo_flags()
    _define_video_flags()
    cli.run(main, __name__, __doc__)


if __name__ == "__main__":
    console()
