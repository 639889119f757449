"""The losses of AnimeGAN and AnimeGANv2, as pure functions of tensors.

Images are float32 RGB in [-1, 1] (N, H, W, 3); features (N, h, w, C); logits have any shape with
the batch first. Losses are float32 scalars, unweighted unless the function takes weights.

Sources: Chen, AnimeGANv2, 2020; Chen, Liu and Chen, AnimeGAN, ISICA 2019 (content, style, colour,
adversarial terms); Gatys et al., 2016 (Gram); Mao et al., 2017 (lsgan); Goodfellow et al., 2014
(gan); Lim and Ye, 2017 (hinge); Gulrajani et al., 2017 (wgan-gp); Petzka et al., 2018 (wgan-lp);
Kodali et al., 2017 (dragan).
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from animegan_tf.errors import InputError
from animegan_tf.recipes import GAN_TYPES
from animegan_tf.validation import check_choice

PENALIZED_GAN_TYPES = ("wgan-gp", "wgan-lp", "dragan")
DRAGAN_NOISE = 0.5


def gram_matrix(features: tf.Tensor) -> tf.Tensor:
    """XᵀX / (H·W·C) of each sample, X its features as (H·W, C): (N, h, w, C) to (N, C, C)."""
    features = tf.cast(features, tf.float32)
    batch, height, width, channels = tf.unstack(tf.shape(features))
    flat = tf.reshape(features, (batch, height * width, channels))
    return tf.matmul(flat, flat, transpose_a=True) / tf.cast(height * width * channels, tf.float32)


def _mean_absolute(a, b):
    return tf.reduce_mean(tf.abs(tf.cast(a, tf.float32) - tf.cast(b, tf.float32)))


def content_loss(photo_features: tf.Tensor, generated_features: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference between the features of the photo and the generated image."""
    return _mean_absolute(photo_features, generated_features)


