"""`stylize_video`: what goes in comes out, but for the style."""

from fractions import Fraction

import av
import numpy as np
import pytest
from films import scene, set_matrix, write_film, write_song, write_sound
from sound_films import done, look, mean_errors, negative, ramp, same, shifting, write_sound_film

import animegan_tf
from animegan_tf.errors import InputError
from animegan_tf.stylize import making

NTSC = Fraction(24000, 1001)


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
def test_every_frame_at_its_time(tmp_path, container):
    pictures = shifting(21)
    film = write_film(
        tmp_path / f"a.{container}", pictures, rate=NTSC, codec="libx264", options={"crf": "10"}
    )
    source, result, report = done(film, tmp_path / f"b.{container}", negative)
    assert len(source.times) == report.frames == 21
    assert result.times == source.times
    assert result.rate == source.rate == NTSC
    assert abs(result.duration - source.duration) <= Fraction(1, 1000)
    errors = mean_errors([255 - picture for picture in source.pictures], result.pictures)
    assert max(errors) < 5
    assert report.problems == report.notes == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == [film.name, report.path.name]


@pytest.mark.parametrize("segment", [1, 5, 96])
def test_variable_frame_rate(tmp_path, monkeypatch, segment):
    monkeypatch.setattr(making, "SEGMENT", segment)
    ticks = [0, 1, 5, 6, 7, 30, 31, 90, 91, 92, 93, 140]
    film = write_film(
        tmp_path / "a.mp4",
        shifting(12),
        codec="libx264",
        times=[Fraction(tick, 90) for tick in ticks],
        time_base=Fraction(1, 90000),
    )
    source, result, _ = done(film, tmp_path / "b.mp4")
    assert source.times == [Fraction(tick, 90) for tick in ticks]
    assert result.times == source.times
    assert abs(result.duration - source.times[-1]) < Fraction(1, 10)
    assert max(mean_errors(source.pictures, result.pictures)) < 5


def test_mpeg_program_stream(tmp_path):
    """Time stamps begin somewhere; the result's begin at 0 and keep their distances."""
    film = write_film(tmp_path / "a.mpg", shifting(13), rate=30, codec="mpeg2video", options={})
    source, result, _ = done(film, tmp_path / "b.mp4")
    assert source.times[0] > 0
    assert result.times == [time - source.times[0] for time in source.times]
    assert result.rate == 30


def test_a_part(tmp_path):
    film = write_sound_film(tmp_path / "a.mkv", shifting(25), subtitle="subrip")
    source, result, _ = done(film, tmp_path / "b.mkv", start="0:00.39", end=0.8)
    assert result.times == [time - Fraction(2, 5) for time in source.times[10:20]]
    assert max(mean_errors(source.pictures[10:20], result.pictures)) < 5
    for before, after in zip(source.sounds, result.sounds, strict=True):
        kept = [index for index, time in enumerate(before.times) if Fraction(2, 5) <= time < 0.8]
        assert after.packets == [before.packets[index] for index in kept]
        assert after.times[0] == before.times[kept[0]] - Fraction(2, 5)
    assert [bytes(one) for one in result.subtitles[0].packets] == [b"Line <i>1</i> \xc3\xa9"]
    assert result.subtitles[0].times == [Fraction(1, 10)]
    assert result.chapters == [("Two", 0, Fraction(2, 5))]


def test_no_frames_in_the_part(tmp_path):
    film = write_film(tmp_path / "a.mp4", shifting(3), codec="libx264")
    with pytest.raises(InputError, match=r"start: expected less than the 0\.1.* received 3"):
        animegan_tf.stylize_video(film, tmp_path / "b.mp4", same, start=3)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


# --- sound and what else there is ----------------------------------------------------------------


@pytest.mark.parametrize("container", ["mp4", "mkv", "mov"])
def test_sound_is_copied(tmp_path, container):
    film = write_sound_film(tmp_path / f"a.{container}", shifting(25), delay=2)
    source, result, report = done(film, tmp_path / f"b.{container}")
    assert [track.codec for track in result.sounds] == ["aac", "aac"]
    assert [track.language for track in result.sounds] == ["eng", "fra"]
    for before, after in zip(source.sounds, result.sounds, strict=True):
        assert len(before.packets) > 40
        assert after.packets == before.packets
        assert after.times == before.times
    assert result.times == source.times
    assert report.notes == ()
    middle = Fraction(2, 5)
    assert result.chapters == source.chapters == [("One", 0, middle), ("Two", middle, 1)]
    names = {name.lower(): value for name, value in result.metadata.items()}
    assert (names["title"], names["artist"]) == ("A film", "Somebody")


