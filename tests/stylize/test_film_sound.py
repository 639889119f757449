"""Sound as cameras, recorders and discs make it: copied or compressed anew, in time, never lost."""

import errno
import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from films import write_film
from sound_films import done, look, same, shifting

import animegan_tf
from animegan_tf.errors import InputError
from animegan_tf.stylize.batch import stylize_paths
from animegan_tf.stylize.making import Making
from animegan_tf.video import track


def write_clicks(path, codec, layout="stereo", rate=44100, gap=(0, 0), step=None, **stream):
    """Two seconds of gray at 25 frames a second, and a click at each half second but in the gap."""
    with av.open(str(path), "w") as film:
        kind = {"avi": "mjpeg", "wmv": "wmv2", "mxf": "mpeg2video"}.get(path.suffix[1:], "libx264")
        video = film.add_stream(kind, rate=25)
        video.width, video.height = 64, 48
        video.pix_fmt = "yuvj420p" if kind == "mjpeg" else "yuv420p"
        options = {"strict": "experimental"}
        sound = film.add_stream(codec, rate=rate, layout=layout, options=options, **stream)
        packets = []
        for index in range(50):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            packets += video.encode(picture)
        wave = np.zeros(2 * rate, np.int16)
        for half in range(4):
            wave[half * rate // 2 :][:32] = 20000
        step = step or rate // 100
        for start in range(0, len(wave), step):
            if gap[0] <= start / rate < gap[1]:
                continue
            samples = np.repeat(wave[start : start + step], sound.layout.nb_channels)[None]
            frame = av.AudioFrame.from_ndarray(samples, "s16", layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            packets += sound.encode(frame)
        packets += [*video.encode(None), *sound.encode(None)]
        film.start_encoding()
        film.mux(sorted(packets, key=lambda one: one.dts * one.time_base))
    return path


def clicks(path):
    """When each click is heard, in seconds."""
    found = []
    with av.open(str(path)) as film:
        for frame in film.decode(audio=0):
            samples = frame.to_ndarray().astype(float)
            wave = samples.reshape(-1, frame.layout.nb_channels if len(samples) == 1 else 1)[:, 0]
            wave = wave / {"s16": 2**15, "s32": 2**31}.get(frame.format.name.rstrip("p"), 1)
            if frame.format.name.startswith("u8"):
                wave = (wave - 128) / 128
            for place in np.flatnonzero(np.abs(wave) > 0.25):
                time = frame.pts * frame.time_base + Fraction(int(place), frame.sample_rate)
                if not found or time - found[-1] > 0.1:
                    found.append(time)
    return found


def sound_of(path):
    with av.open(str(path)) as film:
        (stream,) = film.streams.audio
        context = stream.codec_context
        return context.codec.canonical_name, context.layout.nb_channels


@pytest.mark.parametrize(
    ("name", "codec", "options", "container", "expected"),
    [
        ("capture.avi", "pcm_s16le", {}, "mp4", "aac"),
        ("capture.avi", "pcm_s16le", {}, "mov", "pcm_s16le"),
        ("capture.avi", "pcm_s16le", {}, "mkv", "pcm_s16le"),
        ("eight.avi", "pcm_u8", {"layout": "mono", "rate": 22050}, "mp4", "aac"),
        ("adpcm.avi", "adpcm_ima_wav", {}, "mp4", "aac"),
        ("adpcm.avi", "adpcm_ms", {"rate": 22050}, "webm", "opus"),
        ("high.avi", "pcm_s24le", {"rate": 192000}, "mp4", "aac"),
        ("camera.mxf", "pcm_s16le", {"rate": 48000, "layout": "mono"}, "mp4", "aac"),
        ("quad.mkv", "pcm_s16le", {"rate": 48000, "layout": "quad"}, "mp4", "aac"),
        ("windows.wmv", "wmav2", {"bit_rate": 128000}, "mp4", "aac"),
        ("windows.wmv", "wmav2", {"bit_rate": 128000}, "mkv", "flac"),
        ("stick.ts", "aac", {"rate": 48000}, "mp4", "aac"),
        ("stick.ts", "aac", {"rate": 48000}, "mov", "aac"),
        ("lossless.mkv", "tta", {"rate": 48000}, "mkv", "flac"),
    ],
)
def test_kinds_of_sound(tmp_path, name, codec, options, container, expected):
    film = write_clicks(tmp_path / name, codec, **options)
    report = animegan_tf.stylize_video(film, tmp_path / f"out.{container}", same)
    assert (report.frames, report.problems) == (50, ())
    before, after = look(film, False), look(report.path, False)
    assert sound_of(report.path) == (expected, sound_of(film)[1])
    word = codec != expected and f"{codec} encoded again as {expected}"
    assert any(word in note.replace("libopus", "opus") for note in report.notes) if word else True
    assert len(report.notes) == bool(word)
    # Picture and sound are as far from each other as they were.
    heard, meant = clicks(report.path), clicks(film)
    assert len(heard) == len(meant) >= 3
    shift = after.times[0] - before.times[0]
    assert max(abs(a - b - shift) for a, b in zip(heard, meant, strict=True)) < 0.01


@pytest.mark.parametrize("layout", ["7.1", "6.1", "5.1(side)"])
def test_channels_in_an_order_of_their_own(tmp_path, layout):
    """As in MOV; PyAV frees the memory of such a layout twice, which ended the process."""
    film, rate, names = tmp_path / "a.mov", 48000, []
    with av.open(str(film), "w") as output:
        video = output.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream("pcm_s16le", rate=rate, layout=layout)
        names = [channel.name for channel in sound.layout.channels]
        pitches = 300 * (1 + np.arange(len(names)))
        wave = np.sin(2 * np.pi * pitches * np.arange(rate // 2)[:, None] / rate)
        frame = av.AudioFrame.from_ndarray(np.int16(9000 * wave).reshape(1, -1), "s16", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        output.mux(sound.encode(frame))
        for picture in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24")
            frame.pts, frame.time_base = picture, Fraction(1, 25)
            output.mux(video.encode(frame))
        output.mux([*video.encode(None), *sound.encode(None)])
    report = animegan_tf.stylize_video(film, tmp_path / "b.mp4", same)
    with av.open(str(report.path)) as opened:
        packed = av.AudioResampler("s16")  # PyAV reads beyond the planes of eight channels
        frames = [one for frame in opened.decode(audio=0) for one in packed.resample(frame)]
        found = [channel.name for channel in frames[0].layout.channels]
        heard = np.concatenate([one.to_ndarray()[0] for one in frames]).reshape(-1, len(found))
    loudest = 5 * np.abs(np.fft.rfft(heard[4800:14400], axis=0)).argmax(0)
    expected = dict(zip(names, pitches, strict=True))
    for side, back in (("SL", "BL"), ("SR", "BR")):
        expected.setdefault(back, expected.get("BC", expected.get(side)))
    assert len(found) >= len(names)
    for name, pitch in zip(found, loudest, strict=True):
        if name != "LFE":  # its high notes are left out
            assert abs(pitch - expected[name]) <= 5, name


def test_frames_of_a_transport_stream_lose_their_headers(tmp_path):
    film = write_clicks(tmp_path / "a.ts", "aac", rate=48000)
    source, result, report = done(film, tmp_path / "b.mp4")
    assert report.notes == ()
    (before,), (after,) = source.sounds, result.sounds
    assert len(after.packets) == len(before.packets)
    assert {packet[:2] for packet in before.packets} == {b"\xff\xf1"}
    assert not any(packet[0] == 0xFF for packet in after.packets)


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_sound_with_a_gap_stays_in_time(tmp_path, container):
    film = write_clicks(tmp_path / "a.mkv", "pcm_s16le", "mono", 48000, gap=(0.6, 1.2))
    report = animegan_tf.stylize_video(film, tmp_path / f"b.{container}", same)
    np.testing.assert_allclose(np.float64(clicks(report.path)), [0, 0.5, 1.5], atol=0.003)


def test_several_packets_of_one_millisecond(tmp_path):
    """As TrueHD has them in Matroska."""
    film = write_clicks(tmp_path / "a.mkv", "pcm_s16le", rate=48000, step=40)
    source, result, _ = done(film, tmp_path / "b.mkv")
    (before,), (after,) = source.sounds, result.sounds
    assert len(set(before.times)) < len(before.times)
    assert (after.packets, after.times) == (before.packets, before.times)
    # MP4 wants times that grow: by as little as can be.
    with av.open(str(film)) as opened, av.open(str(tmp_path / "c.mp4"), "w") as output:
        copied = track.Copied(output, opened.streams.audio[0], track.Span(0, None, False))
        output.start_encoding()
        stamps = [one.dts for packet in opened.demux(audio=0) if packet.size
                  for one in copied.packets(packet)]  # fmt: skip
    assert all(one < other for one, other in itertools.pairwise(stamps))
    np.testing.assert_allclose(np.array(stamps) / 48000, np.float64(before.times), atol=1e-4)


def test_a_track_that_fails_later_does_not_end_the_film(tmp_path, monkeypatch):
    film = write_clicks(tmp_path / "a.mkv", "aac", rate=48000)
    packets = track.Copied.packets

    def fails(copied, packet):
        if copied.span.end is not None and packet.pts > 500:
            raise av.error.ArgumentError(errno.EINVAL, "Invalid argument")
        return packets(copied, packet)

    monkeypatch.setattr(track.Copied, "packets", fails)
    report = animegan_tf.stylize_video(film, tmp_path / "b.mkv", same, end=9)
    assert report.frames == 50
    assert report.notes == ("audio track 1: ends early (Invalid argument)",)
    assert 0.4 < look(report.path).sounds[0].times[-1] < 0.6


def test_the_others_go_on_whatever_one_raises(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        write_film(tmp_path / f"{name}.mp4", shifting(3), codec="libx264")
    run = Making._through

    def fails(making, *arguments):
        error = {
            "a.mp4": av.error.PermissionError(errno.EPERM, "Operation not permitted"),
            "b.mp4": ValueError("29 is not a valid Type"),
        }.get(making._facts.path.name)
        if error is not None:
            raise error
        return run(making, *arguments)

    monkeypatch.setattr(Making, "_through", fails)
    report = stylize_paths(lambda: same, tmp_path, tmp_path / "out")
    assert [path.name for path in report.written] == ["c.mp4"]
    (_, first), (_, second) = report.failed
    assert "a.mp4: Operation not permitted" in first
    assert second == f"{tmp_path / 'b.mp4'}: ValueError: 29 is not a valid Type"
    with pytest.raises(InputError, match="Operation not permitted"):
        animegan_tf.stylize_video(tmp_path / "a.mp4", tmp_path / "x.mp4", same)
