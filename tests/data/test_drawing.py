"""Photos as drawings."""

import numpy as np
import pytest
from pictures import step

from animegan_tf.data.drawing import draw


def test_a_flat_area_keeps_its_colour_in_the_nearest_tone():
    photo = np.full((16, 16, 3), (140, 120, 100), np.uint8)
    luma = 0.299 * 140 + 0.587 * 120 + 0.114 * 100
    toned = 255 * (luma / 255) ** 0.92
    width = 255 / 8
    border = round(toned / width) * width
    stepped = border + width / 2 * np.tanh(4 * (toned - border) / width) / np.tanh(2)
    color = np.array([140, 120, 100]) - luma
    strength = 1 + 0.5 * np.exp(-np.abs(color).max() / 60)
    expected = (stepped + strength * color - 128) * 1.08 + 128 + 4
    made = draw(photo)
    assert (made.shape, made.dtype) == (photo.shape, np.uint8)
    np.testing.assert_allclose(made.reshape(-1, 3), np.tile(expected, (256, 1)), atol=0.51)
    # The middle of a tone is left where it is, its surroundings are drawn to it.
    assert np.ptp(draw(np.full((8, 8, 3), 60, np.uint8))) == 0


def test_lightness_comes_in_eight_steps():
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (32, 1, 3))
    slope = np.diff(draw(ramp)[16, :, 0].astype(float))
    # Borders are every 32 levels of the toned lightness: there it rises, between them hardly.
    toned = 255 * (np.arange(255) / 255) ** 0.92 / (255 / 8)
    inside = (np.abs(toned - np.rint(toned)) > 0.35) & (toned > 0.5) & (toned < 7.5)
    border = np.abs(toned - np.rint(toned)) < 0.1
    assert slope[inside].mean() < 0.5
    assert slope[border & (toned > 0.5) & (toned < 7.5)].mean() > 1.5


@pytest.mark.parametrize("turns", range(4))
def test_an_edge_gets_one_dark_line(turns):
    made = np.rot90(draw(np.rot90(step(), turns).copy()), -turns).astype(float)[4:-4, :, 0]
    row = made.mean(0)
    assert np.ptp(made, axis=0).max() <= 2  # the same along the whole edge
    dark, light = row[4], row[-5]
    line = np.flatnonzero(row < dark - 15)
    assert 1 <= len(line) <= 4
    assert row[line].min() < 0.6 * dark
    # On the dark side, and nothing else changes on the light one.
    assert line.min() >= 20 and line.max() <= 24
    np.testing.assert_allclose(row[27:], light, atol=2)


def test_a_lone_edge_gets_more_ink_than_gravel():
    def ink_by_edge(photo):
        """Levels below the darkest tone, for each border between two pixels."""
        values = photo[..., 0].astype(int)
        edges = (np.diff(values) != 0).sum() + (np.diff(values, axis=0) != 0).sum()
        darkest = draw(np.full_like(photo, photo.min())).min()
        return np.maximum(darkest - draw(photo)[..., 0].astype(float), 0).sum() / edges

    grains = np.random.default_rng(0).choice(np.uint8([70, 130]), (24, 24, 1))
    gravel = grains.repeat(2, 0).repeat(2, 1).repeat(3, 2)
    assert ink_by_edge(step(70, 130)) > 4 * ink_by_edge(gravel) > 0


def test_the_photo_is_left_alone():
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    before = photo.copy()
    draw(photo)
    np.testing.assert_array_equal(photo, before)
