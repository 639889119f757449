"""Estimates for a run: memory before its first step, time after some steps. No TensorFlow."""

import time

# Peak memory of an adversarial step in float32 with VGG19, fitted to measurements on a CPU
# (tests/train/test_estimates.py): GB without a batch, and bytes per pixel of the batch.
_BASE_GB = 1.1
_BYTES_PER_PIXEL = {"v2": 24_000, "lite": 14_500, "v1": 37_000}
# Activations of half the size; measured with v2 in bfloat16.
_REDUCED = 0.5
# Time of an adversarial step relative to an initialisation step.
_ADVERSARIAL_COST = {"v2": 2.0, "lite": 2.5, "v1": 2.0}
# Number of steps to time; the first step of a phase compiles and is not counted.
_TIMED_STEPS = 10


def memory_gb(recipe, replicas=1, precision="float32"):
    """The approximate memory of each of `replicas` devices in GB; `precision`: the compute type."""
    pixels = recipe.image_size**2 * recipe.batch_size / replicas
    share = 1.0 if precision == "float32" else _REDUCED
    return _BASE_GB + pixels * share * _BYTES_PER_PIXEL[recipe.arch] / 1e9


def describe_memory(config, replicas, available=None):
    """The memory of a run as text; `available` is the free main memory in bytes, on a CPU."""
    need = memory_gb(config.recipe, replicas, config.mixed_precision)
    text = f"a step takes about {need:.1f} GB of memory per device"
    if available is not None and available < need * 1e9:
        text += (
            f", more than the {available / 1e9:.1f} GB that are free: use a smaller --batch_size "
            "or --image_size"
        )
    return text


def duration(seconds):
    """Seconds as text: "50 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


class Clock:
    """Times the steps of a run and estimates the remaining time once per phase."""

    def __init__(self, arch, clock=time.monotonic):
        self._cost, self._clock = _ADVERSARIAL_COST[arch], clock
        self._phase, self._steps, self._since = None, 0, 0.0

    def after(self, phase, left):
        """Call after each step of `phase`; `left` are the remaining steps, {phase: number}.

        Returns a sentence after some steps of a phase, else None.
        """
        if phase != self._phase:
            self._phase, self._steps, self._since = phase, 0, self._clock()
            return None
        self._steps += 1
        if self._steps != _TIMED_STEPS:
            return None
        # Relative to an initialisation step.
        cost = {"initialize": 1.0, "discriminate": self._cost / 2, "adversarial": self._cost}
        unit = (self._clock() - self._since) / _TIMED_STEPS / cost[phase]
        times = {name: steps * unit * cost[name] for name, steps in left.items() if steps}
        parts = ", ".join(f"{name} {duration(seconds)}" for name, seconds in times.items())
        about = " (later phases are estimated)" if len(times) > 1 else ""
        return f"about {duration(sum(times.values()))} left: {parts}{about}"
