"""The training step against the published graph: first losses, trajectory, fit."""

import dataclasses

import keras
import numpy as np
import pytest
import seeded
import tensorflow as tf
from toys import assign_seeded, toy_features, toy_generator

import animegan_tf
from animegan_tf.networks import tf1
from animegan_tf.train import animegan

SHAPE = (2, 64, 64, 3)


def _batch(step):
    return {
        "photo": seeded.image(f"real{step}", SHAPE),
        "anime": seeded.image(f"anime{step}", SHAPE),
        "anime_gray": seeded.gray_image(f"gray{step}", SHAPE),
        "smooth_gray": seeded.gray_image(f"smooth{step}", SHAPE),
    }


@pytest.fixture
def model(golden, vgg19):
    generator = animegan_tf.build_generator("v2")
    discriminator = animegan_tf.build_discriminator()
    values = golden["v2"]
    prefix = "train/u_start/"
    u_start = {key.removeprefix(prefix): values[key] for key in values if key.startswith(prefix)}
    assign_seeded(generator)
    assign_seeded(discriminator, u_start)
    return animegan_tf.AnimeGAN(generator, discriminator, vgg19, animegan_tf.recipe("hayao"))


class _Recorder(keras.optimizers.SGD):
    """Keeps the gradients it is given and changes nothing."""

    def __init__(self, variables):
        super().__init__(0.0)
        self.build(variables)
        self.seen = None

    def apply_gradients(self, pairs):
        self.seen = [np.asarray(gradient) for gradient, _ in pairs]


def _record(model):
    generator = model.generator.trainable_variables
    model.init_optimizer = _Recorder(generator)
    model.generator_optimizer = _Recorder(generator)
    model.discriminator_optimizer = _Recorder(model.discriminator.trainable_variables)


def _check_gradients(golden, part, network, recorder):
    order = {id(variable): name for name, variable in tf1.variables(network).items()}
    names = [order[id(variable)] for variable in network.trainable_variables]
    for name, gradient in zip(names, recorder.seen, strict=True):
        expected = golden["v2"][f"train/first/{part}/grad_abs_mean/{name}"]
        np.testing.assert_allclose(np.abs(gradient).mean(), expected, rtol=5e-3, err_msg=name)


def test_first_initialization_step(golden, model):
    _record(model)
    logs = model.initialize_step(_batch(0))
    np.testing.assert_allclose(logs["init"], golden["v2"]["train/first/init/loss"], rtol=1e-4)
    _check_gradients(golden, "init", model.generator, model.init_optimizer)


def test_first_adversarial_step(golden, model):
    _record(model)
    logs = model.adversarial_step(_batch(0))
    np.testing.assert_allclose(logs["d"], golden["v2"]["train/first/d/loss"], rtol=1e-4)
    np.testing.assert_allclose(logs["g"], golden["v2"]["train/first/g/loss"], rtol=1e-4)
    _check_gradients(golden, "d", model.discriminator, model.discriminator_optimizer)
    _check_gradients(golden, "g", model.generator, model.generator_optimizer)


@pytest.mark.slow
def test_trajectory(golden, model):
    """Three initialisation and three adversarial steps, within three times the drift between
    correct implementations on several processors. Rounding alone moves the third loss by 5e-4, as
    Adam's first updates are nearly the gradients' signs; `train/first` is the sharp test."""
    values = golden["v2"]
    before = {
        name: variable.numpy()
        for network in (model.generator, model.discriminator)
        for name, variable in tf1.variables(network).items()
    }
    initialize = tf.function(model.initialize_step)
    adversarial = tf.function(model.adversarial_step)
    for step in range(3):
        logs = initialize(_batch(step))
        np.testing.assert_allclose(logs["init"], values["train/loss/init"][step], rtol=2e-3)
    for step in range(3):
        logs = adversarial(_batch(step + 3))
        assert set(logs) == set(animegan.ADVERSARIAL_TERMS)
        for name, value in logs.items():
            bound = 0.15 if name == "tv" else 3e-2
            expected = values[f"train/loss/{name}"][step]
            np.testing.assert_allclose(value, expected, rtol=bound, err_msg=f"{name} {step}")
    probe = model.generator(seeded.image("generator_probe", SHAPE))
    np.testing.assert_allclose(probe, values["train/output_after"], atol=2e-2)
    after = {**tf1.variables(model.generator), **tf1.variables(model.discriminator)}
    for key in values:
        if key.startswith("train/delta_abs_mean/"):
            name = key.removeprefix("train/delta_abs_mean/")
            delta = np.abs(after[name].numpy() - before[name]).mean()
            np.testing.assert_allclose(delta, values[key], rtol=5e-2, err_msg=name)


# --- toy networks: what does not need the published size ----------------------------------------


def _tiny(**changes):
    keras.utils.set_random_seed(0)
    recipe = dataclasses.replace(animegan_tf.recipe("lite"), **changes)
    discriminator = animegan_tf.build_discriminator(channels=4, depth=2)
    features = toy_features(None, None)
    return animegan.AnimeGAN(toy_generator("lite"), discriminator, features, recipe)


def _tiny_batch(size=32, step=0):
    return {name: picture[:, :size, :size] for name, picture in _batch(step).items()}


