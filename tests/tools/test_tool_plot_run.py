"""The command line of tools/plot_run.py, end to end; `test_plotting` tests what it draws."""

import functools
import json

import cv2
import pytest
from commands import run_tool

run = functools.partial(run_tool, "plot_run")


@pytest.fixture
def running(tmp_path):
    """A run that is still going on: its last line is half there."""
    folder = tmp_path / "myrun"
    folder.mkdir()
    lines = [
        {"step": step, "epoch": 1, "phase": "initialize", "init": 9.0 / step, "content": 5.0}
        for step in range(1, 9)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 9, "ep'
    (folder / "scalars.jsonl").write_text(text)
    return folder


def test_a_run_that_goes_on(running):
    done = run(running)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "1 unreadable line(s) ignored (the last one may be incomplete)",
        f"8 steps, 2 terms: {running / 'curves.png'}",
    ]
    assert cv2.imread(str(running / "curves.png")).shape[1] == 1000  # two panels


def test_a_file_of_lines_and_another_output(running, tmp_path):
    output = tmp_path / "new" / "a.png"
    done = run(running / "scalars.jsonl", f"--output={output}")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        f"8 steps, 2 terms: {output}",
    )
    assert output.is_file()
    assert not (running / "curves.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "run: expected one run directory or .jsonl file, received 0 arguments"),
        (["a", "b"], "run: expected one run directory or .jsonl file, received 2 arguments"),
        (
            ["{}"],
            "run: expected a run directory with scalars.jsonl, or such a file, found none in {}",
        ),
    ],
)
def test_mistakes_are_one_line_and_status_1(tmp_path, arguments, message):
    done = run(*(one.format(tmp_path) for one in arguments))
    assert (done.returncode, done.stderr) == (1, f"error: {message.format(tmp_path)}\n")
