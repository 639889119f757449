"""Contenders of the benchmark whose seconds and answers are given (see `benchmarks`)."""

import os
import sys

import numpy as np


class Given:
    """Answers with the next of `seconds` at each call; the first call does not count."""

    def __init__(self, seconds, answer=None, log=None, name=None):
        self._seconds = iter(seconds)
        self._log, self._name = log, name
        self.answer = None if answer is None else np.asarray(answer, np.float32)

    def __call__(self):
        if self._log:
            with open(self._log, "a", encoding="utf-8") as file:
                file.write(f"{self._name} {os.getpid()}\n")
        print("chatter on standard output")
        return next(self._seconds)


def given(**options):
    return Given(**options)


def held(megabytes):
    """Holds so much memory while it works, and none afterwards."""

    def run():
        memory = np.ones(megabytes * 2**17)
        return float(memory[-1])

    return run


def refused():
    """Cannot be made."""
    raise OSError("no such engine here")


def dying(status):
    """Ends its process in the second call, with that status or, below 0, that signal."""
    calls = []

    def run():
        calls.append(1)
        if len(calls) > 1:
            print("last words", file=sys.stderr, flush=True)
            if status < 0:
                os.kill(os.getpid(), -status)
            os._exit(status)
        return 1.0

    return run
