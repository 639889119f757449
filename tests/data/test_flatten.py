"""Photos with flat areas, and results that are compared with such references."""

import dataclasses

import keras
import numpy as np
import pytest
from pictures import noise
from toys import toy_features, toy_generator

import animegan_tf
from animegan_tf import images, losses
from animegan_tf.data import pipeline
from animegan_tf.data.config import DataConfig
from animegan_tf.data.drawing import draw
from animegan_tf.data.flatten import flatten, lighten, saturate


def test_areas_are_flat_and_edges_stay():
    rng = np.random.default_rng(0)
    photo = np.full((64, 64, 3), 90, np.uint8)
    photo[:, 32:] = 190
    photo += rng.integers(0, 12, photo.shape, dtype=np.uint8)
    made = flatten(photo)
    assert (made.shape, made.dtype) == (photo.shape, np.uint8)
    for part in (slice(0, 30), slice(34, 64)):
        assert made[:, part].std() < 0.4 * photo[:, part].std()
    # The step from one column to the next, whole.
    step = made[:, 32].mean() - made[:, 31].mean()
    assert step > 0.95 * 1.05 * (photo[:, 32].mean() - photo[:, 31].mean())


def test_colours_are_stronger_and_gray_stays_gray():
    colour = np.full((8, 8, 3), (140, 120, 100), np.uint8)
    luma = 0.299 * 140 + 0.587 * 120 + 0.114 * 100
    lifted = (luma - 128) * 1.05 + 128 + 4
    expected = lifted + 1.05 * 1.3 * (np.array([140, 120, 100]) - luma)
    np.testing.assert_allclose(flatten(colour)[4, 4], expected, atol=0.5)
    gray = flatten(np.full((8, 8, 3), 60, np.uint8))
    assert np.ptp(gray) == 0


def _data(folder):
    for name in ("train_photo", "film/style", "film/smooth"):
        for index in range(3):
            images.write_photo(folder / name / f"{index}.png", noise(40, 50, seed=index))
    return DataConfig(folder, "film", image_size=32, batch_size=2, crop="random", hflip=True)


@pytest.mark.parametrize(("name", "made"), [("flat", flatten), ("drawn", draw)])
def test_batches_with_another_reference(tmp_path, name, made):
    config = _data(tmp_path)
    plain = next(iter(pipeline.make_dataset(config)))
    batch = next(iter(pipeline.make_dataset(dataclasses.replace(config, reference=name))))
    assert batch.keys() - plain.keys() == {"reference"}
    for key, value in plain.items():
        np.testing.assert_array_equal(value, batch[key])
    for photo, reference in zip(plain["photo"], batch["reference"], strict=True):
        expected = made(images.to_uint8(photo.numpy()))
        np.testing.assert_array_equal(images.to_uint8(reference.numpy()), expected)


def test_saturated_colours_are_farther_from_gray():
    picture = np.array([[(140, 120, 100), (80, 80, 80), (200, 40, 40)]], np.uint8)
    luma = (picture @ np.array([0.299, 0.587, 0.114]))[..., None]
    expected = np.clip(luma + 1.4 * (picture - luma), 0, 255)
    np.testing.assert_allclose(saturate(picture, 1.4), expected, atol=0.51)
    np.testing.assert_array_equal(saturate(picture, 1), picture)


def test_a_lighter_picture_keeps_its_colours():
    picture = np.array([[(140, 120, 100), (80, 80, 80), (64, 10, 0), (255, 255, 255)]], np.uint8)
    luma = (picture @ np.array([0.299, 0.587, 0.114]))[..., None]
    expected = picture + 255 * (luma / 255) ** 0.7 - luma
    np.testing.assert_allclose(lighten(picture, 0.7), expected, atol=0.51)
    assert (lighten(picture, 0.7) >= picture).all()
    np.testing.assert_array_equal(lighten(picture, 1), picture)


def test_every_level_of_gray_stays_with_a_gamma_of_one():
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=-1)
    np.testing.assert_array_equal(lighten(levels, 1), levels)
    np.testing.assert_array_equal(saturate(levels, 1), levels)


def test_a_lighter_reference_of_stronger_colours(tmp_path):
    config = dataclasses.replace(
        _data(tmp_path), reference="drawn", reference_saturation=1.4, reference_gamma=0.7
    )
    batch = next(iter(pipeline.make_dataset(config)))
    for photo, reference in zip(batch["photo"], batch["reference"], strict=True):
        expected = saturate(draw(lighten(images.to_uint8(photo.numpy()), 0.7)), 1.4)
        np.testing.assert_array_equal(images.to_uint8(reference.numpy()), expected)


@pytest.mark.parametrize(
    ("changes", "text"),
    (
        (
            {"reference": "flat", "reference_saturation": -1},
            "reference_saturation: expected a number of at least 0",
        ),
        (
            {"reference_saturation": 1.4},
            "reference: expected another than photo for reference_saturation=1.4",
        ),
        (
            {"reference": "drawn", "reference_gamma": 0},
            "reference_gamma: expected a number above",
        ),
        (
            {"reference_gamma": 0.7},
            "reference: expected another than photo for reference_gamma=0.7",
        ),
    ),
)
def test_bad_references_are_named(tmp_path, changes, text):
    with pytest.raises(animegan_tf.InputError, match=text):
        dataclasses.replace(_data(tmp_path), **changes)


def test_an_unknown_reference_is_named(tmp_path):
    with pytest.raises(
        animegan_tf.InputError,
        match="reference: expected one of photo, flat, drawn, painted, inked, brushed, received",
    ):
        dataclasses.replace(_data(tmp_path), reference="cartoon")


def test_losses_compare_with_the_reference():
    keras.utils.set_random_seed(0)
    recipe = dataclasses.replace(animegan_tf.recipe("lite"), init_pixel_weight=1.0)
    model = animegan_tf.AnimeGAN(
        toy_generator("lite"),
        animegan_tf.build_discriminator(channels=8, depth=1),
        toy_features("random", "vgg19"),
        recipe,
    )
    rng = np.random.default_rng(1)
    keys = ("photo", "anime", "anime_gray", "smooth_gray", "reference")
    batch = {key: rng.uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32) for key in keys}
    reference, features = batch["reference"], model.features

    def expected():
        made = model.generator(batch["photo"])
        return {
            "content": losses.content_loss(features(reference), features(made)),
            "pixel": losses.pixel_loss(reference, made),
            "color": losses.color_loss(reference, made),
        }

    before = expected()
    found = model.initialize_step(batch)
    for name in ("content", "pixel"):
        np.testing.assert_allclose(found[name], before[name], rtol=1e-5)
    before = expected()
    found = model.adversarial_step(batch)
    for name in ("content", "color"):
        np.testing.assert_allclose(found[name], before[name], rtol=1e-5)
