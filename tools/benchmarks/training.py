"""The tasks of the suite training: one update on a fixed batch of noise (see `worker`)."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

import animegan_tf
from animegan_tf import losses
from animegan_tf.networks.convolution import Conv2D
from animegan_tf.train import loop
from animegan_tf.train.animegan import BATCH_KEYS
from benchmarks.worker import Timed


def training_step(phase, precision="float32", **options):
    """One update of `phase`, compiled as a run's loop does it; options: those of `_make`."""
    with loop.compute_type(precision):
        model, pictures = _make(**options)
    step = model.initialize_step if phase == "initialization" else model.adversarial_step
    return _timed(tf.function(step, autograph=False), pictures)


def published_step(**options):
    """The adversarial update as the published graph does it; options: those of `_make`.

    The discriminator and then the generator in a graph of its own, which computes the generated
    picture anew; every network once for each of its inputs; the convolutions' gradients as
    TensorFlow has them.
    """
    model, pictures = _make(**options, adapt=_with_plain_convolutions)
    updates = [
        tf.function(lambda batch, step=step: step(model, batch), autograph=False)
        for step in (_update_discriminator, _update_generator)
    ]
    return _timed(lambda batch: {str(at): run(batch) for at, run in enumerate(updates)}, pictures)


def _make(arch, side, batch, features, threads, adapt=lambda network: network):
    """An `AnimeGAN` and a batch; features: what `build_feature_extractor` takes.

    adapt: a function of a network to the one that takes its place.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    recipe = dataclasses.replace(
        animegan_tf.recipe("hayao"), arch=arch, image_size=side, batch_size=batch
    )
    model = animegan_tf.AnimeGAN(
        adapt(animegan_tf.build_generator(arch)),
        animegan_tf.build_discriminator(),
        adapt(animegan_tf.build_feature_extractor(features)),
        recipe,
    )
    rng = np.random.default_rng(0)
    shape = (batch, side, side, 3)
    pictures = {
        key: tf.constant(rng.uniform(-1, 1, shape).astype(np.float32)) for key in BATCH_KEYS
    }
    return model, pictures


def _timed(update, pictures):
    # Read, as a run does: a device may still be computing.
    return Timed(lambda: [float(value) for value in update(pictures).values()])


def _with_plain_convolutions(network):
    def plain(layer):
        kind = keras.layers.Conv2D if isinstance(layer, Conv2D) else type(layer)
        return kind.from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=plain)
    copy.set_weights(network.get_weights())
    copy.trainable = network.trainable
    return copy


def _update_discriminator(model, batch):
    recipe = model.recipe
    generated = model.generator(batch["photo"], training=True)
    pictures = (batch["anime"], generated, batch["anime_gray"], batch["smooth_gray"])
    with tf.GradientTape() as tape:
        # One power iteration for all four: only the last call stores its own.
        logits = [
            model.discriminator(picture, training=at == len(pictures))
            for at, picture in enumerate(pictures, 1)
        ]
        loss = recipe.discriminator_adversarial_weight * losses.discriminator_adversarial_loss(
            recipe.gan, *logits, recipe.discriminator_weights
        )
    _apply(model.discriminator_optimizer, tape, loss, model.discriminator)
    return loss


def _update_generator(model, batch):
    recipe, photo = model.recipe, batch["photo"]
    with tf.GradientTape() as tape:
        generated = model.generator(photo, training=True)
        logits = model.discriminator(generated, training=True)
        features = model.features(generated)
        content = losses.content_loss(model.features(photo), features)
        style = losses.style_loss(model.features(batch["anime_gray"]), features)
        adversarial = losses.generator_adversarial_loss(recipe.gan, logits)
        total = (
            recipe.content_weight * content
            + recipe.style_weight * style
            + recipe.color_weight * losses.color_loss(photo, generated)
            + recipe.tv_weight * losses.total_variation_loss(generated)
            + recipe.generator_adversarial_weight * adversarial
        )
    _apply(model.generator_optimizer, tape, total, model.generator)
    return total


def _apply(optimizer, tape, loss, network):
    variables = network.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
