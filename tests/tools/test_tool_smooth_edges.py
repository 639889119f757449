"""The command line of tools/smooth_edges.py, end to end."""

import functools

import cv2
import numpy as np
import places
import pytest
from commands import run_tool

run = functools.partial(run_tool, "smooth_edges")
GOLDEN = np.load(places.GOLDEN / "data_a.npz")


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "style"
    folder.mkdir()
    picture = GOLDEN["input/cartoon_2.png"]
    (folder / "a.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return folder


def test_smooths_and_leaves_existing_results_alone(frames, tmp_path):
    output = tmp_path / "smooth"
    done = run(f"--input={frames}", f"--output={output}")
    assert (done.returncode, done.stdout) == (0, f"1 image(s) written to {output}\n")
    made = cv2.imdecode(np.frombuffer((output / "a.png").read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(made, GOLDEN["edge_smooth_256/cartoon_2.png"])
    again = run(f"--input={frames}", f"--output={output}", "--size=0")
    assert again.stdout.startswith("0 image(s)")
    anew = run(f"--input={frames}", f"--output={output}", "--size=0", "--overwrite", "--workers=1")
    assert anew.stdout.startswith("1 image(s)")
    made = cv2.imdecode(np.frombuffer((output / "a.png").read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert made.shape == (200, 333, 3)


def test_mistakes_are_one_line_and_status_1(frames, tmp_path):
    missing = run(f"--input={tmp_path / 'nowhere'}", f"--output={tmp_path / 'smooth'}")
    assert missing.returncode == 1
    assert missing.stderr.strip() == (
        f"error: expected a folder of images at {tmp_path / 'nowhere'}, found nothing"
    )
    extra = run(f"--input={frames}", f"--output={tmp_path / 'smooth'}", "surplus")
    assert extra.returncode == 1
    assert extra.stderr.strip() == "error: arguments: expected flags only, received 'surplus'"
    assert not (tmp_path / "smooth").exists()
