"""The command line of tools/color_balance.py, end to end."""

import functools
import json

import cv2
import numpy as np
import places
import pytest
from commands import run_tool

run = functools.partial(run_tool, "color_balance")
GOLDEN = np.load(places.GOLDEN / "data_a.npz")


def test_meets_the_published_difference(tmp_path):
    folder = tmp_path / "style"
    folder.mkdir()
    for index in range(3):
        picture = GOLDEN[f"input/cartoon_{index}.png"]
        (folder / f"{index}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    expected = GOLDEN["color_mean_diff_bgr"]
    done = run(f"--input={folder}", f"--output={tmp_path / 'new' / 'balance.json'}")
    assert (done.returncode, done.stderr) == (0, "")
    numbers = json.loads((tmp_path / "new" / "balance.json").read_text())
    np.testing.assert_allclose(numbers["shift_bgr"], expected, atol=1e-6)
    mean = np.array(numbers["mean_bgr"])
    np.testing.assert_allclose(mean.mean() - mean, expected, atol=1e-6)
    flag = done.stdout.splitlines()[-1]
    assert flag == numbers["flag"]
    assert flag.startswith("--color_shift=")
    values = [float(value) for value in flag.partition("=")[2].split(",")]
    np.testing.assert_allclose(values, expected, atol=1e-4)


def test_blue_pictures_lose_blue(tmp_path):
    blue = np.zeros((8, 8, 3), np.uint8)
    blue[..., 0] = 90  # OpenCV's order
    cv2.imwrite(str(tmp_path / "a.png"), blue)
    done = run(f"--input={tmp_path}")
    assert done.stdout.splitlines() == [
        "            blue     green       red",
        "mean     90.0000    0.0000    0.0000",
        "shift   -60.0000   30.0000   30.0000",
        "--color_shift=-60.0000,30.0000,30.0000",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "input: expected --input=..., received nothing"),
        (["--input=x", "y"], "arguments: expected flags only, received 'y'"),
        (["--input={}/gone"], "expected a folder of images at {}/gone, found nothing"),
        (["--input={}"], "1 of 1 images cannot be read: cannot decode {}/a.png: not an image, "
                         "or damaged (1 bytes)"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_status_1(tmp_path, arguments, message):
    (tmp_path / "a.png").write_bytes(b"?")
    done = run(*(one.format(tmp_path) for one in arguments))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {message.format(tmp_path)}\n"
