r"""Train a style from a folder of photos and a folder of anime frames.

  animegan-train --recipe=hayao --style=MyStyle --data_dir=DATA --run_dir=RUN

DATA contains train_photo/, <style>/style/ and, optionally, <style>/smooth/ and val/. Anime frames
can also be read directly from videos, and all images from TFRecord shards:

  ... --source=video --video=film.mkv --data_dir=DATA --run_dir=RUN
  ... --source=tfrecord --tfrecords=SHARDS --run_dir=RUN

The same command with the same run directory resumes from the last checkpoint. To try it without any
data (python -m animegan_tf.train is the same command):

  animegan-train --recipe=smoke --run_dir=/tmp/smoke
"""

import dataclasses
import functools
import os
import tempfile
from pathlib import Path

from absl import flags

from animegan_tf import cli
from animegan_tf.data.config import DataConfig
from animegan_tf.errors import InputError
from animegan_tf.recipes import RECIPES, Recipe
from animegan_tf.train.config import RunConfig
from animegan_tf.train.distribution import this_worker

FLAGS = flags.FLAGS

# What each --recipe sets besides the fields of `Recipe`.
_RECIPE_FLAGS = {
    "hayao": {"style": "Hayao"},
    "paprika": {"style": "Paprika"},
    "shinkai": {"style": "Shinkai"},
    "lite": {"style": "Hayao"},
    "v1": {"style": "Hayao"},
    "smoke": {
        "synthetic_data": True,
        "features": "random",
        "steps_per_epoch": 4,
        "save_every": 3,
        "samples": 2,
    },
}


def _define_command_flags():
    flags.DEFINE_enum(
        "recipe",
        None,
        tuple(RECIPES),
        "Take every number from a published recipe, or from smoke, a trial of half a minute "
        "without data; other flags replace single numbers.",
    )
    flags.DEFINE_bool("dry_run", False, "Check the configuration, print the plan and stop.")
    flags.DEFINE_bool("synthetic_data", False, "Train on tiny images drawn into run_dir/data.")
    flags.DEFINE_list(
        "allow_change", [], "Flags that may differ from those that run_dir was created with."
    )


# These flags concern a single command, not the run.
_NOT_RECORDED = frozenset(("run_dir", "recipe", "dry_run", "allow_change"))
# Recorded, but without influence on what the run computes.
_FREE_TO_CHANGE = frozenset(
    ("cache_gb", "samples", "keep", "keep_every", "save_every", "save_minutes", "smooth_dir")
)
# The shapes of the networks depend on these.
_FIXED = frozenset(
    (
        *("arch", "generator_norm", "norm", "spectral_norm"),
        *("discriminator_channels", "discriminator_depth"),
    )
)
_PATHS = ("data_dir", "video", "tfrecords", "features", "init_from")
# No longer used, but flagfiles of version 0.1 contain them.
_WITHOUT_EFFECT = frozenset(("cache_style_gram",))