def style_loss(gray_features: tf.Tensor, generated_features: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference between the Gram matrices of the gray anime and generated images."""
    return gram_style_loss(gram_matrix(gray_features), generated_features)


def gram_style_loss(gray_gram: tf.Tensor, generated_features: tf.Tensor) -> tf.Tensor:
    """`style_loss` from the gray anime's Gram matrices (N, C, C)."""
    return _mean_absolute(gray_gram, gram_matrix(generated_features))


def _huber(difference):
    absolute = tf.abs(difference)
    return tf.reduce_mean(tf.where(absolute <= 1.0, 0.5 * tf.square(absolute), absolute - 0.5))


def color_loss(photo: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Mean absolute Y difference plus Huber (delta 1) U and V differences, in YUV of [0, 1] RGB."""
    photo_yuv = tf.image.rgb_to_yuv((tf.cast(photo, tf.float32) + 1.0) / 2.0)
    generated_yuv = tf.image.rgb_to_yuv((tf.cast(generated, tf.float32) + 1.0) / 2.0)
    y, u, v = tf.unstack(photo_yuv - generated_yuv, axis=-1)
    return tf.reduce_mean(tf.abs(y)) + _huber(u) + _huber(v)


def total_variation_loss(generated: tf.Tensor) -> tf.Tensor:
    """Half the mean squared vertical difference plus half the mean squared horizontal one."""
    generated = tf.cast(generated, tf.float32)
    vertical = generated[:, 1:] - generated[:, :-1]
    horizontal = generated[:, :, 1:] - generated[:, :, :-1]
    return 0.5 * (tf.reduce_mean(tf.square(vertical)) + tf.reduce_mean(tf.square(horizontal)))


def pixel_loss(photo: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of the pixels, for the initialisation phase. Not published."""
    return _mean_absolute(photo, generated)


def _cross_entropy(logits, label):
    """Sigmoid cross-entropy with the constant label 0 or 1."""
    labels = tf.fill(tf.shape(logits), tf.cast(label, logits.dtype))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


def generator_adversarial_loss(gan: str, generated_logits: tf.Tensor) -> tf.Tensor:
    """The generator's adversarial loss, unweighted, for a GAN type of `GAN_TYPES`."""
    check_choice("gan", gan, GAN_TYPES)
    logits = tf.cast(generated_logits, tf.float32)
    # Only the discriminator's hinge loss has a margin.
    return -tf.reduce_mean(logits) if gan == "hinge" else _label_loss(gan, logits, 1.0)


def _label_loss(gan, logits, label):
    """The loss of `logits` with the label 1 (real) or 0 (fake)."""
    if gan == "lsgan":
        return tf.reduce_mean(tf.square(logits - label))
    if gan in ("gan", "dragan"):
        return _cross_entropy(logits, label)
    signed = -logits if label else logits
    return tf.reduce_mean(tf.nn.relu(1.0 + signed) if gan == "hinge" else signed)


def discriminator_adversarial_loss(
    gan: str,
    real: tf.Tensor,
    generated: tf.Tensor,
    gray: tf.Tensor,
    smooth: tf.Tensor,
    weights: Sequence[float],
) -> tf.Tensor:
    """The discriminator's loss, without gradient penalty.

    The logits are of `real` (colour anime), `generated`, `gray` (gray anime) and `smooth` (gray
    edge-smoothed anime) images; `weights` has the four factors in this order. All but `real` are
    labelled as fake.
    """
    check_choice("gan", gan, GAN_TYPES)
    if len(weights) != 4:
        raise InputError(
            f"weights: expected four (real, generated, gray, smooth), received {weights!r}"
        )
    real, *fakes = (tf.cast(logits, tf.float32) for logits in (real, generated, gray, smooth))
    terms = [_label_loss(gan, real, 1.0), *(_label_loss(gan, fake, 0.0) for fake in fakes)]
    return tf.add_n([weight * term for weight, term in zip(weights, terms, strict=True)])


def penalty_images(
    gan: str,
    real: tf.Tensor,
    generated: tf.Tensor,
    seed: Sequence[int] | tf.Tensor,
    first: int | tf.Tensor = 0,
    total: int | tf.Tensor | None = None,
    deviation: tf.Tensor | None = None,
) -> tf.Tensor:
    """The images (N, H, W, 3) at which the gradient penalty of `gan` is evaluated.

    wgan-gp and wgan-lp: uniform random interpolations between colour anime and generated images.
    dragan: the same between the anime and the anime plus 0.5 · std · uniform noise, with the
    standard deviation of the whole batch.

    The random numbers depend on `seed` (two integers) only. If `real` is a replica's part of a
    batch, `first` is the index of its first sample in the batch, `total` the batch size and
    `deviation` the standard deviation of the batch; all replicas together then draw the same
    numbers as a single one.
    """
    check_choice("gan", gan, PENALIZED_GAN_TYPES)
    real = tf.cast(real, tf.float32)
    shape = tf.shape(real)
    total = shape[0] if total is None else total
    seeds = tf.random.experimental.stateless_split(tf.cast(seed, tf.int64), 2)

    def draw(sample_shape, seed):
        values = tf.random.stateless_uniform(tf.concat([[total], sample_shape], 0), seed)
        return values[first : first + shape[0]]

    if gan == "dragan":
        deviation = tf.math.reduce_std(real) if deviation is None else deviation
        other = real + DRAGAN_NOISE * deviation * draw(shape[1:], seeds[0])
    else:
        other = tf.cast(generated, tf.float32)
    return real + draw([1, 1, 1], seeds[1]) * (other - real)


def gradient_penalty(
    gan: str, discriminate: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor
) -> tf.Tensor:
    """Mean penalty on the gradient norm of the summed logits at each of `images`.

    `discriminate` maps images to logits. wgan-gp and dragan: (norm - 1)²; wgan-lp:
    max(0, norm - 1)². Differentiable with respect to the discriminator's variables.
    """
    check_choice("gan", gan, PENALIZED_GAN_TYPES)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = tf.cast(discriminate(images), tf.float32)
    gradient = tf.cast(tape.gradient(logits, images), tf.float32)
    # The epsilon keeps the square root's gradient finite where an image's gradient is zero.
    norm = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=(1, 2, 3)) + 1e-12)
    excess = norm - 1.0
    if gan == "wgan-lp":
        excess = tf.maximum(0.0, excess)
    return tf.reduce_mean(tf.square(excess))
