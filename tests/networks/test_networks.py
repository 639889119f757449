"""Generators and discriminators against the numbers of the published TensorFlow 1 graphs."""

import keras
import numpy as np
import pytest
import seeded
import tensorflow as tf
from toys import assign_seeded

import animegan_tf
from animegan_tf.networks import size_multiple, tf1
from animegan_tf.networks.generator import generator_norm

PARAMETERS = {"v2": 2_143_552, "lite": 698_240, "v1": 3_956_096}
NORMS = {"v2": "layer", "v1": "instance"}


@pytest.fixture(scope="module")
def generators():
    built = {arch: animegan_tf.build_generator(arch) for arch in PARAMETERS}
    for model in built.values():
        assign_seeded(model)
    return built


@pytest.mark.parametrize("arch", PARAMETERS)
def test_generator_matches_the_original(golden, generators, arch):
    photo = seeded.image("generator_input", (2, 64, 96, 3))
    atol = 1.5e-4 if arch == "v1" else 1e-4  # 4e-5 was measured for v1
    np.testing.assert_allclose(
        generators[arch](photo), golden[arch]["generator/output"], atol=atol, rtol=0
    )


@pytest.mark.parametrize("arch", PARAMETERS)
def test_generator_parameters(generators, arch):
    assert generators[arch].count_params() == PARAMETERS[arch]
    assert generators[arch].input_shape == (None, None, None, 3)


@pytest.mark.parametrize("arch", PARAMETERS)
def test_generator_keeps_any_size_it_allows(generators, arch):
    multiple = size_multiple(generators[arch])
    height, width = 3 * multiple, 5 * multiple
    photo = seeded.image("sizes", (1, height, width, 3))
    result = np.asarray(generators[arch](photo))
    assert result.shape == photo.shape
    assert np.abs(result).max() <= 1.0


@pytest.mark.parametrize("arch", ("v2", "lite"))
def test_generator_treats_samples_alone(generators, arch):
    """Norm statistics are those of each sample: the neighbours in a batch must not matter."""
    photos = seeded.image("batch", (3, 32, 32, 3))
    together = np.asarray(generators[arch](photos))
    alone = np.concatenate([generators[arch](photo[None]) for photo in photos])
    np.testing.assert_allclose(together, alone, atol=2e-5)


@pytest.mark.parametrize(("arch", "norm"), (("v2", "instance"), ("v1", "layer")))
def test_generator_with_the_other_norm(generators, arch, norm):
    published, model = generators[arch], animegan_tf.build_generator(arch, norm)
    assert generator_norm(published) != generator_norm(model) == norm
    assert [weight.path for weight in model.weights] == [w.path for w in published.weights]
    model.set_weights(published.get_weights())
    first = next(layer.name for layer in model.layers if "Norm" in layer.name)
    photo = seeded.image("generator_input", (2, 64, 96, 3))
    before = keras.Model(model.inputs, model.get_layer(first).input)(photo).numpy()
    after = keras.Model(model.inputs, model.get_layer(first).output)(photo).numpy()
    axes = (1, 2) if norm == "instance" else (1, 2, 3)
    layer = model.get_layer(first)
    expected = before - before.mean(axes, keepdims=True)
    expected /= np.sqrt(before.var(axes, keepdims=True) + layer.epsilon)
    expected = expected * layer.gamma.numpy() + layer.beta.numpy()
    np.testing.assert_allclose(after, expected, atol=1e-4)


def test_an_unknown_norm_is_named():
    with pytest.raises(animegan_tf.InputError, match="norm: expected one of published, layer"):
        animegan_tf.build_generator("v2", "batch")


