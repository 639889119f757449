"""`animegan`: each command and tool under one name, in a checkout and from a wheel."""

import subprocess
import sys
from pathlib import Path

import commands
import pytest
import setuptools
from places import ROOT

import animegan_tf
from animegan_tf import command

TOOLS = sorted(path.stem.replace("_", "-") for path in (ROOT / "tools").glob("*.py"))


def animegan(*arguments):
    return commands.call("animegan_tf/command.py", *arguments)


def test_alone_it_lists_all_commands_with_a_line_each():
    done = animegan()
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [words[0] for words in lines] == [*command.COMMANDS, *TOOLS]
    assert all(len(words) > 3 for words in lines)


def test_the_list_without_a_reader():
    script = f"set -o pipefail; {sys.executable} -m animegan_tf.command | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_list_loads_nothing_large():
    code = (
        "import sys; from animegan_tf import command; command.listing(); "
        "print([name for name in ('tensorflow', 'numpy', 'cv2', 'av') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [*command.COMMANDS, *TOOLS])
def test_help_and_version_of_each(name):
    shown = commands.run_alone("-m", "animegan_tf.command", name, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "--" in shown.stdout
    version = commands.run_alone("-m", "animegan_tf.command", name, "--version")
    assert version.stdout == f"animegan_tf {animegan_tf.__version__}\n"


def test_a_tool_gets_its_arguments_and_gives_its_status(tmp_path):
    done = animegan("plot-run", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")


def test_an_unknown_command_is_a_sentence():
    done = commands.run_alone("-m", "animegan_tf.command", "styilze")
    assert done.returncode == 1
    assert done.stderr.startswith("error: command: expected one of stylize, ")
    assert done.stderr.endswith("received 'styilze'\n")


def test_a_wheel_carries_the_tools(monkeypatch):
    import runpy

    options = {}
    monkeypatch.setattr(setuptools, "setup", lambda **given: options.update(given))
    runpy.run_path(str(ROOT / "setup.py"))
    for package in (
        "animegan_tf.tools",
        "animegan_tf.tools.benchmarks",
        "animegan_tf.tools.fuzzing",
    ):
        assert package in options["packages"]
    assert options["package_dir"]["animegan_tf.tools"] == "tools"
    assert command._TOOL_FOLDERS[0] == Path(animegan_tf.__file__).parent / "tools"
