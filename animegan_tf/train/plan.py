"""The checked plan of a training run. Imports no TensorFlow.

`__main__` creates it from a `config.RunConfig`; `loop.run` executes it.
"""

import contextlib
import dataclasses
import math
import os
import time
import zlib
from pathlib import Path

from animegan_tf import storage
from animegan_tf.data.check import DatasetReport, check_dataset
from animegan_tf.data.smoothing import ensure_smooth, missing_smooth
from animegan_tf.errors import InputError, TrainingError
from animegan_tf.networks.weights import EPOCH_WEIGHTS, SCALARS
from animegan_tf.train.config import RunConfig
from animegan_tf.train.distribution import Worker

# Files in the run directory: the flags of the last command, and the lock of the running process.
FLAGS_FILE = "flags.txt"
LOCK = ".lock"
# Seconds that a worker waits for progress of the first worker, and between two checks.
PATIENCE, POLL = 300.0, 2.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """A checked run: its configuration, the report on its data, and the resulting numbers."""

    config: RunConfig
    report: DatasetReport
    steps_per_epoch: int

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.config.recipe.epochs

    @property
    def init_steps(self) -> int:
        return self.steps_per_epoch * min(self.config.recipe.init_epochs, self.config.recipe.epochs)

    @property
    def discriminator_steps(self) -> int:
        """Steps that train only the discriminator, after the `init_steps`."""
        steps = self.steps_per_epoch * self.config.recipe.discriminator_epochs
        return min(steps, self.total_steps - self.init_steps)

    @property
    def ends(self) -> dict[str, int]:
        """The step after which each phase ends, in the order of the phases."""
        first = self.init_steps + self.discriminator_steps
        return {
            "initialize": self.init_steps,
            "discriminate": first,
            "adversarial": self.total_steps,
        }

    def steps_left(self, place) -> dict[str, int]:
        """The steps from `place` to the end in each phase."""
        starts = (0, *self.ends.values())
        phases = zip(self.ends.items(), starts, strict=False)
        return {phase: max(0, end - max(place, start)) for (phase, end), start in phases}

    @property
    def facts(self) -> dict[str, int]:
        """What a checkpoint stores about this plan: see `checkpoints.FACTS`."""
        photos, frames = (self.report.folders[name] for name in ("train_photo", "style"))
        names = [
            str(item)
            for folder in (photos, frames)
            for item in getattr(folder.pictures, "items", ())
        ]
        return {
            "steps_per_epoch": self.steps_per_epoch,
            "batch_size": self.config.recipe.batch_size,
            "photos": photos.count,
            "frames": frames.count,
            "names": zlib.crc32("\n".join(map(os.path.basename, names)).encode("utf-8", "replace")),
        }

    def __str__(self):
        recipe, config = self.config.recipe, self.config
        initial = min(recipe.init_epochs, recipe.epochs)
        alone = self.discriminator_steps // self.steps_per_epoch
        discriminator = f"{alone} of the discriminator only, " if alone else ""
        return "\n".join(
            (
                str(self.report),
                f"generator {recipe.arch}, features {config.features_depth} from {config.features}",
                f"{self.steps_per_epoch} steps of {recipe.batch_size} images at "
                f"{recipe.image_size}x{recipe.image_size} per epoch: "
                f"{initial} epochs of initialisation, {discriminator}"
                f"{recipe.epochs - initial - alone} adversarial, {self.total_steps} steps in all",
                f"output in {config.run_dir}",
            )
        )


def _check_files(config):
    """Raise `InputError` for missing files, which the run itself would read only after a minute."""
    if config.features not in ("imagenet", "random") and not os.path.isfile(config.features):
        raise InputError(
            "features: expected imagenet, random, a .npy, .npz or Keras .h5 file, found no file at "
            f"{config.features!r}"
        )
    start = config.init_from
    # The path of a TensorFlow 1 checkpoint is the prefix of its files.
    if start is not None and not (os.path.exists(start) or os.path.exists(f"{start}.index")):
        raise InputError(f"init_from: expected a generator, found nothing at {start!r}")