def test_subtitles_and_fonts_are_copied(tmp_path):
    film = write_sound_film(tmp_path / "plain.mkv", shifting(25), sounds=(), subtitle="subrip")
    with av.open(str(film)) as source, av.open(str(tmp_path / "a.mkv"), "w") as target:
        streams = [target.add_stream_from_template(one) for one in source.streams]
        streams[1].metadata.update(source.streams[1].metadata)
        target.add_attachment("font.ttf", "font/ttf", b"a font")
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    source, result, report = done(tmp_path / "a.mkv", tmp_path / "b.mkv")
    (before,), (after,) = source.subtitles, result.subtitles
    assert (after.codec, after.language) == ("subrip", "ita")
    assert (after.packets, after.times) == (before.packets, before.times)
    assert report.notes == ()
    with av.open(str(tmp_path / "b.mkv")) as container:
        (font,) = container.streams.attachments
        assert (font.name, bytes(font.data)) == ("font.ttf", b"a font")


def test_what_a_container_does_not_hold_is_converted_with_a_word(tmp_path):
    film = write_sound_film(tmp_path / "a.mkv", shifting(25), sounds=("vorbis",), subtitle="subrip")
    _, result, report = done(film, tmp_path / "b.mp4")
    assert [track.codec for track in result.sounds] == ["aac"]
    assert result.sounds[0].language == "eng"
    assert 0.95 < result.sounds[0].times[-1] < 1.05
    assert any("vorbis encoded again as aac" in note for note in report.notes)
    (text,) = result.subtitles
    shown = [(time, packet[2:]) for time, packet in zip(text.times, text.packets) if packet[2:]]  # noqa: B905
    assert (text.codec, text.language) == ("mov_text", "ita")
    assert shown == [
        (Fraction(1, 10), "Line 0 é".encode()),
        (Fraction(1, 2), "Line 1 é".encode()),
    ]
    assert any("subrip rewritten as mov_text" in note for note in report.notes)
    with av.open(str(tmp_path / "b.mp4")) as container:
        sound = np.concatenate([one.to_ndarray()[0] for one in container.decode(audio=0)])
    spectrum = np.abs(np.fft.rfft(sound[4800:43200]))
    assert abs(np.argmax(spectrum) * 48000 / 38400 - 300) < 3  # the tone


def test_webm(tmp_path):
    film = write_sound_film(tmp_path / "a.mp4", shifting(10), sounds=("aac",))
    source, result, report = done(film, tmp_path / "b.webm")
    assert (result.codec, result.sounds[0].codec) == ("vp9", "opus")
    assert result.times == source.times
    assert max(mean_errors(source.pictures, result.pictures)) < 5
    assert len(report.notes) == 1


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("hevc", "mkv"),
        ("hevc", "mp4"),
        ("av1", "mkv"),
        ("av1", "mp4"),
        ("vp9", "mkv"),
        ("ffv1", "mkv"),
    ],
)
def test_other_codecs(tmp_path, monkeypatch, capfd, codec, container):
    """Joined from segments of their own, with the source's times, sound and pictures."""
    monkeypatch.setattr(making, "SEGMENT", 12)
    film = write_sound_film(tmp_path / "a.mkv", shifting(30), rate=NTSC)
    source, result, _ = done(film, tmp_path / f"b.{container}", codec=codec)
    assert result.codec in (codec, "libdav1d")
    # Each container has its own ticks.
    assert np.allclose(np.float64(result.times), np.float64(source.times), atol=1e-3)
    assert [len(one.packets) for one in result.sounds] == [len(s.packets) for s in source.sounds]
    assert max(mean_errors(source.pictures, result.pictures)) < 5
    assert "[info]" not in capfd.readouterr().err


