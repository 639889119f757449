"""Losses against the published graph, hand-checked numbers, and the gradient penalties."""

import numpy as np
import pytest
import seeded
import tensorflow as tf

import animegan_tf
from animegan_tf import losses

SHAPE = (2, 64, 64, 3)


@pytest.fixture(scope="module")
def pictures():
    return {
        "photo": seeded.image("photo", SHAPE),
        "gray": seeded.gray_image("gray", SHAPE),
        "fake": seeded.image("fake", SHAPE),
    }


@pytest.fixture(scope="module")
def features(vgg19, pictures):
    return {name: vgg19(picture) for name, picture in pictures.items()}


def test_vgg19_features_match_the_original(golden, features):
    expected = golden["v2"]["vgg/conv4_4_no_activation"]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(features["photo"], expected, atol=1e-5 * scale)


def test_picture_losses_match_the_original(golden, pictures, features):
    computed = {
        "content": losses.content_loss(features["photo"], features["fake"]),
        "style": losses.style_loss(features["gray"], features["fake"]),
        "color": losses.color_loss(pictures["photo"], pictures["fake"]),
        "total_variation": losses.total_variation_loss(pictures["fake"]),
    }
    for name, value in computed.items():
        np.testing.assert_allclose(value, golden["v2"][f"loss/{name}"], rtol=1e-4, err_msg=name)


def _logits(index):
    return np.random.default_rng([1, index]).standard_normal((2, 16, 16, 1)).astype(np.float32)


@pytest.mark.parametrize("gan", losses.GAN_TYPES)
def test_adversarial_losses_match_the_original(golden, gan):
    real, gray, generated, smooth = (_logits(index) for index in range(4))
    np.testing.assert_allclose(
        losses.generator_adversarial_loss(gan, generated),
        golden["v2"][f"loss/generator/{gan}"],
        rtol=1e-4,
    )
    for style in ("hayao", "paprika", "shinkai"):
        weights = animegan_tf.recipe(style).discriminator_weights
        np.testing.assert_allclose(
            losses.discriminator_adversarial_loss(gan, real, generated, gray, smooth, weights),
            golden["v2"][f"loss/discriminator/{gan}/{style}"],
            rtol=1e-4,
            err_msg=style,
        )


def test_gram_matrix_by_hand():
    features = tf.constant([[[[1.0, 2.0], [3.0, 4.0]]]])
    expected = np.array([[1 + 9, 2 + 12], [2 + 12, 4 + 16]]) / (1 * 2 * 2)
    np.testing.assert_allclose(losses.gram_matrix(features), expected[None])


def test_total_variation_by_hand():
    picture = tf.constant([[[[0.0], [1.0]], [[0.0], [3.0]]]])
    # Vertical differences 0 and 2, horizontal 1 and 3.
    np.testing.assert_allclose(
        losses.total_variation_loss(picture), 0.5 * (4 / 2) + 0.5 * ((1 + 9) / 2)
    )


def test_color_loss_is_linear_for_large_u():
    """Y absolute, U and V by Huber: a gray difference of 1 costs its Y alone."""
    black, white = tf.fill((1, 2, 2, 3), -1.0), tf.fill((1, 2, 2, 3), 1.0)
    np.testing.assert_allclose(losses.color_loss(black, white), 1.0, atol=1e-5)


@pytest.mark.parametrize(("gan", "expected"), (("wgan-gp", 4.0), ("dragan", 4.0), ("wgan-lp", 4.0)))
def test_gradient_penalty_of_a_known_slope(gan, expected):
    """sum(w * x) has gradient w everywhere: with norm 3, (3 - 1)² = 4."""
    weights = np.zeros((1, 2, 2, 3), np.float32)
    weights[0, 0, 0] = [1.0, 2.0, 2.0]
    penalty = losses.gradient_penalty(
        gan, lambda x: tf.reduce_sum(x * weights, axis=(1, 2, 3)), tf.zeros((5, 2, 2, 3))
    )
    np.testing.assert_allclose(penalty, expected, rtol=1e-5)


@pytest.mark.parametrize(("gan", "expected"), (("wgan-gp", 0.25), ("dragan", 0.25), ("wgan-lp", 0)))
def test_gradient_penalty_below_one(gan, expected):
    """Norm 0.5: (0.5 - 1)² for the two-sided penalties, nothing for the one-sided."""
    penalty = losses.gradient_penalty(gan, lambda x: 0.5 * x[:, 0, 0, 0], tf.ones((2, 2, 2, 3)))
    np.testing.assert_allclose(penalty, expected, atol=1e-6)


def test_gradient_penalty_reaches_the_discriminator():
    """d/dw of (|w| - 1)² at w = 3 is 2 · (3 - 1) = 4."""
    weight = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        penalty = losses.gradient_penalty(
            "wgan-gp", lambda x: weight * x[:, 0, 0, 0], tf.ones((2, 2, 2, 3))
        )
    np.testing.assert_allclose(tape.gradient(penalty, weight), 4.0, rtol=1e-5)


def test_penalty_images_lie_between():
    real, generated = tf.zeros((64, 2, 2, 3)), tf.ones((64, 2, 2, 3))
    between = np.asarray(losses.penalty_images("wgan-gp", real, generated, seed=(1, 2)))
    # One fraction for each sample, the same over its pixels.
    np.testing.assert_allclose(between, np.broadcast_to(between[:, :1, :1, :1], between.shape))
    assert 0 <= between.min() < 0.2 and 0.8 < between.max() <= 1


def test_dragan_images_stay_near_the_anime():
    real = tf.random.normal((8, 16, 16, 3), stddev=2.0, seed=1)
    moved = np.asarray(
        losses.penalty_images("dragan", real, tf.fill(real.shape, 100.0), (1, 2)) - real
    )
    assert moved.min() >= 0 and 0 < moved.max() <= 0.5 * 2.0 * 1.1


@pytest.mark.parametrize("gan", losses.PENALIZED_GAN_TYPES)
def test_parts_of_a_batch_are_drawn_as_the_whole(gan):
    real = tf.random.normal((6, 4, 4, 3), seed=1)
    generated = tf.random.normal((6, 4, 4, 3), seed=2)
    whole = losses.penalty_images(gan, real, generated, (3, 4))
    part = losses.penalty_images(
        gan,
        real[2:4],
        generated[2:4],
        (3, 4),
        first=2,
        total=6,
        deviation=tf.math.reduce_std(real),
    )
    np.testing.assert_allclose(part, whole[2:4], atol=1e-6)
    other = losses.penalty_images(gan, real, generated, (3, 5))
    assert np.abs(np.asarray(other - whole)).max() > 0.1


@pytest.mark.parametrize(
    "call",
    (
        lambda: losses.generator_adversarial_loss("wgan", tf.zeros((1, 1))),
        lambda: losses.discriminator_adversarial_loss(
            "wgan", *[tf.zeros((1, 1))] * 4, (1, 1, 1, 1)
        ),
        lambda: losses.gradient_penalty("lsgan", None, None),
    ),
)
def test_unknown_gan_is_named(call):
    with pytest.raises(animegan_tf.InputError, match=r"gan: expected one of .*received '"):
        call()


def test_discriminator_weights_are_counted():
    with pytest.raises(animegan_tf.InputError, match=r"weights: expected four .*received \(1, 2\)"):
        losses.discriminator_adversarial_loss("lsgan", *[tf.zeros((1, 1))] * 4, (1, 2))
