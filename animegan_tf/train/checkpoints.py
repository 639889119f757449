"""The full training state on disk, and the generator alone beside it.

`<run_dir>/checkpoints/ckpt-<step>` are TensorFlow checkpoints of both networks, the three
optimisers, the phase and the step; `<run_dir>/generator.weights.h5` is what stylising needs. Both
are written aside and moved into place, so a run can be killed at any moment. Which checkpoints
there are is told by their own files; `checkpoints/checkpoint` names them for other programs.
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

# What TensorFlow raises for files that are cut short, damaged, or of another model.
_UNREADABLE = (tf.errors.OpError, ValueError, IndexError, RuntimeError, AssertionError)


_STATE = "checkpoint"


def _by_name(network):
    return {name: variable.value for name, variable in tf1.variables(network).items()}


def _values(optimizer):
    return [variable.value for variable in optimizer.variables]


class RunState:
    """Saves and restores an `AnimeGAN` with the number of steps it has done.

    `keep` checkpoints are kept. `step` is the number of updates done; `restore` sets it. Every
    worker of a run restores; only the one with `writes` may save.
    """

    def __init__(self, model, run_dir, keep=3, writes=True):
        self.model = model
        self.run_dir = Path(run_dir)
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self._phase = tf.Variable(0, dtype=tf.int64, trainable=False, name="phase")
        parts = {
            "generator": _by_name(model.generator),
            "discriminator": _by_name(model.discriminator),
            "init_optimizer": _values(model.init_optimizer),
            "generator_optimizer": _values(model.generator_optimizer),
            "discriminator_optimizer": _values(model.discriminator_optimizer),
        }
        if model.average is not None:
            parts["average"] = _by_name(model.average)
        self._checkpoint = tf.train.Checkpoint(step=self._step, phase=self._phase, **parts)
        self._folder = self.run_dir / "checkpoints"
        self._keep, self._writes = keep, writes
        self._latest = None

    @property
    def step(self):
        """Updates done so far."""
        return int(self._step.numpy())

    @property
    def latest(self):
        """Path of the last saved or restored checkpoint as a string, or None."""
        return self._latest

    def save(self, step):
        """Save the state after `step` updates.

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
        # Later ones are of updates that were lost, and could not be read.
        steps = [found for found in self._steps() if found <= step]
        self._latest, kept = path, steps[-self._keep :]
        names = [f'model_checkpoint_path: "ckpt-{step}"']
        names += [f'all_model_checkpoint_paths: "ckpt-{one}"' for one in kept]
        # Syncs the folder too.
        storage.write_text(self._folder / _STATE, "\n".join(names) + "\n")
        for one in steps[: -self._keep]:
            for file in self._files(one):
                file.unlink(missing_ok=True)

    def _files(self, step):
        """A checkpoint's files, the index first, without which it is none."""
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
        """The path of the checkpoint that the state file names, in this folder; None without."""
        try:
            state = tf.train.get_checkpoint_state(str(self._folder))
        except (ValueError, tf.errors.OpError):  # empty, or no text
            return None
        return state and self._folder / Path(state.model_checkpoint_path).name

    def restore(self):
        """Restore the newest readable checkpoint; returns its step, 0 where there is none.

        An unreadable one (cut short, damaged) is named on standard error and the one before it is
        used. Raises `InputError` when there are checkpoints and none can be read.
        """
        paths = [str(self._folder / f"ckpt-{step}") for step in reversed(self._steps())]
        named = self._named()
        for path in paths:
            try:
                checkpoint_index.check(path)
                self._checkpoint.restore(path).assert_consumed()
            except _UNREADABLE as error:
                text = f"checkpoint {path} cannot be restored ({reason_of(error)})"
                print(text, file=sys.stderr)
                continue
            self.model.phase = PHASES[int(self._phase.numpy())]
            self._latest = path
            if self._writes and named not in map(Path, paths):
                state = self._folder / _STATE
                print(
                    f"{state} is missing or damaged: going on from {path}, found by its files",
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
