"""The generators of the benchmark in PyTorch and ncnn compute what Keras computes."""

import keras
import numpy as np
import pytest
from benchmarks import description

from animegan_tf import build_generator
from animegan_tf.errors import InputError
from animegan_tf.networks.description import INPUT, describe

ARCHS = ("v2", "lite", "v1")


@pytest.fixture(scope="module", params=ARCHS)
def described(request, tmp_path_factory):
    """(description from disk, input of two different photos, Keras' answer)."""
    model = build_generator(request.param)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if variable.name in ("gamma", "beta", "bias"):
            variable.assign(rng.normal(variable.name == "gamma", 0.3, variable.shape))
    folder = tmp_path_factory.mktemp("description")
    description.save(model, folder)
    photos = rng.uniform(-1, 1, (2, 32, 48, 3)).astype(np.float32)
    return description.load(folder), photos, model(photos, training=False).numpy()


def test_description_names_every_weight_once(described):
    (nodes, weights), _, _ = described
    names = [node["name"] for node in nodes]
    assert len(set(names)) == len(names)
    known = {INPUT}
    for node in nodes:
        assert set(node["inputs"]) <= known
        known.add(node["name"])
    assert {name.rpartition("/")[0] for name in weights} <= known


def test_pytorch_equals_keras(described):
    torch = pytest.importorskip("torch")
    from benchmarks.torch_module import TorchGenerator

    (nodes, weights), photos, expected = described
    with torch.inference_mode():
        made = TorchGenerator(nodes, weights)(torch.from_numpy(photos)).numpy()
    np.testing.assert_allclose(made, expected, atol=1e-4)


def test_ncnn_equals_keras(described):
    pytest.importorskip("ncnn")
    from benchmarks.ncnn_engine import Ncnn

    (nodes, weights), photos, expected = described
    made = Ncnn(nodes, weights, *photos.shape[1:3], threads=2)(photos)
    np.testing.assert_allclose(made, expected, atol=3e-4)


def test_other_layers_are_refused():
    photo = keras.Input((None, None, 3))
    padded = keras.layers.Conv2D(4, 3, padding="same", name="padded")(photo)
    with pytest.raises(InputError, match="without padding or dilation, received padded"):
        describe(keras.Model(photo, padded))
    pooled = keras.layers.MaxPooling2D(2, name="pooled")(photo)
    with pytest.raises(InputError, match="received MaxPooling2D pooled"):
        describe(keras.Model(photo, pooled))