def make_plan(config):
    """Check the data of `config` and return the `Plan`. Raises `InputError` for unusable data."""
    _check_files(config)
    report = check_dataset(config.data)
    report.raise_if_bad()
    steps = config.steps_per_epoch
    if steps is None:
        larger = max(report.folders[name].count for name in ("train_photo", "style"))
        steps = max(1, larger // config.recipe.batch_size)
    return Plan(config, report, steps)


def _refuse_links(run_dir):
    """Refuse links in a run directory, through which files elsewhere would be changed."""
    for name in (LOCK, "checkpoints", EPOCH_WEIGHTS, SCALARS, "samples", "tensorboard"):
        if (run_dir / name).is_symlink():
            raise InputError(
                f"run_dir: expected a directory without links, received {run_dir}, in which {name} "
                "is a link; link the whole run directory instead"
            )


@contextlib.contextmanager
def held(run_dir, worker=Worker()):  # noqa: B008, a frozen value
    """Create `run_dir` and lock it, so that no other process mixes its checkpoints with these.

    The chief locks it for all workers. Raises `InputError` if another process has locked it.
    """
    with contextlib.ExitStack() as stack:
        if worker.is_chief:
            Path(run_dir).mkdir(parents=True, exist_ok=True)
            _refuse_links(Path(run_dir))
            try:
                stack.enter_context(storage.locked(Path(run_dir) / LOCK))
            except BlockingIOError as error:
                raise InputError(
                    f"run_dir: expected a directory that no other process trains in, received "
                    f"{run_dir}, which another process is using"
                ) from error
        yield


def prepare(plan, worker=Worker()):  # noqa: B008, a frozen value
    """Create missing edge-smoothed frames of the plan's data on the chief; other workers wait.

    Only the source "images" needs this: frames of videos are smoothed on the fly, and shards
    contain smoothed frames.
    """
    data = plan.config.data
    if data.source != "images":
        return
    if worker.is_chief:
        count = ensure_smooth(data)
        if count:
            print(f"created {count} edge-smoothed frames in {data.smooth_path}", flush=True)
        return
    print("waiting for the first worker to smooth the frames", flush=True)
    left, since = None, time.monotonic()
    while missing := missing_smooth(data.style_dir, data.smooth_path):
        if len(missing) != left:
            left, since = len(missing), time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            raise TrainingError(
                f"the first worker has smoothed no frame for {PATIENCE:.0f} s; if it has ended, "
                "start all workers again with the same command"
            )
        time.sleep(POLL)


def phase_of(step, plan):
    """The phase of update number `step`, counted from 0."""
    return next((phase for phase, end in plan.ends.items() if step < end), "adversarial")


def resume_place(plan, done, phase, facts) -> int:
    """The step of `plan`, from 0, at which a run resumes after `done` updates, the last in `phase`.

    `facts` are those of its checkpoint ({} if unknown). If the number of steps per epoch has
    changed, the run resumes at the same fraction of the same epoch. Raises `InputError` if the plan
    would repeat an earlier phase or is already exceeded.
    """
    before = facts.get("steps_per_epoch", plan.steps_per_epoch)
    epoch, rest = divmod(facts.get("place", done), before)
    place = epoch * plan.steps_per_epoch + rest * plan.steps_per_epoch // before
    if place > plan.total_steps and facts:
        raise InputError(
            f"epochs: expected at least the {epoch + (rest > 0)} that this run has begun, received "
            f"{plan.config.recipe.epochs}"
        )
    following, order = phase_of(min(place, plan.total_steps - 1), plan), list(plan.ends)
    if place > plan.total_steps or order.index(following) < order.index(phase):
        # Version 0.1 stored no facts: a different number of steps is the likely reason.
        name = "init_epochs, discriminator_epochs" if facts else "steps_per_epoch"
        raise InputError(
            f"{name}: expected those that this run was trained with, received others: after "
            f"{done} updates its phase is {phase!r}, and with these flags and data it would be "
            f"{following!r}"
        )
    return place


def describe_changes(facts, now) -> str:
    """What differs between the facts of a checkpoint and `Plan.facts`, as text; "" if nothing."""
    changes = [
        f"{name.replace('_', ' ')} {facts[name]} -> {number}"
        for name, number in now.items()
        if name != "names" and facts.get(name, number) != number
    ]
    if not changes and facts and facts["names"] != now["names"]:
        return "the images have other names"
    return ", ".join(changes)


def learning_rate_factor(step, plan):
    """The factor of the phase's learning rates at update number `step`, from 0.

    1 with the published recipe and in the phase "discriminate"; else a half cosine from 1 down to
    the recipe's end factor.
    """
    recipe, phase = plan.config.recipe, phase_of(step, plan)
    if phase == "discriminate":
        return 1.0
    if phase == "initialize":
        end, done, length = recipe.init_learning_rate_end, step, plan.init_steps
    else:
        first = plan.init_steps + plan.discriminator_steps
        end, done, length = recipe.learning_rate_end, step - first, plan.total_steps - first
    return end + (1.0 - end) * 0.5 * (1.0 + math.cos(math.pi * done / max(1, length)))
