"""The project's command lines, in this process or in one of their own."""

import contextlib
import io
import os
import runpy
import subprocess
import sys
from unittest import mock

import pytest
from absl import app
from absl.testing import flagsaver
from places import ROOT


def run_tool(name, *arguments, folder=None):
    """Run tools/<name>.py in this process, as `call` does."""
    return call(f"tools/{name}.py", *arguments, folder=folder)


def call(script, *arguments, folder=None):
    """Run a script of this checkout in this process, in `folder`, as `python SCRIPT` would.

    Returns what `subprocess.run` does, with text. Its flags, its environment and its working
    directory end with it. What libraries write to the terminal past Python is not in `stderr`.
    """
    app.define_help_flags()  # absl does this once in a process
    out, err = io.StringIO(), io.StringIO()
    words = [str(ROOT / script), *map(str, arguments)]
    status, before = 0, os.getcwd()
    with (
        flagsaver.flagsaver(),
        mock.patch.object(sys, "argv", words),
        mock.patch.dict(os.environ),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        os.chdir(folder or before)
        try:
            runpy.run_path(words[0], run_name="__main__")
        except SystemExit as leaving:
            status = leaving.code or 0
        finally:
            os.chdir(before)
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def run_alone(*arguments, folder=None):
    """Run Python in a process of its own, with this checkout; returns what `subprocess.run` does.

    It shows what TensorFlow prints at its start, as it does for a user.
    """
    quiet = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**quiet, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
        check=False,
    )


# What each `Negative` was made with since `stylize_here` began.
made = []


class Negative:
    """Stands for `Stylizer`."""

    def __init__(self, *args, **kwargs):
        made.append((args, kwargs))

    def note(self):
        return None

    drawn_by = note

    def __call__(self, rgb):
        return 255 - rgb

    def stylized(self, rgb, bits):
        assert bits == 16
        return (255 - rgb).astype("uint16") * 257 + 1


def without_styles(monkeypatch):
    """Make `animegan-stylize` use `Negative`, and know no style."""
    from animegan_tf import styles
    from animegan_tf.stylize import stylizer

    monkeypatch.setattr(stylizer, "Stylizer", Negative)
    monkeypatch.setattr(styles, "_SHIPPED_ROOTS", ())
    monkeypatch.setattr(sys.modules["__main__"], "__doc__", None)


def stylize_here(monkeypatch, capsys, *arguments):
    """Run animegan-stylize; returns its exit status and what it printed."""
    from absl import flags

    from animegan_tf.stylize import __main__ as stylize

    made.clear()
    monkeypatch.setattr(sys, "argv", ["animegan-stylize", *map(str, arguments)])
    with pytest.raises(SystemExit) as leaving:
        stylize.console()
    for flag in flags.FLAGS.get_key_flags_for_module(stylize):
        delattr(flags.FLAGS, flag.name)  # the next call defines it again
    return leaving.value.code, capsys.readouterr()
