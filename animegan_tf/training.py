"""A training run: checks, the loop over steps, resuming. Knows no flags; `train.py` is its entry.

The loop drives `AnimeGAN`'s steps itself rather than through `fit`: it resumes in the middle of an
epoch, looks at every step's losses, and saves by steps.
"""

import dataclasses
import math
import time
from pathlib import Path

import numpy as np

from animegan_tf.config import Recipe
from animegan_tf.data.check import check_dataset
from animegan_tf.data.config import DataConfig
from animegan_tf.errors import InputError, TrainingError

SAMPLE_SIDE = 512


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """A training run. `features` and `features_depth` go to `build_feature_extractor`.

    `steps_per_epoch` None is the published rule, max(photos, frames) // batch; `save_every` counts
    steps; `samples` photos are stylised after each epoch; `init_from` names a generator to start
    from (see `weights.load_generator`).
    """

    run_dir: str
    recipe: Recipe
    data: DataConfig
    features: str = "imagenet"
    features_depth: str = "vgg19"
    steps_per_epoch: int | None = None
    save_every: int = 500
    keep: int = 3
    samples: int = 6
    init_from: str | None = None
    seed: int = 0

    def __post_init__(self):
        for name, least in (("save_every", 1), ("keep", 1), ("samples", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(
                    f"{name}: expected {least} or more, received {getattr(self, name)}"
                )
        if self.steps_per_epoch is not None and self.steps_per_epoch < 1:
            raise InputError(
                f"steps_per_epoch: expected 1 or more, received {self.steps_per_epoch}"
            )


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run will do: its configuration, the data it found, and the resulting numbers."""

    config: RunConfig
    report: object
    steps_per_epoch: int

    @property
    def total_steps(self):
        return self.steps_per_epoch * self.config.recipe.epochs

    @property
    def init_steps(self):
        return self.steps_per_epoch * min(self.config.recipe.init_epochs, self.config.recipe.epochs)

    def __str__(self):
        recipe, config = self.config.recipe, self.config
        adversarial = recipe.epochs - min(recipe.init_epochs, recipe.epochs)
        return "\n".join(
            (
                str(self.report),
                f"generator {recipe.arch}, features {config.features_depth} from {config.features}",
                f"{self.steps_per_epoch} steps of {recipe.batch_size} pictures at "
                f"{recipe.image_size}x{recipe.image_size} per epoch: "
                f"{recipe.epochs - adversarial} epochs of initialisation, {adversarial} "
                f"adversarial, {self.total_steps} steps in all",
                f"output in {config.run_dir}",
            )
        )


def make_plan(config):
    """Check the data of `config` and return the `Plan`; `InputError` when it cannot train."""
    report = check_dataset(config.data)
    report.raise_if_bad()
    steps = config.steps_per_epoch
    if steps is None:
        larger = max(report.folders[name].count for name in ("train_photo", "style"))
        steps = max(1, larger // config.recipe.batch_size)
    return Plan(config, report, steps)


def prepare(plan):
    """Make what the plan's data lacks: the edge-smoothed frames."""
    from animegan_tf.data.smoothing import ensure_smooth

    made = ensure_smooth(plan.config.data)
    if made:
        print(f"made {made} edge-smoothed frames in {plan.config.data.smooth_dir}", flush=True)


def phase_of(step, plan):
    """The phase of update number `step`, counted from 0."""
    return "initialize" if step < plan.init_steps else "adversarial"


def learning_rate_factor(step, plan):
    """What the phase's learning rates are multiplied with at update number `step`, from 0.

    1 with the published recipe; else a half cosine from 1 down to the recipe's end factor.
    """
    recipe = plan.config.recipe
    if phase_of(step, plan) == "initialize":
        end, done, length = recipe.init_learning_rate_end, step, plan.init_steps
    else:
        end, done = recipe.learning_rate_end, step - plan.init_steps
        length = plan.total_steps - plan.init_steps
    return end + (1.0 - end) * 0.5 * (1.0 + math.cos(math.pi * done / max(1, length)))


def build_model(config):
    """The `AnimeGAN` of `config` with fresh weights, or with the generator of `init_from`."""
    import keras

    from animegan_tf import networks, weights
    from animegan_tf.trainer import AnimeGAN

    recipe = config.recipe
    keras.utils.set_random_seed(config.seed)
    features = networks.build_feature_extractor(config.features, config.features_depth)
    generator = networks.build_generator(recipe.arch)
    if config.init_from is not None:
        source = weights.load_generator(config.init_from)
        if source.name != generator.name:
            raise InputError(
                f"init_from: expected a generator of arch {recipe.arch}, received "
                f"{config.init_from!r}, which holds a {source.name}"
            )
        generator.set_weights(source.get_weights())
    discriminator = networks.build_discriminator(
        recipe.norm,
        recipe.discriminator_channels,
        recipe.discriminator_depth,
        recipe.spectral_norm,
    )
    return AnimeGAN(generator, discriminator, features, recipe)


class _Steps:
    """The compiled updates of a model: one graph for each kind."""

    def __init__(self, model):
        import tensorflow as tf

        self.model = model
        self.initialize = tf.function(model.initialize_step)
        self.adversarial = tf.function(model.adversarial_step)
        self.update_average = tf.function(model.update_average)
        self._float = lambda value: tf.constant(value, tf.float32)

    def __call__(self, step, plan, batch):
        """Do update number `step` (from 0); returns its losses as a dict of floats."""
        model, recipe = self.model, plan.config.recipe
        factor = learning_rate_factor(step, plan)
        if model.phase == "initialize":
            model.init_optimizer.learning_rate = recipe.init_learning_rate * factor
            losses = self.initialize(batch)
        else:
            model.generator_optimizer.learning_rate = recipe.generator_learning_rate * factor
            model.discriminator_optimizer.learning_rate = (
                recipe.discriminator_learning_rate * factor
            )
            turn = (step - plan.init_steps) % recipe.training_rate == 0
            losses = self.adversarial(batch, update_discriminator=turn)
        losses = {name: float(value) for name, value in losses.items()}
        self.update_average(self._float(step))
        return losses


def _check_finite(losses, step, state):
    for name, value in losses.items():
        if not np.isfinite(value):
            saved = (
                f"the last saved checkpoint is {state.latest}"
                if state.latest
                else ("no checkpoint had been saved")
            )
            raise TrainingError(
                f"step {step + 1}: the loss term {name!r} is {value}; the run stops and this "
                f"update is not saved; {saved}"
            )


class _Samples:
    """The sample grids of a run: a fixed set of photos, stylised after each epoch."""

    def __init__(self, model, config):
        from animegan_tf import images
        from animegan_tf.data.files import list_images
        from animegan_tf.stylizer import Stylizer

        folder = config.data.val_dir if config.data.val_dir.is_dir() else config.data.photo_dir
        self._photos = [
            images.limit_side(images.read_photo(path).rgb, SAMPLE_SIDE)
            for path in list_images(folder)[: config.samples]
        ]
        networks = [model.generator] if model.average is None else [model.generator, model.average]
        # The raw result: matching the photo's brightness would hide a network that drifts.
        self._stylizers = [Stylizer(network, match_brightness=False) for network in networks]

    def write(self, records, step, epoch):
        """A row for each photo: itself, the generator's result, the running average's."""
        if self._photos:
            rows = [
                [photo, *(stylizer(photo) for stylizer in self._stylizers)]
                for photo in self._photos
            ]
            records.samples(step, epoch, rows)


def run(plan, progress=True):
    """Train as `plan` says, resuming what the run directory holds; returns the `AnimeGAN`.

    Raises `TrainingError` when a loss is not finite.
    """
    from tqdm import tqdm

    from animegan_tf.checkpoints import RunState
    from animegan_tf.data.pipeline import make_dataset
    from animegan_tf.records import RunRecords

    config = plan.config
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)
    model = build_model(config)
    state = RunState(model, config.run_dir, config.keep)
    first = state.restore()
    if first:
        print(f"resuming after step {first} of {plan.total_steps}", flush=True)
    records = RunRecords(config.run_dir, first)
    samples = _Samples(model, config)
    steps = _Steps(model)
    batches = iter(make_dataset(config.data, start_step=first))
    bar = tqdm(total=plan.total_steps, initial=first, unit="step", disable=not progress)
    try:
        for step in range(first, plan.total_steps):
            started = time.perf_counter()
            model.phase = phase_of(step, plan)
            losses = steps(step, plan, next(batches))
            _check_finite(losses, step, state)
            epoch, done = divmod(step + 1, plan.steps_per_epoch)
            seconds = time.perf_counter() - started
            records.scalars(
                step + 1,
                model.phase,
                step // plan.steps_per_epoch + 1,
                {**losses, "seconds": seconds},
            )
            bar.update()
            bar.set_postfix_str(
                f"{model.phase} " + " ".join(f"{k} {v:.3g}" for k, v in losses.items())
            )
            if done == 0 or (step + 1) % config.save_every == 0:
                state.save(step + 1)
            if done == 0:
                samples.write(records, step + 1, epoch)
    finally:
        bar.close()
        records.close()
    return model