# --help shows these first, then the others by heading.
_FIRST = {
    "Flags that most runs set": (
        "recipe", "style", "data_dir", "run_dir", "crop", "features", "epochs", "batch_size",
        "image_size", "dry_run",
    ),
}  # fmt: skip
_GROUPS = {
    "Images, crops and augmentation": functools.partial(cli.define_fields, DataConfig),
    "Run, checkpoints and devices": functools.partial(cli.define_fields, RunConfig),
    "This command": _define_command_flags,
    "Recipe": functools.partial(cli.define_fields, Recipe),
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


def _apply_recipe():
    """Set the flags of --recipe that the command line does not set."""
    if FLAGS.recipe is None:
        return
    # Published in float32.
    values = {"mixed_precision": "none", **vars(RECIPES[FLAGS.recipe])}
    for name, value in {**values, **_RECIPE_FLAGS[FLAGS.recipe]}.items():
        if not FLAGS[name].present:
            numbers = isinstance(value, tuple)
            FLAGS[name].value = [f"{number:g}" for number in value] if numbers else value


# The flags that each source requires, besides run_dir.
_REQUIRED = {
    "images": ("data_dir", "style"),
    "video": ("data_dir", "video"),
    "tfrecord": ("tfrecords",),
}


def _data_config(recipe):
    from animegan_tf.data import smoothing, synthetic

    drawn = FLAGS.synthetic_data
    if drawn and FLAGS.source != "images":
        raise InputError(
            f"synthetic_data: expected the source images, received --source={FLAGS.source}"
        )
    cli.require_flags("run_dir", *(() if drawn else _REQUIRED[FLAGS.source]))
    values = cli.read_fields(DataConfig, skip=("color_shift",) if _is_auto() else ())
    values |= {name: getattr(recipe, name) for name in ("image_size", "batch_size")}
    values["data_dir"] = str(Path(FLAGS.run_dir) / "data") if drawn else FLAGS.data_dir or ""
    values["style"] = synthetic.STYLE if drawn else FLAGS.style or ""
    config = DataConfig(**values, seed=FLAGS.seed)
    if config.smooth_dir is None and smoothing.cannot_write(config):
        config = dataclasses.replace(config, smooth_dir=str(Path(FLAGS.run_dir) / "smooth"))
    return config


def _is_auto():
    return FLAGS.color_shift == ["auto"]


def _run_config():
    from animegan_tf.data import check

    recipe = Recipe(**cli.read_fields(Recipe))
    data = _data_config(recipe)
    if _is_auto():
        data = dataclasses.replace(data, color_shift=check.color_shift(check.style_mean_bgr(data)))
    return RunConfig(recipe=recipe, data=data, **cli.read_fields(RunConfig))


def _settle_precision(flags_file):
    """Replace "none", and "auto" in a run that has begun, which keeps its precision."""
    if FLAGS.mixed_precision == "auto" and _has_begun(flags_file):
        lines = flags_file.read_text("utf-8", errors="surrogateescape").splitlines()
        recorded = (line.partition("=") for line in lines)
        values = {name: value for name, _, value in recorded}
        FLAGS.mixed_precision = values.get("--mixed_precision", "float32")
    elif FLAGS.mixed_precision == "none":
        FLAGS.mixed_precision = "float32"


def _has_begun(flags_file):
    return flags_file.exists() and any(flags_file.parent.glob("checkpoints/*.index"))


def _recorded(names):
    """The flags that describe the run as {name: flagfile line}."""
    recorded = sorted(set(names) - _NOT_RECORDED)
    return {name: FLAGS[name].serialize() for name in recorded if FLAGS[name].value is not None}


def _flag_name(line):
    name = line.removeprefix("--").partition("=")[0]
    return name if name in FLAGS else name.removeprefix("no")


def _comparable(line):
    """A flagfile's line; paths are compared by the places that they name."""
    name, _, path = line.removeprefix("--").partition("=")
    return f"--{name}={os.path.realpath(path)}" if name in _PATHS else line


def _refuse_changes(now, path, allowed):
    """Raise `InputError` if the flags differ from those that the run directory was created with.

    A run without a checkpoint has nothing to lose and may start with any flags.
    """
    if not _has_begun(path):
        return
    before = path.read_text("utf-8", errors="surrogateescape").splitlines()
    old = {_flag_name(line): line for line in before}
    differing = set(map(_comparable, before)).symmetric_difference(map(_comparable, now.values()))
    changed = {_flag_name(line) for line in differing}
    # A flag of a newer version has no influence at its default value.
    added = {name for name in changed - old.keys() if FLAGS[name].value == FLAGS[name].default}
    fixed = changed & _FIXED & old.keys()
    if fixed & set(allowed):
        raise InputError(
            f"allow_change: expected no {', '.join(sorted(fixed))}, on which the weights depend; "
            f"use another run_dir, with --init_from={path.parent} to start from its generator"
        )
    refused = sorted(changed - added - _FREE_TO_CHANGE - _WITHOUT_EFFECT - set(allowed))
    if refused:
        details = "; ".join(
            f"{old.get(name, 'not set')} then, {now.get(name, 'not set')} now" for name in refused
        )
        allowable = sorted(set(refused) - fixed)
        raise InputError(
            f"run_dir: {str(path.parent)!r} was created with other flags ({details}); use another "
            "directory" + (f", or --allow_change={','.join(allowable)}" if allowable else "")
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
    _apply_recipe()
    if FLAGS.run_dir is not None:
        _settle_precision(Path(FLAGS.run_dir) / training.FLAGS_FILE)
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
        if plan.report.smooth_missing and worker.count == 1:
            # Report wrong features before smoothing, which takes minutes.
            cli.load_tensorflow()
            from animegan_tf import networks

            networks.build_feature_extractor(config.features, config.features_depth)
        training.prepare(plan, worker)
        cli.load_tensorflow()
        from animegan_tf.train import loop

        loop.run(plan, worker, flags_text="\n".join(recorded.values()) + "\n")
    if worker.is_chief:
        print(f"done: {config.run_dir}")
        print(f"next: animegan-stylize PHOTOS --checkpoint={config.run_dir} --output=OUT")
    return 0


def console():
    """Entry point of `animegan-train` and of `python -m animegan_tf.train`."""
    groups = define_flags()
    main_ = functools.partial(main, names=frozenset().union(*groups.values()))
    cli.run(main_, __name__, __doc__, _FIRST | groups)


if __name__ == "__main__":
    console()
