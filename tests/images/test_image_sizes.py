"""The sizes that pictures are brought to."""

import numpy as np
import pytest
from pictures import CARTOONS, GOLDEN, noise

from animegan_tf import images
from animegan_tf.errors import InputError


@pytest.mark.parametrize(
    ("size", "published"),
    [
        ((1, 1), (256, 256)),
        ((255, 256), (256, 256)),
        ((287, 288), (256, 288)),
        ((300, 420), (288, 416)),
        ((200, 333), (256, 320)),
        ((4000, 2), (4000, 256)),
    ],
)
def test_published_size(size, published):
    assert images.published_size(*size) == published


@pytest.mark.parametrize("name", CARTOONS)
def test_preprocess_golden(name):
    rgb = GOLDEN[f"input/{name}"][:, :, ::-1]
    expected = GOLDEN[f"preprocess/{name}"]
    prepared = images.preprocess_published(rgb)
    assert prepared.dtype == np.float32
    assert prepared.shape == expected.shape
    np.testing.assert_allclose(prepared, expected, atol=1e-5)


def test_pad_by_hand():
    picture = np.dstack([np.array([[1, 2, 3], [4, 5, 6]], np.uint8)] * 3)
    padded = images.pad_to_multiple(picture, 4)
    assert padded.dtype == np.uint8
    assert padded[:, :, 0].tolist() == [[1, 2, 3, 2], [4, 5, 6, 5], [1, 2, 3, 2], [4, 5, 6, 5]]
    # There and back again: a reflection longer than the picture.
    wide = images.pad_to_multiple(picture, 1, at_least=8)
    assert wide[:, :, 0][0].tolist() == [1, 2, 3, 2, 1, 2, 3, 2]
    assert wide.shape == (8, 8, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 500), (8, 16), (255, 257)])
@pytest.mark.parametrize("multiple", [1, 4, 8, 32])
def test_pad_keeps_the_picture(size, multiple):
    picture = noise(*size)
    padded = images.pad_to_multiple(picture, multiple)
    assert all(side % multiple == 0 for side in padded.shape[:2])
    assert all(new - old < multiple for new, old in zip(padded.shape, size, strict=False))
    np.testing.assert_array_equal(padded[: size[0], : size[1]], picture)


@pytest.mark.parametrize(
    ("size", "max_side", "limited"),
    [
        ((400, 600), None, (400, 600)),
        ((400, 600), 600, (400, 600)),
        ((400, 600), 300, (200, 300)),
        ((601, 400), 300, (300, 200)),
        ((2, 4000), 100, (1, 100)),
    ],
)
def test_limit_side(size, max_side, limited):
    assert images.limit_side(noise(*size), max_side).shape == (*limited, 3)
    assert images.limit_side(noise(*size)[:, :, 0], max_side).shape == limited


def test_limit_side_averages():
    stripes = np.tile(np.array([[0, 200]], np.uint8), (4, 4))
    assert images.limit_side(np.dstack([stripes] * 3), 4)[:, :, 0].tolist() == [[100] * 4] * 2


@pytest.mark.parametrize(
    ("size", "enlarged"),
    [
        ((256, 256), (256, 256)),
        ((3000, 4000), (3000, 4000)),
        ((128, 200), (256, 400)),
        ((1, 1), (256, 256)),
        ((2, 4000), (23, 45795)),  # sqrt(2**20 / 8000) = 11.449
        ((1, 3_000_000), (1, 3_000_000)),
    ],
)
def test_enlarged_size(size, enlarged):
    assert images.enlarged_size(*size, 256, 2**20) == enlarged
    assert images.enlarged_size(*size[::-1], 256, 2**20) == enlarged[::-1]


def test_side_by_side():
    left, right = noise(3, 4), noise(3, 4, seed=1)
    both = images.side_by_side(left, right)
    np.testing.assert_array_equal(both[:, :4], left)
    np.testing.assert_array_equal(both[:, 4:], right)
    with pytest.raises(InputError, match="expected images of one size"):
        images.side_by_side(left, right[:2])
