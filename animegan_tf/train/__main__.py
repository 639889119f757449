r"""Train a style from a folder of photos and a folder of anime frames.

  animegan-train --flagfile=flags/hayao.flags --data_dir=DATA --run_dir=RUN

DATA contains train_photo/, <style>/style/ and, optionally, <style>/smooth/ and val/. Anime frames
can also be read directly from videos, and all images from TFRecord shards:

  ... --source=video --video=film.mkv --data_dir=DATA --run_dir=RUN
  ... --source=tfrecord --tfrecords=SHARDS --run_dir=RUN

The same command with the same run directory resumes from the last checkpoint. To try it without any
data (python -m animegan_tf.train is the same command):

  animegan-train --flagfile=flags/smoke.flags --run_dir=/tmp/smoke
"""

import dataclasses
import functools
import tempfile
from pathlib import Path

from absl import flags

from animegan_tf import cli
from animegan_tf.data.config import CROPS, REFERENCES, SOURCES, DataConfig
from animegan_tf.errors import InputError
from animegan_tf.recipes import GAN_TYPES, GENERATOR_NORMS, PRECISIONS, SIZE_MULTIPLES, Recipe
from animegan_tf.train.distribution import STRATEGIES, this_worker
from animegan_tf.video.timecode import parse_time

FLAGS = flags.FLAGS

_RECIPE_HELP = {
    "arch": "Generator architecture.",
    "norm": "Norm of the discriminator.",
    "gan": "Type of the adversarial losses.",
    "discriminator_weights": "Weights of the discriminator's loss terms: real, generated, gray, "
    "smooth.",
    "epochs": "Length of the run, all phases together.",
    "batch_size": "Images per step, on all devices together.",
    "image_size": "Side of the square training images in pixels.",
    "training_rate": "Generator updates per discriminator update.",
    "init_pixel_weight": "Weight of the mean absolute pixel difference in the initialisation "
    "phase. Not published.",
    "init_color_weight": "Weight of the colour loss in the initialisation phase. Not published.",
    "init_learning_rate_end": "Factor of the learning rate at the end of the initialisation phase, "
    "which decays by a half cosine. Not published.",
    "learning_rate_end": "The same for the adversarial phase. Not published.",
    "match_brightness": "Give outputs the mean brightness of their photos by default, as "
    "published. Stored with the weights. Use --nomatch_brightness for a style that is brighter or "
    "darker than photos on purpose.",
    "generator_norm": "Norm of the generator: published is layer for v2 and lite, instance for v1.",
    "discriminator_epochs": "Epochs after the initialisation phase that train the discriminator "
    "only, so that it knows the style before the generator is trained against it. Not published.",
    "ema_decay": "Decay of a moving average of the generator's weights, which is then saved for "
    "stylising; 0 for none. Not published.",
}
_CHOICES = {
    "arch": tuple(SIZE_MULTIPLES),
    "norm": ("layer", "instance"),
    "generator_norm": GENERATOR_NORMS,
    "gan": GAN_TYPES,
}


def _define_recipe_flags():
    for field in dataclasses.fields(Recipe):
        text = _RECIPE_HELP.get(field.name, f"{field.name.replace('_', ' ').capitalize()}.")
        if field.name in _CHOICES:
            flags.DEFINE_enum(field.name, field.default, _CHOICES[field.name], text)
        elif field.type is bool:
            flags.DEFINE_bool(field.name, field.default, text)
        elif field.type is int:
            flags.DEFINE_integer(field.name, field.default, text)
        elif field.type is float:
            flags.DEFINE_float(field.name, field.default, text)
        else:
            flags.DEFINE_list(field.name, [str(number) for number in field.default], text)


