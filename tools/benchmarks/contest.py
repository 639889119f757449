"""Contenders in processes of their own, measured in turn: samples, medians, ratios, peak memory.

Knows nothing of what is measured, and imports no TensorFlow.
"""

import contextlib
import dataclasses
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import animegan_tf
from animegan_tf import memory
from animegan_tf.errors import InputError

# Threads of the engine before still spin for a moment.
_PAUSE_SECONDS = 0.05
# Of the reference's peak: what another contender is allowed to need before it is started.
_MEMORY_MARGIN = 1.25


class ContenderError(RuntimeError):
    """A contender that cannot do its work; the text says why."""


def missing_modules(names):
    """Those of the modules `names` that are not installed."""
    return [name for name in names if importlib.util.find_spec(name) is None]


@dataclasses.dataclass(frozen=True)
class Task:
    """What a contender does: see `worker`.

    requires: modules without which it is absent. tolerance: in place of the `Case`'s.
    """

    factory: str
    options: dict = dataclasses.field(default_factory=dict)
    requires: tuple[str, ...] = ()
    tolerance: float | None = None

    def missing(self):
        """Those of `requires` that are not installed."""
        return missing_modules(self.requires)


@dataclasses.dataclass(frozen=True)
class Case:
    """A piece of work and who does it.

    suite, label: its name. tasks: {contender: `Task`}, the `reference` among them.
    tolerance: the largest difference of any value of a contender's answer from the reference's with
        which it is still measured; None compares nothing.
    items, unit: how many of what one call does, for instance 4 pictures.
    memory: whether the peak memory of the contenders' own processes says anything.
    """

    suite: str
    label: str
    reference: str
    tasks: dict[str, Task]
    tolerance: float | None = None
    items: float = 1
    unit: str = "call"
    memory: bool = True


@dataclasses.dataclass
class Row:
    """What is known of a contender, or of a part of it.

    status: "measured", "absent", "wrong", "failed" or "left out"; `reason` says why.
    samples: seconds of each call. ratio: the median, over the rounds, of the reference's seconds
        divided by this one's: over 1 is faster. difference: largest, from the reference's answer.
    peak_megabytes: of its process, loading included.
    """

    name: str
    status: str = "measured"
    reason: str | None = None
    samples: list[float] = dataclasses.field(default_factory=list)
    median_seconds: float | None = None
    ratio: float | None = None
    difference: float | None = None
    peak_megabytes: float | None = None


def run_case(case, repeats, progress=None):
    """Measure a `Case` with `repeats` calls each, after one that is not counted; a list of `Row`.

    progress: called with a text before each step. A contender that is not installed, answers wrong
    or fails gets a row that says so; without the reference nothing is measured. Contenders that do
    not fit into memory side by side are measured in groups, the reference in each.
    """
    rows = {name: Row(name) for name in case.tasks}
    waiting = []
    for name, task in case.tasks.items():
        missing = task.missing()
        if missing:
            rows[name].status = "absent"
            rows[name].reason = f"{' and '.join(missing)} not installed"
        elif name != case.reference:
            waiting.append(name)
    parts = {}
    while True:
        with _Group(case, rows, progress or (lambda text: None)) as group:
            left = group.start(waiting)
            parts.update(group.measure(repeats))
        if not left or rows[case.reference].status != "measured":
            break
        if len(left) == len(waiting):
            for name in left:
                rows[name].status, rows[name].reason = "left out", "not enough memory is free"
            break
        waiting = left
    return [part for name, row in rows.items() for part in parts.get(name, [row])]


