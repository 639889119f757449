"""Photos as paintings with ink lines."""

import numpy as np
import pytest
from pictures import noise, step

from animegan_tf.data.painting import BOLD, paint


def _toned(level):
    """What a gray area becomes."""
    return (level - 128) * 1.05 + 128 + 4


def test_a_flat_area_keeps_its_colour():
    color = np.array([140.0, 120.0, 100.0])
    gray = color @ [0.299, 0.587, 0.114]
    expected = _toned((color - gray) * 1.2 + gray)
    made = paint(np.full((24, 32, 3), color, np.uint8))
    assert (made.shape, made.dtype) == ((24, 32, 3), np.uint8)
    np.testing.assert_allclose(made, np.broadcast_to(expected, made.shape), atol=1.1)


@pytest.mark.parametrize("turns", range(4))
def test_a_long_contour_gets_a_line_on_its_dark_side(turns):
    made = np.rot90(paint(np.rot90(step(size=64), turns).copy()), -turns).astype(float)[8:-8, :, 0]
    row = made.mean(0)
    np.testing.assert_allclose(row[[4, -5]], [_toned(70), _toned(200)], atol=1)
    line = np.flatnonzero(row < _toned(70) - 15)
    assert 1 <= len(line) <= 5
    assert line.min() >= 26 and line.max() <= 32
    assert row[line].min() < 0.6 * _toned(70)
    np.testing.assert_allclose(row[36:], _toned(200), atol=2)


def test_a_bold_pen_draws_wider_and_darker():
    fine, bold = (paint(step(size=64), *pen)[8:-8].mean((0, 2)) for pen in ((), (BOLD,)))
    inked = _toned(70) - 15
    assert (bold < inked).sum() > (fine < inked).sum()
    assert bold.min() < fine.min()
    np.testing.assert_allclose(bold[[4, -5]], fine[[4, -5]], atol=1)


def test_short_edges_and_crowds_get_none():
    short = np.full((64, 64, 3), 200, np.uint8)
    short[28:36, 28:36] = 70
    assert paint(short).min() > _toned(70) - 8
    stripes = np.full((64, 64, 3), 200, np.uint8)
    stripes[:, ::6] = stripes[:, 1::6] = stripes[:, 2::6] = 70
    assert paint(stripes)[16:48, 16:48].min() > _toned(70) - 8


def test_texture_becomes_areas():
    """Each pixel lies in an area of its neighbours' colour; a step between areas stays sharp."""
    photo = np.clip(step(size=64).astype(int) + noise(64, 64).astype(int) // 8 - 16, 0, 255)
    made = paint(photo.astype(np.uint8)).astype(float)
    left, before = made[8:-8, 4:20, 0], photo[8:-8, 4:20, 0].astype(float)
    assert np.abs(np.diff(left, axis=1)).mean() < 0.3 * np.abs(np.diff(before, axis=1)).mean()
    steepest = np.diff(made[8:-8].mean((0, 2)))[28:36].max()
    assert steepest > 0.4 * (200 - 70)


def test_a_broad_brush_paints_larger_areas():
    texture = noise(64, 64)
    small, large = (
        np.abs(np.diff(paint(texture, brush=reach).astype(float), axis=1)).mean()
        for reach in (2, 3)
    )
    assert large < 0.7 * small
