"""The exceptions that entry points show without a traceback."""

import re

# C0 and C1 but the line's end, and those that turn the direction of writing.
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class InputError(ValueError):
    """A mistake in what the user passed: names the argument, what was expected, what was received.

    Library code raises it before any work starts; command lines print its text and exit with 1.
    """


class TrainingError(RuntimeError):
    """A training run that cannot go on (a loss is not finite); says where, and what was kept."""


class Stopped(TrainingError):
    """A training run that a signal stopped, saved; `exit_status` is what a shell expects then."""

    def __init__(self, received, step, checkpoint):
        super().__init__(f"stopped by {received.name} after step {step}, saved in {checkpoint}")
        self.exit_status = 128 + received


def printable(text) -> str:
    """`text` with control characters shown as \\x1b, which a terminal would obey; lines stay."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def reason_of(error) -> str:
    """The first line of an exception's text, without the names of TensorFlow's operations."""
    line = next(iter(str(error).splitlines()), type(error).__name__)
    return re.sub(r"^\{\{.*?\}\} | \[Op:\w+\]$", "", line)
