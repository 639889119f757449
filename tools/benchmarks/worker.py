"""The process of one contender. Started by `contest`; knows nothing of what it runs.

    python -m benchmarks.worker TASK.json

TASK.json holds `factory` ("module:function") and `options`. The factory is called with the options
and gives a function without arguments that does the work once and returns its seconds, or a dict of
the parts' seconds; its attribute `answer`, if it has one, is what the last call computed, an array.
Commands come as lines on standard input, answers go as JSON lines to standard output:

    run              {"seconds": ...}
    answer PATH      saves the answer as a .npy file: {"shape": [...]}, or {"shape": null}
    peak             {"peak_megabytes": ...}

What fails is answered with {"error": text}.
"""

import contextlib
import importlib
import json
import os
import sys
import time

import numpy as np

from animegan_tf import memory
from animegan_tf.errors import InputError, reason_of


class Timed:
    """A task of one function: times it and keeps what it returns as `answer`."""

    def __init__(self, function):
        self._function = function
        self.answer = None

    def __call__(self):
        self.answer = None  # its memory counts once
        start = time.perf_counter()
        self.answer = self._function()
        return time.perf_counter() - start


def load(factory, options):
    """The task that `factory`, "module:function", makes of `options`."""
    module, _, name = factory.partition(":")
    return getattr(importlib.import_module(module), name)(**options)


def _obey(task, command):
    word, _, argument = command.partition(" ")
    if word == "run":
        return {"seconds": task()}
    if word == "peak":
        peak = memory.peak()
        return {"peak_megabytes": None if peak is None else peak / 2**20}
    answer = getattr(task, "answer", None)
    if answer is None:
        return {"shape": None}
    answer = np.asarray(answer)
    np.save(argument, answer)
    return {"shape": list(answer.shape)}


def _guarded(function, *arguments):
    """(result, answer): one of them is None; a mistake or too little memory needs no traceback."""
    try:
        return function(*arguments), None
    except (InputError, MemoryError, OSError) as error:
        return None, {"error": reason_of(error)}


def _give_way():
    """Should memory run out, this process is the one to go, not the user's others."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def main(path):
    """Make the task of the file `path`, say so, and obey until the input ends."""
    _give_way()
    # Libraries write to standard output too.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with open(path, encoding="utf-8") as file:
        asked = json.load(file)
    task, failure = _guarded(load, asked["factory"], asked["options"])
    print(json.dumps(failure or {"ready": True}), file=answers, flush=True)
    if failure:
        return
    for line in sys.stdin:
        answer, failure = _guarded(_obey, task, line.strip())
        print(json.dumps(failure or answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
