"""What all commands share: an installation or a process in which TensorFlow cannot be loaded."""

import contextlib

import pytest

from animegan_tf import cli, memory
from animegan_tf.errors import InputError


@pytest.mark.parametrize(
    "error",
    [ImportError("first\nlibtensorflow_cc.so.2: failed to map"), MemoryError(), OSError("x")],
)
def test_a_tensorflow_that_cannot_be_loaded_is_a_line(monkeypatch, error):
    def fails():
        raise error

    monkeypatch.setattr(cli, "_import_tensorflow", fails)
    monkeypatch.setattr(cli, "muted_stderr", contextlib.nullcontext)
    with pytest.raises(InputError, match=r"^TensorFlow cannot be loaded: [^\n]+$"):
        cli.load_tensorflow()


def test_too_few_addresses_for_tensorflow_are_seen_before_it_is_loaded(monkeypatch):
    """With them it ends the process without a word."""
    monkeypatch.setattr(memory, "own_limits", lambda: [10**10, 1.5 * 10**9])
    monkeypatch.setattr(cli, "_import_tensorflow", None)
    with pytest.raises(InputError, match=r"needs 2\.2 GB of address space, but .* leave 1\.5"):
        cli.load_tensorflow()