# --- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("matrix", [1, 6], ids=["bt709", "bt601"])
@pytest.mark.parametrize("whole", [1, 2], ids=["limited", "full"])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_gray_ramp(tmp_path, matrix, whole, pixels):
    """Range and matrix are kept, in the tags and in the numbers."""
    picture = ramp()
    deep = 4 if pixels.endswith("10le") else 1
    low, high = (0, 256 * deep - 1) if whole == 2 else (16 * deep, 235 * deep)
    planes = np.full((96, 128), 128 * deep, np.uint16 if deep > 1 else np.uint8)
    planes[:64] = np.rint(low + picture[:, :, 0] / 255 * (high - low))
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = 128, 64, pixels
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, whole
        for _ in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, pixels)))
        container.mux(stream.encode(None))
    seen = []
    _, result, _ = done(tmp_path / "a.mkv", tmp_path / "b.mp4", lambda rgb: seen.append(rgb) or rgb)
    assert np.abs(seen[0].astype(int) - picture).max() <= 1
    assert (result.matrix, result.range) == (matrix, whole)
    assert np.abs(result.pictures[2].astype(int) - picture).max() <= 2


def test_colours_of_both_matrices(tmp_path):
    """Saturated colours tell the matrices apart; untagged film counts as BT.601 here, and the
    result says so."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:, :32, 0], picture[:, 32:64, 1], picture[:, 64:, 2] = 220, 220, 220
    film = write_film(tmp_path / "a.mkv", [picture] * 2, codec="ffv1", pixels="yuv444p")
    _, result, _ = done(film, tmp_path / "b.mp4")
    assert result.matrix == 6
    assert np.abs(result.pictures[1][32, 16].astype(int) - (220, 0, 0)).max() <= 4


def test_rotated(tmp_path):
    film = write_film(tmp_path / "a.mp4", shifting(3), codec="libx264", options={"crf": "10"})
    set_matrix(film, 0, 1, -1, 0)
    source, result, _ = done(film, tmp_path / "b.mp4")
    assert (source.size, result.size) == ((72, 128), (128, 72))
    upright = [np.rot90(picture, -1) for picture in source.pictures]
    assert max(mean_errors(upright, result.pictures)) < 5
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_anamorphic(tmp_path):
    film = write_film(tmp_path / "a.mkv", shifting(3), codec="libx264", aspect=Fraction(4, 3))
    _, result, _ = done(film, tmp_path / "b.mkv")
    assert (result.size, result.aspect) == ((72, 128), Fraction(4, 3))
    # An animation has square pixels.
    animegan_tf.stylize_video(film, tmp_path / "b.gif", same)
    with av.open(str(tmp_path / "b.gif")) as container:
        frame = next(container.decode(video=0))
        assert (frame.height, frame.width) == (72, 171)


@pytest.mark.parametrize("suffix", ["mp4", "webm", "mkv"])
def test_odd_sizes(tmp_path, suffix):
    pictures = shifting(3, 41, 67)
    film = write_film(tmp_path / "a.mkv", pictures, codec="ffv1", pixels="bgr0")
    codec = {"codec": "ffv1"} if suffix == "mkv" else {}
    _, result, report = done(film, tmp_path / f"b.{suffix}", **codec)
    assert result.size == ((42, 68) if suffix == "mp4" else (41, 67))
    assert len(report.notes) == (suffix == "mp4")
    for before, after in zip(pictures, result.pictures, strict=True):
        allowed = 0 if suffix == "mkv" else 12
        assert np.abs(after[:41, :67].astype(int) - before).mean() <= allowed
    if suffix == "mp4":
        last = result.pictures[0].astype(int)
        assert np.abs(last[41] - last[40]).mean() < 12  # not black
        assert np.abs(last[:, 67] - last[:, 66]).mean() < 12


def test_interlaced(tmp_path):
    pictures = shifting(6)
    film = write_film(tmp_path / "a.mkv", pictures, codec="ffv1", interlaced=True)
    source, result, report = done(film, tmp_path / "b.mp4")
    assert result.times == source.times
    assert "interlaced: deinterlaced, a frame for each frame" in report.notes
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert not any(frame.interlaced_frame for frame in container.decode(video=0))


def test_side_by_side(tmp_path):
    film = write_film(tmp_path / "a.mp4", shifting(3), codec="libx264")
    source, result, _ = done(film, tmp_path / "b.mp4", negative, compare=True)
    assert result.size == (72, 256)
    left, right = result.pictures[0][:, :128], result.pictures[0][:, 128:]
    assert np.abs(left.astype(int) - source.pictures[0]).mean() < 5
    assert np.abs(right.astype(int) - (255 - source.pictures[0])).mean() < 5


# --- what is no film -----------------------------------------------------------------------------


def test_what_is_no_film(tmp_path):
    (tmp_path / "text.mp4").write_text("no film")
    encryption = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "00112233445566778899aabbccddeeff",
        "encryption_kid": "00112233445566778899aabbccddeeff",
    }
    # Raw video decodes from any bytes, and so do some H.264 streams.
    for name, codec, pixels in [
        ("locked.mp4", "libx264", "yuv420p"),
        ("noise.mov", "rawvideo", "rgb24"),
    ]:
        with av.open(str(tmp_path / name), "w", options=encryption) as container:
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
            for number in range(20):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(scene(number, 48, 64))))
            container.mux(stream.encode(None))
    write_sound(tmp_path / "sound.wav")
    write_song(tmp_path / "song.m4a")
    for name, message in [
        ("text.mp4", "expected a video, received something else or an unreadable"),
        ("locked.mp4", "expected a video that can be decoded, received an encrypted one"),
        ("noise.mov", "expected a video that can be decoded, received an encrypted one"),
        ("sound.wav", "expected a video, received audio"),
        ("song.m4a", "received a cover image and audio"),
        ("missing.mp4", "expected a video, found nothing"),
    ]:
        with pytest.raises(InputError, match=message):
            animegan_tf.stylize_video(tmp_path / name, tmp_path / "out" / "b.mp4", same)
    assert not (tmp_path / "out").exists()


def test_cut_short(tmp_path):
    """What is there before the damage is saved, and said."""
    film = write_sound_film(tmp_path / "whole.mkv", shifting(100), sounds=("aac",))
    data = film.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) // 3])
    report = animegan_tf.stylize_video(cut, tmp_path / "b.mkv", same)
    assert 10 < report.frames < 60
    assert any("cut short: stops at" in problem for problem in report.problems)
    whole, result = look(film), look(tmp_path / "b.mkv")
    assert result.times == look(cut).times
    assert set(result.times) < set(whole.times)
    count = len(result.sounds[0].packets)
    assert result.sounds[0].packets == whole.sounds[0].packets[:count]
    assert 5 < count < len(whole.sounds[0].packets)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"codec": "h263"},
            "codec: expected one of h264, hevc, av1, vp9, prores, ffv1, received 'h263'",
        ),
        ({"codec": "vp9", "crf": 64}, "crf: expected 0 to 63 for vp9, received 64"),
        ({"codec": "ffv1"}, "container: expected one of mkv for the codec ffv1, received mp4"),
        ({"bits": 10}, "bits: expected 8, or 10 with one of the codecs hevc, av1, prores, .* h264"),
        ({"start": 2, "end": 1}, r"end: expected later than start \(2\), received 1"),
        ({"start": "1:99"}, "start: expected seconds or h:mm:ss, received '1:99'"),
        ({"end": -1}, "end: expected seconds of at least 0, received -1"),
        ({"quality": 3}, "options: expected those of VideoOptions, received quality"),
        ({"container": "mkv"}, "container: expected mp4 for b.mp4, received mkv"),
    ],
)
def test_options_that_cannot_be(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        animegan_tf.stylize_video(tmp_path / "a.mp4", tmp_path / "b.mp4", same, **options)


def test_the_source_is_never_replaced(tmp_path):
    film = write_film(tmp_path / "a.mp4", shifting(3), codec="libx264")
    before = film.read_bytes()
    with pytest.raises(InputError, match="is the source, which is never replaced"):
        animegan_tf.stylize_video(film, film, same, overwrite=True)
    (tmp_path / "b.mp4").write_bytes(b"something")
    with pytest.raises(InputError, match="exists; overwrite replaces it"):
        animegan_tf.stylize_video(film, tmp_path / "b.mp4", same)
    assert film.read_bytes() == before
    assert (tmp_path / "b.mp4").read_bytes() == b"something"
    assert animegan_tf.stylize_video(film, tmp_path / "b.mp4", same, overwrite=True).frames == 3


def test_a_function_follows_the_progress_and_can_end_it(tmp_path):
    film = write_film(tmp_path / "a.mp4", shifting(13), codec="libx264")
    seen = []
    animegan_tf.stylize_video(
        film, tmp_path / "b.mp4", negative, progress=lambda *numbers: seen.append(numbers)
    )
    assert seen == [(number, 13) for number in range(1, 14)]

    def stop(done, expected):
        if done == 5:
            raise LookupError

    with pytest.raises(LookupError):
        animegan_tf.stylize_video(film, tmp_path / "c.mp4", negative, progress=stop)
    assert not (tmp_path / "c.mp4").exists()
    again = animegan_tf.stylize_video(film, tmp_path / "c.mp4", negative, resume=True)
    assert again.frames == 13
