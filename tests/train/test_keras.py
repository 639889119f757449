"""Generators and `AnimeGAN` as Keras models: saved, loaded, evaluated."""

import dataclasses
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from places import ROOT
from toys import toy_features, toy_generator

import animegan_tf
from animegan_tf import networks


@pytest.mark.parametrize(
    "imports", ("import animegan_tf, keras", "import keras, animegan_tf", "import animegan_tf")
)
def test_a_saved_generator_loads_after_the_package_is_imported(tmp_path, imports):
    path = tmp_path / "g.keras"
    toy_generator("lite").save(path)
    code = f"{imports}\nimport tensorflow\nfrom keras.models import load_model\n"
    code += f"load_model({str(path)!r})\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def _model(ema_decay=0.0):
    recipe = dataclasses.replace(
        animegan_tf.recipe("lite"), batch_size=2, image_size=32, ema_decay=ema_decay
    )
    discriminator = networks.build_discriminator("layer", 2, 1, True)
    return animegan_tf.AnimeGAN(
        toy_generator("lite"), discriminator, toy_features("random", "vgg19"), recipe, seed=3
    )


def _batches():
    random = np.random.default_rng(0)
    names = ("photo", "anime", "anime_gray", "smooth_gray")
    batch = {name: random.uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32) for name in names}
    return tf.data.Dataset.from_tensor_slices(batch).batch(2)


def test_a_saved_model_goes_on(tmp_path):
    model = _model(ema_decay=0.9)
    model.phase = "adversarial"
    model.fit(_batches(), verbose=0)
    model.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert (loaded.phase, loaded.seed, loaded.recipe) == ("adversarial", 3, model.recipe)
    for one, other in ((model, loaded), (model.average, loaded.average)):
        for old, new in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    for each in (model, loaded):
        each.fit(_batches(), shuffle=False, verbose=0)
    assert int(loaded.generator_optimizer.iterations.value) == 4
    for old, new in zip(model.generator.get_weights(), loaded.generator.get_weights(), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)


@pytest.mark.parametrize("phase", ("initialize", "discriminate", "adversarial"))
def test_evaluate_is_the_first_step_without_an_update(phase):
    model = _model()
    model.phase = phase
    before = model.get_weights()
    batch = next(iter(_batches()))
    found = model.evaluate(_batches().take(1), return_dict=True, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    expected, _ = model.update(batch)
    assert found.keys() == expected.keys()
    if phase == "initialize":
        assert found["init"] == pytest.approx(float(expected["init"]), rel=1e-5)
    history = model.fit(_batches(), validation_data=_batches(), verbose=0).history
    assert {f"val_{name}" for name in found} <= history.keys()
