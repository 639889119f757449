"""The full training state on disk, and the generator alone beside it.

`<run_dir>/checkpoints/ckpt-<step>` are TensorFlow checkpoints of both networks, the three
optimisers, the phase and the step; `<run_dir>/generator.weights.h5` is what stylising needs. Both
are written aside and moved into place, so a run can be killed at any moment.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from animegan_tf.errors import InputError, TrainingError, reason_of
from animegan_tf.networks import tf1, weights
from animegan_tf.train.animegan import PHASES

# What TensorFlow raises for files that are cut short, damaged, or of another model.
_UNREADABLE = (tf.errors.OpError, ValueError, IndexError, RuntimeError, AssertionError)


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
        self._manager = tf.train.CheckpointManager(
            self._checkpoint,
            str(self._folder),
            # The manager of a worker that does not write must not delete either.
            max_to_keep=keep if writes else None,
            step_counter=self._step,
        )

    @property
    def step(self):
        """Updates done so far."""
        return int(self._step.numpy())

    @property
    def latest(self):
        """Path of the last saved checkpoint as a string, or None."""
        return self._manager.latest_checkpoint

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
            self._manager.save(checkpoint_number=step)
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

    def restore(self):
        """Restore the newest readable checkpoint; returns its step, 0 where there is none.

        An unreadable one (cut short, damaged) is named on standard error and the one before it is
        used. Raises `InputError` when there are checkpoints and none can be read.
        """
        paths = list(reversed(self._manager.checkpoints))
        for path in paths:
            try:
                self._checkpoint.restore(path).assert_consumed()
            except _UNREADABLE as error:
                text = f"checkpoint {path} cannot be restored ({reason_of(error)})"
                print(text, file=sys.stderr)
                continue
            self.model.phase = PHASES[int(self._phase.numpy())]
            return self.step
        if paths:
            raise InputError(
                f"run_dir: none of the {len(paths)} checkpoints in {self._manager.directory} can "
                "be restored; start with another run directory"
            )
        return 0
