import cv2
import numpy as np
import pytest
from pictures import ramps

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.stylize import guided
from animegan_tf.stylize.guided import Delivery


def scene(height, width):
    """A smooth picture with sharp edges: a disk and a bar, without anti-aliasing."""
    picture = ramps(height, width) // 2 + 60
    cv2.circle(picture, (width // 3, height // 2), height // 4, (30, 60, 160), -1)
    cv2.rectangle(
        picture, (width // 2, height // 8), (width * 2 // 3, height // 2), (230, 220, 90), -1
    )
    return picture


def drawing(height, width):
    """Black lines of 4 pixels between flat areas."""
    picture = np.full((height, width, 3), (240, 200, 170), np.uint8)
    cv2.circle(picture, (width // 2, height // 2), height // 3, (120, 170, 220), -1)
    cv2.circle(picture, (width // 2, height // 2), height // 3, (0, 0, 0), 4)
    cv2.line(picture, (10, 10), (width - 10, height // 3), (0, 0, 0), 4)
    return picture


def psnr(one, other):
    return cv2.PSNR(one, other)


def bicubic(small, photo):
    return cv2.resize(small, photo.shape[1::-1], interpolation=cv2.INTER_CUBIC)


# --- enlarging -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1000, 1200), (1001, 777)])
def test_the_photo_itself_comes_back_sharper_than_by_resizing(size):
    photo = scene(*size)
    small = images.resize(photo, 240, 300)
    result = guided.enlarge(photo, small, small)
    assert result.dtype == np.uint8
    assert psnr(result, photo) > 40
    assert psnr(result, photo) > psnr(bicubic(small, photo), photo) + 8


def test_edges_are_as_sharp_as_the_photos_without_halo():
    """A result of other colours, brighter and paler, whose edges are those of the photo."""

    def restyled(picture):
        return np.rint(255 - (255 - picture.astype(float)) * (0.5, 0.7, 0.6)).astype(np.uint8)

    photo = scene(960, 1200)
    small = images.resize(photo, 240, 300)
    result, wanted = guided.enlarge(photo, small, restyled(small)), restyled(photo)
    assert psnr(result, wanted) > 40

    def steepest(picture):
        return np.abs(np.diff(picture[480, :700, 0].astype(int))).max()

    assert steepest(result) > 0.9 * steepest(wanted)
    assert steepest(bicubic(restyled(small), photo)) < 0.5 * steepest(wanted)
    over = np.maximum(result.astype(int) - wanted.max(), wanted.min() - result.astype(int))
    assert over.max() <= 8


def test_one_colour_stays_one_colour():
    photo = scene(300, 400)
    small = images.resize(photo, 75, 100)
    result = guided.enlarge(photo, small, np.full_like(small, (17, 99, 255)))
    np.testing.assert_array_equal(result, np.full_like(photo, (17, 99, 255)))


def test_lines_stay_dark_four_times_as_large():
    """Lines that the result has and the photo has not, and those that both have."""
    lines = drawing(240, 320)
    photo = cv2.resize(drawing(240, 320), (1280, 960), interpolation=cv2.INTER_NEAREST)
    dark = cv2.erode((photo.max(axis=2) == 0).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert dark.sum() > 3000
    for guide in (photo, np.full_like(photo, 200), scene(960, 1280)):
        result = guided.enlarge(guide, images.resize(guide, 240, 320), lines)
        assert result[dark].mean() < 16
        assert np.percentile(result[dark], 95) < 40


def test_bands_leave_no_seams(monkeypatch):
    photo = scene(303, 401)
    small = images.resize(photo, 101, 120)
    drawn = 255 - cv2.medianBlur(small, 5)
    whole = guided.enlarge(photo, small, drawn), guided.keep_chroma(photo, drawn_large(drawn))
    for pixels in (1, 401 * 7):
        monkeypatch.setattr(guided, "_BAND_PIXELS", pixels)
        pieces = guided.enlarge(photo, small, drawn), guided.keep_chroma(photo, drawn_large(drawn))
        for one, other in zip(whole, pieces, strict=True):
            assert np.abs(one.astype(int) - other).max() <= 1


def drawn_large(drawn):
    return cv2.resize(drawn, (401, 303))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (240, 2)])
def test_the_smallest_sizes(size):
    photo = ramps(300, 400)
    small = images.resize(photo, *size)
    assert guided.enlarge(photo, small, small).shape == photo.shape


def test_sizes_that_do_not_go_together():
    small = ramps(10, 12)
    for photo, result in ((ramps(9, 30), small), (ramps(30, 30), ramps(10, 11))):
        with pytest.raises(InputError, match="enlarge: expected a small photo and its output"):
            guided.enlarge(photo, small, result)


# --- mixing --------------------------------------------------------------------------------------


def test_blend():
    photo, result = ramps(40, 50), 255 - ramps(40, 50)
    assert guided.blend(photo, result, 1) is result
    np.testing.assert_array_equal(guided.blend(photo, result, 0), photo)
    half = guided.blend(photo, result, 0.25)
    np.testing.assert_allclose(half, 0.75 * photo + 0.25 * result, atol=0.51)


def test_keep_chroma_keeps_a_and_b_and_the_results_light():
    photo, result = ramps(64, 64) // 4 + 90, 200 - ramps(64, 64) // 2
    lab = {
        name: cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
        for name, picture in (
            ("photo", photo),
            ("result", result),
            ("kept", guided.keep_chroma(photo, result)),
        )
    }
    assert np.abs(lab["photo"] - lab["result"])[..., 1:].max() > 20
    assert np.abs(lab["kept"] - lab["photo"])[..., 1:].max() < 2
    assert np.abs(lab["kept"] - lab["result"])[..., 0].max() < 1


# --- what is drawn -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ((540, 2000), (540, 2000)),
        ((541, 2000), (540, 1996)),
        ((4000, 3000), (720, 540)),
        ((2160, 3840), (540, 960)),
    ],
)
def test_what_is_drawn(size, drawn):
    photo = np.zeros((*size, 3), np.uint8)
    assert Delivery().shrink(photo).shape[:2] == drawn
    assert Delivery(0).shrink(photo) is photo
    assert (Delivery().shrink(photo) is photo) == (size == drawn)


def test_what_is_drawn_for_a_network_of_one_size():
    photo = np.zeros((1500, 2000, 3), np.uint8)
    assert Delivery().shrink(photo, (256, 320)).shape[:2] == (240, 320)
    assert Delivery().shrink(photo, (1000, 1000)).shape[:2] == (540, 720)
    assert Delivery(0).shrink(photo, (256, 320)) is photo


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draw_side": 255}, "draw_side: expected 0 or a whole number of at least 256, rec.* 255"),
        ({"draw_side": -1}, "draw_side: expected 0"),
        ({"draw_side": 720.0}, "draw_side: expected 0"),
        ({"draw_side": None}, "draw_side: expected 0"),
        ({"strength": 1.01}, r"strength: expected a number from 0 to 1, received 1\.01"),
        ({"strength": float("nan")}, "strength: expected a number from 0 to 1, received nan"),
        ({"strength": "1"}, "strength: expected a number from 0 to 1, received '1'"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(InputError, match=message):
        Delivery(**options).check()


# --- 16 bits -------------------------------------------------------------------------------------


def test_each_step_keeps_16_bits():
    """As the same in 8 bits, with levels between those."""
    photo = scene(600, 800)
    small = images.resize(photo, 300, 400)
    drawn = images.as_kind(drawing(300, 400), np.uint16)
    drawn[:, :, 1] += np.arange(400, dtype=np.uint16)
    coarse = images.as_kind(drawn, np.uint8)
    for step in (
        lambda photo, result: guided.enlarge(photo, small, result),
        lambda photo, result: guided.keep_chroma(images.resize(photo, 300, 400), result),
        lambda photo, result: guided.blend(images.resize(photo, 300, 400), result, 0.6),
        lambda photo, result: images.match_brightness(result, photo),
    ):
        deep = step(photo, drawn)
        assert deep.dtype == np.uint16
        assert len(np.unique(deep % 257)) > 200
        np.testing.assert_allclose(deep / 257, step(photo, coarse), atol=1.5)
