"""Every command in a process of its own: help, a mistake, and no TensorFlow for either."""

import os
import signal
import subprocess
import sys

import pytest
from commands import ROOT, run_alone

MODULES = ("animegan_tf.stylize", "animegan_tf.train", "animegan_tf.export")
TOOLS = sorted(path.stem for path in (ROOT / "tools").glob("*.py"))
# Without arguments they would have something to do, or say more than a line.
MISTAKES = {
    "benchmark": ("surplus",),
    "fuzz": ("surplus",),
    "smooth_edges": ("--input=none", "--output=o"),
}
# Runs a command as Python would, and says as the last line of all what of these it has loaded.
_WATCHED = """
import atexit, runpy, sys
names = ("tensorflow", "keras")
atexit.register(lambda: print([name for name in names if name in sys.modules]))
command = sys.argv[1]
sys.argv = sys.argv[1:]
if command.endswith(".py"):
    runpy.run_path(command, run_name="__main__")
else:
    runpy.run_module(command, run_name="__main__", alter_sys=True)
"""


def run(command, *arguments, folder):
    path = command if command in MODULES else ROOT / "tools" / f"{command}.py"
    done = run_alone("-c", _WATCHED, path, *arguments, folder=folder)
    *lines, loaded = done.stdout.splitlines()
    return done, lines, loaded


@pytest.mark.parametrize("command", (*MODULES, *TOOLS))
def test_help(command, tmp_path):
    done, lines, loaded = run(command, "--help", folder=tmp_path)
    assert (done.returncode, done.stderr, loaded) == (0, "", "[]")
    names = (f"python -m {command}", command.replace("_tf.", "-"))
    names = names if command in MODULES else (f"python tools/{command}.py",)
    assert any(line.strip().startswith(names) for line in lines)
    assert any(line.startswith("  --") for line in lines)


@pytest.mark.parametrize("command", (*MODULES, *TOOLS))
def test_a_mistake(command, tmp_path):
    """Each refuses this: too few arguments, or one too many."""
    done, lines, loaded = run(command, *MISTAKES.get(command, ()), folder=tmp_path)
    assert (done.returncode, lines, loaded) == (1, [], "[]")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("redirected", "status", "said"),
    (
        ("--help >&- 2>&- <&-", 0, ""),
        ("--list_styles --checkpoint=none 2>&-", 0, "shipped"),
        ("--surplus 2>&-", 1, ""),
        ("--help | true", 0, ""),
    ),
)
def test_streams_that_are_closed_end_nothing(tmp_path, redirected, status, said):
    script = f"set -o pipefail; {sys.executable} -m animegan_tf.stylize {redirected}"
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, "")
    assert said in done.stdout


def test_a_flagfile_that_is_no_text(tmp_path):
    (tmp_path / "a.flags").write_bytes(b"--output=a\n\x82\xff\0")
    done = run_alone("-m", "animegan_tf.stylize", "--flagfile=a.flags", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: flagfile: expected text in UTF-8 in a.flags\n"


def test_sigterm_removes_what_is_written_aside(tmp_path):
    code = (
        "import sys, signal; from animegan_tf import cli, storage\n"
        "def main(_):\n"
        "    with storage.aside('a.tflite', '.tflite'):\n"
        "        signal.raise_signal(signal.SIGTERM)\n"
        "cli.run(main, '__main__', 'doc')"
    )
    done = run_alone("-c", code, folder=tmp_path)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "")
    assert list(tmp_path.iterdir()) == []


def test_control_characters_are_shown_not_obeyed(capsys):
    from animegan_tf.errors import printable
    from animegan_tf.stylize import jobs

    assert printable("a\x1b[31m\u202eb\nc\x9b") == "a\\x1b[31m\\u202eb\nc\\x9b"
    jobs.show_failure("in/new\nline\x07.jpg", "cannot be read")
    assert capsys.readouterr().err == "error: in/new\\nline\\x07.jpg: cannot be read\n"
