"""The feature network: weight files of every kind, and those that are refused."""

import pickle
import struct

import numpy as np
import pytest
import seeded
from commands import ROOT, run_tool

import animegan_tf
from animegan_tf.networks import feature_files
from animegan_tf.networks.feature_files import conv_names

PHOTO = seeded.image("photo", (1, 32, 32, 3))


def _vgg16_values(until="conv4_3"):
    shapes = {}
    fan_in = 3
    for name in conv_names("vgg16"):
        fan_out = (64, 128, 256, 512)[int(name[4]) - 1]
        shapes[name] = (fan_in, fan_out)
        fan_in = fan_out
    values = {}
    for name, (fan_in, fan_out) in shapes.items():
        values[name] = [
            seeded.variable(f"vgg16/{name}/weights", (3, 3, fan_in, fan_out)),
            seeded.variable(f"vgg16/{name}/biases", (fan_out,)),
        ]
        if name == until:
            break
    return values


def _save(path, values):
    np.save(path, values, allow_pickle=True)
    return path


def test_frozen(vgg19):
    assert vgg19.trainable_weights == []
    assert vgg19(PHOTO).shape == (1, 4, 4, 512)


def test_vgg16_by_hand(tmp_path):
    """The first two layers computed with numpy: BGR order, means, SAME padding, ReLU."""
    values = _vgg16_values()
    model = animegan_tf.build_feature_extractor(_save(tmp_path / "v.npy", values), "vgg16")
    bgr = (PHOTO[0, :, :, ::-1] + 1.0) * 127.5 - np.array([103.939, 116.779, 123.68])
    layer, pixel = bgr, None
    for name in ("conv1_1", "conv1_2"):
        kernel, bias = values[name]
        padded = np.pad(layer, ((1, 1), (1, 1), (0, 0)))
        layer = sum(
            padded[i : i + 32, j : j + 32] @ kernel[i, j] for i in range(3) for j in range(3)
        )
        layer = np.maximum(layer + bias, 0)
        pixel = layer[5, 7]
    import keras

    probe = keras.Model(model.input, model.get_layer("conv1_2").output)
    np.testing.assert_allclose(np.asarray(probe(PHOTO))[0, 5, 7], pixel, rtol=1e-4, atol=1e-3)


def test_last_layer_has_no_relu(tmp_path):
    model = animegan_tf.build_feature_extractor(_save(tmp_path / "v.npy", _vgg16_values()), "vgg16")
    assert np.asarray(model(PHOTO)).min() < 0


def test_layers_beyond_are_not_needed(tmp_path):
    with_more = {**_vgg16_values(), "fc6": [np.zeros((2, 2)), np.zeros(2)]}
    less = animegan_tf.build_feature_extractor(_save(tmp_path / "a.npy", _vgg16_values()), "vgg16")
    more = animegan_tf.build_feature_extractor(_save(tmp_path / "b.npy", with_more), "vgg16")
    np.testing.assert_array_equal(less(PHOTO), more(PHOTO))


def _npy_header():
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def _save_old(path, values, module=b"numpy.core."):
    """As Python 2 pickled the published files: protocol 2, `numpy.core`, byte strings."""
    # np.save pickles the array around the dict; so did the original.
    array = np.empty((), object)
    array[()] = values
    path.write_bytes(
        _npy_header() + pickle.dumps(array, protocol=2).replace(b"numpy._core.", module)
    )
    return path


def test_python_2_pickle(tmp_path):
    values = _vgg16_values()
    path = _save_old(tmp_path / "old.npy", values)
    model = animegan_tf.build_feature_extractor(path, "vgg16")
    np.testing.assert_array_equal(model.get_layer("conv4_3").bias.numpy(), values["conv4_3"][1])


@pytest.mark.parametrize("module", [b"numpy.core.", b"numpy._core."])
def test_the_names_that_numpy_1_and_2_write(tmp_path, monkeypatch, module):
    """Both are read with NumPy 1.26 too, which has no attribute `_core`."""
    path = _save_old(tmp_path / "a.npy", _vgg16_values("conv1_1"), module)
    monkeypatch.delattr(np, "_core")
    for value, expected in zip(
        feature_files.read(path)["conv1_1"], _vgg16_values("conv1_1")["conv1_1"], strict=True
    ):
        np.testing.assert_array_equal(value, expected)


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    path = _save(tmp_path / "evil.npy", {"conv1_1": Evil()})
    with pytest.raises(animegan_tf.InputError, match=r"features: .*is not part of a weights file"):
        animegan_tf.build_feature_extractor(path)
    assert not marker.exists()


