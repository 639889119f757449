"""Mixed precision: what is reduced, what is not, and how far results move."""

import keras
import numpy as np
import pytest
import seeded
import tensorflow as tf
from toys import assign_seeded, toy_features, toy_generator

import animegan_tf
from animegan_tf import onednn
from animegan_tf.networks import tf1
from animegan_tf.train import distribution, loop

SHAPE = (2, 32, 32, 3)
# Relative, of the losses of one step: bfloat16 has 8 bits of fraction, float16 has 11.
BOUNDS = {"bfloat16": 3e-2, "float16": 5e-3}


def _batch():
    return {
        "photo": seeded.image("photo", SHAPE),
        "anime": seeded.image("anime", SHAPE),
        "anime_gray": seeded.gray_image("gray", SHAPE),
        "smooth_gray": seeded.gray_image("smooth", SHAPE),
    }


def _model(precision):
    keras.utils.set_random_seed(0)
    with loop.compute_type(precision):
        features = toy_features(None, None)
        discriminator = animegan_tf.build_discriminator(channels=8, depth=2)
        recipe = animegan_tf.recipe("lite")
        model = animegan_tf.AnimeGAN(toy_generator("lite"), discriminator, features, recipe)
    assign_seeded(model.discriminator)
    return model


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("phase", ("initialize", "adversarial"))
def test_losses_stay_near_float32(precision, phase):
    full, reduced = _model("float32"), _model(precision)
    for model in (full, reduced):
        model.phase = phase
    step = "initialize_step" if phase == "initialize" else "adversarial_step"
    expected = getattr(full, step)(_batch())
    received = getattr(reduced, step)(_batch())
    for name, value in received.items():
        assert value.dtype == tf.float32
        np.testing.assert_allclose(value, expected[name], rtol=BOUNDS[precision], err_msg=name)


@pytest.mark.parametrize("precision", BOUNDS)
def test_updates_go_the_same_way(precision):
    """Adam's first update is its rate times the gradient's sign: most signs must agree."""
    full, reduced = _model("float32"), _model(precision)
    before = {name: v.numpy() for name, v in tf1.variables(full.discriminator).items()}
    for model in (full, reduced):
        tf.function(model.adversarial_step)(_batch())
    agreeing = total = 0
    for name, start in before.items():
        a = tf1.variables(full.discriminator)[name].numpy() - start
        b = tf1.variables(reduced.discriminator)[name].numpy() - start
        if not name.endswith("/u"):
            agreeing += np.sum(np.sign(a) == np.sign(b))
            total += a.size
    assert agreeing / total > 0.9


def test_float16_scales_all_three_losses_and_passes_over_overflow():
    model = _model("float16")
    for name in ("init", "generator", "discriminator"):
        optimizer = getattr(model, f"{name}_optimizer")
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert float(optimizer.scale_loss(1.0)) == optimizer.initial_scale
    before = [value.copy() for value in model.generator.get_weights()]
    optimizer = model.init_optimizer
    optimizer.dynamic_scale.assign(1e38)  # gradients times this are infinite
    model.initialize_step(_batch())
    for old, new in zip(before, model.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert float(optimizer.dynamic_scale) < 1e38
    optimizer.dynamic_scale.assign(2.0**15)
    model.initialize_step(_batch())
    assert any(
        not np.array_equal(old, new)
        for old, new in zip(before, model.generator.get_weights(), strict=True)
    )


def test_bfloat16_needs_no_scaling():
    assert isinstance(_model("bfloat16").init_optimizer, keras.optimizers.Adam)


@pytest.mark.parametrize("precision", BOUNDS)
def test_variables_and_results_stay_float32(precision):
    with loop.compute_type(precision):
        model = animegan_tf.build_generator("lite")
        discriminator = animegan_tf.build_discriminator(channels=8, depth=2)
    assert {v.dtype for v in (*model.weights, *discriminator.weights)} == {"float32"}
    assert model.get_layer("Conv").compute_dtype == precision
    assert model(seeded.image("x", SHAPE)).dtype == tf.float32
    assert keras.config.dtype_policy().name == "float32"


def test_spectral_norm_is_computed_in_float32():
    with loop.compute_type("bfloat16"):
        reduced = animegan_tf.build_discriminator(channels=8, depth=2)
    full = animegan_tf.build_discriminator(channels=8, depth=2)
    for model in (full, reduced):
        assign_seeded(model)
        model(seeded.image("x", SHAPE), training=True)
    for name, variable in tf1.variables(full).items():
        other = tf1.variables(reduced)[name].numpy()
        np.testing.assert_allclose(variable.numpy(), other, atol=1e-6, err_msg=name)


def test_bfloat16_picture_is_near(golden):
    with loop.compute_type("bfloat16"):
        model = animegan_tf.build_generator("lite")
    assign_seeded(model)
    result = np.asarray(model(seeded.image("generator_input", (2, 64, 96, 3))))
    difference = result - golden["lite"]["generator/output"]
    # Of a range of 2: random weights amplify rounding more than trained ones.
    assert np.abs(difference).mean() < 0.02


@pytest.mark.parametrize(
    ("on", "bfloat16", "jit_compile", "chosen"),
    (
        (True, True, False, "bfloat16"),
        (False, True, False, "float32"),
        (True, False, False, "float32"),
        (True, True, True, "float32"),
    ),
)
def test_auto_on_a_processor(monkeypatch, on, bfloat16, jit_compile, chosen):
    monkeypatch.setattr(onednn, "is_on", lambda: on)
    monkeypatch.setattr(onednn, "has_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert distribution.resolve_precision("auto", jit_compile) == chosen
    assert distribution.resolve_precision("none") == "float32"
    assert distribution.resolve_precision("float16") == "float16"


@pytest.mark.parametrize(
    ("capability", "chosen"), (((8, 0), "bfloat16"), ((7, 5), "float32"), (None, "float32"))
)
def test_auto_on_a_gpu(monkeypatch, capability, chosen):
    details = {} if capability is None else {"compute_capability": capability}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert distribution.resolve_precision("auto") == chosen
