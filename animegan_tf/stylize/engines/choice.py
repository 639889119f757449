"""Which engine is fastest, by measurement on the work itself: engines take turns over the first
images of each class of sizes. The user's cache keeps the result for each processor.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import math
import platform
import statistics
from pathlib import Path

from animegan_tf import storage
from animegan_tf.memory import cores

# Measured calls of each engine, after its first one, which includes setup.
_ROUNDS = 3
# An engine whose first measured call takes this many times as long as the fastest is not measured
# again.
_SLOWER = 1.5
# An engine is started, which takes some seconds, for at least this many times as much work.
_WORTH = 2.0
_LIBRARIES = ("tensorflow", "ai-edge-litert", "openvino")


class Choice:
    """Measurements for one network: `arch` is the generator's, `weights` their digest."""

    def __init__(self, arch, weights):
        self._arch, self._weights = arch, weights[:16]
        self._samples, self._called = {}, set()
        self._kept = _read().get(_machine(), {})

    def pick(self, size, pixels, starts):
        """The engine for the next image.

        size: (height, width). pixels: the expected number of pixels that remain. starts: {engine:
        seconds until it is ready}, with the cheapest first. Without measurements it is the first.
        """
        row = self._row(size)
        rates = {name: self._rate(row, name) for name in starts}
        known = [name for name in starts if rates[name] is not None]
        if not known:
            return next(iter(starts))
        best = min(known, key=lambda name: starts[name] + pixels * rates[name])
        work, settled = pixels * rates[best], self._kept.get(row, {})
        waiting = [
            name
            for name, seconds in starts.items()
            if name not in settled and (not seconds or work > _WORTH * seconds)
        ]
        if len(starts) == 1 or not waiting:
            return best
        return min(waiting, key=lambda name: len(self._samples.get((row, name), ())))

    def _row(self, size):
        # A class spans a factor of two in each side.
        return f"{self._arch} {round(math.log2(max(1, size[0] * size[1])) / 2)}"

    def _rate(self, row, name):
        kept = self._kept.get(row, {}).get(name)
        samples = self._samples.get((row, name))
        return statistics.median(samples) if kept is None and samples else kept

    def took(self, size, name, seconds, count=1):
        """Record the time of a call for `count` images."""
        row = self._row(size)
        if (row, name) not in self._called:
            self._called.add((row, name))
            return
        if name in self._kept.get(row, {}):
            return
        samples = self._samples.setdefault((row, name), [])
        samples.append(seconds / (count * size[0] * size[1]))
        rates = [self._rate(row, other) for there, other in self._samples if there == row]
        slower = samples[-1] > _SLOWER * min(rates)
        if len(samples) == _ROUNDS or slower:
            self._keep(row, name, statistics.median(samples))

    def fidelity(self, size, name):
        """The PSNR in dB of an engine's output from another's, or None if it is not measured."""
        return self._kept.get(f"{self._weights} {self._row(size)}", {}).get(name)

    def set_fidelity(self, size, name, decibels):
        self._keep(f"{self._weights} {self._row(size)}", name, decibels)

    def _keep(self, row, name, value):
        self._kept.setdefault(row, {})[name] = value
        everything = _read()
        everything.setdefault(_machine(), {}).setdefault(row, {})[name] = value
        with contextlib.suppress(OSError, RuntimeError):
            storage.write_bytes(_path(), json.dumps(everything, indent=1).encode("utf-8"))


def _path():
    return storage.user_cache() / "engines.json"


def _read():
    """The file of measurements, {machine: {row: {engine: number}}}; {} if it is damaged."""
    try:
        found = json.loads(_path().read_text("utf-8"))
        valid = all(
            math.isfinite(number) and number >= 0
            for rows in found.values()
            for row in rows.values()
            for number in row.values()
        )
    except (OSError, RuntimeError, ValueError, AttributeError, TypeError):
        return {}
    return found if valid else {}


@functools.lru_cache
def _machine():
    """A digest of the processor, its number of cores and the versions of the libraries."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        # Flags too: the names of virtual processors do not tell them apart.
        name = next((line for line in lines if line.startswith("model name")), name) + next(
            (line for line in lines if line.startswith("flags")), ""
        )
    versions = []
    for library in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{library} {importlib.metadata.version(library)}")
    return hashlib.sha256(repr((name, cores(), versions)).encode()).hexdigest()[:16]
