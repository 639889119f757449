"""TensorFlow 1 names and checkpoints: complete both ways, restored exactly, refused by name."""

import numpy as np
import pytest
import seeded
from tf1_files import write_checkpoint
from toys import assign_seeded

import animegan_tf
from animegan_tf.networks import checkpoint_index, tf1

ARCHS = ("v2", "lite", "v1")


def _values(golden, arch):
    names, shapes = golden[arch]["generator/names"], golden[arch]["generator/shapes"]
    return {
        str(name): seeded.variable(str(name), tuple(int(n) for n in shape[1:-1].split(",")))
        for name, shape in zip(names, shapes, strict=True)
    }


@pytest.mark.parametrize("arch", ARCHS)
def test_names_and_shapes_are_the_originals(golden, arch):
    named = tf1.variables(animegan_tf.build_generator(arch))
    expected = dict(
        zip(golden[arch]["generator/names"], golden[arch]["generator/shapes"], strict=True)
    )
    assert {name: str(list(variable.shape)) for name, variable in named.items()} == expected


@pytest.mark.parametrize(("arch", "norm"), (("v2", "layer"), ("v1", "instance")))
@pytest.mark.parametrize(("part", "spectral"), (("sn", True), ("plain", False)))
def test_discriminator_names_are_the_originals(golden, arch, norm, part, spectral):
    model = animegan_tf.build_discriminator(norm, spectral_norm=spectral)
    named = tf1.variables(model)
    assert set(named) == set(golden[arch][f"discriminator/{part}/names"])
    assert {id(v) for v in named.values()} == {id(v) for v in model.weights}


@pytest.mark.parametrize("arch", ARCHS)
def test_load_restores_every_variable(golden, tmp_path, arch):
    values = _values(golden, arch)
    prefix = write_checkpoint(tmp_path / "Style-9.ckpt", values)
    model = animegan_tf.build_generator(arch)
    tf1.load(model, prefix)
    for name, variable in tf1.variables(model).items():
        np.testing.assert_array_equal(variable.numpy(), values[name], err_msg=name)
    assert tf1.find_arch(prefix) == arch


def _folder_with_state(path, values, recorded):
    write_checkpoint(path / "Style-9.ckpt", values)
    write_checkpoint(path / "Style-8.ckpt", values)
    (path / "checkpoint").write_text(f'model_checkpoint_path: "{recorded}"\n')


@pytest.mark.parametrize("recorded", ("Style-9.ckpt", "/home/author/x/Style-9.ckpt"))
def test_load_by_folder_index_and_data_file(golden, tmp_path, recorded):
    _folder_with_state(tmp_path, _values(golden, "lite"), recorded)
    for path in (
        tmp_path,
        tmp_path / "Style-9.ckpt",
        tmp_path / "Style-9.ckpt.index",
        tmp_path / "Style-9.ckpt.data-00000-of-00001",
    ):
        assert tf1.find_checkpoint(path) == str(tmp_path / "Style-9.ckpt")


def test_what_is_not_asked_for_is_ignored(golden, tmp_path):
    values = _values(golden, "lite")
    values["generator/G_MODEL/Conv/weights/Adam"] = np.zeros((7, 7, 3, 32), np.float32)
    values["discriminator/conv_0/kernel"] = np.zeros((3, 3, 3, 32), np.float32)
    values["global_step"] = np.int64(7)
    prefix = write_checkpoint(tmp_path / "full", values)
    model = animegan_tf.build_generator("lite")
    tf1.load(model, prefix)
    np.testing.assert_array_equal(
        model.get_layer("Conv").kernel.numpy(), values["generator/G_MODEL/Conv/weights"]
    )


def test_discriminator_loads_too(tmp_path):
    source = animegan_tf.build_discriminator(channels=8)
    assign_seeded(source)
    values = {name: variable.numpy() for name, variable in tf1.variables(source).items()}
    target = animegan_tf.build_discriminator(channels=8)
    tf1.load(target, write_checkpoint(tmp_path / "d", values))
    for old, new in zip(source.weights, target.weights, strict=True):
        np.testing.assert_array_equal(old.numpy(), new.numpy())


