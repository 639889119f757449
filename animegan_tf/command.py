"""`animegan COMMAND ...`: every command and tool of the project under one name.

Descriptions are read from the source files, so that the list loads nothing large.
"""

import ast
import importlib
import runpy
import sys
from pathlib import Path

from animegan_tf import cli
from animegan_tf.errors import InputError

_HERE = Path(__file__).parent
# Each with its module and the function that runs it.
COMMANDS = {
    "stylize": ("stylize", "console"),
    "batch": ("cluster", "console"),
    "train": ("train", "console"),
    "export": ("export", "console"),
    "web": ("web", "console"),
    "serve": ("web", "console_serve"),
}
# In an installed package (where setup.py puts the checkout's folder), and in a checkout.
_TOOL_FOLDERS = (_HERE / "tools", _HERE.parent / "tools")


def tools():
    """The tools' files by their names as commands, such as "extract-frames"."""
    folder = next(filter(Path.is_dir, _TOOL_FOLDERS), _HERE / "tools")
    return {path.stem.replace("_", "-"): path for path in sorted(folder.glob("*.py"))}


def listing():
    """A line for each command: its name and the first line of its documentation."""
    files = {name: _HERE / package / "__main__.py" for name, (package, _) in COMMANDS.items()}
    return [f"  {name:<22}{_summary(path)}" for name, path in {**files, **tools()}.items()]


def _summary(path):
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))).splitlines()[0]


def _run(name):
    """Run the command with the arguments in `sys.argv`; exits with its status."""
    if name in COMMANDS:
        package, console = COMMANDS[name]
        getattr(importlib.import_module(f"animegan_tf.{package}.__main__"), console)()
    elif name in tools():
        path = tools()[name]
        sys.path.insert(0, str(path.parent))  # as Python does for a script
        runpy.run_path(str(path), run_name="__main__")
    else:
        known = ", ".join((*COMMANDS, *tools()))
        raise InputError(f"command: expected one of {known}, received {name!r}")


def console():
    """Entry point of `animegan`."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in cli.HELP:
        with cli.without_a_reader():
            print("usage: animegan COMMAND ...   (animegan COMMAND --help describes it)\n")
            print("\n".join(listing()))
        return
    cli.show_version()
    sys.argv[:2] = [f"animegan {name}"]
    try:
        _run(name)
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    console()
