"""`stylize_video` from and to GIF and animated WebP."""

from fractions import Fraction

import cv2
import numpy as np
from films import write_film
from sound_films import done, look, negative, same, shifting

import animegan_tf


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
