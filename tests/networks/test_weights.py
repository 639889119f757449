"""Generators on disk: every form is found and restored, everything else is explained."""

import contextlib
import resource

import h5py
import numpy as np
import pytest
from tf1_files import write_checkpoint
from toys import assign_seeded

import animegan_tf
from animegan_tf.networks import tf1, weights
from animegan_tf.networks.generator import properties
from animegan_tf.train import summaries


@pytest.fixture(scope="module")
def lite():
    model = animegan_tf.build_generator("lite")
    assign_seeded(model)
    return model


def _same(a, b):
    for old, new in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("arch", ("v2", "lite", "v1"))
def test_weights_file_tells_its_arch(tmp_path, arch):
    model = animegan_tf.build_generator(arch)
    path = tmp_path / f"{arch}.weights.h5"
    weights.save_generator(model, path)
    loaded = weights.load_generator(path)
    assert loaded.name == f"generator_{arch}"
    _same(model, loaded)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("half", (False, True))
def test_a_weights_file_keeps_what_its_numbers_do_not_tell(tmp_path, half):
    model = animegan_tf.build_generator("lite", norm="instance")
    model.match_brightness = False
    first, second = tmp_path / "a.weights.h5", tmp_path / "b.weights.h5"
    weights.save_generator(model, first, half)
    weights.save_generator(weights.load_generator(first), second)
    for path in (first, second):
        loaded = weights.load_generator(path)
        assert properties(loaded) == {
            "arch": "lite",
            "multiple": 8,
            "norm": "instance",
            "match_brightness": False,
        }


def test_a_file_that_records_nothing_is_as_published(tmp_path, lite):
    path = tmp_path / "a.weights.h5"
    weights.save_generator(lite, path)
    with h5py.File(path, "r+") as file:
        del file.attrs["animegan_tf"]
    loaded = weights.load_generator(path)
    assert properties(loaded)["norm"] == "layer"
    assert properties(loaded)["match_brightness"] is True
    with h5py.File(path, "r+") as file:
        file.attrs["animegan_tf"] = "[1]"
    with pytest.raises(animegan_tf.InputError, match="expected a JSON object"):
        weights.load_generator(path)


def test_keras_reads_the_file_too(tmp_path, lite):
    weights.save_generator(lite, tmp_path / "a.weights.h5")
    other = animegan_tf.build_generator("lite")
    other.load_weights(tmp_path / "a.weights.h5")
    _same(lite, other)


def test_run_directory(tmp_path, lite):
    weights.save_generator(lite, tmp_path / weights.RUN_WEIGHTS)
    _same(lite, weights.load_generator(tmp_path))


def test_tf1_checkpoint(tmp_path, lite):
    values = {name: variable.numpy() for name, variable in tf1.variables(lite).items()}
    prefix = write_checkpoint(tmp_path / "x" / "Style-1.ckpt", values)
    _same(lite, weights.load_generator(prefix))
    _same(lite, weights.load_generator(prefix.parent))
    _same(lite, weights.load_generator(f"{prefix}.index"))


@pytest.mark.parametrize(
    ("name", "text"),
    (
        ("none.weights.h5", "there is no file"),
        ("none", "which is none of them"),
        ("cut.h5", "is not a readable weights file"),
        ("other.h5", r"2,143,552 \(v2\).*received .*other.h5' with 6"),
        ("empty", "which holds neither"),
    ),
)
def test_what_does_not_fit_is_explained(tmp_path, name, text):
    (tmp_path / "cut.h5").write_bytes(b"cut")
    (tmp_path / "empty").mkdir()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = np.zeros((2, 3))
    with pytest.raises(animegan_tf.InputError, match=f"checkpoint: .*{text}"):
        weights.load_generator(tmp_path / name)


def test_the_name_of_a_weights_file_is_checked(tmp_path, lite):
    with pytest.raises(animegan_tf.InputError, match=r"ending in \.weights\.h5"):
        weights.save_generator(lite, tmp_path / "a.h5")


@contextlib.contextmanager
def files_up_to(size):
    """As on a full disk: writing a file beyond `size` bytes fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_an_error_that_leaves_what_was_there(tmp_path, lite):
    """HDF5 itself would end the process when it closes the file."""
    path = tmp_path / "a.weights.h5"
    weights.save_generator(lite, path)
    before = path.read_bytes()
    with files_up_to(1000), pytest.raises(OSError, match="File too large"):
        weights.save_generator(lite, path)
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]


def test_records_on_a_full_disk_are_an_error(tmp_path):
    record = summaries.RunRecords(tmp_path, 0)
    record.scalars(1, "initialize", 1, {"init": 1.0}, {})
    with files_up_to(0), pytest.raises(OSError, match="File too large"):
        record.scalars(2, "initialize", 1, {"init": 1.0}, {})
    # Of TensorBoard's writer, which keeps what it gets until it is closed.
    with files_up_to(0), pytest.raises(OSError, match="File too large"):
        record.samples(1, "epoch-0001", [[np.zeros((500, 500, 3), np.uint8)]])
