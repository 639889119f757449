"""The training step that the benchmark compares with does the published update."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from benchmarks import training
from toys import toy_features, toy_generator

import animegan_tf


def test_both_steps_do_the_same(monkeypatch):
    """Its second forward pass sees the same generator, so that the weights come out the same."""
    monkeypatch.setattr(animegan_tf, "build_generator", toy_generator)
    monkeypatch.setattr(
        animegan_tf, "build_feature_extractor", lambda weights: toy_features(weights, "vgg19")
    )
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", lambda n: None)
    models, make = [], training._make

    def recorded(**options):
        keras.utils.set_random_seed(0)
        models.append(make(**options))
        return models[-1]

    monkeypatch.setattr(training, "_make", recorded)
    options = {"arch": "lite", "side": 32, "batch": 2, "features": "random", "threads": 2}
    training.published_step(**options)()
    training.training_step("adversarial", **options)()
    (published, _), (ours, _) = models
    for network in ("generator", "discriminator"):
        for one, other in zip(
            getattr(published, network).trainable_variables,
            getattr(ours, network).trainable_variables,
            strict=True,
        ):
            np.testing.assert_allclose(one, other, atol=2e-5)


@pytest.mark.parametrize("bfloat16", (False, True))
def test_the_step_in_pytorch_updates_both_networks(tmp_path, bfloat16):
    torch = pytest.importorskip("torch")
    from benchmarks import description, torch_step
    from benchmarks.inference import DESCRIPTION

    description.save(animegan_tf.build_generator("v2"), tmp_path / DESCRIPTION)
    task = torch_step.torch_step(tmp_path, 32, 1, torch.get_num_threads(), bfloat16)
    losses = [(task(), task.answer)[1] for _ in range(2)]
    assert np.isfinite(losses).all()
    assert all(first != second for first, second in zip(*losses, strict=True))