def _define_source_flags():
    flags.DEFINE_string("data_dir", None, "Folder with train_photo/, <style>/style/ and val/.")
    flags.DEFINE_string("style", None, "Name of the style's folder in data_dir.")
    flags.DEFINE_enum(
        "source",
        "images",
        SOURCES,
        "images: read everything from the folders in data_dir. video: read anime frames from "
        "--video and photos from data_dir. tfrecord: read everything from --tfrecords.",
    )
    flags.DEFINE_string("video", None, "Video, or folder of videos, for --source=video.")
    flags.DEFINE_float("video_every", 2.0, "Seconds of video per anime frame.")
    flags.DEFINE_string("video_start", "0", "Start time in each video: seconds or h:mm:ss.")
    flags.DEFINE_string(
        "video_end", None, "End time; a negative time (--video_end=-1:30) counts from the end."
    )
    flags.DEFINE_string(
        "tfrecords", None, "Folder written by tools/make_tfrecords.py, for --source=tfrecord."
    )


def _define_data_flags():
    flags.DEFINE_enum(
        "crop",
        "none",
        CROPS,
        "How squares are cropped from images; with none, images of another size are an error.",
    )
    flags.DEFINE_bool("hflip", False, "Flip images horizontally at random.")
    flags.DEFINE_list(
        "scale", ["1", "1"], "Resize images by a random factor LOW,HIGH; requires --crop."
    )
    flags.DEFINE_float(
        "hue", 0.0, "Largest random hue rotation of the photos, in degrees (0 to 180)."
    )
    flags.DEFINE_float("cache_gb", 2.0, "Memory for decoded images in GB.")
    flags.DEFINE_enum(
        "reference",
        "photo",
        REFERENCES,
        "what results are compared with by content, pixels and colours; not published: flat, the "
        "photo smoothed between its edges, its colours strengthened; drawn, with few tones and "
        "dark lines along its edges besides; painted, in brush-like areas with dark lines along "
        "its long contours",
    )
    flags.DEFINE_float(
        "reference_saturation", 1.0, "Saturation factor of a flat or drawn reference."
    )
    flags.DEFINE_float(
        "reference_gamma", 1.0, "Gamma of a flat or drawn reference; below 1 makes it lighter."
    )
    flags.DEFINE_list(
        "color_shift",
        [],
        "B,G,R added to the colour anime on the 0..255 scale, or auto to remove the style's colour "
        "cast, as the early AnimeGANv2 did (see tools/color_balance.py).",
    )


def _define_run_flags():
    flags.DEFINE_string("run_dir", None, "Folder for checkpoints, scalars and samples.")
    flags.DEFINE_string(
        "features", "imagenet", "VGG weights: imagenet (a download), a .npy, .npz or .h5, or random"
    )
    flags.DEFINE_enum("features_depth", "vgg19", ("vgg19", "vgg16"), "The feature network.")
    flags.DEFINE_integer("steps_per_epoch", None, "Default: max(photos, frames) // batch_size.")
    flags.DEFINE_integer(
        "save_every", 500, "Steps between checkpoints; one is also saved after each epoch."
    )
    flags.DEFINE_float("save_minutes", 0.0, "Minutes between additional checkpoints; 0 for none.")
    flags.DEFINE_integer("keep", 3, "Number of checkpoints to keep.")
    flags.DEFINE_integer(
        "keep_every", 0, "Epochs between generators that are kept permanently; 0 for none."
    )
    flags.DEFINE_integer("samples", 6, "Number of photos in the sample grid.")
    flags.DEFINE_string(
        "init_from", None, "Initial generator: a run, a weights file or a TensorFlow 1 checkpoint."
    )
    flags.DEFINE_integer("seed", 0, "Seed of the weights, the order of the data and the crops.")
    flags.DEFINE_bool("dry_run", False, "Check the configuration, print the plan and stop.")
    flags.DEFINE_bool("synthetic_data", False, "Train on tiny images drawn into run_dir/data.")
    flags.DEFINE_list(
        "allow_change", [], "Flags that may differ from those that run_dir was created with."
    )