@pytest.mark.parametrize("gan", animegan_tf.losses.GAN_TYPES)
def test_every_gan_type_trains_both_networks(gan):
    model = _tiny(gan=gan)
    before = [w.numpy() for w in (*model.generator.weights, *model.discriminator.weights)]
    logs = tf.function(model.adversarial_step)(_tiny_batch())
    assert all(np.isfinite(float(value)) for value in logs.values())
    after = [w.numpy() for w in (*model.generator.weights, *model.discriminator.weights)]
    moved = sum(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert moved == len(before)


def test_penalty_is_weighted_by_itself():
    """The discriminator's total is 300 times the adversarial loss plus 10 times the penalty."""
    without = _tiny(gan="wgan-gp", gradient_penalty_weight=0.0)
    penalized = _tiny(gan="wgan-gp", gradient_penalty_weight=10.0)
    doubled = _tiny(gan="wgan-gp", gradient_penalty_weight=20.0)
    totals = []
    for model in (without, penalized, doubled):
        keras.utils.set_random_seed(5)
        tf.random.set_seed(5)
        totals.append(float(model.adversarial_step(_tiny_batch())["d"]))
    first, second = totals[1] - totals[0], totals[2] - totals[1]
    assert first > 1.0
    assert second == pytest.approx(first, rel=1e-3)


def test_initialization_leaves_the_discriminator():
    model = _tiny()
    before = model.discriminator.get_weights()
    model.initialize_step(_tiny_batch())
    for old, new in zip(before, model.discriminator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_discriminator_can_rest():
    """`training_rate` above 1: only `u`, which each call moves, changes in the discriminator."""
    model = _tiny()
    trained = [variable.numpy() for variable in model.discriminator.trainable_variables]
    logs = model.adversarial_step(_tiny_batch(), update_discriminator=False)
    assert "d" not in logs
    for old, new in zip(trained, model.discriminator.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_unpublished_initialization_terms_add_up():
    model = _tiny(init_pixel_weight=7.0, init_color_weight=3.0)
    logs = {k: float(v) for k, v in model.initialize_step(_tiny_batch()).items()}
    total = 1.5 * logs["content"] + 7.0 * logs["pixel"] + 3.0 * logs["color"]
    assert logs["init"] == pytest.approx(total, rel=1e-5)


def test_running_average_follows_the_generator():
    model = _tiny(ema_decay=0.9)
    start = model.generator.get_weights()
    for weight in model.generator.weights:
        weight.assign(weight + 1.0)
    # 1 / 10 is kept of the old value after the first update, then 0.9.
    model.init_optimizer.iterations.assign(1)
    model._update_average()
    for old, mean in zip(start, model.average.get_weights(), strict=True):
        np.testing.assert_allclose(mean, old + 0.9, atol=1e-5)
    model.generator_optimizer.iterations.assign(10_000)
    model._update_average()
    for old, mean in zip(start, model.average.get_weights(), strict=True):
        np.testing.assert_allclose(mean, old + 0.91, atol=1e-5)
    assert model.best_generator is model.average


def test_fit_moves_the_running_average():
    model, twin = (_tiny(ema_decay=0.5) for _ in range(2))
    first = model.average.get_weights()
    data = tf.data.Dataset.from_tensors(_tiny_batch()).repeat()
    model.fit(data, steps_per_epoch=3, epochs=1, verbose=0)
    assert model.best_generator is model.average
    expected = first
    for update in range(1, 4):
        twin.initialize_step(_tiny_batch())
        decay = min(0.5, update / (update + 9))
        expected = [
            mean + (1 - decay) * (new - mean)
            for mean, new in zip(expected, twin.generator.get_weights(), strict=True)
        ]
    for mean, start, new in zip(model.average.get_weights(), first, expected, strict=True):
        np.testing.assert_allclose(mean, new, atol=1e-5)
        assert np.abs(mean - start).max() > 1e-4


def test_fit_trains_the_current_phase():
    model = _tiny()
    data = tf.data.Dataset.from_tensors(_tiny_batch()).repeat()
    history = model.fit(data, steps_per_epoch=2, epochs=1, verbose=0).history
    assert set(history) == {"init", "content"}
    model.phase = "adversarial"
    history = model.fit(data, steps_per_epoch=2, epochs=1, verbose=0).history
    assert set(history) == set(animegan.ADVERSARIAL_TERMS)
    assert all(np.isfinite(values[0]) for values in history.values())


def test_the_discriminator_learns_alone():
    model, twin = _tiny(), _tiny()
    twin.set_weights(model.get_weights())
    model.phase = "discriminate"
    before = model.generator.get_weights()
    loss = model.train_step(_tiny_batch())
    assert set(loss) == {"d"}
    for old, new in zip(before, model.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    # The same update of the discriminator as in an adversarial step, which does it first.
    assert float(loss["d"]) == pytest.approx(
        float(twin.adversarial_step(_tiny_batch())["d"]), rel=1e-4
    )
    losses = [float(model.discriminate_step(_tiny_batch())["d"]) for _ in range(8)]
    assert losses[-1] < 0.9 * losses[0]


def test_fit_reports_means_over_steps():
    model = _tiny()
    batches = [_tiny_batch(step=step) for step in range(2)]
    twin = _tiny()
    singles = [float(twin.initialize_step(batch)["init"]) for batch in batches]
    data = tf.data.Dataset.from_tensor_slices(
        {name: np.stack([batch[name] for batch in batches]) for name in batches[0]}
    )
    history = model.fit(data.repeat(), steps_per_epoch=2, epochs=1, verbose=0).history
    assert history["init"][0] == pytest.approx(np.mean(singles), rel=1e-4)


def test_unknown_phase_is_named():
    with pytest.raises(animegan_tf.InputError, match="phase: expected one of initialize"):
        _tiny().phase = "both"


def test_adam_has_the_published_epsilon():
    model = _tiny()
    for optimizer, rate in (
        (model.init_optimizer, 2e-4),
        (model.generator_optimizer, 2e-5),
        (model.discriminator_optimizer, 4e-5),
    ):
        assert optimizer.epsilon == 1e-8
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)
        assert float(optimizer.learning_rate) == pytest.approx(rate)
