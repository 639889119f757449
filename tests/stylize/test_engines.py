import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from pictures import noise, ramps
from toys import toy_generator

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.export import convert, metadata
from animegan_tf.networks import metadata as own_metadata
from animegan_tf.stylize import engines
from animegan_tf.stylize.engines import saved_model
from animegan_tf.stylize.stylizer import Stylizer


def write_tflite(toy, path, size=None):
    made = convert.convert(toy, "none", size)
    texts = dict.fromkeys(("name", "description", "version", "author", "license_text"), "x")
    path.write_bytes(metadata.add(made, **texts, size=size, own={"multiple": 8}))
    return path


@pytest.fixture(scope="module")
def exports(toy, toy_saved_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    return {
        "dynamic": write_tflite(toy, folder / "dynamic.tflite"),
        "fixed": write_tflite(toy, folder / "fixed.tflite", (320, 256)),
        "versions": toy_saved_model[0],
        "saved_model": toy_saved_model[0] / "1",
    }


@pytest.mark.parametrize("name", ["dynamic", "versions", "saved_model"])
def test_any_size_as_keras_does_it(toy, exports, name):
    stylizer, reference = Stylizer(exports[name]), Stylizer(toy)
    assert stylizer.note() is None
    for photo in (noise(256, 260), ramps(300, 280), ramps(90, 70)):
        difference = np.abs(stylizer(photo).astype(int) - reference(photo))
        assert difference.max() <= 2  # the brightness rule truncates
        assert difference.mean() < 0.1


@pytest.mark.parametrize("kind", ["keras", "litert", "dynamic", "saved_model"])
@pytest.mark.parametrize("matches", [True, False])
def test_brightness_is_a_property_of_the_style(toy, exports, tmp_path, kind, matches):
    """The styles that are brighter than photos on purpose stay so, in whatever form they run."""
    if kind in ("keras", "litert"):
        checkpoint = toy_generator("lite")
        checkpoint.match_brightness = matches
    elif kind == "saved_model":
        checkpoint = shutil.copytree(exports[kind], tmp_path / "1")
        path = checkpoint / saved_model.SAVED_MODEL_PROPERTIES
        recorded = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({**recorded, "match_brightness": matches}), "utf-8")
    else:
        checkpoint = tmp_path / "own.tflite"
        own = {"multiple": 8, "match_brightness": matches}
        checkpoint.write_bytes(own_metadata.add_own(exports[kind].read_bytes(), own))
    stylizer = Stylizer(checkpoint, engine="litert" if kind == "litert" else "keras")
    assert stylizer.match_brightness == matches
    photo = ramps(64, 72)
    expected = Stylizer(toy, match_brightness=matches)(photo)
    assert np.abs(stylizer(photo).astype(int) - expected).mean() < 0.1


def test_fixed_size(toy, exports):
    stylizer = Stylizer(exports["fixed"], match_brightness=False)
    assert stylizer.note().startswith("256x320 only")
    photo = noise(320, 256)
    expected = Stylizer(toy, match_brightness=False)(photo)
    assert np.abs(stylizer(photo).astype(int) - expected).max() <= 1
    for size in ((640, 512), (100, 300), (700, 90), (1, 1)):
        assert stylizer(ramps(*size)).shape == (*size, 3)
    # Half as large and not padded: what is seen is the photo at the model's size.
    large = ramps(640, 512)
    seen = Stylizer(toy, match_brightness=False)(images.resize(large, 320, 256))
    result = images.resize(stylizer(large), 320, 256)
    assert np.abs(result.astype(int) - seen).mean() < 2


def test_fixed_size_is_not_the_published_sizing(exports):
    with pytest.raises(InputError, match="sizing: expected photo for a model of 256x320"):
        Stylizer(exports["fixed"], sizing="published")


def test_batches_and_sizes_in_turn(exports, toy):
    engine = engines.load_engine(exports["dynamic"])
    for shape in ((2, 16, 24, 3), (1, 24, 16, 3), (2, 16, 24, 3)):
        batch = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
        np.testing.assert_allclose(engine(batch), toy(batch), atol=1e-5)


def test_highest_version(exports, tmp_path):
    for name in ("2", "10", "9", "other"):
        (tmp_path / name).mkdir()
        if name != "10":
            (tmp_path / name / "saved_model.pb").touch()
    assert engines.saved_model_folder(tmp_path) == tmp_path / "9"
    assert engines.saved_model_folder(tmp_path / "10") is None


def convert_function(function, spec):
    concrete = tf.function(function, input_signature=[spec]).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()


def test_tflite_of_other_projects(tmp_path):
    path = tmp_path / "other.tflite"
    path.write_bytes(convert_function(lambda x: -x, tf.TensorSpec((1, 64, 64, 3))))
    stylizer = Stylizer(path, match_brightness=False)
    assert (stylizer.engine.size, stylizer.engine.multiple) == ((64, 64), 32)
    photo = noise(64, 64)
    assert np.abs(stylizer(photo).astype(int) - (255 - photo)).max() <= 1


@pytest.mark.parametrize(
    "spec",
    [
        tf.TensorSpec((1, 64, 64, 3), tf.uint8),
        tf.TensorSpec((1, 64, 64, 1)),
        tf.TensorSpec((64, 64, 3)),
    ],
)
def test_tflite_that_is_no_picture_network(tmp_path, spec):
    path = tmp_path / "other.tflite"
    path.write_bytes(convert_function(lambda x: tf.concat([x, x], 0)[:1], spec))
    with pytest.raises(InputError, match=r"checkpoint: expected a network from float32"):
        Stylizer(path)


def test_files_that_are_nothing(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"TFL3 no")
    with pytest.raises(InputError, match="not a readable TFLite file"):
        Stylizer(path)
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(InputError, match="not a readable SavedModel"):
        Stylizer(folder)


def test_a_tflite_that_ends_the_process_ends_a_child(exports, tmp_path):
    """Two changed bytes have LiteRT read where there is nothing."""
    content = bytearray(exports["dynamic"].read_bytes())
    content[16] = content[18] = 0
    path = tmp_path / "crash.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"no readable TFLite file: LiteRT crashes on it"):
        Stylizer(path)


@pytest.mark.parametrize("own", ([1], "text", {"multiple": "x"}, {"multiple": 0}))
def test_a_tflite_with_damaged_metadata(toy, tmp_path, own):
    path = tmp_path / "a.tflite"
    path.write_bytes(own_metadata.add_own(convert.convert(toy, "none", None), own))
    with pytest.raises(InputError, match="its metadata are damaged"):
        Stylizer(path)


def test_saved_model_of_other_projects(tmp_path):
    module = tf.Module()
    module.run = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec((1,))])
    tf.saved_model.save(module, tmp_path / "other", signatures={"serving_default": module.run})
    with pytest.raises(InputError, match="signature raw"):
        Stylizer(tmp_path / "other")


def test_saved_model_refuses_large_photos_with_its_own_words(toy_saved_model):
    with pytest.raises(InputError, match="at most 200000 pixels"):
        Stylizer(toy_saved_model[0])(noise(500, 500))