def test_generator_weights_spread_as_published():
    """Truncated normal of variance 2.6 / fan_in before the cut at two deviations."""
    keras.utils.set_random_seed(3)
    model = animegan_tf.build_generator("v2")
    kernel = model.get_layer("D.Conv").kernel.numpy()
    deviation = np.sqrt(2.6 / (9 * 128))
    # A normal cut at two standard deviations keeps 0.7737 of its variance.
    np.testing.assert_allclose(kernel.std(), deviation * np.sqrt(0.77374), rtol=0.01)
    assert np.abs(kernel).max() <= 2 * deviation * 1.0001
    depthwise = model.get_layer("C.r2.r2").kernel.numpy()
    np.testing.assert_allclose(depthwise.std(), np.sqrt(2.6 * 0.77374 / (9 * 512)), rtol=0.05)


def test_unknown_arch_is_named():
    with pytest.raises(animegan_tf.InputError, match=r"arch: expected one of .*v2.*received 'v3'"):
        animegan_tf.build_generator("v3")


def _discriminator(arch, spectral_norm):
    model = animegan_tf.build_discriminator(NORMS[arch], spectral_norm=spectral_norm)
    assign_seeded(model)
    return model, "discriminator/" + ("sn" if spectral_norm else "plain")


@pytest.mark.parametrize("spectral_norm", (True, False))
@pytest.mark.parametrize("arch", NORMS)
def test_discriminator_matches_the_original(golden, arch, spectral_norm):
    model, part = _discriminator(arch, spectral_norm)
    values = golden[arch]
    named = tf1.variables(model)
    trainable = {name: v for name, v in named.items() if not name.endswith("/u")}
    with tf.GradientTape() as tape:
        logits = model(seeded.image("discriminator_input", (2, 64, 64, 3)), training=True)
        loss = tf.reduce_mean(tf.square(logits - 1.0))
    np.testing.assert_allclose(logits, values[f"{part}/logits"], atol=1e-4, rtol=1e-4)
    gradients = tape.gradient(loss, [variable.value for variable in trainable.values()])
    for name, gradient in zip(trainable, gradients, strict=True):
        gradient = np.asarray(gradient)
        mean = values[f"{part}/grad_abs_mean/{name}"]
        np.testing.assert_allclose(np.abs(gradient).mean(), mean, rtol=1e-3, err_msg=name)
        head = values[f"{part}/grad_head/{name}"]
        np.testing.assert_allclose(
            gradient.ravel()[:16], head[: gradient.size], atol=0.06 * mean, err_msg=name
        )
    for name in named.keys() - trainable.keys():
        np.testing.assert_allclose(
            named[name], values[f"{part}/u_after/{name}"], atol=1e-5, err_msg=name
        )


def test_discriminator_stores_u_only_in_training():
    model, _ = _discriminator("v2", True)
    u = tf1.variables(model)["discriminator/last_conv/u"]
    before = u.numpy()
    image = seeded.image("discriminator_input", (1, 32, 32, 3))
    resting = model(image, training=False)
    np.testing.assert_array_equal(u.numpy(), before)
    training = model(image, training=True)
    assert np.abs(u.numpy() - before).max() > 0.01
    # Both divide by the same sigma: the iteration is taken, only not stored.
    np.testing.assert_allclose(resting, training, atol=1e-6)


def test_spectral_norm_converges_to_the_largest_singular_value():
    model = animegan_tf.build_discriminator(channels=8, depth=2)
    layer = model.get_layer("last_conv")
    for _ in range(200):
        model(seeded.image("any", (1, 16, 16, 3)), training=True)
    matrix = layer.kernel.numpy().reshape(-1, layer.filters)
    largest = np.linalg.svd(matrix, full_matrices=False)
    alignment = abs(float(largest[2][0] @ layer.u.numpy()[0]))
    assert alignment == pytest.approx(1.0, abs=1e-3)


def test_discriminator_halves_the_size_as_documented():
    image = seeded.image("any", (1, 64, 48, 3))
    assert animegan_tf.build_discriminator()(image).shape == (1, 16, 12, 1)
    assert animegan_tf.build_discriminator(channels=8, depth=2)(image).shape == (1, 32, 24, 1)


