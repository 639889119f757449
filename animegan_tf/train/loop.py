"""The loop over the steps of a training run: resuming, saving, recording, stopping.

It calls `AnimeGAN.update` instead of `fit`, in order to resume in the middle of an epoch, check the
losses of every step and save by steps. The losses of a step are read after the next one has been
started, so that a GPU does not wait, and always before a checkpoint is saved. Every worker runs the
loop; only the chief writes files.
"""

import contextlib
import dataclasses
import functools
import math
import time
from pathlib import Path

import keras
import tensorflow as tf
from tqdm import tqdm

from animegan_tf import images, memory, networks, storage
from animegan_tf.data import sources
from animegan_tf.errors import InputError, Stopped, TrainingError
from animegan_tf.networks import weights
from animegan_tf.signals import Signals
from animegan_tf.stylize.stylizer import Stylizer
from animegan_tf.train import distribution, estimates, failures
from animegan_tf.train.animegan import AnimeGAN
from animegan_tf.train.checkpoints import RunState
from animegan_tf.train.distribution import Worker
from animegan_tf.train.plan import (
    FLAGS_FILE,
    describe_changes,
    learning_rate_factor,
    phase_of,
    resume_place,
)
from animegan_tf.train.summaries import RunRecords

SAMPLE_SIDE = 512
# Time until the first sample grid if no epoch has ended.
EARLY_GRID_SECONDS = 180.0
# Number of successive steps with constant outputs after which a run ends.
CONSTANT_STEPS = 10


