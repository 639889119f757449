"""HDR made SDR, against the published values, and in a film."""

import struct
import types

import av
import numpy as np
import pytest
from av.sidedata.sidedata import Type
from sound_films import done, same

import animegan_tf
from animegan_tf.errors import InputError
from animegan_tf.video import tonemap
from animegan_tf.video.reader import VideoReader

# ITU-R BT.2408, table 1, and SMPTE ST 2084: cd/m², the signal.
PQ_VALUES = [(26, 0.38), (162, 0.56), (179, 0.57), (203, 0.58), (100, 0.508), (1000, 0.752),
             (4000, 0.903), (10000, 1)]  # fmt: skip
HLG_VALUES = [(26, 0.38), (162, 0.71), (179, 0.73), (203, 0.75), (1000, 1)]


def gray(signal):
    return np.repeat(np.asarray(signal, float)[..., None], 3, -1)


def write_ramp(path, transfer, count=3):
    """Gray from black to white, 16 pixels a step, in 10 bits of limited range."""
    codes = np.repeat(np.rint(np.linspace(64, 940, 16)).astype(np.uint16), 16)
    with av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 32, "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = transfer, 9, 9
        context.color_range = 1
        for _ in range(count):
            planes = np.full((48, 256), 512, np.uint16)
            planes[:32] = codes
            film.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p10le")))
        film.mux(stream.encode(None))
    return path


def tags(path):
    with av.open(str(path)) as film:
        frame = next(film.decode(video=0))
        return frame.colorspace, frame.color_primaries, frame.color_trc


def test_the_curves_are_the_published_ones():
    for light, signal in PQ_VALUES:
        assert abs(tonemap.pq_signal(light) - signal) < 0.005
        assert tonemap.pq_light(tonemap.pq_signal(light)) == pytest.approx(light, rel=1e-6)
    for light, signal in HLG_VALUES:
        np.testing.assert_allclose(tonemap.hlg_light(gray(signal)), light, rtol=0.025)


def test_the_mapping_leaves_what_is_dark_and_reaches_white():
    light = np.geomspace(0.01, 1000, 200)
    mapped = tonemap.mapped(light, 1000)
    assert (np.diff(mapped) > 0).all()
    assert mapped[-1] == pytest.approx(203)
    # BT.2390: the knee is at 1.5 ends - 0.5 of the range.
    knee = 1.5 * tonemap.pq_signal(203) - 0.5 * tonemap.pq_signal(1000)
    below = light < tonemap.pq_light(knee)
    np.testing.assert_allclose(mapped[below], light[below])
    # A film that is no brighter than SDR stays as it is.
    np.testing.assert_allclose(tonemap.mapped(light[:150], 203), light[:150], rtol=1e-6)


@pytest.mark.parametrize("transfer", [tonemap.PQ, tonemap.HLG])
def test_colours(transfer):
    code = tonemap.pq_signal if transfer == tonemap.PQ else lambda light: light / 1000
    sdr = 255 * tonemap.to_sdr(gray([code(0), code(203), code(1000)]), transfer)
    assert sdr[0].max() == 0
    np.testing.assert_allclose(sdr[2], 255, atol=0.5)
    assert np.ptp(sdr, axis=-1).max() < 0.1
    # BT.2020's own green is outside BT.709: it stays green.
    red, green, blue = tonemap.to_sdr(np.array([0.1, 0.5, 0.1]), transfer)
    assert green > 1.5 * max(red, blue)
    # FFmpeg's table is the function.
    signal = np.concatenate([gray(np.linspace(0, 1, 256))[None]] * 2)
    frame = av.VideoFrame.from_ndarray(np.rint(signal * 65535).astype(np.uint16), tonemap.FORMAT)
    shown = tonemap.ToneMapper(transfer, 1000)(frame)
    assert np.abs(shown - 255 * tonemap.to_sdr(signal, transfer)).max() < 1.5


@pytest.mark.parametrize("transfer", [tonemap.PQ, tonemap.HLG])
def test_a_film(tmp_path, transfer):
    film = write_ramp(tmp_path / "a.mkv", transfer)
    expected = 255 * tonemap.to_sdr(gray(np.linspace(0, 1, 16)), transfer)[:, 0]
    with VideoReader(film) as reader:
        assert reader.info.hdr
        frame = next(reader.frames())
        steps = frame.rgb()[16].reshape(16, 16, 3)[:, 8]
        np.testing.assert_allclose(steps, gray(expected), atol=3)
        small = frame.small(4, 32, gray=True)
        np.testing.assert_allclose(small[2, ::2].astype(int), steps[:, 0].astype(int), atol=6)
    _, result, report = done(film, tmp_path / "b.mp4")
    assert report.notes == ("HDR: tone-mapped to SDR (BT.709)",)
    assert tags(report.path) == (1, 1, 1)
    shown = result.pictures[0][16].reshape(16, 16, 3)[:, 8]
    np.testing.assert_allclose(shown, gray(expected), atol=4)
    _, result, report = done(film, tmp_path / "c.mp4", hdr="keep")
    assert "not tone-mapped" in report.notes[0]
    assert tags(report.path) == (9, 9, transfer)
    shown = result.pictures[0][16].reshape(16, 16, 3)[:, 8]
    np.testing.assert_allclose(shown, gray(np.linspace(0, 255, 16)), atol=4)


def frame_with(**side_data):
    return types.SimpleNamespace(side_data={Type[name]: data for name, data in side_data.items()})


def test_the_peak_that_a_video_names():
    display = struct.pack("22i", *[0, 1] * 8, 1, 10000, 4000, 1, 1, 1)
    assert tonemap.peak_of(frame_with()) == 1000
    assert tonemap.peak_of(frame_with(MASTERING_DISPLAY_METADATA=display)) == 4000
    level = struct.pack("2I", 650, 200)
    both = frame_with(MASTERING_DISPLAY_METADATA=display, CONTENT_LIGHT_LEVEL=level)
    assert tonemap.peak_of(both) == 650
    assert tonemap.peak_of(frame_with(CONTENT_LIGHT_LEVEL=struct.pack("2I", 0, 0))) == 1000


def test_dolby_vision_is_told_apart(tmp_path, monkeypatch):
    def rpu(profile, full):
        header = bytearray(16)
        header[4], header[10] = profile, full
        return struct.pack("NNN", 24, 0, 0) + bytes(header)

    assert tonemap.is_dolby_profile_5(frame_with(DOVI_METADATA=rpu(0, 1)))
    assert not tonemap.is_dolby_profile_5(frame_with(DOVI_METADATA=rpu(1, 0)))
    assert not tonemap.is_dolby_profile_5(frame_with())
    film = write_ramp(tmp_path / "a.mkv", tonemap.PQ)
    monkeypatch.setattr(tonemap, "is_dolby_profile_5", lambda _: True)
    with pytest.raises(InputError, match="received Dolby Vision profile 5"):
        animegan_tf.stylize_video(film, tmp_path / "b.mp4", same)
    animegan_tf.stylize_video(film, tmp_path / "b.mp4", same, hdr="keep")
