"""Checkpoints: the full training state, and the generator's weights.

`<run_dir>/checkpoints/ckpt-<step>` are TensorFlow checkpoints of both networks, the three
optimisers, the step, the phase and the `FACTS` about the plan that they belong to;
`<run_dir>/generator.weights.h5` are the weights for stylising. Both are written under temporary
names and renamed, so that a run can be killed at any time. Checkpoints are found by their files;
`checkpoints/checkpoint` lists them for other programs.
"""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from animegan_tf import storage
from animegan_tf.errors import InputError, TrainingError, reason_of
from animegan_tf.networks import checkpoint_index, tf1, weights
from animegan_tf.train.animegan import PHASES

# TensorFlow's exceptions for truncated or damaged files, and for files of another model.
_UNREADABLE = (tf.errors.OpError, ValueError, IndexError, RuntimeError, AssertionError)


_STATE = "checkpoint"
# The numbers of `plan.Plan.facts` that a checkpoint stores: append new ones.
FACTS = ("place", "steps_per_epoch", "batch_size", "photos", "frames", "names")
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def _by_name(network):
    return {name: variable.value for name, variable in tf1.variables(network).items()}


def _values(optimizer):
    return [variable.value for variable in optimizer.variables]


class RunState:
    """Saves and restores an `AnimeGAN` with the number of steps it has done.

    `keep` checkpoints are kept. `step` is the number of updates done and `facts` the numbers of
    `FACTS` ({} in checkpoints of version 0.1); `restore` sets both, and adds sentences to `notes`
    about values that the checkpoint does not have. `latest` is the path of the last saved or
    restored checkpoint, or None. Every worker of a run restores; only the one with `writes` may
    save.
    """

    def __init__(self, model, run_dir, keep=3, writes=True):
        self.model = model
        self.run_dir = Path(run_dir)
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self._phase = tf.Variable(0, dtype=tf.int64, trainable=False, name="phase")
        self._facts = tf.Variable([0] * len(FACTS), dtype=tf.int64, trainable=False, name="facts")
        self._parts = {
            "generator": _by_name(model.generator),
            "discriminator": _by_name(model.discriminator),
            "init_optimizer": _values(model.init_optimizer),
            "generator_optimizer": _values(model.generator_optimizer),
            "discriminator_optimizer": _values(model.discriminator_optimizer),
        }
        if model.average is not None:
            self._parts["average"] = _by_name(model.average)
        self._checkpoint = tf.train.Checkpoint(
            step=self._step, phase=self._phase, facts=self._facts, **self._parts
        )
        self.notes = []
        self._folder = self.run_dir / "checkpoints"
        self._keep, self._writes = keep, writes
        self.latest = None

    @property
    def step(self):
        """Updates done so far."""
        return int(self._step.numpy())

    @property
    def facts(self):
        """{name: number} of `FACTS`, or {} if they are not known."""
        facts = dict(zip(FACTS, self._facts.numpy().tolist(), strict=True))
        return facts if facts["steps_per_epoch"] else {}

    def save(self, step, facts=None):
        """Save the state after `step` updates; `facts` are the numbers of `FACTS` by name.

        Raises `TrainingError` if a weight is not finite or the files cannot be written (the disk is
        full), and names the last checkpoint, which is kept.
        """
        for network in (self.model.generator, self.model.discriminator):
            for name, variable in tf1.variables(network).items():
                if not np.isfinite(variable.numpy()).all():
                    raise TrainingError(
                        f"step {step}: {name} is not finite; nothing was saved, the last "
                        f"checkpoint is {self.latest}"
                    )
        self._step.assign(step)
        self._phase.assign(PHASES.index(self.model.phase))
        self._facts.assign([(facts or {}).get(name, 0) for name in FACTS])
        before = self.latest
        try:
            self._write(step)
        except (tf.errors.OpError, OSError) as error:
            for left in self._folder.glob(f"ckpt-{step}_temp*"):
                shutil.rmtree(left, ignore_errors=True)
            raise TrainingError(
                f"step {step}: the checkpoint cannot be written ({reason_of(error)}); the last "
                f"one is {before}"
            ) from error
        path = self.run_dir / weights.RUN_WEIGHTS
        try:
            weights.save_generator(self.model.best_generator, path)
        except OSError as error:
            raise TrainingError(
                f"step {step}: {path} cannot be written ({reason_of(error)}); the checkpoint is "
                f"{self.latest}"
            ) from error

    def _write(self, step):
        """Write a checkpoint, and only then remove the oldest."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # TensorFlow's `restore` expects one.
        self._checkpoint.save_counter.assign_add(1)
        path = self._checkpoint.write(str(self._folder / f"ckpt-{step}"))
        for file in self._files(step):
            storage.sync(file)
        # Later checkpoints were unreadable, and their updates are lost.
        steps = [found for found in self._steps() if found <= step]
        self.latest, kept = path, steps[-self._keep :]
        names = [f'model_checkpoint_path: "ckpt-{step}"']
        names += [f'all_model_checkpoint_paths: "ckpt-{number}"' for number in kept]
        # Syncs the folder too.
        storage.write_text(self._folder / _STATE, "\n".join(names) + "\n")
        for old in steps[: -self._keep]:
            for file in self._files(old):
                file.unlink(missing_ok=True)

    def _files(self, step):
        """A checkpoint's files; the index is first, since it makes the others a checkpoint."""
        data = self._folder.glob(f"ckpt-{step}.data-?????-of-?????")
        return [self._folder / f"ckpt-{step}.index", *data]

    def _steps(self):
        """The steps of the checkpoints in the folder, in order."""
        names = (
            re.fullmatch(r"ckpt-(0|[1-9]\d{0,17})\.index", path.name)
            for path in self._folder.glob("*")
        )
        return sorted(int(name[1]) for name in names if name)

    def _named(self):
        """The path in this folder of the checkpoint in the state file, or None."""
        try:
            state = tf.train.get_checkpoint_state(str(self._folder))
        except (ValueError, tf.errors.OpError):  # empty, or not text
            return None
        return state and self._folder / Path(state.model_checkpoint_path).name

    def _restore(self, path):
        """Restore the checkpoint `path`; its precision and moving average may differ."""
        names = set(tf.train.load_checkpoint(path).get_variable_to_shape_map())
        parts = {"step": self._step, "phase": self._phase, **self._parts}
        for name in ("init_optimizer", "generator_optimizer", "discriminator_optimizer"):
            stored = sum(key.startswith(f"{name}/") and key.endswith(_VALUE) for key in names)
            # In float16 the variables of loss scaling come first.
            shift = stored - len(parts[name])
            parts[name] = {
                str(index + shift): value
                for index, value in enumerate(parts[name])
                if index + shift >= 0
            }
        if "facts" + _VALUE in names:
            parts["facts"] = self._facts
        without_average = not any(key.startswith("average/") for key in names)
        if without_average:
            parts.pop("average", None)
        tf.train.Checkpoint(**parts).restore(path).assert_existing_objects_matched()
        if without_average and self.model.average is not None:
            self.model.average.set_weights(self.model.generator.get_weights())
            self.notes.append("the moving average (ema_decay) starts from the current generator")

    def restore(self):
        """Restore the newest readable checkpoint; returns its step, or 0 without checkpoints.

        Prints unreadable ones (truncated, damaged) to standard error. Raises `InputError` if all
        are unreadable.
        """
        paths = [str(self._folder / f"ckpt-{step}") for step in reversed(self._steps())]
        named = self._named()
        for path in paths:
            try:
                checkpoint_index.check(path)
                self._restore(path)
            except _UNREADABLE as error:
                text = f"checkpoint {path} cannot be restored ({reason_of(error)})"
                print(text, file=sys.stderr)
                continue
            self.model.phase = PHASES[int(self._phase.numpy())]
            self.latest = path
            if self._writes and named not in map(Path, paths):
                state = self._folder / _STATE
                print(
                    f"{state} is missing or damaged: resuming from {path}, found by its files",
                    file=sys.stderr,
                )
            return self.step
        if named is not None and not paths:
            raise InputError(
                f"run_dir: expected the checkpoint {named}, which {self._folder / _STATE} names, "
                "found no checkpoint; start with another run directory"
            )
        if paths:
            raise InputError(
                f"run_dir: none of the {len(paths)} checkpoints in {self._folder} can "
                "be restored; start with another run directory"
            )
        return 0