@contextlib.contextmanager
def compute_type(name):
    """Build layers and optimisers with this compute type; variables stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name if name == "float32" else f"mixed_{name}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build_model(config, replicas=1):
    """The `AnimeGAN` of `config` with initial weights, or with the generator of `init_from`.

    Call this in the scope of the `tf.distribute` strategy.
    """
    recipe = config.recipe
    if config.scale_lr:
        recipe = distribution.scale_rates(recipe, replicas)
    keras.utils.set_random_seed(config.seed)
    with compute_type(distribution.resolve_precision(config.mixed_precision, config.jit_compile)):
        return _build(config, recipe)


def _build(config, recipe):
    features = networks.build_feature_extractor(config.features, config.features_depth)
    generator = networks.build_generator(recipe.arch, recipe.generator_norm)
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
    return AnimeGAN(generator, discriminator, features, recipe, seed=config.seed)


# The optimisers of each phase, by the beginning of their names.
_OPTIMIZED = {
    "initialize": ("init",),
    "discriminate": ("discriminator",),
    "adversarial": ("generator", "discriminator"),
}


class _Steps:
    """The compiled updates of a model: one graph per phase, the same on every replica."""

    def __init__(self, model, strategy, jit_compile=False):
        self.model = model
        self._strategy = strategy
        self._jit_compile = jit_compile
        # {(phase, update_discriminator): function}; both are part of the traced graph.
        self._updates = {}

    def _compiled(self, update_discriminator):
        strategy = self._strategy
        step = functools.partial(self.model.update, update_discriminator=update_discriminator)
        if self._jit_compile:
            step = tf.function(step, jit_compile=True, autograph=False)

        # No control flow in a step depends on a tensor, and AutoGraph's rewriting takes seconds.
        @tf.function(autograph=False)
        def update(batch):
            # All parts have one size, so the mean of their means is the mean of the batch.
            return tf.nest.map_structure(
                lambda value: strategy.reduce("MEAN", value, axis=None),
                strategy.run(step, args=(batch,)),
            )

        return update

    def __call__(self, step, plan, batch):
        """Do update number `step` (from 0); returns dicts of losses and diagnostics (tensors)."""
        model, recipe = self.model, self.model.recipe
        factor = learning_rate_factor(step, plan)
        names = _OPTIMIZED[model.phase]
        rates = {
            f"{name}_learning_rate": getattr(recipe, f"{name}_learning_rate") * factor
            for name in names
        }
        number = step - plan.ends["discriminate"]
        with_discriminator = model.phase != "adversarial" or number % recipe.training_rate == 0
        key = (model.phase, with_discriminator)
        if key not in self._updates:
            self._updates[key] = self._compiled(with_discriminator)
        for name, rate in zip(names, rates.values(), strict=True):
            getattr(model, f"{name}_optimizer").learning_rate = rate
        losses, measures = self._updates[key](batch)
        return losses, {**measures, **rates}


def _memory():
    """{"memory_gb": peak memory of this process}, on the first GPU or else in main memory.

    Empty if the system does not report it.
    """
    if tf.config.list_physical_devices("GPU"):
        return {"memory_gb": tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e9}
    peak = memory.peak()
    return {} if peak is None else {"memory_gb": peak / 1e9}


def _check_finite(losses, step, state):
    for name, value in losses.items():
        if not math.isfinite(value):
            raise TrainingError(
                f"step {step + 1}: the loss term {name!r} is {value}; the run stops and this "
                f"update is not saved; {failures.last_checkpoint(state)}"
            )


class _Samples:
    """The sample grids of a run: a fixed set of photos, stylised after each epoch."""

    def __init__(self, model, config):
        self._photos = [
            images.limit_side(photo, SAMPLE_SIDE)
            for photo in sources.sample_photos(config.data, config.samples)
        ]
        networks = [model.generator] if model.average is None else [model.generator, model.average]
        # The raw output: matching the photo's brightness would hide drifting brightness.
        self._stylizers = [Stylizer(network, match_brightness=False) for network in networks]

    def write(self, records, step, name):
        """A row for each photo: the photo, the generator's output, the moving average's output."""
        if self._photos:
            rows = [
                [photo, *(stylizer(photo) for stylizer in self._stylizers)]
                for photo in self._photos
            ]
            records.samples(step, name, rows)


class _Run:
    """The state of a running loop; `writes` is true on the worker that records and saves."""

    def __init__(self, plan, strategy, writes, flags_text):
        config = plan.config
        self.plan, self.writes = plan, writes
        with strategy.scope():
            self.model = build_model(config, strategy.num_replicas_in_sync)
        self.state = RunState(self.model, config.run_dir, config.keep, writes=writes)
        self.first = self.state.restore()
        before = self.state.facts
        # The step of the plan, from 0; not the number of updates if the length of epochs changed.
        self.place = self.first and resume_place(plan, self.first, self.model.phase, before)
        self._offset, self._facts = self.first - self.place, plan.facts
        self.changes = describe_changes(before, self._facts)
        self.steps = _Steps(self.model, strategy, config.jit_compile)
        self.batches = distribution.distributed_batches(strategy, config.data, self.place)
        self.started = self.saved_at = time.monotonic()
        self.losses, self._unread = {}, None
        self._constant_steps, self._early_grid_due = 0, not self.first
        if writes:
            self.records = RunRecords(config.run_dir, self.first)
            self._record_flags(flags_text)
            self.samples = _Samples(self.model, config)

    def _record_flags(self, text):
        """Write `FLAGS_FILE`; not earlier, so that a run that fails to start does not change it."""
        if text:
            storage.write_text(Path(self.plan.config.run_dir) / FLAGS_FILE, text)
            self.records.text("flags", text)

    def step(self, step):
        """Do step `step` of the plan, and save if it is due."""
        config, started = self.plan.config, time.perf_counter()
        self.model.phase = phase_of(step, self.plan)
        with failures.reading_a_batch(functools.partial(self.save, step), self.state):
            batch = next(self.batches)
        values = self.steps(step, self.plan, batch)
        self.read()
        self._unread = (step, values, time.perf_counter() - started)
        epoch, done = divmod(step + 1, self.plan.steps_per_epoch)
        now = time.monotonic()
        by_time = config.save_minutes and now - self.saved_at >= 60 * config.save_minutes
        if done == 0 or (step + 1) % config.save_every == 0 or by_time:
            self.save(step + 1)
        if done == 0 and self.writes:
            self._end_epoch(self.updates(step + 1), epoch)
        early = self._early_grid_due and now - self.started >= EARLY_GRID_SECONDS
        if early and self.writes:
            self._early_grid_due = False
            self.samples.write(self.records, step + 1, f"step-{step + 1:07d}")

    def updates(self, step):
        """The number of updates done after `step` steps of the plan."""
        return step + self._offset

    def read(self):
        """Set `losses` to those of the last update and record them, unless that was done before.

        Raises `TrainingError` if a loss is not finite.
        """
        if self._unread is None:
            return
        step, values, seconds = self._unread
        self._unread = None
        self.losses, measures = tf.nest.map_structure(float, values)
        _check_finite(self.losses, self.updates(step), self.state)
        self._check_constant(self.updates(step), measures.get("output_range"))
        if not self.writes:
            return
        measures["seconds"] = seconds
        measures["images_per_second"] = self.plan.config.recipe.batch_size / seconds
        measures.update(_memory())
        phase, epoch = phase_of(step, self.plan), step // self.plan.steps_per_epoch + 1
        self.records.scalars(self.updates(step + 1), phase, epoch, self.losses, measures)

    def _check_constant(self, step, output_range):
        """Raise `TrainingError` for a generator that has returned constant images for some time."""
        if output_range is not None:
            self._constant_steps = self._constant_steps + 1 if output_range == 0.0 else 0
        if self._constant_steps >= CONSTANT_STEPS:
            raise TrainingError(
                f"step {step + 1}: the generator has returned images of a single colour for "
                f"{CONSTANT_STEPS} steps and cannot recover; these updates are not saved; "
                f"use a lower learning rate; {failures.last_checkpoint(self.state)}"
            )

    def save(self, step):
        """Save the state after `step` steps of the plan on the worker that writes."""
        self.read()
        # A dead generator must not replace a good one.
        if self.writes and not self._constant_steps:
            self.state.save(self.updates(step), {**self._facts, "place": step})
        self.saved_at = time.monotonic()

    def _end_epoch(self, step, epoch):
        config = self.plan.config
        self.samples.write(self.records, step, f"epoch-{epoch:04d}")
        self._early_grid_due = False
        if config.keep_every and epoch % config.keep_every == 0:
            name = f"generator-{epoch:04d}{weights.SUFFIX}"
            weights.save_generator(
                self.model.best_generator, Path(config.run_dir) / weights.EPOCH_WEIGHTS / name
            )

    def close(self):
        if self.writes:
            self.records.close()


def run(plan, worker=Worker(), progress=True, flags_text=""):  # noqa: B008, a frozen value
    """Execute `plan`, resuming from the run directory's checkpoint; returns the `AnimeGAN`.

    The caller locks the run directory (`plan.held`). After restoring, `flags_text`, unless empty,
    replaces the `FLAGS_FILE`. Raises `TrainingError` if a loss is not finite or saving fails,
    `Stopped` after SIGTERM or Ctrl-C (the last step is saved then), and `InputError` if the
    configuration does not fit the devices or the checkpoints.
    """
    wanted, jit_compile = plan.config.mixed_precision, plan.config.jit_compile
    say = tqdm.write if worker.is_chief else (lambda text: None)
    if plan.config.deterministic:
        tf.config.experimental.enable_op_determinism()
    if worker.count > 1:
        print(f"waiting for the other {worker.count - 1} worker(s)", flush=True)
    strategy = distribution.make_strategy(plan.config.strategy)
    precision = distribution.resolve_precision(wanted, jit_compile)
    config = dataclasses.replace(plan.config, mixed_precision=precision)
    plan = dataclasses.replace(plan, config=config)
    # Recorded, so that the run keeps it on other devices.
    flags_text = flags_text.replace("--mixed_precision=auto\n", f"--mixed_precision={precision}\n")
    replicas = strategy.num_replicas_in_sync
    distribution.check_batch(config.recipe.batch_size, replicas)
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)
    devices = distribution.describe_devices()
    chosen = f"{precision} (chosen for this device)" if wanted == "auto" else precision
    say(f"{replicas} replica(s), {chosen}, on {devices}")
    say(
        estimates.describe_memory(
            config, replicas, memory.available() if "CPU" in devices else None
        )
    )
    training = _Run(plan, strategy, worker.is_chief, flags_text)
    _say_resumed(training, say)
    bar = tqdm(
        total=training.updates(plan.total_steps),
        initial=training.first,
        unit="step",
        disable=not (progress and worker.is_chief),
    )
    try:
        with failures.running(config, worker.count, training.state), Signals() as signals:
            _train(training, bar, say, signals)
            training.close()
    finally:
        bar.close()
        # After an error closing may fail too; report the first error.
        with contextlib.suppress(OSError):
            training.close()
    return training.model


def _say_resumed(training, say):
    """Print where the run resumes, and what has changed."""
    plan = training.plan
    if not training.first:
        return
    total = training.updates(plan.total_steps)
    epoch = training.place // plan.steps_per_epoch + 1
    epochs = plan.config.recipe.epochs
    if training.place == plan.total_steps:
        more = f"--epochs={epochs + 1} --allow_change=epochs"
        say(f"nothing left to do: all {epochs} epochs are trained; for more: {more}")
        return
    phase = phase_of(training.place, plan)
    say(f"resuming after step {training.first} of {total}: epoch {epoch} of {epochs}, {phase}")
    if training.changes:
        say(f"changed since the checkpoint: {training.changes}")
    for note in training.state.notes:
        say(note)


def _train(training, bar, say, signals):
    """Do the remaining steps; raises `Stopped` after a signal, when the last step is saved."""
    plan = training.plan
    clock = estimates.Clock(plan.config.recipe.arch)
    for step in range(training.place, plan.total_steps):
        training.step(step)
        bar.update()
        shown = " ".join(f"{name} {value:.3g}" for name, value in training.losses.items())
        bar.set_postfix_str(f"{training.model.phase} {shown}")
        text = clock.after(training.model.phase, plan.steps_left(step + 1))
        if text:
            say(text)
        if signals.received is not None:
            say("stopping: saving the state")
            training.save(step + 1)
            raise Stopped(signals.received, training.updates(step + 1), training.state.latest)
