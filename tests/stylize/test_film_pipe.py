"""Raw frames between two programs."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from films import write_film
from sound_films import look, mean_errors, same, shifting

from animegan_tf.errors import InputError
from animegan_tf.stylize import pipe
from animegan_tf.stylize.options import VideoOptions


def _raw(path, pixels="yuv420p", count=6, size=(48, 65), **options):
    """YUV4MPEG2 of frames that move."""
    path = path / "a.y4m"
    options = {"codec": "rawvideo", "rate": 30, "options": {}, **options}
    return write_film(path, shifting(count, *size), pixels=pixels, **options)


def _run(data, stylizer=same, **options):
    target = io.BytesIO()
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    count = pipe.run(lambda: stylizer, source, target, VideoOptions(**options).check())
    return count, target.getvalue()


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p"])
def test_frames_pass_in_their_own_form(tmp_path, pixels):
    film = _raw(tmp_path, pixels)
    assert pipe.is_raw_video(io.BufferedReader(io.BytesIO(film.read_bytes())))
    count, data = _run(film.read_bytes())
    out = tmp_path / "b.y4m"
    out.write_bytes(data)
    source, result = look(film), look(out)
    assert (count, result.size, result.rate) == (6, (48, 65), 30)
    assert result.times == source.times
    assert max(mean_errors(source.pictures, result.pictures)) < 2
    with av.open(str(out)) as opened:
        assert opened.streams.video[0].codec_context.pix_fmt == pixels


def test_outputs_of_another_size(tmp_path):
    film = _raw(tmp_path, size=(48, 64))
    _, data = _run(film.read_bytes(), lambda rgb: 255 - rgb[::2, ::2])
    out = tmp_path / "b.y4m"
    out.write_bytes(data)
    result = look(out)
    assert result.size == (24, 32)
    expected = 255 - look(film).pictures[0][::2, ::2].astype(int)
    assert abs(result.pictures[0].mean() - expected.mean()) < 2


def test_frames_before_damage_are_written(tmp_path):
    before, _, last = _raw(tmp_path, size=(48, 64)).read_bytes().rpartition(b"FRAME\n")
    source, target = io.BytesIO(before + b"HELLO\n" + last), io.BytesIO()
    with pytest.raises(InputError, match="-: the raw frames end early"):
        pipe.run(lambda: same, source, target, VideoOptions().check())
    out = tmp_path / "b.y4m"
    out.write_bytes(target.getvalue())
    assert len(look(out).times) == 5


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + bytes(50), b"YUV4MPEG2 W0 H0\n"])
def test_others_are_no_raw_frames(data):
    with pytest.raises(InputError, match=r"^-: "):
        _run(data)


def test_interlaced_frames_are_deinterlaced_where_that_is_asked_for(tmp_path):
    frames = np.full((4, 48, 64, 3), 30, np.uint8)
    frames[:, ::2, 20:40], frames[:, 1::2, 26:46] = 220, 220
    film = write_film(tmp_path / "a.y4m", list(frames), codec="rawvideo", options={})
    for choice, combs in (("auto", True), ("on", False)):
        out = tmp_path / "b.y4m"
        out.write_bytes(_run(film.read_bytes(), deinterlace=choice)[1])
        lines = look(out).pictures[2].astype(int)[8:40]
        assert (np.abs(lines[1:] - lines[:-1]).max() > 100) == combs


@pytest.mark.parametrize("raw", [True, False])
def test_a_part(tmp_path, raw):
    film = _raw(tmp_path) if raw else write_film(tmp_path / "a.mp4", shifting(6), rate=30)
    data = film.read_bytes() if raw else film
    count, data = _run(data, start="0.05", end="0.15")
    out = tmp_path / "b.y4m"
    out.write_bytes(data)
    source, result = look(film), look(out)
    assert count == len(result.times) == 3
    assert max(mean_errors(source.pictures[2:5], result.pictures)) < 3


def test_a_film_s_frames_have_its_average_rate(tmp_path):
    frames, times = (
        shifting(5),
        [0, Fraction(1, 10), Fraction(1, 5), Fraction(1, 2), Fraction(3, 5)],
    )
    film = write_film(tmp_path / "a.mkv", frames, times=times)
    out = tmp_path / "b.y4m"
    out.write_bytes(_run(film)[1])
    result = look(out)
    spaced = [float(time) * float(result.rate) for time in result.times]
    np.testing.assert_allclose(spaced, range(len(spaced)), atol=0.01)
    assert float(result.times[-1] + 1 / result.rate) == pytest.approx(0.7, abs=0.12)


@pytest.mark.parametrize("option", [{"codec": "hevc"}, {"container": "mkv"}, {"resume": True}])
def test_options_without_use(option):
    with pytest.raises(InputError, match=f"{min(option)}: expected none with raw frames"):
        _run(b"", **option)