def test_missing_and_misshapen_layers_are_named(tmp_path):
    values = _vgg16_values()
    del values["conv3_2"]
    values["conv4_1"] = [np.zeros((3, 3, 256, 500), np.float32), np.zeros(500, np.float32)]
    path = _save(tmp_path / "bad.npy", values)
    with pytest.raises(animegan_tf.InputError, match="it lacks conv3_2") as raised:
        animegan_tf.build_feature_extractor(path, "vgg16")
    assert "conv4_1 has shapes [(3, 3, 256, 500), (500,)]" in str(raised.value)


def test_vgg16_is_no_vgg19_and_the_other_way_round(tmp_path, vgg19_file):
    path = _save(tmp_path / "v.npy", _vgg16_values())
    with pytest.raises(animegan_tf.InputError, match="does not fit vgg19: it lacks conv3_4"):
        animegan_tf.build_feature_extractor(path, "vgg19")
    with pytest.raises(animegan_tf.InputError, match="does not fit vgg16: it is a VGG19"):
        animegan_tf.build_feature_extractor(vgg19_file, "vgg16")


def _write_h5(path, values, leaf):
    import h5py

    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in values.items():
            group = f"block{name[4]}_conv{name[6]}"
            file[f"{group}/{group}/{leaf[0]}"] = kernel
            file[f"{group}/{group}/{leaf[1]}"] = bias


@pytest.mark.parametrize("leaf", (("kernel:0", "bias:0"), ("block_W_1:0", "block_b_1:0")))
def test_keras_h5(tmp_path, leaf):
    values = _vgg16_values()
    _write_h5(tmp_path / "vgg.h5", values, leaf)
    from_h5 = animegan_tf.build_feature_extractor(tmp_path / "vgg.h5", "vgg16")
    from_npy = animegan_tf.build_feature_extractor(_save(tmp_path / "v.npy", values), "vgg16")
    np.testing.assert_array_equal(from_h5(PHOTO), from_npy(PHOTO))


def test_keras_applications_agree(tmp_path):
    """The same weights through `keras.applications` and its preprocessing."""
    import keras

    reference = keras.applications.VGG19(weights=None, include_top=False)
    reference.save_weights(tmp_path / "all.weights.h5")
    values = {
        name: [
            w.numpy() for w in reference.get_layer(f"block{name[4]}_{name[:4]}{name[6]}").weights
        ]
        for name in conv_names("vgg19")
    }
    model = animegan_tf.build_feature_extractor(_save(tmp_path / "v.npy", values))
    layer = reference.get_layer("block4_conv4")
    before = keras.Model(reference.input, layer.input)
    pixels = keras.applications.vgg19.preprocess_input((PHOTO + 1.0) * 127.5)
    expected = keras.ops.conv(before(pixels), layer.kernel, padding="same") + layer.bias
    np.testing.assert_allclose(model(PHOTO), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    (
        ("none.npy", None, "which is not a file"),
        ("v.txt", b"x", "expected a .npy, .npz or .h5 file"),
        ("cut.npy", b"\x93NUM", "is not a pickled dict of VGG layers"),
        ("cut.h5", b"nothing", "is not a readable HDF5 file"),
    ),
)
def test_unreadable_files_are_named(tmp_path, name, content, text):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(animegan_tf.InputError, match=text):
        animegan_tf.build_feature_extractor(tmp_path / name)


def _named(module, name):
    return b"c" + module + b"\n" + name + b"\n"


_NDARRAY, _DTYPE = _named(b"numpy", b"ndarray"), _named(b"numpy", b"dtype")
_EMPTY = _named(b"numpy.core.multiarray", b"_reconstruct") + _NDARRAY + b"K\x00\x85C\x01b\x87R"
_F4 = _DTYPE + b"X\x02\0\0\0f4\x85R"
_OBJECT = _DTYPE + b"X\x01\0\0\0O\x85R"


