"""`stylize_video` from and to GIF and animated WebP."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from films import scene, write_film
from PIL import Image, features
from sound_films import done, look, negative, same, shifting

import animegan_tf
from animegan_tf.stylize.batch import stylize_paths
from animegan_tf.stylize.options import VideoOptions, result_suffix
from animegan_tf.video import animation, codecs, webp


def write_animation(path, pictures, milliseconds):
    animation = cv2.Animation()
    animation.frames = [np.ascontiguousarray(one[..., [2, 1, 0, *range(3, one.shape[2])]])
                        for one in pictures]  # fmt: skip
    animation.durations = milliseconds
    assert cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, 101])
    return path


def test_webp_in_and_out(tmp_path):
    pictures, shown = shifting(5, 40, 61), [40, 100, 30, 500, 70]
    pictures = [cv2.GaussianBlur(one, (0, 0), 3) for one in pictures]
    film = write_animation(tmp_path / "a.webp", pictures, shown)
    report = animegan_tf.stylize_video(film, tmp_path / "b.webp", negative)
    assert report.frames == 5
    found, animation = cv2.imreadanimation(str(tmp_path / "b.webp"))
    assert found
    assert list(animation.durations) == shown
    for before, after in zip(pictures, animation.frames, strict=True):
        assert np.abs(after[:, :, 2::-1].astype(int) - (255 - before)).mean() < 6
    # And as a film, with exact times.
    animegan_tf.stylize_video(film, tmp_path / "b.mp4", same)
    result = look(tmp_path / "b.mp4")
    assert result.times == [Fraction(sum(shown[:n]), 1000) for n in range(5)]
    assert result.duration == Fraction(740, 1000)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.webp", "b.mp4", "b.webp"]


def test_frames_that_are_all_equal_are_a_still_webp(tmp_path):
    film = write_film(tmp_path / "a.mkv", [np.zeros((16, 16, 3), np.uint8)] * 5, codec="ffv1")
    report = animegan_tf.stylize_video(film, tmp_path / "b.webp", negative)
    with Image.open(report.path) as image:
        assert (image.format, image.convert("RGB").getpixel((8, 8))) == ("WEBP", (255, 255, 255))


def test_a_webp_that_is_cut_short_is_done_as_far_as_it_goes(tmp_path):
    film = write_animation(tmp_path / "a.webp", shifting(5, 40, 61), [40] * 5)
    data = film.read_bytes()
    film.write_bytes(data[: len(data) * 7 // 10])
    report = animegan_tf.stylize_video(film, tmp_path / "b.webp", negative)
    assert report.frames == 3
    assert report.problems == ("cut short: the file ends in frame 4",)
    damaged = bytearray(data)
    damaged[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    film.write_bytes(damaged)
    report = animegan_tf.stylize_video(film, tmp_path / "c.webp", negative)
    assert report.frames == 2
    assert "frame 3 cannot be decoded" in report.problems[0]


@pytest.mark.parametrize(("kind", "suffix"), [("GIF", ".webp"), ("WEBP", ".gif"), ("GIF", ".jpg")])
def test_animations_with_another_suffix_stay_animations(tmp_path, kind, suffix):
    frames = [Image.fromarray(one) for one in shifting(3, 40, 60)]
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], duration=100)
    (made,) = stylize_paths(lambda: negative, path, tmp_path / "out").written
    assert made.name == f"a.{kind.lower()}"
    with Image.open(made) as image:
        assert (image.format, image.n_frames) == (kind, 3)


def test_transparency_is_shown_on_white(tmp_path):
    picture = np.zeros((20, 30, 4), np.uint8)
    picture[:, 15:] = (10, 200, 30, 255)
    other = picture.copy()
    other[:10, 15:, 0] = 250
    film = write_animation(tmp_path / "a.webp", [picture, other], [100, 100])
    seen = []
    animegan_tf.stylize_video(film, tmp_path / "b.gif", lambda rgb: seen.append(rgb) or rgb)
    assert (seen[0][:, :15] == 255).all()
    np.testing.assert_allclose(seen[0][:, 15:], np.broadcast_to((10, 200, 30), (20, 15, 3)), atol=2)
    np.testing.assert_allclose(seen[1][2, 20], (250, 200, 30), atol=2)


def test_gif_in_and_out(tmp_path):
    flat = [np.full((32, 48, 3), level, np.uint8) for level in (30, 90, 150, 210)]
    film = write_film(tmp_path / "a.gif", flat, rate=10, codec="gif", pixels="gray", options={})
    source, result, _ = done(film, tmp_path / "b.gif", negative)
    assert result.times == source.times
    assert result.duration == source.duration == Fraction(2, 5)
    for before, after in zip(flat, result.pictures, strict=True):
        assert np.abs(after.astype(int) - (255 - before)).max() <= 3
    source, result, _ = done(film, tmp_path / "b.mp4")
    assert result.times == source.times


@pytest.mark.parametrize(("suffix", "plays"), [("png", 0), ("png", 3), ("avif", 0)])
def test_animated_png_and_avif(tmp_path, suffix, plays):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    frames = [Image.fromarray(scene(seed, 48, 64)) for seed in range(4)]
    path, more = tmp_path / f"a.{suffix}", {"loop": plays} if suffix == "png" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, **more)
    frames[0].save(tmp_path / f"still.{suffix}")
    assert [codecs.is_video(one) for one in (path, tmp_path / f"still.{suffix}")] == [True, False]
    options = VideoOptions().check()
    assert result_suffix(path, options) == ".webp"
    report = animegan_tf.stylize_video(path, tmp_path / "b.webp", same)
    assert (report.frames, animation.plays(report.path)) == (4, plays)
    shown = webp.Animation(report.path)
    assert shown.durations == [100] * 4
    pictures = [rgb.astype(int) for rgb, _ in shown.frames()]
    for image, rgb in zip(frames, pictures, strict=True):
        assert np.abs(np.asarray(image).astype(int) - rgb).mean() < 15
