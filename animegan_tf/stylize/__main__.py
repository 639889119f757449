"""Turn photos and films into anime style.

    animegan-stylize holiday.jpg --output=anime
    animegan-stylize photos/ more/*.jpg --output=anime --style=hayao
    animegan-stylize clip.mp4 --output=anime --max_side=960
    animegan-stylize --camera=0
    python -m animegan_tf.stylize holiday.jpg --output=anime --checkpoint=runs/hayao

Arguments are photos, films, GIFs, animated WebPs and folders of them. The results go into --output
under the photos' names, at the photos' size; films keep their sound, subtitles, chapters and time
stamps. Results that exist are left as they are, and photos are never written over. The style is the
one that ships with this project, another by name (--list_styles shows them), or one's own
--checkpoint. Ctrl-C leaves a film that can be played with what was done; --resume goes on with it,
and with one that was killed. The exit status is 1 when a photo or film could not be done, or was
damaged.
"""

import dataclasses
import os
import sys

from absl import flags

from animegan_tf import cli, style_flags, styles
from animegan_tf.errors import InputError

FLAGS = flags.FLAGS


def _define_flags():
    # Not on import: programs with a flag of the same name could not import this module then.
    flags.DEFINE_string("output", None, "Folder for the results; made if missing. Required.")
    style_flags.define_style_flags(
        "a run directory of training, a .weights.h5 file, a TensorFlow 1 checkpoint (its folder, "
        "prefix or .index file), or an export: a .tflite file or a SavedModel folder"
    )
    style_flags.define_delivery_flags()
    flags.adopt_module_key_flags(style_flags)
    flags.DEFINE_bool(
        "compare", False, "Write photo and result side by side instead, as NAME_compare."
    )
    flags.DEFINE_enum(
        "sizing",
        "photo",
        ["photo", "published"],
        "photo: results have the photo's size. published: each side is changed to a multiple of "
        "32 and at least 256, as in the original code, and the result has that size.",
    )
    flags.DEFINE_bool(
        "match_brightness",
        None,
        "Give the result the photo's mean brightness, as the original. Default: what the style "
        "records; the styles that ship with this project change the brightness on purpose.",
    )
    flags.DEFINE_integer(
        "max_side",
        None,
        "Shrink photos and films whose longer side is over this first.",
    )
    flags.DEFINE_float(
        "strip_memory",
        None,
        "Gigabytes for the network's work on a photo, beside 0.6 of TensorFlow itself: every photo "
        "is computed in strips then, with the same result. By default photos are that would not "
        "fit into the free memory whole.",
    )
    flags.DEFINE_bool("overwrite", False, "Replace results that exist, instead of leaving them.")
    flags.DEFINE_bool(
        "recursive", False, "Look into folders below the given ones too; results keep their paths."
    )


