"""Sound stays in time: a flash and a beep of one moment, in every common container."""

from fractions import Fraction

import av
import numpy as np
import pytest
from sound_films import same

import animegan_tf

_RATE, _FLASH, _COUNT = 25, 12, 25


def _film(path, codec, sound, rate):
    beep = np.zeros(_COUNT * rate // _RATE)
    first, length = _FLASH * rate // _RATE, rate // 25
    beep[first : first + length] = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(length) / rate)
    with av.open(str(path), "w") as film:
        video = film.add_stream(codec, rate=_RATE)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = film.add_stream(sound, rate=rate, layout="mono")
        packets = []
        for index in range(_COUNT):
            rgb = np.full((48, 64, 3), 250 if index == _FLASH else 20, np.uint8)
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, _RATE)
            packets += video.encode(frame)
        samples = (beep * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        packets += audio.encode(frame)
        for packet in sorted(
            [*packets, *video.encode(None), *audio.encode(None)],
            key=lambda packet: packet.dts * packet.time_base,
        ):
            film.mux(packet)
    return path


def _lag(path):
    """Seconds from the flash to the beep."""
    with av.open(str(path)) as film:
        frames = [(frame.to_ndarray(format="gray").mean(), frame) for frame in film.decode(video=0)]
    flash = max(frames, key=lambda pair: pair[0])[1]
    with av.open(str(path)) as film:
        level = av.AudioResampler(format="fltp", layout="mono")
        for frame in film.decode(audio=0):
            for part in level.resample(frame):
                loud = np.flatnonzero(np.abs(part.to_ndarray()[0]) > 0.2)
                if loud.size:
                    beep = part.pts * part.time_base + Fraction(int(loud[0]), part.sample_rate)
                    return float(beep - flash.pts * flash.time_base)
    return None


@pytest.mark.parametrize(
    ("name", "codec", "sound", "rate", "container"),
    [
        ("a.mp4", "libx264", "aac", 48000, "mp4"),
        ("a.mov", "libx264", "pcm_s16le", 48000, "mov"),
        ("a.mkv", "libx264", "flac", 44100, "mkv"),
        ("a.webm", "libvpx-vp9", "libopus", 48000, "webm"),
        ("a.ts", "mpeg2video", "mp2", 48000, "mp4"),
        ("b.ts", "libx264", "aac", 48000, "mp4"),
        ("a.avi", "mpeg4", "pcm_u8", 22050, "mp4"),
        ("a.flv", "flv", "nellymoser", 22050, "mkv"),
        ("a.mkv", "mpeg4", "pcm_s16le", 48000, "webm"),
    ],
)
def test_sound_is_in_time(tmp_path, name, codec, sound, rate, container):
    film = _film(tmp_path / name, codec, sound, rate)
    report = animegan_tf.stylize_video(film, tmp_path / f"out.{container}", same)
    before, after = _lag(film), _lag(report.path)
    assert abs(before) < 0.03
    assert abs(after - before) < 0.008
