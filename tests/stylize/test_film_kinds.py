"""Films of unusual kinds: done, or refused by name."""

import io
import shutil
from fractions import Fraction

import av
import numpy as np
import pytest
from films import scene, write_film
from PIL import Image, ImageOps
from sound_films import done, look, mean_errors, ramp, same, shifting, write_sound_film

import animegan_tf
from animegan_tf.errors import InputError
from animegan_tf.stylize import jobs, making
from animegan_tf.stylize.options import VideoOptions
from animegan_tf.video import codecs, crop
from animegan_tf.video.reader import VideoReader


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_also_where_pyav_does_not_know_the_side_data(tmp_path, orientation):
    """As of MJPEG with EXIF, turned and mirrored, and of spatial videos."""
    photo, exif, jpeg = Image.fromarray(scene(1)), Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    photo.save(jpeg, "JPEG", exif=exif, quality=95)
    film = tmp_path / "a.mov"
    with av.open(str(film), "w") as output:
        stream = output.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = *photo.size, "yuvj420p"
        for index in range(2):
            packet = av.Packet(jpeg.getvalue())
            packet.pts = packet.dts = index
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            output.mux(packet)
    with VideoReader(film) as reader:
        rgb = next(reader.frames()).rgb()
    expected = np.asarray(ImageOps.exif_transpose(Image.open(jpeg)))
    assert rgb.shape == expected.shape
    assert np.abs(rgb - expected.astype(int)).mean() < 3


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_hevc_is_marked_as_apple_s_players_want_it(tmp_path, container):
    film = write_film(tmp_path / "a.mp4", shifting(5), codec="libx264")
    report = animegan_tf.stylize_video(film, tmp_path / f"b.{container}", same, codec="hevc")
    with av.open(str(report.path)) as result:
        assert result.streams.video[0].codec_tag == "hvc1"
    assert len(look(report.path).times) == 5