def test_a_misfit_names_everything_and_changes_nothing(golden, tmp_path):
    values = _values(golden, "lite")
    del values["generator/G_MODEL/res1_1/beta"]
    values["generator/G_MODEL/Conv_2/weights"] = np.zeros((3, 3, 32, 65), np.float32)
    prefix = write_checkpoint(tmp_path / "bad", values)
    model = animegan_tf.build_generator("lite")
    before = model.get_weights()
    with pytest.raises(animegan_tf.InputError) as raised:
        tf1.load(model, prefix)
    text = str(raised.value)
    assert "it lacks generator/G_MODEL/res1_1/beta" in text
    assert (
        "generator/G_MODEL/Conv_2/weights (expected [3, 3, 32, 64], received [3, 3, 32, 65])"
        in text
    )
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(animegan_tf.InputError, match="nearest: lite"):
        tf1.find_arch(prefix)


def test_a_damaged_checkpoint_changes_nothing(golden, tmp_path):
    """One flipped byte in the data file: TensorFlow's checksum finds it."""
    prefix = write_checkpoint(tmp_path / "damaged", _values(golden, "lite"))
    data = tmp_path / "damaged.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0xFF
    data.write_bytes(content)
    model = animegan_tf.build_generator("lite")
    before = model.get_weights()
    with pytest.raises(animegan_tf.InputError, match="is damaged"):
        tf1.load(model, prefix)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("damage", "reason"),
    (
        # TensorFlow ends the process on these when the checksums are right.
        (lambda index: index.replace(b"\x08\x01\x12", b"\x08\x63\x12"), "99"),
        (lambda index: index.replace(b"\x08\x07\x12", b"\x08\x08\x12"), "another size than"),
        (lambda index: index.replace(b"\x12\x02\x08\x07", b"\x12\x02\xff\xff"), "pars|Wire"),
        (lambda index: index.replace(b"weights", b"\xff\xfeights"), "utf-8"),
        (lambda index: index[:-8] + bytes(8), "the footer"),
        (lambda index: index[:60], "."),
        (lambda index: bytes(len(index) - 48) + index[-48:], "."),
    ),
)  # fmt: skip
def test_an_index_is_looked_at_before_tensorflow_does(tmp_path, damage, reason):
    values = {"generator/weights": np.ones((7, 2), np.float32), "b": np.float32(1)}
    prefix = write_checkpoint(tmp_path / "m", values)
    checkpoint_index.check(prefix)
    index = tmp_path / "m.index"
    damaged = damage(index.read_bytes())
    assert damaged != index.read_bytes()
    index.write_bytes(damaged)
    with pytest.raises(animegan_tf.InputError, match=f"is not a readable checkpoint: .*({reason})"):
        checkpoint_index.check(prefix)


def test_a_checkpoint_whose_data_are_cut(golden, tmp_path):
    prefix = write_checkpoint(tmp_path / "cut", _values(golden, "lite"))
    with (tmp_path / "cut.data-00000-of-00001").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(animegan_tf.InputError, match=r"readable checkpoint: .* beyond the end"):
        tf1.find_arch(prefix)


@pytest.mark.parametrize("state", (b"", b"\xff\xfe\x80", bytes(300)))
def test_a_damaged_state_file_names_nothing(tmp_path, state):
    write_checkpoint(tmp_path / "m", {"a": np.float32(1)})
    (tmp_path / "checkpoint").write_bytes(state)
    assert tf1.find_checkpoint(tmp_path) == str(tmp_path / "m")


def test_no_checkpoint_is_explained(tmp_path):
    with pytest.raises(animegan_tf.InputError, match=r"there is no nothing\.index"):
        tf1.load(animegan_tf.build_generator("lite"), tmp_path / "nothing")
    with pytest.raises(animegan_tf.InputError, match=r"with 0 \.index files"):
        tf1.find_checkpoint(tmp_path)
    (tmp_path / "cut.index").write_bytes(b"cut")
    with pytest.raises(animegan_tf.InputError, match="is not a readable checkpoint"):
        tf1.load(animegan_tf.build_generator("lite"), tmp_path / "cut")


def test_other_models_are_refused():
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with pytest.raises(
        animegan_tf.InputError, match="model: expected a generator or discriminator"
    ):
        tf1.variables(model)
