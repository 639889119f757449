"""The project's command lines: tools in a process of their own, animegan-stylize in this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run_tool(name, *arguments, folder=None):
    """Run tools/<name>.py in `folder`; returns what `subprocess.run` does, with text."""
    settings = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / f"{name}.py"), *map(str, arguments)],
        env={**os.environ, **settings},
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
    )


# What each `Negative` was made with since `stylize_here` began.
made = []


class Negative:
    """Stands for `Stylizer`."""

    def __init__(self, *args, **kwargs):
        made.append((args, kwargs))

    def note(self):
        return None

    def __call__(self, rgb):
        return 255 - rgb


def without_styles(monkeypatch):
    """Make `animegan-stylize` use `Negative`, and know no style."""
    from animegan_tf import styles, stylizer

    monkeypatch.setattr(stylizer, "Stylizer", Negative)
    monkeypatch.setattr(styles, "_SHIPPED_ROOTS", ())
    monkeypatch.setattr(sys.modules["__main__"], "__doc__", None)


def stylize_here(monkeypatch, capsys, *arguments):
    """Run animegan-stylize; returns its exit status and what it printed."""
    from absl import flags

    from animegan_tf import stylize

    made.clear()
    monkeypatch.setattr(sys, "argv", ["animegan-stylize", *map(str, arguments)])
    with pytest.raises(SystemExit) as leaving:
        stylize.console()
    for flag in flags.FLAGS.get_key_flags_for_module(stylize):
        delattr(flags.FLAGS, flag.name)  # the next call defines it again
    return leaving.value.code, capsys.readouterr()
