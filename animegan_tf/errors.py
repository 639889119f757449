"""The exceptions that entry points show without a traceback."""


class InputError(ValueError):
    """A mistake in what the user passed: names the argument, what was expected, what was received.

    Library code raises it before any work starts; command lines print its text and exit with 1.
    """


class TrainingError(RuntimeError):
    """A training run that cannot go on (a loss is not finite); says where, and what was kept."""
