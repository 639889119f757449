"""What is beside sound and subtitles: programmes, covers, attachments, data, timecodes."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from films import scene
from sound_films import done, same, shifting, write_sound_film

import animegan_tf

_IMAGE = cv2.imencode(".jpg", scene(3, 32, 32))[1].tobytes()


def _kinds(path):
    with av.open(str(path)) as film:
        return [(stream.type, stream.metadata.get("filename")) for stream in film.streams]


def _copied(source, target, more=lambda output: ()):
    """The streams of `source`, and what `more` adds: packets, the first in the file."""
    with av.open(str(source)) as film, av.open(str(target), "w") as output:
        streams = {one.index: output.add_stream_from_template(one) for one in film.streams}
        output.mux(list(more(output)))
        for packet in film.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
    return target


def _cover(output):
    if output.format.name == "matroska":
        output.add_attachment("cover.jpg", "image/jpeg", _IMAGE)
        output.add_attachment("a.ttf", "font/ttf", b"font")
        return ()
    cover = output.add_stream("mjpeg", rate=1)
    cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
    cover.disposition = av.stream.Disposition.attached_pic.value
    packet = av.Packet(_IMAGE)
    packet.pts = packet.dts = 0
    packet.stream = cover
    return [packet]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("start", [None, 0.2])
def test_covers_and_fonts(tmp_path, suffix, start):
    plain = write_sound_film(tmp_path / "plain.mp4", shifting(10), sounds=("aac",), chapters=False)
    film = _copied(plain, tmp_path / f"a.{suffix}", _cover)
    report = animegan_tf.stylize_video(film, tmp_path / "b.mkv", same, start=start)
    others = [("attachment", "a.ttf")] if suffix == "mkv" else []
    expected = [("video", None), ("audio", None), ("video", "cover.jpg"), *others]
    assert (_kinds(report.path), report.notes) == (expected, ())
    with av.open(str(report.path)) as result:
        assert next(bytes(one) for one in result.demux(result.streams[2])) == _IMAGE

    report = animegan_tf.stylize_video(film, tmp_path / "b.mp4", same, start=start)
    assert _kinds(report.path) == [("video", None), ("audio", None)]
    assert report.notes[0] == "cover track 2: left out: covers are kept in mkv only"
    assert len(report.notes) == len(others) + 1


def test_data_tracks_are_kept_or_named(tmp_path):
    def klv(output):
        stream = output.add_data_stream("klv")
        for index in range(3):
            packet = av.Packet(b"\x06\x0e\x2b\x34" + bytes(12) + b"\x00")
            packet.pts = packet.dts = index
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            yield packet

    plain = write_sound_film(tmp_path / "plain.mp4", shifting(10), sounds=("aac",), chapters=False)
    film = _copied(plain, tmp_path / "a.ts", klv)
    report = animegan_tf.stylize_video(film, tmp_path / "b.mov", same)
    assert (_kinds(report.path)[2], report.notes) == (("data", None), ())
    report = animegan_tf.stylize_video(film, tmp_path / "b.mkv", same)
    assert report.notes == ("data track 2: left out: matroska does not support its data",)


def _with_timecode(path, timecode, rate):
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        output.metadata["timecode"] = timecode
        for index in range(8):
            frame = av.VideoFrame.from_ndarray(scene(1, 48, 64), "rgb24")
            frame.pts = index
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _timecode(path):
    with av.open(str(path)) as film:
        named = [*film.streams.video[0].metadata.items(), *film.metadata.items()]
        return {name.lower(): value for name, value in named}.get("timecode")


@pytest.mark.parametrize(
    ("suffix", "timecode", "rate"),
    [("mov", "10:00:00:00", 25), ("mkv", "10:00:00;00", Fraction(30000, 1001))],
)
@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
def test_timecodes_of_cameras(tmp_path, suffix, timecode, rate, container):
    film = _with_timecode(tmp_path / f"a.{suffix}", timecode, rate)
    _, _, report = done(film, tmp_path / f"b.{container}")
    assert (_timecode(report.path), report.notes) == (timecode, ())
    report = animegan_tf.stylize_video(film, tmp_path / f"c.{container}", same, start=0.1)
    assert _timecode(report.path) is None
    assert report.notes == (f"timecode {timecode}: left out: the output begins later",)


@pytest.mark.parametrize(
    ("timecode", "rate"), [("10:00:00;00", 25), ("10:00:00:00", 300), ("10:00:00:00", 1000)]
)
def test_timecodes_that_are_none_of_the_film_do_not_end_it(tmp_path, timecode, rate):
    film = _with_timecode(tmp_path / "a.mkv", timecode, rate)
    report = animegan_tf.stylize_video(film, tmp_path / "b.mp4", same)
    assert (report.frames, _timecode(report.path)) == (8, None)
    assert report.notes == (f"timecode {timecode}: left out: not for {rate} frames per second",)


def test_raw_dv_has_the_frame_rate_of_its_kind(tmp_path):
    """Its clock is no frame rate, and its timecode no timecode of that."""
    film = tmp_path / "a.dv"
    with av.open(str(film), "w", format="dv") as output:
        stream = output.add_stream("dvvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        sound = output.add_stream("pcm_s16le", rate=48000, layout="stereo")
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(scene(1, 576, 720), "rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts = index
            output.mux(stream.encode(frame))
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 3840), np.int16), "s16", "stereo")
            samples.sample_rate, samples.pts = 48000, 1920 * index
            samples.time_base = Fraction(1, 48000)
            output.mux(sound.encode(samples))
        output.mux(stream.encode(None))
    _, result, report = done(film, tmp_path / "b.mp4")
    assert (report.frames, result.rate, len(result.sounds)) == (3, 25, 1)


def test_the_sound_of_the_programme_that_is_done(tmp_path):
    film = tmp_path / "a.ts"
    with av.open(str(film), "w", format="mpegts") as output:
        packets = []
        for number, side in enumerate((32, 64)):
            video = output.add_stream("libx264", rate=25)
            video.width, video.height, video.pix_fmt = side, side, "yuv420p"
            sound = output.add_stream("mp2", rate=48000, layout=("mono", "stereo")[number])
            for index in range(6):
                frame = av.VideoFrame.from_ndarray(scene(1, side, side), "rgb24")
                frame.pts = index
                packets += video.encode(frame)
            silence = av.AudioFrame(format="s16", layout=sound.layout.name, samples=1152)
            silence.sample_rate, silence.pts = 48000, 0
            packets += [*video.encode(None), *sound.encode(silence), *sound.encode(None)]
        output.start_encoding()
        output.mux(sorted(packets, key=lambda one: one.dts * one.time_base))
    _two_programmes(film)
    _, result, report = done(film, tmp_path / "b.mp4")
    assert result.size == (64, 64)
    assert report.notes == (
        "2 video tracks: only track 2 is stylised",
        "audio track 1: left out: it belongs to another programme",
    )
    with av.open(str(report.path)) as opened:
        assert [one.layout.name for one in opened.streams.audio] == ["stereo"]


def _two_programmes(path):
    """Rewrite the tables of a transport stream (ISO/IEC 13818-1): two streams for each of two."""
    data, packets = path.read_bytes(), []
    for place in range(0, len(data), 188):
        pid = int.from_bytes(data[place + 1 : place + 3], "big") & 0x1FFF
        counter = data[place + 3] & 15
        if pid == 0:
            packets.append(_table(0, counter, 0, 1, b"\0\1\xf0\0" + b"\0\2\xf0\1"))
        elif pid == 0x1000:
            for number in (0, 1):
                picture, sound = (0xE100 + 2 * number + one for one in (0, 1))
                streams = b"\x1b%b\xf0\0\3%b\xf0\0" % (
                    picture.to_bytes(2, "big"),
                    sound.to_bytes(2, "big"),
                )
                clock = picture.to_bytes(2, "big") + b"\xf0\0"
                packets.append(_table(0x1000 + number, counter, 2, 1 + number, clock + streams))
        else:
            packets.append(data[place : place + 188])
    path.write_bytes(b"".join(packets))


def _table(pid, counter, kind, number, body):
    start = bytes([kind]) + (0xB000 + len(body) + 9).to_bytes(2, "big")
    section = start + number.to_bytes(2, "big") + b"\xc1\0\0" + body
    check = 0xFFFFFFFF
    for byte in section:
        check ^= byte << 24
        for _ in range(8):
            check = (check << 1 ^ (0x04C11DB7 if check & 1 << 31 else 0)) & 0xFFFFFFFF
    header = b"\x47" + (0x4000 + pid).to_bytes(2, "big") + bytes([0x10 + counter, 0])
    return (header + section + check.to_bytes(4, "big")).ljust(188, b"\xff")
