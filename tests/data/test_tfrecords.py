"""Shards: the batches of the folders, whatever the step and worker; going on, damage, refusals."""

import contextlib
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from animegan_tf import images
from animegan_tf.data import check, pipeline, sources, tfrecord_writer, tfrecords
from animegan_tf.data.config import DataConfig
from animegan_tf.errors import InputError

SHARD_BYTES = 12_000  # two to four of the pictures


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """7 photos, 5 frames, 2 photos of val: noise of several sizes, as PNG and JPEG."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name, count in (("train_photo", 7), ("ghost/style", 5), ("val", 2)):
        for index in range(count):
            shape = (40 + 3 * index, 60 - 2 * index, 3)
            suffix = (".png", ".jpg")[index % 2]
            picture = rng.integers(0, 256, shape, dtype=np.uint8)
            images.write_photo(folder / name / f"é{index}{suffix}", picture)
    return folder


@pytest.fixture(scope="module")
def config(data):
    return DataConfig(data, "ghost", image_size=32, batch_size=4, crop="random", hflip=True, seed=3)


def fill(config, output, **options):
    plan = tfrecord_writer.make_plan(config, output, SHARD_BYTES, progress=False, **options)
    tfrecord_writer.write(plan, progress=False)
    return plan


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    output = tmp_path_factory.mktemp("shards") / "s"
    fill(config, output)
    return output


@pytest.fixture
def shards(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "s"))


def from_shards(config, output):
    return dataclasses.replace(
        config, source="tfrecord", tfrecords=str(output), data_dir="", style=""
    )


def batches(config, count, **options):
    dataset = pipeline.make_dataset(config, **options)
    return [{key: value.numpy() for key, value in batch.items()} for batch in dataset.take(count)]


@pytest.mark.parametrize(
    "options",
    (
        {},
        {"start_step": 3},
        {"shard": (0, 2)},
        {"shard": (1, 2), "start_step": 2},
    ),
)
def test_the_same_batches_from_folders_and_from_shards(config, whole, options):
    expected = batches(config, 5, **options)
    got = batches(from_shards(config, whole), 5, **options)
    for one, other in zip(got, expected, strict=True):
        assert one.keys() == other.keys()
        for key, value in other.items():
            np.testing.assert_array_equal(one[key], value)
    assert (got[0]["photo"] != got[1]["photo"]).any()


def test_two_workers_share_the_batch_of_one(config, whole):
    config = from_shards(config, whole)
    parts = [batches(config, 3, shard=(index, 2)) for index in range(2)]
    for one, other, both in zip(*parts, batches(config, 3), strict=True):
        joined = np.concatenate([one["anime"], other["anime"]])
        np.testing.assert_array_equal(joined, both["anime"])


def test_records_are_the_files_for_any_reader_of_tfrecords(config, whole):
    """What TensorFlow's own reader finds, checksums of the format included."""
    kinds = {name: tf.io.FixedLenFeature([], tf.string) for name in FEATURES}
    for group, folder in (("style", config.style_dir), ("train_photo", config.photo_dir)):
        paths = sorted(str(path) for path in whole.glob(f"{group}-*"))
        assert len(paths) > 1
        found = {}
        for record in tf.data.TFRecordDataset(paths):
            parsed = tf.io.parse_single_example(record, kinds)
            name = parsed["image/filename"].numpy().decode("utf-8")
            found[name] = parsed["image/encoded"].numpy()
        assert found == {path.name: path.read_bytes() for path in folder.iterdir()}


FEATURES = ("image/filename", "image/encoded")


def test_the_check_finds_what_it_finds_in_the_folders(config, whole):
    folders = check.check_dataset(config, progress=False)
    records = check.check_dataset(from_shards(config, whole), progress=False)
    assert records.folders.keys() == folders.folders.keys() == set(tfrecords.GROUPS)
    for name, folder in folders.folders.items():
        assert dataclasses.replace(records.folders[name], path=folder.path) == folder
    assert records.problems == folders.problems == ()
    assert records.smooth_missing == 0
    wrong = dataclasses.replace(from_shards(config, whole), crop="none")
    problems = check.check_dataset(wrong, progress=False).problems
    assert [int(problem.split()[0]) for problem in problems] == [7, 5, 5]
    mean = check.style_mean_bgr(from_shards(config, whole))
    assert mean == check.style_mean_bgr(config)


@pytest.mark.parametrize("length", [0, 1, 100, 127, 128, 20_000, 3_000_000])
def test_records_are_what_tensorflow_serialises(length):
    values = {"image/filename": "é.png".encode(), "image/encoded": b"x" * length}
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in values.items()
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    expected = example.SerializeToString(deterministic=True)
    assert tfrecord_writer._example("é.png", b"x" * length) == expected


def test_sample_photos_are_those_of_val(config, whole):
    for count in (1, 9):
        expected = sources.sample_photos(config, count)
        got = sources.sample_photos(from_shards(config, whole), count)
        assert len(got) == min(count, 2)
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_run_that_was_stopped_goes_on(config, whole, tmp_path, monkeypatch):
    output, real, written = tmp_path / "s", tfrecord_writer._write_shard, []

    def stopped(folder, shard, paths):
        if len(written) == 2:
            raise OSError("the disk is full")
        written.append(shard["file"])
        return real(folder, shard, paths)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="the disk is full"):
        patch.setattr(tfrecord_writer, "_write_shard", stopped)
        fill(config, output)
    with pytest.raises(InputError, match=r"with index\.json\) at .*, found an incomplete one"):
        tfrecords.read_index(output)
    before = {name: (output / name).stat().st_mtime_ns for name in written}
    plan = fill(config, output)
    assert len(plan.done) == 2 and "already written: 2" in str(plan)
    assert before == {name: (output / name).stat().st_mtime_ns for name in written}
    names = sorted(path.name for path in whole.iterdir())
    assert sorted(path.name for path in output.iterdir()) == names
    for name in names:
        assert (output / name).read_bytes() == (whole / name).read_bytes()


