"""The command in processes of its own: help, what it loads, a whole run."""

import subprocess
import sys

import numpy as np
import pytest
from pictures import photos_in

from animegan_tf import images

HEAVY = ("tensorflow", "keras", "numpy", "cv2")


@pytest.fixture
def photos(tmp_path):
    return photos_in(tmp_path / "photos", "a.png", "b.png")


def python(*arguments, **kwargs):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, **kwargs)


CONSOLE_SCRIPT = "import sys; from animegan_tf.stylize.__main__ import console; sys.exit(console())"


@pytest.mark.parametrize("start", [["-m", "animegan_tf.stylize"], ["-c", CONSOLE_SCRIPT]])
def test_help(start):
    answer = python(*start, "--help")
    assert "--output=anime --style=hayao" in answer.stdout  # the example
    for name in ("--output", "--checkpoint", "--[no]compare", "--sizing", "--[no]match_brightness"):
        assert f"  {name}: " in answer.stdout
    for name in (
        "--style",
        "--[no]list_styles",
        "--[no]accept_license",
        "--styles_dir",
        "--mirror",
    ):
        assert f"  {name}: " in answer.stdout
    for name in ("--draw_side", "--strength", "--[no]keep_color"):
        assert f"  {name}: " in answer.stdout
    for name in ("--max_side", "--strip_memory", "--[no]overwrite", "--[no]recursive"):
        assert f"  {name}: " in answer.stdout
    assert "--verbosity" not in answer.stdout  # absl's own are left to --helpfull


def loaded(*arguments):
    """Run the command and return what it printed, and which heavy packages it had loaded."""
    script = (
        "import sys, atexit, runpy;"
        f"atexit.register(lambda: print([m for m in {HEAVY} if m in sys.modules]));"
        f"sys.argv = {['stylize', *map(str, arguments)]};"
        "runpy.run_module('animegan_tf.stylize', run_name='__main__')"
    )
    answer = python("-c", script)
    return answer, answer.stdout.splitlines()[-1]


def test_help_and_listing_load_nothing_heavy():
    answer, heavy = loaded("--help")
    assert heavy == "[]"
    assert "--checkpoint" in answer.stdout
    answer, heavy = loaded("--list_styles")
    assert (answer.returncode, heavy) == (0, "[]")
    assert "hayao " in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--checkpoint=none"], "error: checkpoint: "),
        (["--style=hayao"], "error: accept_license: "),
        (["--style=hayao", "--accept_license"], "error: http://127.0.0.1:1/"),
    ],
)
def test_mistakes_are_found_before_tensorflow_is_loaded(
    photos, tmp_path, monkeypatch, arguments, error
):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folders = (f"--output={tmp_path / 'out'}", f"--styles_dir={tmp_path / 'styles'}")
    answer, heavy = loaded(photos, *folders, "--mirror=http://127.0.0.1:1", *arguments)
    assert answer.returncode == 1
    assert "tensorflow" not in heavy
    assert answer.stderr.splitlines()[-1].startswith(error)


def test_end_to_end(photos, tmp_path):
    """The whole command in a process of its own, with a network and one damaged photo."""
    from animegan_tf.networks import build_generator

    build_generator("lite").save_weights(tmp_path / "a.weights.h5")
    (photos / "c.jpg").write_bytes(b"damaged")
    images.write_photo(photos / "größe.jpg", np.full((259, 301, 3), 90, np.uint8))
    out = tmp_path / "out"
    answer = python(
        *("-m", "animegan_tf.stylize", str(photos)),
        *(f"--output={out}", f"--checkpoint={tmp_path / 'a.weights.h5'}"),
    )
    assert answer.returncode == 1
    assert answer.stdout == f"3 written to {out}, 1 failed\n"
    errors = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "c.jpg: expected an image" in errors[0]
    assert "OpenCV(" not in answer.stderr
    assert images.read_photo(out / "größe.jpg").rgb.shape == (259, 301, 3)
    assert images.read_photo(out / "a.png").rgb.shape == (6, 9, 3)