def _define_video_flags():
    flags.DEFINE_enum(
        "codec",
        None,
        ["h264", "hevc", "av1", "vp9", "prores", "ffv1"],
        "How films are compressed; ffv1 is lossless. Default: h264, in WebM vp9.",
    )
    flags.DEFINE_integer("bits", 8, "Of each colour of films: 8, or 10 with hevc and av1.")
    flags.DEFINE_integer(
        "crf",
        None,
        "Quality of films, smaller is better and larger files. Default: 18 for h264, hevc 20, "
        "av1 26, vp9 22.",
    )
    flags.DEFINE_enum(
        "container",
        None,
        ["mp4", "mov", "mkv", "webm", "gif", "webp"],
        "What films are written as. Default: as they came for mp4, mov, mkv, gif and webp, mkv for "
        "webm, mp4 for others. mkv holds every kind of sound and subtitles.",
    )
    flags.DEFINE_string("start", None, "Where films begin, in seconds or h:mm:ss.")
    flags.DEFINE_string("end", None, "Where films end, in seconds or h:mm:ss.")
    flags.DEFINE_bool(
        "stabilize",
        True,
        "Keep brightness and colours of films from flickering, by averages within a shot.",
    )
    flags.DEFINE_enum(
        "hdr",
        "sdr",
        ["sdr", "keep"],
        "HDR films (PQ, HLG, Dolby Vision but profile 5) are tone-mapped to SDR (BT.709), or keep "
        "their colours as they are stored, which are pale to the network.",
    )
    flags.DEFINE_enum(
        "engine",
        "auto",
        ["auto", "keras", "litert"],
        "What runs the network. litert is faster on most processors, takes more memory and some "
        "seconds to start. auto, without a GPU, begins with Keras and after 20 seconds of work on "
        "photos, or for films of over a minute's work, goes on with the one that measures faster; "
        "it keeps the converted network, in the user's cache, and begins with it the next time.",
    )
    flags.DEFINE_bool("resume", False, "Go on with films that were interrupted.")
    flags.DEFINE_string(
        "camera",
        None,
        "Instead of files: number of a camera (0 is the first) or address of a stream, shown in a "
        "window until q is pressed, and recorded into --output if that is given.",
    )


def main(argv):
    """Stylise `argv[1:]` as the flags say; returns the exit status."""
    if FLAGS.list_styles:
        print("\n".join(styles.listing(FLAGS.styles_dir)))
        return 0
    # Before OpenCV is loaded: what it prints about damaged files is said better here.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    from animegan_tf.stylize import batch, engines, stylizer

    photos = argv[1:]
    if not photos and FLAGS.camera is None:
        raise InputError("photos: expected photos or folders of photos, received none (see --help)")
    if not FLAGS.output and FLAGS.camera is None:
        raise InputError("--output: expected a folder for the results, received nothing")
    options = {
        "sizing": FLAGS.sizing,
        "max_side": FLAGS.max_side,
        "engine": FLAGS.engine,
        "strip_memory": FLAGS.strip_memory,
    }
    delivery = style_flags.chosen_delivery()
    stylizer.check_options(FLAGS.checkpoint, style=FLAGS.style, **options)
    video = _video_options()

    def make():
        checkpoint = style_flags.chosen_checkpoint()
        if engines.needs_tensorflow(checkpoint, FLAGS.engine, FLAGS.strip_memory):
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
    report = batch.stylize_paths(
        make,
        photos,
        FLAGS.output,
        compare=FLAGS.compare,
        overwrite=FLAGS.overwrite,
        recursive=FLAGS.recursive,
        progress=True,
        video=video,
    )
    print(summary(report, FLAGS.output))
    if report.stopped is not None:
        print(f"stopped by {report.stopped.name}; --resume goes on", file=sys.stderr)
        return 128 + report.stopped
    return 1 if report.failed else 0


def _video_options():
    from animegan_tf.stylize.options import VideoOptions

    names = [field.name for field in dataclasses.fields(VideoOptions)]
    return VideoOptions(**{name: FLAGS[name].value for name in names}).check()


def _camera(make, photos, video):
    if photos:
        raise InputError(f"camera: expected no photos or films with --camera, received {photos[0]}")
    from animegan_tf.stylize import camera

    report = camera.run(
        FLAGS.camera, make, FLAGS.output, video, compare=FLAGS.compare, progress=True
    )
    print(report)
    return 0


def summary(report, output):
    """A line that says what a `Report` has."""
    parts = [f"{len(report.written)} written to {output}"]
    if report.skipped:
        parts.append(f"{len(report.skipped)} left as they were (--overwrite replaces them)")
    if report.failed:
        parts.append(f"{len(report.failed)} failed")
    return ", ".join(parts)


def console():
    """Entry point of `animegan-stylize` and of `python -m animegan_tf.stylize`."""
    _define_flags()
    _define_video_flags()
    cli.run(main, __name__, __doc__)


if __name__ == "__main__":
    console()