class _Group:
    """The contenders that are there at the same time; a context manager."""

    def __init__(self, case, rows, progress):
        self._case, self._rows, self._progress = case, rows, progress
        self._workers = {}
        self._files = 0
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        return self

    def __exit__(self, *_):
        self._stack.close()

    def start(self, names):
        """Start the reference and as many of `names` as memory allows; returns the others."""
        reference = self._case.reference
        self._begin(reference)
        if reference not in self._workers:
            for name in names:
                self._rows[name].status = "left out"
                self._rows[name].reason = f"{reference}, the reference, failed"
            return []
        for at, name in enumerate(names):
            needed = _MEMORY_MARGIN * (self._rows[reference].peak_megabytes or 0) * 2**20
            free = memory.available()
            if free is not None and needed > free:
                return names[at:]
            self._begin(name)
        return []

    def _begin(self, name):
        """Start a contender, let it work once, and compare: it joins the group if all is well."""
        case, row = self._case, self._rows[name]
        self._progress(f"{name}: starts")
        with contextlib.ExitStack() as started:
            try:
                worker = started.enter_context(Worker(case.tasks[name], self._path()))
                worker.ask("run")
                if case.tolerance is not None:
                    self._compare(worker, name)
                self._note_peak(worker, name)
            except ContenderError as error:
                row.status, row.reason = "failed", str(error)
            if row.status == "measured":
                self._workers[name] = worker
                self._stack.push(started.pop_all())

    def _note_peak(self, worker, name):
        if self._case.memory:
            self._rows[name].peak_megabytes = worker.ask("peak")["peak_megabytes"]

    def _path(self):
        self._files += 1
        return self._folder / str(self._files)

    def _compare(self, worker, name):
        path = self._path().with_suffix(".npy")
        if worker.ask(f"answer {path}")["shape"] is None:
            raise ContenderError("it gave nothing to compare")
        if name == self._case.reference:
            self._expected = path
            return
        row = self._rows[name]
        row.difference = largest_difference(self._expected, path)
        path.unlink()
        if row.difference is None:
            row.status, row.reason = "wrong", "its answer has another shape, or is not finite"
        elif row.difference > (self._case.tasks[name].tolerance or self._case.tolerance):
            row.status = "wrong"
            row.reason = f"differs from {self._case.reference} by {row.difference:.2g}"

    def measure(self, repeats):
        """Call all in turn, forwards and backwards; {contender: rows of its parts}."""
        samples = {name: [] for name in self._workers}
        for number in range(repeats):
            order = list(self._workers)
            for name in order if number % 2 == 0 else reversed(order):
                self._progress(f"{name}: call {number + 1} of {repeats}")
                self._call(name, samples)
        for name, worker in self._workers.items():
            with contextlib.suppress(ContenderError):
                self._note_peak(worker, name)
        if self._case.reference not in self._workers:
            return {}
        base = samples[self._case.reference]
        return {name: _rows_of(self._rows[name], samples[name], base) for name in self._workers}

    def _call(self, name, samples):
        if self._rows[name].status != "measured":
            return
        time.sleep(_PAUSE_SECONDS)
        try:
            samples[name].append(self._workers[name].ask("run")["seconds"])
        except ContenderError as error:
            self._rows[name].status, self._rows[name].reason = "failed", str(error)


def _rows_of(row, samples, base):
    """The rows of a contender: one, or one for each part that its calls were divided into."""
    if row.status != "measured":
        return [row]
    if not isinstance(samples[0], dict):
        return [_with_samples(row, samples, base)]
    return [
        _with_samples(
            dataclasses.replace(row, name=f"{row.name}: {part}"),
            [sample[part] for sample in samples],
            [sample[part] for sample in base],
        )
        for part in samples[0]
    ]


def _with_samples(row, samples, base):
    row.samples = samples
    row.median_seconds = statistics.median(samples)
    # Of each round by itself: the load of a busy machine differs more between rounds than in one.
    pairs = [(first, own) for first, own in zip(base, samples, strict=False) if own > 0]
    row.ratio = statistics.median(first / own for first, own in pairs) if pairs else None
    return row


def largest_difference(one, other):
    """The largest difference of any two values of two .npy files; None if there is no such."""
    one, other = np.load(one, mmap_mode="r"), np.load(other, mmap_mode="r")
    if one.shape != other.shape:
        return None
    apart = [np.abs(a.astype(np.float64) - b).max() for a, b in zip(one, other, strict=True)]
    return float(np.max(apart)) if np.isfinite(apart).all() else None


class Worker:
    """A process that does a `Task` when asked; a context manager. See `worker` for the commands.

    Raises `ContenderError` when the task cannot be made, here and on every later question.
    """

    def __init__(self, task, path):
        asked = Path(f"{path}.json")
        asked.write_text(json.dumps({"factory": task.factory, "options": task.options}), "utf-8")
        roots = [Path(__file__).parent.parent, Path(animegan_tf.__file__).parent.parent]
        paths = [*map(str, roots), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        # A file, not a pipe: nobody would empty it.
        self._errors = Path(f"{path}.stderr")
        with self._errors.open("w", encoding="utf-8") as errors:
            self._process = self._start(asked, errors, environment)
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _start(asked, errors, environment):
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", str(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, command):
        """Send a command; its answer, a dict."""
        try:
            self._process.stdin.write(f"{command}\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise ContenderError("its process has ended") from error
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise ContenderError(self._last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise ContenderError(answer["error"])
        return answer

    def _last_words(self):
        status = self._process.wait()
        if status == -9:
            return "its process was killed, as the system does when memory runs out"
        words = self._errors.read_text("utf-8", "replace").strip().splitlines()
        last = (words or ["no message"])[-1]
        return f"its process ended with status {status}: {last}"

    def close(self):
        """End the process, at once."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):  # a command that it did not live to read
            self._process.stdin.close()
        self._process.stdout.close()


def run_once(task, folder):
    """Do a `Task` once in a process of its own; `InputError` with its text when it fails."""
    try:
        with Worker(task, Path(folder) / "once") as worker:
            return worker.ask("run")
    except ContenderError as error:
        raise InputError(f"benchmark: {task.factory}: {error}") from error