@pytest.mark.parametrize(
    ("pickled", "reason"),
    (
        # An array made over pointers of the file's own: once a segmentation fault.
        (_NDARRAY + b"K\x01\x85X\x01\0\0\0OC\x08AAAAAAAA\x87R.", "only arrays"),
        (_EMPTY + b"(K\x01K\x01\x85" + _OBJECT + b"\x89C\x08AAAAAAAAtb.", "no list of them"),
        (_EMPTY + b"(K\x01J\xff\xff\xff\x7f\x85" + _F4 + b"\x89C\x04AAAAtb.", "other than its"),
        (_named(b"numpy", b"load") + b"C\x01a\x85R.", "numpy.load is not part"),
        (_DTYPE + b"X\x04\0\0\0V999\x85R.", "a dtype 'V999' is not part"),
        (b"K\x01r\xff\xff\xff\x7f.", "longer than a weights file"),
        (b"K\x01.", "holds a int, not a dict"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x0fA.", "expected 1152921504606846975 bytes"),
        (b"N" * 20_000 + b".", "longer than a weights file"),
        (_named(b"_codecs", b"encode") + b"q\0X\xff\0\0\0" + b"a" * 255 + b"X\x06\0\0\0latin1"
         b"\x86q\1R" + b"h\0h\1R" * 3 + b".", "holds a str, not a dict"),
        (b"}X\x07\0\0\0conv1_1K\x05s.", "conv1_1 has shapes"),
        (b"}K\x07K\x05s.", "its layers have no names"),
        (b"0.", "stack underflow"),
        (b"", "exhausted"),
    ),
)  # fmt: skip
def test_crafted_pickles_are_refused_in_words(tmp_path, pickled, reason):
    path = tmp_path / "crafted.npy"
    path.write_bytes(_npy_header() + b"\x80\x04" + pickled)
    with pytest.raises(animegan_tf.InputError, match=reason):
        feature_files.check_fit(feature_files.read(path), path, "vgg16")


def test_a_header_of_parentheses_is_refused_in_words(tmp_path):
    header = b"(" * 5000
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", 5000) + header)
    with pytest.raises(animegan_tf.InputError, match="its header is damaged"):
        feature_files.read(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("options", "reason"),
    (
        ({"shape": (3, 3, 3, 10**9), "dtype": "f4"}, r"has shapes \[\(3, 3, 3, 1000000000\)"),
        ({"shape": (3, 3, 3, 64), "dtype": "f4", "chunks": True}, "expected floats in one piece"),
        ({"shape": (3, 3, 3, 64), "dtype": "S1000"}, "expected floats in one piece"),
        ({"shape": (64,), "dtype": "f4", "external": [("other", 0, 256)]}, "in one piece"),
        ({"shape": None, "dtype": "f4"}, "it lacks conv1_2"),
    ),
)  # fmt: skip
def test_hdf5_is_read_only_where_its_shape_fits(tmp_path, options, reason):
    import h5py

    with h5py.File(tmp_path / "vgg.h5", "w") as file:
        if options["shape"] is None:
            options = {"data": h5py.Empty("f4")}
        file.create_dataset("block1_conv1/kernel:0", **options)
    with pytest.raises(animegan_tf.InputError, match=reason):
        values = feature_files.read(tmp_path / "vgg.h5")
        feature_files.check_fit(values, "vgg.h5", "vgg16")


def test_features_are_converted_to_a_file_without_pickles(tmp_path):
    path = _save(tmp_path / "v.npy", {**_vgg16_values(), "fc6": [np.zeros((2, 2)), np.zeros(2)]})
    output = tmp_path / "v.npz"
    done = run_tool("convert_features", f"--features={path}", f"--output={output}", folder=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{output}: 10 layers, of vgg16\n"
    read, given = feature_files.read(output), feature_files.read(path)
    assert list(read) == conv_names("vgg16")
    for name, pair in read.items():
        for value, expected in zip(pair, given[name], strict=True):
            np.testing.assert_array_equal(value, expected)
    np.savez(tmp_path / "bad.npz", **{"conv1_1/kernel": np.zeros(3), "conv1_1/bias": np.zeros(64)})
    with pytest.raises(animegan_tf.InputError, match=r"conv1_1 has shapes \[\(3,\), \(64,\)\]"):
        feature_files.check_fit(feature_files.read(tmp_path / "bad.npz"), "bad.npz", "vgg16")


def test_an_array_is_no_weights_file(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(animegan_tf.InputError, match="an array of float64"):
        animegan_tf.build_feature_extractor(tmp_path / "a.npy")


def test_unknown_depth_is_named():
    with pytest.raises(animegan_tf.InputError, match="depth: expected 'vgg19' or 'vgg16'"):
        animegan_tf.build_feature_extractor("random", "vgg11")


def test_no_network_is_explained(monkeypatch):
    import keras

    def fail(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(keras.applications, "VGG19", fail)
    with pytest.raises(animegan_tf.InputError, match=r"could not be downloaded.*no route to host"):
        animegan_tf.build_feature_extractor("imagenet")