def test_discriminator_parameters():
    trainable = animegan_tf.build_discriminator().trainable_weights
    assert sum(int(np.prod(weight.shape)) for weight in trainable) == 1_128_800


@pytest.mark.parametrize(
    ("arguments", "text"),
    (
        ({"norm": "batch"}, "norm: expected one of layer, instance, received 'batch'"),
        ({"channels": 7}, "channels: expected an even number"),
        ({"depth": 0}, "depth: expected a whole number of at least 1, received 0"),
    ),
)
def test_discriminator_refuses(arguments, text):
    with pytest.raises(animegan_tf.InputError, match=text):
        animegan_tf.build_discriminator(**arguments)


def test_statistics_stay_float32_under_bfloat16():
    """A large mean over many pixels would be lost in bfloat16's 8 bits."""
    from animegan_tf.networks.layers import LayerNorm2D

    layer = LayerNorm2D(1e-12, dtype="mixed_bfloat16")
    values = tf.cast(256.0 + tf.random.normal((1, 64, 64, 8), seed=1) * 16.0, tf.bfloat16)
    result = np.asarray(tf.cast(layer(values), tf.float32))
    assert layer(values).dtype == tf.bfloat16
    assert result.std() == pytest.approx(1.0, abs=0.01)
    assert abs(result.mean()) < 0.01


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_norm_gradients_in_training_are_those_of_its_formula(dtype, per_channel):
    from animegan_tf.networks.layers import LayerNorm2D

    layer = LayerNorm2D(1e-5, per_channel, dtype=dtype)
    rng = np.random.default_rng(0)
    images = tf.cast(rng.normal(0.5, 2.0, (2, 5, 7, 3)), layer.compute_dtype)
    upstream = tf.cast(rng.normal(0.0, 1.0, images.shape), layer.compute_dtype)
    layer.build(images.shape)
    layer.gamma.assign([0.5, -1.5, 0.0])
    layer.beta.assign([0.1, 0.0, -0.3])
    results = []
    for training in (False, True):
        sources = [images, layer.gamma.value, layer.beta.value]
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape() as tape:
                tape.watch(images)
                output = layer(images, training=training)
            gradients = tape.gradient(output, sources, upstream)
            total = tf.reduce_sum(tf.square(tf.cast(gradients[0], tf.float32)))
        results.append([output, *gradients, outer.gradient(total, images)])
    # In bfloat16 a value may be rounded to its neighbour, 1/256 away.
    bound = 1e-5 if dtype == "float32" else 0.02
    for plain, own in zip(*results, strict=True):
        assert own.dtype == plain.dtype
        plain, own = (np.asarray(tf.cast(values, tf.float32)) for values in (plain, own))
        np.testing.assert_allclose(own, plain, rtol=bound, atol=bound * np.abs(plain).max())
    np.testing.assert_array_equal(*(tf.cast(outcome[0], tf.float32) for outcome in results))


def test_upsampling_is_the_legacy_grid():
    from animegan_tf.networks.layers import LegacyUpsampling2D

    row = tf.reshape(tf.constant([0.0, 2.0, 6.0]), (1, 1, 3, 1))
    doubled = np.asarray(LegacyUpsampling2D()(row))
    assert doubled.shape == (1, 2, 6, 1)
    np.testing.assert_array_equal(doubled[0, 0, :, 0], [0, 1, 2, 4, 6, 6])


def test_a_keras_file_loads_after_the_documented_import(tmp_path):
    from commands import run_alone

    animegan_tf.build_generator("lite").save(tmp_path / "anime.keras")
    code = (
        "import keras, animegan_tf.networks.generator\n"
        "print(keras.models.load_model('anime.keras').count_params())"
    )
    done = run_alone("-c", code, folder=tmp_path)
    assert done.stdout.split()[-1:] == ["698240"], done.stderr