def _define_device_flags():
    flags.DEFINE_enum(
        "strategy",
        "auto",
        STRATEGIES,
        "Devices to use; auto: all GPUs, and all workers of TF_CONFIG.",
    )
    flags.DEFINE_enum("mixed_precision", "float32", PRECISIONS, "type of the convolutions")
    flags.DEFINE_bool("jit_compile", False, "compile the steps with XLA")
    flags.DEFINE_bool("deterministic", False, "repeat to the bit, slower on a GPU")
    flags.DEFINE_bool("scale_lr", False, "multiply the learning rates by the number of replicas")


# These flags concern a single command, not the run.
_NOT_RECORDED = frozenset(("run_dir", "dry_run", "allow_change"))
# Recorded, but without influence on what the run computes.
_FREE_TO_CHANGE = frozenset(
    ("cache_gb", "samples", "keep", "keep_every", "save_every", "save_minutes")
)
# Nothing reads these any more, but runs of version 0.1 name them in their flagfiles.
_WITHOUT_EFFECT = frozenset(("cache_style_gram",))


# --help shows these first, then the others by heading.
_FIRST = {
    "Flags that most runs set, besides --flagfile": (
        "style", "data_dir", "run_dir", "crop", "features", "epochs", "batch_size", "image_size",
        "init_from", "dry_run",
    ),
}  # fmt: skip
_GROUPS = {
    "Sources of images": _define_source_flags,
    "Crops and augmentation": _define_data_flags,
    "Run, checkpoints and samples": _define_run_flags,
    "Devices and precision": _define_device_flags,
    "Recipe": _define_recipe_flags,
}


def define_flags():
    """Define this command's flags and return their names as {heading: names}."""
    names = {}
    for heading, define in _GROUPS.items():
        before = set(FLAGS)
        define()
        names[heading] = frozenset(FLAGS) - before
    for name in _WITHOUT_EFFECT:
        flags.DEFINE_bool(name, False, "without effect")
    return names


def _floats(name, texts):
    try:
        return tuple(float(text) for text in texts)
    except ValueError:
        raise InputError(f"{name}: expected numbers, received {','.join(texts)!r}") from None


def recipe_from_flags():
    """The `Recipe` that the parsed flags describe."""
    numbers = {field.name: FLAGS[field.name].value for field in dataclasses.fields(Recipe)}
    name = "discriminator_weights"
    return Recipe(**{**numbers, name: _floats(name, numbers[name])})


# The flags that each source requires, besides run_dir.
_REQUIRED = {
    "images": ("data_dir", "style"),
    "video": ("data_dir", "video"),
    "tfrecord": ("tfrecords",),
}


def _data_config(recipe):
    from animegan_tf.data import synthetic

    drawn = FLAGS.synthetic_data
    if drawn and FLAGS.source != "images":
        raise InputError(
            f"synthetic_data: expected the source images, received --source={FLAGS.source}"
        )
    cli.require_flags("run_dir", *(() if drawn else _REQUIRED[FLAGS.source]))
    numbers = FLAGS.color_shift and FLAGS.color_shift != ["auto"]
    end = FLAGS.video_end
    return DataConfig(
        data_dir=str(Path(FLAGS.run_dir) / "data") if drawn else FLAGS.data_dir or "",
        style=synthetic.STYLE if drawn else FLAGS.style or "",
        image_size=recipe.image_size,
        batch_size=recipe.batch_size,
        crop=FLAGS.crop,
        hflip=FLAGS.hflip,
        scale=_floats("scale", FLAGS.scale),
        hue=FLAGS.hue,
        seed=FLAGS.seed,
        cache_gb=FLAGS.cache_gb,
        color_shift=_floats("color_shift", FLAGS.color_shift) if numbers else None,
        source=FLAGS.source,
        video=FLAGS.video,
        video_every=FLAGS.video_every,
        video_start=parse_time("video_start", FLAGS.video_start),
        video_end=None if end is None else parse_time("video_end", end),
        tfrecords=FLAGS.tfrecords,
        reference=FLAGS.reference,
        reference_saturation=FLAGS.reference_saturation,
        reference_gamma=FLAGS.reference_gamma,
    )


