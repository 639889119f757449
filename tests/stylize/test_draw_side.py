"""`draw_side`, `strength` and `keep_color` of photos and films; the enlarging is test_guided's."""

import itertools

import cv2
import keras
import numpy as np
import pytest
from pictures import network, ramps
from toys import toy_generator

from animegan_tf import images, memory
from animegan_tf.errors import InputError
from animegan_tf.networks import build_generator
from animegan_tf.stylize import guided
from animegan_tf.stylize.engines import strips
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.stylizer import Stylizer


@pytest.fixture(scope="module")
def toy():
    return toy_generator("lite")


def scene(height, width, seed=0):
    picture = cv2.GaussianBlur(
        np.random.default_rng(seed).normal(128, 2000, (height, width, 3)), (0, 0), 15
    )
    return np.clip(picture, 0, 255).astype(np.uint8)


def answered(model, photo):
    """The network's own answer to a photo whose sides are multiples of 8."""
    return images.to_uint8(model(images.to_network(photo)[None], training=False)[0])


def stylised(stylizer, frames, stabilize):
    one = FrameStylizer(stylizer, stabilize)
    prepared = [one.prepare(frame, number / 25) for number, frame in enumerate(frames)]
    return [one.finish(item, one.infer([item])[0]) for item in prepared]


def test_a_large_photo_is_drawn_small_and_enlarged(toy):
    photo = scene(512, 640)
    small = images.resize(photo, 256, 320)
    expected = guided.enlarge(photo, small, answered(toy, small))
    stylize = Stylizer(toy, draw_side=256, match_brightness=False)
    np.testing.assert_array_equal(stylize(photo), expected)
    (frame,) = stylised(stylize, [photo], False)
    np.testing.assert_array_equal(frame, expected)
    brighter = images.match_brightness(answered(toy, small), photo)
    np.testing.assert_array_equal(
        Stylizer(toy, draw_side=256, match_brightness=True)(photo),
        guided.enlarge(photo, small, brighter),
    )


@pytest.mark.parametrize("draw_side", [0, 264, 720])
def test_other_photos_are_drawn_at_their_own_size(toy, draw_side):
    photo = scene(264, 1000)
    stylize = Stylizer(toy, draw_side=draw_side, match_brightness=False)
    np.testing.assert_array_equal(stylize(photo), answered(toy, photo))


def test_without_it_any_size_is_drawn(toy):
    photo = scene(800, 808)
    stylize = Stylizer(toy, draw_side=0, match_brightness=False)
    np.testing.assert_array_equal(stylize(photo), answered(toy, photo))
    assert np.abs(Stylizer(toy, match_brightness=False)(photo).astype(int) - stylize(photo)).max()


def test_published_sizes_are_as_before(toy):
    photo = scene(320, 416)
    for draw_side in (0, 256):
        stylize = Stylizer(
            toy, sizing="published", draw_side=draw_side, match_brightness=False, strength=0.5
        )
        half = guided.blend(photo, answered(toy, photo), 0.5)
        np.testing.assert_array_equal(stylize(photo), half)


def test_max_side_comes_first(toy):
    photo = scene(600, 800)
    stylize = Stylizer(toy, max_side=400, draw_side=256)
    np.testing.assert_array_equal(stylize(photo), stylize(images.limit_side(photo, 400)))


@pytest.mark.parametrize("draw_side", [0, 256])
def test_strength_and_keep_color(toy, draw_side):
    photo = scene(300, 404)
    options = {"draw_side": draw_side, "match_brightness": False}
    full = Stylizer(toy, **options)(photo)
    np.testing.assert_array_equal(Stylizer(toy, strength=0, **options)(photo), photo)
    half = Stylizer(toy, strength=0.5, **options)
    np.testing.assert_allclose(half(photo), (full.astype(float) + photo) / 2, atol=0.51)
    coloured = Stylizer(toy, keep_color=True, **options)
    np.testing.assert_array_equal(coloured(photo), guided.keep_chroma(photo, full))
    for stylize in (half, coloured):
        (frame,) = stylised(stylize, [photo], False)
        np.testing.assert_array_equal(frame, stylize(photo))


def test_mistakes_are_said_before_anything_is_loaded():
    for options in ({"draw_side": 100}, {"strength": 2}):
        with pytest.raises(InputError, match=f"{next(iter(options))}: expected"):
            Stylizer(network(), **options)


# --- memory --------------------------------------------------------------------------------------


def test_memory_is_that_of_the_drawn_size(monkeypatch):
    """A 4K frame where a picture of 456x256 just fits whole."""
    keras.utils.set_random_seed(1)
    lite = build_generator("lite")
    enough = strips.whole_memory(lite, 256, 456)
    monkeypatch.setattr(memory, "available", lambda: enough)
    monkeypatch.setattr(strips, "fitted", None)
    photo = ramps(2160, 3840)
    result = Stylizer(lite, draw_side=256)(photo)
    assert result.shape == photo.shape
    frames = FrameStylizer(Stylizer(lite, draw_side=256), engine="litert")
    frames.infer([frames.prepare(photo, 0)])


def test_too_large_names_draw_side(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 10**8)
    with pytest.raises(InputError, match=r"photo: 960x540 needs .* draw_side or max_side limits"):
        Stylizer(build_generator("lite"))(np.broadcast_to(np.uint8(7), (2160, 3840, 3)))


# --- films ---------------------------------------------------------------------------------------


def test_what_a_frame_would_take_is_said(toy, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 10**6)
    with pytest.raises(MemoryError, match=r"264x264 need \d.*GB, but 0\.0 GB are available; .*"):
        stylised(Stylizer(toy, draw_side=0), [scene(264, 264)], True)


def test_stable_films_are_stable_when_enlarged(toy):
    """A still picture with noise, and something bright that comes and goes beside it."""
    random, frames = np.random.default_rng(1), []
    still = scene(512, 512, seed=6)
    for number in range(10):
        frame = still + random.normal(0, 0.7, still.shape)
        frame[384:, :128] = 90 + 12 * (number % 2)
        frames.append(np.clip(np.rint(frame), 0, 255).astype(np.uint8))

    def change(pictures):
        parts = [picture[:192, 192:].astype(int) for picture in pictures[3:]]
        return np.mean([np.abs(b - a).mean() for a, b in itertools.pairwise(parts)])

    stylizer = Stylizer(toy, draw_side=256)
    stable = change(stylised(stylizer, frames, True))
    assert stable < 0.2 * change(stylised(stylizer, frames, False))
    assert stable < 0.3 * change(frames)


def test_a_film_goes_on_only_with_the_same_options(toy):
    def identity(**options):
        return FrameStylizer(Stylizer(toy, **options)).identity()

    assert identity() == identity(draw_side=540)
    others = [identity(draw_side=0), identity(strength=0.5), identity(keep_color=True)]
    assert all(other != identity() for other in others)
