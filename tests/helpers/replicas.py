"""Run by test_distribution: updates on some logical CPU devices, written to an .npz file."""

import dataclasses
import sys

import keras
import numpy as np
import seeded
import tensorflow as tf
from toys import toy_features, toy_generator

import animegan_tf
from animegan_tf.train import distribution

BATCH, SIZE = 4, 16
CASES = ("lsgan/initialize", "lsgan/adversarial", "wgan-gp/adversarial", "dragan/adversarial")


def _batch():
    shape = (BATCH, SIZE, SIZE, 3)
    return {
        "photo": seeded.image("photo", shape),
        "anime": seeded.image("anime", shape),
        "anime_gray": seeded.gray_image("gray", shape),
        "smooth_gray": seeded.gray_image("smooth", shape),
    }


def _build(gan):
    keras.utils.set_random_seed(1)
    recipe = dataclasses.replace(animegan_tf.recipe("lite"), gan=gan, ema_decay=0.9)
    discriminator = animegan_tf.build_discriminator(channels=8, depth=2)
    features = toy_features(None, None)
    return animegan_tf.AnimeGAN(toy_generator("lite"), discriminator, features, recipe, seed=3)


def update(strategy, gan, phase):
    """All weights after two updates of `phase`, and the second update's losses."""
    count = strategy.num_replicas_in_sync
    with strategy.scope():
        model = _build(gan)
    model.phase = phase
    parts = strategy.experimental_distribute_values_from_function(
        lambda context: {
            name: tf.constant(np.split(value, count)[context.replica_id_in_sync_group])
            for name, value in _batch().items()
        }
    )

    @tf.function
    def step():
        logs, _ = strategy.run(model.update, args=(parts,))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    step()
    values = {f"loss/{name}": value.numpy() for name, value in step().items()}
    for network in (model.generator, model.discriminator):
        for name, variable in animegan_tf.tf1.variables(network).items():
            values[name] = variable.numpy()
    for name, variable in animegan_tf.tf1.variables(model.average).items():
        values[f"average/{name}"] = variable.numpy()
    return values


def main(count, path):
    cpu = tf.config.list_physical_devices("CPU")[0]
    # A process's collectives are for one set of devices: another count is another process.
    devices = [tf.config.LogicalDeviceConfiguration()] * count
    tf.config.set_logical_device_configuration(cpu, devices)
    strategy = distribution.make_strategy("mirrored")
    results = {}
    for case in CASES:
        for name, value in update(strategy, *case.split("/")).items():
            results[f"{case}|{name}"] = value
    np.savez(path, **results)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
