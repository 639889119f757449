"""Times as phones, cutters, slide shows and animations make them: exact, never called damage."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from films import write_film
from PIL import Image
from sound_films import done, look, same, shifting, write_sound_film

import animegan_tf
from animegan_tf.video import animation, faststart
from animegan_tf.video.container import VideoFile
from animegan_tf.video.source import open_source


def with_long_end(path, seconds, last, **options):
    """A film of pictures at those times, the last of which is held for `last` seconds."""
    with av.open(str(path), "w", **options) as film:
        stream = film.add_stream("flv" if path.suffix == ".flv" else "mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        packets = []
        for picture, time in zip(shifting(len(seconds), 48, 64), seconds, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        packets[-1].duration = round(last * 1000)
        film.mux(packets)
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_a_last_picture_that_is_held(tmp_path, name):
    film = with_long_end(tmp_path / name, [n / 25 for n in range(26)], 5)
    source, result, report = done(film, tmp_path / f"b{film.suffix}")
    assert report.problems == ()
    assert result.times == source.times
    assert result.duration == source.duration == 6
    with open_source(film) as opened:
        assert opened.expected_frames(0, None) == 26
    _, result, _ = done(film, tmp_path / f"c{film.suffix}", start=0.5, end=3)
    assert (result.times[-1], result.duration) == (Fraction(48, 100), Fraction(248, 100))


@pytest.mark.parametrize("step", [2, 60])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv"])
def test_slides(tmp_path, name, step):
    film = with_long_end(tmp_path / name, [n * step for n in range(5)], step)
    source, result, report = done(film, tmp_path / f"b{film.suffix}".replace("flv", "mkv"))
    assert report.problems == ()
    assert result.times == source.times == [n * step for n in range(5)]
    if film.suffix == ".mp4":
        assert result.duration == 5 * step


def test_a_film_trimmed_without_encoding(tmp_path):
    """The edit list hides what is before the cut, which the index still counts."""
    whole = write_film(tmp_path / "whole.mp4", shifting(80), rate=10, codec="libx264",
                       options={"g": "60"})  # fmt: skip
    film = tmp_path / "a.mp4"
    with av.open(str(whole)) as source, av.open(str(film), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size and packet.dts < 70 * packet.duration:
                packet.pts -= 50 * packet.duration
                packet.dts -= 50 * packet.duration
                packet.stream = stream
                target.mux(packet)
    source, result, report = done(film, tmp_path / "b.mp4")
    assert report.problems == ()
    assert result.times == source.times
    assert 17 <= len(result.times) <= 23
    with open_source(film) as opened:
        assert abs(opened.expected_frames(0, None) - len(result.times)) <= 1


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_clock_that_begins_late(tmp_path, suffix):
    times = [3600 + Fraction(n, 25) for n in range(12)]
    film = write_film(tmp_path / f"a.{suffix}", shifting(12), rate=25, times=times)
    report = animegan_tf.stylize_video(film, tmp_path / "b.mp4", same)
    assert (report.frames, report.problems) == (12, ())
    with open_source(film) as opened:
        assert abs(opened.expected_frames(0, None) - 12) <= 1


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [("ts", "libx264", {"mpegts_copyts": "1"}), ("mpg", "mpeg2video", {})],
)
def test_a_clock_that_wraps_soon(tmp_path, suffix, codec, options):
    """MPEG's clock has 33 bits; FFmpeg has what is before the wrap at negative times."""
    film = tmp_path / f"a.{suffix}"
    with av.open(str(film), "w", options=options) as output:
        video = output.add_stream(codec, rate=25, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        packets = []
        for index, picture in enumerate(shifting(25, 48, 64)):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            packets += video.encode(frame)
        packets += video.encode(None)
        output.start_encoding()
        for packet in packets:
            begin = 2**33 - 45000
            packet.pts, packet.dts = (
                round(one * packet.time_base * 90000) + begin for one in (packet.pts, packet.dts)
            )
            packet.time_base = Fraction(1, 90000)
            output.mux(packet)
    assert look(film).times[0] < 0
    _, result, report = done(film, tmp_path / "b.mp4")
    assert report.problems == ()
    assert result.times == [Fraction(n, 25) for n in range(25)]
    assert result.duration == 1


def test_avi_with_frames_out_of_order(tmp_path):
    film = write_film(tmp_path / "a.avi", shifting(25), rate=25, codec="libx264",
                      options={"bf": "3", "b-adapt": "0"})  # fmt: skip
    source, result, report = done(film, tmp_path / "b.mp4")
    assert report.problems == ()
    assert result.times == [Fraction(n, 25) for n in range(25)]
    np.testing.assert_allclose(
        np.mean(result.pictures, (1, 2, 3)), np.mean(source.pictures, (1, 2, 3)), atol=2
    )
    _, part, _ = done(film, tmp_path / "c.mp4", start=0.4)
    assert part.times == [Fraction(n, 25) for n in range(15)]
    assert np.abs(part.pictures[0].astype(int) - result.pictures[10]).mean() < 3


@pytest.mark.parametrize("suffix", ["asf", "gxf", "mxf"])
def test_frames_out_of_order_without_times_of_display(tmp_path, suffix):
    """Frames of ASF before the stream's own start were lost too."""
    codec, size = ("mpeg2video", (576, 720)) if suffix == "gxf" else ("libx264", (48, 64))
    pictures = shifting(25, *size)
    film = write_film(tmp_path / f"a.{suffix}", pictures, 25, codec, options={"bf": "2"})
    with open_source(film) as source:
        frames = list(source.frames())
        assert source.expected_frames(0, None) == 25
        assert (source.facts.rate, source.facts.duration) == (25, pytest.approx(1, abs=0.1))
    assert [frame.time for frame in frames] == [Fraction(n, 25) for n in range(25)]
    if suffix != "gxf":
        wanted = np.int16(pictures)
        nearest = [np.abs(wanted - frame.rgb).mean((1, 2, 3)).argmin() for frame in frames]
        assert nearest == list(range(25))


@pytest.mark.parametrize("suffix", ["flv", "mkv", "h264", "png", "webp"])
def test_totals_of_progress(tmp_path, suffix):
    """Also where sound is longer, the frame rate varies, or no length is stored."""
    film, shown = tmp_path / f"a.{suffix}", [0, 1, 2, 3, 11, 12, 19]
    if suffix == "flv":
        film = write_sound_film(film, shifting(7), sounds=("libmp3lame",), chapters=False)
    elif suffix == "webp":
        images = [Image.fromarray(picture) for picture in shifting(7)]
        images[0].save(film, save_all=True, append_images=images[1:], duration=70)
    else:
        codec = {"h264": "libx264", "png": "apng"}.get(suffix, "mpeg4")
        options = {"times": [Fraction(n, 25) for n in shown], "time_base": Fraction(1, 25)}
        kind = {"pixels": "rgb24"} if suffix == "png" else {}
        if suffix == "png":
            film = film.with_suffix(".apng")
        write_film(film, shifting(7), 25, codec, options={}, **options, **kind)
        film = film.rename(tmp_path / f"a.{suffix}")
    with open_source(film) as source:
        assert source.expected_frames(0, None) == 7
        assert len([frame.time for frame in source.frames()]) == 7
        if suffix == "mkv":
            assert source.expected_frames(Fraction(2, 25), Fraction(12, 25)) == 3


@pytest.mark.parametrize("suffix", ["ts", "mpg"])
def test_a_film_cut_at_its_beginning_shows_whole_pictures_only(tmp_path, suffix):
    """Frames that refer to what was cut off, also of an open group, are left out."""
    options = {"g": "10", "bf": "2", "qscale": "2", "flags": "+qscale"}
    film = tmp_path / f"a.{suffix}"
    write_film(film, shifting(40, 48, 64), 25, "mpeg2video", options=options)
    wanted = np.int16(look(film).pictures)
    data = film.read_bytes()
    place = len(data) // 188 // 3 * 188 if suffix == "ts" else len(data) // 3 // 2048 * 2048
    film.write_bytes(data[place:])
    _, result, _ = done(film, tmp_path / "b.mp4")
    errors = [np.abs(wanted - one).mean((1, 2, 3)) for one in result.pictures]
    assert max(each.min() for each in errors) < 8
    places = [int(each.argmin()) for each in errors]
    assert places == list(range(places[0], 40))
    assert 5 < places[0] < 25


def test_pictures_repeated_by_empty_packets(tmp_path):
    """As in Theora; nothing is wrong with them."""
    film = VideoFile(write_film(tmp_path / "a.mkv", shifting(6), rate=25, codec="ffv1"))
    film.start_over()
    packets = []
    for packet in film.container.demux(film.stream):
        packets.append(packet)
        if packet.size:
            empty = av.Packet(b"")
            empty.pts = empty.dts = packet.pts + 20
            empty.time_base, empty.stream, empty.duration = packet.time_base, packet.stream, 20
            packets.append(empty)
    assert [frame.time for frame in film.decode(packets)] == [Fraction(n, 25) for n in range(6)]
    assert (film.damaged, film.read_until) == (0, Fraction(24, 100))
    film.close()


@pytest.mark.parametrize("suffix", ["gif", "webp"])
@pytest.mark.parametrize("plays", [0, 1, 4])
def test_loops_and_the_last_delay(tmp_path, suffix, plays):
    pictures = [cv2.GaussianBlur(one, (0, 0), 3) for one in shifting(4, 32, 48)]
    plain = write_film(tmp_path / "plain.mkv", pictures, rate=10, codec="ffv1")
    film = tmp_path / f"a.{suffix}"
    animation.write_animation(plain, film, suffix, plays)
    if suffix == "gif":  # the last graphic control extension: flags, then the delay
        data = bytearray(film.read_bytes())
        place = data.rfind(b"\x21\xf9\x04")
        data[place + 4 : place + 6] = (500).to_bytes(2, "little")
        film.write_bytes(data)
    report = animegan_tf.stylize_video(film, tmp_path / f"b.{suffix}", same)
    assert (report.frames, report.problems) == (4, ())
    assert animation.plays(film) == animation.plays(report.path) == plays
    if suffix == "gif":
        with av.open(str(report.path)) as opened:
            delays = [packet.duration for packet in opened.demux(video=0) if packet.size]
        assert delays == [10, 10, 10, 500]
        head = report.path.read_bytes()
        count = {0: b"\x00\x00", 4: b"\x03\x00"}.get(plays)
        assert (b"NETSCAPE2.0" in head) == (count is not None)
        assert count is None or b"NETSCAPE2.0\x03\x01" + count in head
    else:
        found, read = cv2.imreadanimation(str(report.path))
        assert found
        assert read.loop_count == plays


def test_the_last_subtitle_does_not_lengthen_a_film(tmp_path):
    film = write_sound_film(tmp_path / "a.mkv", shifting(25), sounds=(), subtitle="subrip")
    for name in ("b.mp4", "c.mp4"):  # converted, then copied
        film = animegan_tf.stylize_video(film, tmp_path / name, same).path
        with av.open(str(film)) as opened:
            assert opened.duration == av.time_base
            lines = [packet for packet in opened.demux(subtitles=0) if packet.size > 2]
            shown = [float(line.duration * line.time_base) for line in lines]
            assert shown == [pytest.approx(0.3)] * 2


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("mp4", "mpeg4"), ("mkv", "mpeg4"), ("avi", "mpeg4"), ("ts", "mpeg2video"),
        ("m2ts", "libx264"), ("flv", "flv"), ("wmv", "msmpeg4"), ("mxf", "mpeg2video"),
        ("mpg", "mpeg1video"), ("vob", "mpeg2video"), ("ogv", "libvpx"),
    ],
)  # fmt: skip
def test_a_short_film_that_lost_its_end_is_called_cut_short(tmp_path, suffix, codec):
    whole = write_film(
        tmp_path / f"a.{suffix}", shifting(25), rate=25, codec=codec, options={"g": "1"}
    )
    if suffix == "mp4":
        faststart.put_index_first(whole)
    *_, report = done(whole, tmp_path / "b.mp4")
    assert report.problems == ()
    data = whole.read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(data[: len(data) * 7 // 10])
    *_, report = done(cut, tmp_path / "c.mp4")
    assert 10 < report.frames <= 20
    assert "cut short: stops at" in report.problems[0]