@pytest.mark.parametrize(
    ("codec", "container", "pixels"),
    [
        ("hevc", "mp4", "yuv420p10le"),
        ("av1", "mkv", "yuv420p10le"),
        ("prores", "mov", "yuv422p10le"),
    ],
)
def test_ten_bits(tmp_path, monkeypatch, codec, container, pixels):
    monkeypatch.setattr(making, "SEGMENT", 4)
    film = write_film(tmp_path / "a.mkv", [ramp()] * 9, codec="ffv1")
    out = tmp_path / f"b.{container}"
    source, result, report = done(film, out, codec=codec, bits=10)
    assert report.frames == 9
    with av.open(str(out)) as opened:
        frame = next(opened.decode(video=0))
        assert frame.format.name == pixels
        levels = frame.reformat(format="gray16le").to_ndarray()[32, ::8].astype(float)
    # Of a ramp every step is there.
    assert (np.diff(levels) > 0).all()
    assert max(mean_errors(source.pictures, result.pictures)) < 3


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "gif", "webp"])
def test_names_with_a_colon(tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    write_sound_film(tmp_path / "a.mp4", shifting(5), sounds=("aac",)).rename("Re:Zero - 01.mp4")
    report = animegan_tf.stylize_video("Re:Zero - 01.mp4", f"http:x.{suffix}", same)
    assert report.frames == 5
    names = {"Re:Zero - 01.mp4", f"http:x.{suffix}"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize(
    "text", ["ffconcat version 1.0\nfile b.mp4\n", "#EXTM3U\nb.ts\n", "\ufeffv=0\no=- 0 0\n"]
)
def test_texts_that_name_others_are_refused(tmp_path, text):
    write_film(tmp_path / "b.mp4", shifting(3), codec="libx264")
    (tmp_path / "a.mp4").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.mp4: expected a video, received a playlist"):
        animegan_tf.stylize_video(tmp_path / "a.mp4", tmp_path / "c.mp4", same)


def test_a_matrix_that_cannot_be_converted_is_named(tmp_path):
    film = tmp_path / "a.mkv"
    with av.open(str(film), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = 8
        frame = av.VideoFrame(64, 48, "yuv420p")
        output.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(InputError, match=r"a\.mkv: expected a colour matrix .* received YCgCo"):
        animegan_tf.stylize_video(film, tmp_path / "b.mkv", same)


def test_the_default_one_of_two_video_tracks(tmp_path):
    film = tmp_path / "a.mp4"
    with av.open(str(film), "w") as output:
        packets = []
        for (height, width), count in (((24, 32), 6), ((96, 128), 1)):
            stream = output.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for index in range(count):
                frame = av.VideoFrame.from_ndarray(scene(1, height, width), "rgb24")
                frame.pts = index
                packets += stream.encode(frame)
            packets += stream.encode(None)
        output.streams.video[0].disposition = av.stream.Disposition.default
        output.streams.video[1].disposition = av.stream.Disposition(0)
        output.start_encoding()
        for packet in packets:
            output.mux(packet)
    _, result, report = done(film, tmp_path / "b.mp4")
    assert (report.frames, result.size) == (6, (24, 32))
    assert report.notes == ("2 video tracks: only track 0 is stylised",)


@pytest.mark.parametrize("container", ["mov", "mp4"])
def test_metadata_of_phones(tmp_path, container):
    plain = write_film(tmp_path / "plain.mp4", shifting(3), codec="libx264")
    kept = {
        "com.apple.quicktime.location.ISO6709": "+35.6586+139.7454+030.000/",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.creationdate": "2023-05-09T13:48:30+0200",
    }
    film = tmp_path / "a.mov"
    options = {"movflags": "use_metadata_tags"}
    with av.open(str(plain)) as source, av.open(str(film), "w", options=options) as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        output.metadata.update(kept)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    _, result, _ = done(film, tmp_path / f"b.{container}")
    assert kept.items() <= result.metadata.items()


@pytest.mark.parametrize(("whole", "black", "white"), [(1, 16, 235), (2, 0, 255)])
def test_gray_of_both_ranges(tmp_path, whole, black, white):
    film = tmp_path / "a.mkv"
    with av.open(str(film), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray"
        stream.codec_context.color_range = whole
        levels = np.full((48, 64), black, np.uint8)
        levels[:, 32:] = white
        frame = av.VideoFrame.from_ndarray(levels, "gray")
        frame.color_range = whole
        output.mux([*stream.encode(frame), *stream.encode(None)])
    with VideoReader(film) as reader:
        frame = next(reader.frames())
        assert (frame.rgb()[24, 8].tolist(), frame.rgb()[24, 56].tolist()) == ([0] * 3, [255] * 3)
        assert (frame.gray()[24, 8], frame.gray()[24, 56]) == (0, 255)


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparent_parts_of_webm_are_white(tmp_path, codec):
    film = tmp_path / "a.webm"
    rgba = np.zeros((48, 64, 4), np.uint8)
    rgba[:, 32:] = (200, 30, 30, 255)
    with av.open(str(film), "w") as output:
        stream = output.add_stream(codec, rate=25, options={"auto-alt-ref": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
        stream.metadata["alpha_mode"] = "1"
        packets = []
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(rgba, "rgba").reformat(format="yuva420p")
            frame.pts = index
            packets += stream.encode(frame)
        output.mux([*packets, *stream.encode(None)])
    source, result, _ = done(film, tmp_path / "b.mp4")
    assert result.times == source.times
    assert result.pictures[5][24, 8].min() > 250
    np.testing.assert_allclose(result.pictures[5][24, 56].astype(int), (200, 30, 30), atol=8)
    _, part, _ = done(film, tmp_path / "c.mp4", start=0.2)
    assert (len(part.times), part.pictures[0][24, 8].min() > 250) == (5, True)


@pytest.mark.parametrize(
    "suffix", ["3g2", "asf", "dv", "f4v", "h264", "hevc", "m2t", "mod", "nut", "qt", "y4m"]
)
def test_suffixes_of_cameras_and_programs(suffix):
    assert codecs.is_video(f"a.{suffix}")
    assert codecs.is_video(f"a.{suffix.upper()}")


@pytest.mark.parametrize(
    "kind",
    ["asf", "avi", "flv", "ivf", "mkv", "mov", "mp4", "mpg", "mxf", "nut", "ts", "y4m"],
)
def test_videos_without_their_suffix(tmp_path, kind):
    codec = {"mxf": "mpeg2video", "y4m": "rawvideo", "ivf": "libvpx"}
    codec = {"flv": "flv", "mpg": "mpeg2video", "ts": "mpeg2video", **codec}.get(kind, "mpeg4")
    film = write_film(tmp_path / f"a.{kind}", shifting(3), rate=25, codec=codec, options={})
    for name in ("none", "wrong.jpg"):
        assert codecs.is_video(shutil.copy(film, tmp_path / name))


def test_a_folder_with_a_video_without_suffix(tmp_path):
    write_film(tmp_path / "a.mp4", shifting(3), rate=25).rename(tmp_path / "clip")
    (tmp_path / "notes").write_text("moov")
    plan = jobs.plan([tmp_path], tmp_path / "out", video=VideoOptions())
    assert [(job.result.name, job.film) for job in plan.todo] == [("clip.mp4", True)]


def test_frames_that_change_size_are_scaled_to_the_first_and_a_line_says_so(tmp_path):
    film = tmp_path / "a.ts"
    with av.open(str(film), "w", format="mpegts") as output:
        stream = output.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        output.start_encoding()
        for part, (width, height) in enumerate(((96, 64), (64, 96))):
            encoder = av.CodecContext.create("mpeg2video", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, 25), 25
            packets = []
            for index in range(6):
                frame = av.VideoFrame.from_ndarray(scene(1, height, width), "rgb24")
                frame = frame.reformat(format="yuv420p")
                frame.pts = 6 * part + index + 1
                packets += encoder.encode(frame)
            for packet in [*packets, *encoder.encode(None)]:
                packet.stream, packet.time_base = stream, Fraction(1, 25)
                output.mux(packet)
    _, result, report = done(film, tmp_path / "b.mp4")
    assert (result.size, len(result.times)) == ((64, 96), report.frames)
    (note,) = report.notes
    assert note.startswith("its frames change size: those of 64x96 from 0h00m00.2")


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_frames_that_a_codec_does_not_take(tmp_path, codec):
    film = write_film(
        tmp_path / "a.mkv", [np.zeros((200, 2, 3), np.uint8)] * 3, codec="ffv1", pixels="bgr0"
    )
    with pytest.raises(InputError, match="codec: expected one that takes frames of 2x200, rec"):
        animegan_tf.stylize_video(film, tmp_path / "b.mkv", same, codec=codec)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]
    for other, suffix in (("h264", "mp4"), ("vp9", "webm"), ("ffv1", "mkv")):
        out = tmp_path / f"b.{suffix}"
        assert animegan_tf.stylize_video(film, out, same, codec=other).frames == 3


def _combed(count=6):
    """Frames of two moments each: a bar that moves between the fields."""
    frames = np.full((count, 96, 128, 3), 30, np.uint8)
    for index, frame in enumerate(frames):
        frame[0::2, 10 + 12 * index : 40 + 12 * index] = 220
        frame[1::2, 16 + 12 * index : 46 + 12 * index] = 220
    return list(frames)


@pytest.mark.parametrize(
    ("marked", "choice", "combs"),
    [(False, "auto", True), (False, "on", False), (True, "auto", False), (True, "off", True)],
)
def test_deinterlacing_can_be_chosen(tmp_path, marked, choice, combs):
    options = {"flags": "+ildct", "qscale": "2"} if marked else {"qscale": "2"}
    film = tmp_path / "a.mkv"
    write_film(film, _combed(), codec="mpeg2video", interlaced=marked, options=options)
    _, result, report = done(film, tmp_path / "b.mp4", deinterlace=choice)
    lines = result.pictures[3].astype(int)[20:76]
    assert (np.abs(lines[1:] - lines[:-1]).max() > 100) == combs
    assert (report.frames, bool(report.notes)) == (6, not combs)


def test_films_whose_fields_were_repeated_are_restored(tmp_path):
    moments = shifting(24, 96, 128)
    fields = [[(0, 0), (1, 1), (1, 2), (2, 3), (3, 3)][n % 5] for n in range(30)]
    frames = [moments[4 * (n // 5) + top].copy() for n, (top, _) in enumerate(fields)]
    for n, (_, bottom) in enumerate(fields):
        frames[n][1::2] = moments[4 * (n // 5) + bottom][1::2]
    film = tmp_path / "a.avi"
    write_film(film, frames, codec="ffv1", rate=30, pixels="yuv444p")
    options = {"deinterlace": "telecine", "codec": "ffv1"}
    report = animegan_tf.stylize_video(film, tmp_path / "b.mkv", same, **options)
    result = look(report.path)
    assert (report.frames, report.notes) == (24, ("telecine: 24 frames per second",))
    steps = np.diff([float(time) for time in result.times])
    np.testing.assert_allclose(steps, 1 / 24, atol=0.002)
    assert max(mean_errors(moments, result.pictures)) < 1

    options["start"] = "0.5"
    part = animegan_tf.stylize_video(film, tmp_path / "c.mkv", same, **options)
    assert part.frames == 12
    assert max(mean_errors(moments[12:], look(part.path).pictures)) < 1


@pytest.mark.parametrize("suffix", ["mp4", "m4v", "mov"])
def test_the_index_comes_first(tmp_path, suffix):
    film = write_sound_film(tmp_path / "a.mkv", shifting(30), sounds=("aac",), subtitle="subrip")
    _, result, report = done(film, tmp_path / f"b.{suffix}")
    data = report.path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert (report.frames, len(result.sounds), len(result.subtitles)) == (30, 1, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"a.mkv", f"b.{suffix}"}


def test_the_crop_of_matroska_is_applied(tmp_path):
    film = tmp_path / "a.mkv"
    write_film(film, shifting(5), codec="libx264")
    plain = [(frame.time, frame.rgb()) for frame in _frames(film)]
    height, width = plain[0][1].shape[:2]
    data, unit = film.read_bytes(), b"\x54\xb2\x81\x04"
    assert data.count(unit) == 1
    # DisplayUnit, which the file can do without, becomes PixelCropLeft.
    film.write_bytes(data.replace(unit, b"\x54\xcc\x81\x08"))
    for frame, (time, whole) in zip(_frames(film), plain, strict=True):
        assert frame.time == time
        # The colours of the first columns have lost a neighbour.
        np.testing.assert_allclose(frame.rgb().astype(int)[:, 2:], whole[:, 10:], atol=3)
    with VideoReader(film) as reader:
        assert (reader.info.height, reader.info.width) == (height, width - 8)
    report = animegan_tf.stylize_video(film, tmp_path / "b.mkv", same)
    assert len(look(report.path).times) == 5
    assert crop.declared(report.path) is None


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        ("54cc8108 54bb820102 54aa8103", (8, 0, 258, 3)),
        ("54dd8104", (0, 4, 0, 0)),
        ("54cc8100", None),
        ("54cc88", None),
        ("", None),
    ],
)
def test_crops_in_headers(tmp_path, video, expected):
    def element(name, contents):
        return bytes.fromhex(name) + bytes([0x80 + len(contents)]) + contents

    track = element("ae", element("83", b"\1") + element("e0", bytes.fromhex(video)))
    segment = element("18538067", element("1654ae6b", track))
    (tmp_path / "a.mkv").write_bytes(element("1a45dfa3", b"") + segment)
    assert crop.declared(tmp_path / "a.mkv") == expected


def _frames(film):
    with VideoReader(film) as reader:
        yield from reader.frames()
