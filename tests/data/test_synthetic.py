"""The drawn data set: complete, repeatable, never over somebody's files."""

import concurrent.futures
import threading

import numpy as np
import pytest

from animegan_tf import files
from animegan_tf.data import check, smoothing, synthetic
from animegan_tf.data.config import DataConfig
from animegan_tf.errors import InputError


def load(folder):
    return {
        path.relative_to(folder).as_posix(): files.decode_color(path.read_bytes(), path)
        for path in sorted(folder.rglob("*.png"))
    }


def test_is_a_complete_data_set(tmp_path):
    folder = synthetic.make_smoke_dataset(tmp_path / "new" / "smoke", image_size=32, count=4)
    report = check.check_dataset(DataConfig(folder, synthetic.STYLE, image_size=32, batch_size=2))
    report.raise_if_bad()
    counts = {name: found.count for name, found in report.folders.items()}
    assert counts == {"train_photo": 4, "style": 4, "smooth": 4, "val": 2}
    assert report.smooth_missing == 0
    assert [path.name for path in folder.parent.iterdir()] == ["smoke"]


def test_pictures_differ_and_the_seed_repeats_them(tmp_path):
    pictures = load(synthetic.make_smoke_dataset(tmp_path / "a", 32, 3, seed=5))
    again = load(synthetic.make_smoke_dataset(tmp_path / "b", 32, 3, seed=5))
    other = load(synthetic.make_smoke_dataset(tmp_path / "c", 32, 3, seed=6))
    assert pictures.keys() == again.keys() and len(pictures) == 3 + 3 + 3 + 1
    for name, picture in pictures.items():
        np.testing.assert_array_equal(picture, again[name])
        assert (picture != other[name]).any()
    assert len({picture.tobytes() for picture in pictures.values()}) == len(pictures)


def test_frames_have_outlines_that_smoothing_softens(tmp_path):
    pictures = load(synthetic.make_smoke_dataset(tmp_path / "a", 64, 2))
    for name in ("0000.png", "0001.png"):
        frame, smooth = pictures[f"smoke/style/{name}"], pictures[f"smoke/smooth/{name}"]
        assert (frame.max(-1) < 60).mean() > 0.01
        assert 0.05 < (frame != smooth).any(-1).mean() < 0.95


def test_used_again_only_with_the_same_settings(tmp_path):
    folder = synthetic.make_smoke_dataset(tmp_path, image_size=32, count=2)
    mark = (folder / "train_photo" / "0000.png").stat().st_mtime_ns
    assert synthetic.make_smoke_dataset(tmp_path, image_size=32, count=2) == folder
    assert (folder / "train_photo" / "0000.png").stat().st_mtime_ns == mark
    with pytest.raises(InputError, match=r"'image_size': 64.*received .*'image_size': 32"):
        synthetic.make_smoke_dataset(tmp_path, image_size=64, count=2)


@pytest.mark.parametrize("empty", (False, True))
def test_several_workers_may_draw_it_at_once(tmp_path, empty):
    folder = tmp_path / "data"
    if empty:
        folder.mkdir()
    all_there = threading.Barrier(4)

    def make(seed=0):
        all_there.wait()
        return synthetic.make_smoke_dataset(folder, image_size=32, count=2, seed=seed)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        made = [pool.submit(make) for _ in range(4)]
        assert [one.result() for one in made] == [folder] * 4
    assert len(load(folder)) == 2 + 2 + 2 + 1
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_refuses_other_peoples_folders(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match=r"folder: expected a new .* which holds other files"):
        synthetic.make_smoke_dataset(tmp_path)
    with pytest.raises(InputError, match=r"received the file .*thesis\.txt"):
        synthetic.make_smoke_dataset(tmp_path / "thesis.txt")
    with pytest.raises(InputError, match="count: expected a whole number of at least 1"):
        synthetic.make_smoke_dataset(tmp_path / "new", count=0)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_smooth_is_complete_and_made_again_when_a_part_is_missing(tmp_path):
    folder = synthetic.make_smoke_dataset(tmp_path, image_size=32, count=2)
    config = DataConfig(folder, synthetic.STYLE, image_size=32)
    assert smoothing.ensure_smooth(config, progress=False) == 0
    (config.smooth_path / "0001.png").unlink()
    assert smoothing.ensure_smooth(config, progress=False) == 1


@pytest.mark.parametrize("damage", (b"", b"\xff\xfe", b"[" * 100_000))
def test_a_damaged_marker_is_named(tmp_path, damage):
    folder = synthetic.make_smoke_dataset(tmp_path / "a", 32, 3)
    (folder / ".animegan_smoke.json").write_bytes(damage)
    with pytest.raises(InputError, match="settings that cannot be read"):
        synthetic.make_smoke_dataset(folder, 32, 3)