def _run_config():
    from animegan_tf.data import check
    from animegan_tf.train.plan import RunConfig

    recipe = recipe_from_flags()
    data = _data_config(recipe)
    if FLAGS.color_shift == ["auto"]:
        data = dataclasses.replace(data, color_shift=check.color_shift(check.style_mean_bgr(data)))
    same_name = (field.name for field in dataclasses.fields(RunConfig))
    same_name = [name for name in same_name if name not in ("recipe", "data")]
    return RunConfig(recipe=recipe, data=data, **{name: FLAGS[name].value for name in same_name})


def _recorded(names):
    """The flags that describe the run as {name: flagfile line}."""
    recorded = sorted(set(names) - _NOT_RECORDED)
    return {name: FLAGS[name].serialize() for name in recorded if FLAGS[name].value is not None}


def _flag_name(line):
    name = line.removeprefix("--").partition("=")[0]
    return name if name in FLAGS else name.removeprefix("no")


def _refuse_changes(now, path, allowed):
    """Raise `InputError` if the flags differ from those that the run directory was created with."""
    if not path.exists():
        return
    before = set(path.read_text("utf-8", errors="replace").splitlines())
    old = {_flag_name(line): line for line in before}
    changed = {_flag_name(line) for line in before.symmetric_difference(now.values())}
    # A flag of a newer version has no influence at its default value.
    added = {name for name in changed - old.keys() if FLAGS[name].value == FLAGS[name].default}
    refused = sorted(changed - added - _FREE_TO_CHANGE - _WITHOUT_EFFECT - set(allowed))
    if refused:
        details = "; ".join(
            f"{old.get(name, 'not set')} then, {now.get(name, 'not set')} now" for name in refused
        )
        raise InputError(
            f"run_dir: {str(path.parent)!r} was created with other flags ({details}); use another "
            f"directory, or --allow_change={','.join(refused)}"
        )


def _make_plan(config):
    from animegan_tf.data import synthetic
    from animegan_tf.train import plan as training

    if FLAGS.synthetic_data:
        synthetic.make_smoke_dataset(config.data.data_dir, config.recipe.image_size)
    return training.make_plan(config)


def _dry_run(config):
    """The plan as text; missing synthetic data is drawn into a temporary folder."""
    folder = config.data.data_dir
    with tempfile.TemporaryDirectory() as aside:
        if FLAGS.synthetic_data and not any(Path(folder).glob("*")):
            data = dataclasses.replace(config.data, data_dir=aside)
            config = dataclasses.replace(config, data=data)
        return str(_make_plan(config)).replace(aside, folder)


def main(argv, names=()):
    """Train with the parsed flags; returns the exit status."""
    from animegan_tf.train import plan as training

    cli.refuse_arguments(argv)
    config = _run_config()
    recorded = _recorded(names)
    flags_file = Path(config.run_dir) / training.FLAGS_FILE
    _refuse_changes(recorded, flags_file, FLAGS.allow_change)
    worker = this_worker(config.strategy)
    plan = _dry_run(config) if FLAGS.dry_run else _make_plan(config)
    if worker.is_chief:
        print(plan, flush=True)
    if FLAGS.dry_run:
        return 0
    with training.held(config.run_dir, worker):
        # Another command may have trained here while the data was checked.
        _refuse_changes(recorded, flags_file, FLAGS.allow_change)
        training.prepare(plan, worker)
        cli.load_tensorflow()
        from animegan_tf.train import loop

        loop.run(plan, worker, flags_text="\n".join(recorded.values()) + "\n")
    if worker.is_chief:
        print(f"done: {config.run_dir}")
    return 0


def console():
    """Entry point of `animegan-train` and of `python -m animegan_tf.train`."""
    groups = define_flags()
    main_ = functools.partial(main, names=frozenset().union(*groups.values()))
    cli.run(main_, __name__, __doc__, _FIRST | groups)


if __name__ == "__main__":
    console()
