"""The command line of tools/make_tfrecords.py, end to end."""

import functools

import pytest
from commands import run_tool

from animegan_tf.data import synthetic, tfrecords

run = functools.partial(run_tool, "make_tfrecords")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return synthetic.make_smoke_dataset(tmp_path_factory.mktemp("data") / "d", 32)


def test_fills_a_folder_once(data, tmp_path):
    flags = (f"--data_dir={data}", "--style=smoke", f"--output={tmp_path / 's'}", "--image_size=32")
    done = run(*flags)
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert first.startswith("21 images, ") and first.endswith("already written: 0")
    assert last == f"done: {tmp_path / 's'}"
    counts = {name: len(records) for name, records in tfrecords.read_index(tmp_path / "s").items()}
    assert counts == {"train_photo": 6, "style": 6, "smooth": 6, "val": 3}
    again = run(*flags)
    assert again.returncode == 0 and again.stdout.endswith("already written: all of them\n")


@pytest.mark.parametrize(
    ("flags", "text"),
    (
        ((), "data_dir: expected --data_dir=..., received nothing"),
        (("--data_dir=d", "--style=s"), "output: expected --output=..., received nothing"),
        (("--data_dir=d", "--style=s", "--output=o", "more"), "expected flags only"),
        (("--data_dir=none", "--style=s", "--output=none/o"), "none/train_photo"),
    ),
)
def test_mistakes_are_one_line_and_status_1(flags, text):
    done = run(*flags)
    assert done.returncode == 1
    assert text in done.stderr and "Traceback" not in done.stderr


def test_damaged_pictures_are_named_and_nothing_is_written(data, tmp_path):
    flags = (f"--data_dir={data}", "--style=smoke", f"--output={tmp_path / 's'}")
    done = run(*flags)  # for 256 pixels
    assert done.returncode == 1 and "6 image(s) of train_photo are not 256x256" in done.stderr
    assert not (tmp_path / "s").exists()


def test_help_loads_no_tensorflow():
    done = run("--help")
    assert done.returncode == 0 and "--shard_mb" in done.stdout
    assert "cuda" not in done.stderr
