"""The exceptions that entry points show without a traceback."""

import re

# C0 and C1 except the line feed, and characters that change the direction of text.
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class InputError(ValueError):
    """Invalid input; the message names the argument, the expected and the received value.

    Library code raises it before any work starts; command lines print its text and exit with 1.
    """


class TrainingError(RuntimeError):
    """A training run that cannot continue; the message names the step and the last checkpoint."""


class Stopped(TrainingError):
    """A training run that a signal stopped after saving; `exit_status` is that of the signal."""

    def __init__(self, received, step, checkpoint):
        super().__init__(f"stopped by {received.name} after step {step}, saved in {checkpoint}")
        self.exit_status = 128 + received


def printable(text) -> str:
    """`text` with control characters except line feeds escaped, as \\x1b, for terminals."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def reason_of(error) -> str:
    """The first line of an exception's text, without the names of TensorFlow's operations."""
    line = next(iter(str(error).splitlines()), type(error).__name__)
    return re.sub(r"^\{\{.*?\}\} | \[Op:\w+\]$", "", line)