def test_a_finished_folder_is_left_as_it_is(config, shards, monkeypatch):
    monkeypatch.setattr(tfrecord_writer, "_write_shard", None)
    plan = fill(config, shards)
    assert plan.finished and "already written: all of them" in str(plan)


def test_other_pictures_are_refused(config, data, shards, tmp_path):
    changed = tmp_path / "data"
    shutil.copytree(data, changed)
    images.write_photo(changed / "train_photo" / "é0.png", np.zeros((40, 60, 3), np.uint8))
    other = dataclasses.replace(config, data_dir=changed)
    index = (shards / "index.json").read_bytes()
    with pytest.raises(InputError, match=r"output: .* was written from other images"):
        fill(other, shards)
    with pytest.raises(InputError, match="or with another shard size"):
        tfrecord_writer.make_plan(config, shards, 2 * SHARD_BYTES, progress=False)
    assert (shards / "index.json").read_bytes() == index


def test_what_else_is_there_is_not_written_into(config, tmp_path):
    (tmp_path / "film.mkv").touch()
    with pytest.raises(InputError, match=r"output: expected a new or empty folder, found 'film"):
        fill(config, tmp_path)
    with pytest.raises(InputError, match="output: expected a folder, found a file"):
        fill(config, tmp_path / "film.mkv")
    with pytest.raises(InputError, match="shard_bytes: expected a whole number of at least 1"):
        tfrecord_writer.make_plan(config, tmp_path / "s", 0)
    with pytest.raises(InputError, match=r"the data set has \d+ problem"):
        fill(dataclasses.replace(config, crop="none"), tmp_path / "s")
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


# --- damage --------------------------------------------------------------------------------------


def refusal(folder):
    with pytest.raises(InputError) as caught:
        tfrecords.read_index(folder)
    return str(caught.value)


def test_shards_that_are_not_whole_are_named(shards):
    path = shards / "style-00000-of-00002.tfrecord"
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    size = len(data)
    assert refusal(shards) == (
        f"tfrecords: the shard {path} is truncated: it has {size - 1} bytes, {size} were written"
    )
    path.write_bytes(data + b"x")
    assert f"{path} is changed" in refusal(shards)
    path.unlink()
    assert refusal(shards) == f"tfrecords: the shard {path} is missing"


def edit(folder, **changes):
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps({**index, **changes}))


def test_an_index_of_another_kind_is_refused(shards, tmp_path):
    assert f"at {tmp_path / 'none'}, found nothing" in refusal(tmp_path / "none")
    edit(shards, count=99)
    assert "expected 99 images" in refusal(shards) and "found 19" in refusal(shards)
    edit(shards, version=2)
    assert "expected version 1" in refusal(shards) and "found 2" in refusal(shards)
    edit(shards, version=1, shards=[{"file": "a"}])
    assert "damaged or has another format" in refusal(shards)
    for text in ("[]", "{", '{"format": "other"}'):
        (shards / "index.json").write_text(text)
        assert "damaged or has another format" in refusal(shards)


def test_a_changed_byte_is_found(config, shards):
    record = tfrecords.read_index(shards)["style"][1]
    data = bytearray(record.shard.read_bytes())
    data[record.offset + record.length // 2] ^= 1
    record.shard.write_bytes(data)
    with pytest.raises(
        InputError, match=r"tfrecord\[é1\.jpg\] is damaged: create the shards again"
    ):
        record.read_bytes()
    report = check.check_dataset(from_shards(config, shards), progress=False)
    assert report.problems == (f"{record} is damaged: create the shards again",)


def test_shards_without_a_group_cannot_train(config, shards):
    index = json.loads((shards / "index.json").read_text())
    kept = [shard for shard in index["shards"] if shard["group"] != "smooth"]
    edit(shards, shards=kept, count=sum(len(shard["pictures"]) for shard in kept))
    report = check.check_dataset(from_shards(config, shards), progress=False)
    assert report.problems == (f"no images of smooth in {shards}",)
    with pytest.raises(InputError, match="expected those of the smooth stream"):
        pipeline.make_dataset(from_shards(config, shards))


@pytest.mark.parametrize(
    "change",
    (
        lambda shard: shard.update(file=f"../s/{shard['file']}"),
        lambda shard: shard.update(group="train_phXto"),
        lambda shard: shard["pictures"][0].__setitem__(1, 10**30),
        lambda shard: shard["pictures"][0].__setitem__(2, -1),
        lambda shard: shard["pictures"][0].__setitem__(0, 7),
        lambda shard: shard.update(bytes="many"),
    ),
)
def test_an_index_that_was_changed(shards, change):
    index = json.loads((shards / "index.json").read_text())
    change(index["shards"][0])
    (shards / "index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"index\.json is damaged"):
        tfrecords.read_index(shards)


def test_changed_characters_in_an_index_are_named(shards):
    good, random = (shards / "index.json").read_text(), np.random.default_rng(0)
    for _ in range(300):
        at, piece = random.integers(len(good)), random.choice(list('[]{}",:x019-e'))
        (shards / "index.json").write_text(good[:at] + piece + good[at + 1 :])
        with contextlib.suppress(InputError):
            tfrecords.read_index(shards)
    (shards / "index.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"index\.json is damaged"):
        tfrecords.read_index(shards)
