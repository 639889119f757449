"""Reading films: exact times, seeking, orientation, colours, interlacing, damage, refusals."""

import errno
import itertools
from fractions import Fraction

import av
import cv2
import films
import numpy as np
import pytest

from animegan_tf.errors import InputError
from animegan_tf.video import container, timecode
from animegan_tf.video.reader import Key, VideoReader

RED, GREEN, BLUE, GRAY = (220, 30, 30), (30, 200, 60), (40, 50, 230), (128, 128, 128)


def read(path, *arguments, **options):
    with VideoReader(path, **options) as reader:
        return list(reader.frames(*arguments))


def times(frames):
    return [frame.time for frame in frames]


def moving(count, height=48, width=64):
    """Pictures of which each differs from all others."""
    wide = films.scene(5, height, width + 2 * count)
    return [wide[:, 2 * index : 2 * index + width] for index in range(count)]


def corners(rgb):
    """The colours near the four corners, row by row, as letters."""
    names = {RED: "R", GREEN: "G", BLUE: "B", GRAY: "."}
    inside = [rgb[y, x].astype(int) for y in (6, -7) for x in (6, -7)]
    return "".join(
        min((np.abs(pixel - color).sum(), name) for color, name in names.items())[1]
        for pixel in inside
    )


def flag(height=48, width=96):
    """Red, green, blue, gray quarters: `corners` gives RGB. for it."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :] = RED, GREEN
    picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :] = BLUE, GRAY
    return picture


# --- times and seeking ---------------------------------------------------------------------------


def test_constant_rate(tmp_path):
    path = films.write_film(tmp_path / "a.mp4", moving(30), rate=24)
    frames = read(path)
    assert times(frames) == [Fraction(index, 24) for index in range(30)]
    assert [frame.key for frame in frames[:13]] == [True] + [False] * 11 + [True]
    with VideoReader(path) as reader:
        assert (reader.info.height, reader.info.width) == (48, 64)
        assert (reader.info.frame_rate, reader.info.duration) == (24, 1.25)
        assert str(reader.info) == "a.mp4: 64x48, 24 frames/s, 0h00m01.250, mpeg4, yuv420p"


def test_variable_rate_has_exact_times(tmp_path):
    shown = [Fraction(tick, 60000) for tick in (0, 2002, 2503, 60000, 60001, 122222)]
    tick = Fraction(1, 60000)
    path = films.write_film(tmp_path / "a.mov", moving(6), times=shown, time_base=tick)
    assert times(read(path)) == shown
    assert times(read(path, shown[2], shown[4])) == shown[2:4]


def test_times_count_from_the_first_frame(tmp_path):
    shown = [Fraction(5) + Fraction(index, 25) for index in range(4)]
    path = films.write_film(tmp_path / "a.ts", moving(4), 25, "mpeg2video", times=shown)
    assert times(read(path)) == [Fraction(index, 25) for index in range(4)]


KINDS = [
    ("a.mp4", "mpeg4", {"g": "10", "bf": "2"}),
    ("a.mkv", "mpeg2video", {"g": "10", "bf": "2"}),
    ("a.ts", "mpeg2video", {"g": "10", "bf": "2"}),
    ("a.mpg", "mpeg2video", {"g": "10", "bf": "2"}),
    ("a.m2v", "mpeg2video", {"g": "10"}),
    ("a.avi", "ffv1", {}),
    ("b.mp4", "libx264", {"x264-params": "open-gop=1:keyint=10:bframes=3:log=-1"}),
]


@pytest.mark.parametrize(("name", "codec", "options"), KINDS)
def test_any_frame_is_found_again_as_it_was(tmp_path, name, codec, options):
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV cannot encode with {codec}")
    path = films.write_film(tmp_path / name, moving(50), 25, codec, options=options)
    with VideoReader(path) as reader:
        frames = list(reader.frames())
        pictures = {frame.time: frame.rgb() for frame in frames}
        keys = [frame.time for frame in frames if frame.key]
        assert len(pictures) == 50
        for start in (49, 20, 33, 3):  # backwards too
            found = next(reader.frames(frames[start].time))
            assert found.time == frames[start].time
            np.testing.assert_array_equal(found.rgb(), pictures[found.time])
        wanted = [frames[index].time for index in (2, 3, 19, 20, 44)]
        for known in (keys, None):
            found = list(reader.frames_at([Fraction(1, 7), *wanted, Fraction(99)], known))
            assert times(found) == wanted
            for frame in found:
                np.testing.assert_array_equal(frame.rgb(), pictures[frame.time])


@pytest.mark.parametrize(("name", "codec", "options"), KINDS)
def test_keys_lead_to_the_same_pictures(tmp_path, name, codec, options):
    """Whatever was read before; also where time stamps cannot be relied on after a seek."""
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV cannot encode with {codec}")
    pictures = moving(50)
    path = films.write_film(tmp_path / name, pictures, 25, codec, options=options)

    def shown(reader, key, count=4):
        return [frame.rgb() for frame in itertools.islice(reader.frames_from(key), count)]

    def which(rgb):
        return min(range(50), key=lambda index: np.abs(pictures[index] - rgb.astype(int)).mean())

    with VideoReader(path) as reader:
        keys = [reader.key(Fraction(half, 2)) for half in range(4)]
        expected = [shown(reader, key) for key in keys]
        for index in (3, 0, 2, 2, 1):
            with VideoReader(path, threads="NONE") as other:
                for again in (shown(reader, keys[index]), shown(other, keys[index])):
                    np.testing.assert_array_equal(again, expected[index])
    places = [[which(rgb) for rgb in rgbs] for rgbs in expected]
    assert all(place == list(range(place[0], place[0] + 4)) for place in places)
    # Near the one before 0, 12.5, 25 and 37.5; of a transport stream the first one is not found.
    assert [place[0] for place in places] == sorted(place[0] for place in places)
    assert places[0][0] <= 12 and 20 <= places[2][0] <= 30 <= places[3][0] <= 40


def test_a_key_that_is_not_there_gives_nothing(tmp_path):
    path = films.write_film(tmp_path / "a.mp4", moving(30), 24)
    with VideoReader(path) as reader:
        assert list(reader.frames_from(Key(Fraction(1), 12345))) == []
        assert len(list(reader.frames_from(reader.key(99)))) == 6  # the last of 24 and 6


def test_a_clock_that_begins_anew(tmp_path):
    one = films.write_film(tmp_path / "a.mpg", moving(30), 25, "mpeg2video").read_bytes()
    path = tmp_path / "twice.mpg"
    path.write_bytes(one + one)
    with VideoReader(path) as reader:
        frames = times(reader.frames())
        assert len(frames) >= 59
        assert frames == sorted(set(frames))
        assert frames[-1] > 2.3
        assert not reader.clean_times
        assert times(reader.frames_at(frames[40:50:3])) == frames[40:50:3]


def test_glimpses_are_key_frames_all_over_the_film(tmp_path):
    path = films.write_film(tmp_path / "a.mp4", moving(60), 24)  # a key frame every half second
    with VideoReader(path) as reader:
        assert times(reader.glimpses(2)) == [Fraction(1, 2), Fraction(3, 2)]
        halves = [Fraction(half, 2) for half in range(5)]
        assert times(reader.glimpses(20)) == halves
        assert times(reader.glimpses(20, 1, 2)) == halves[2:4]
        assert times(reader.frames()) == [Fraction(index, 24) for index in range(60)]


# --- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), "RGB."),
        ((0, 1, -1, 0), "BR.G"),  # a quarter turn clockwise: what was on the left is on top
        ((0, -1, 1, 0), "G.RB"),
        ((-1, 0, 0, -1), ".BGR"),
        ((-1, 0, 0, 1), "GR.B"),  # mirrored
        ((0, 1, 1, 0), "RBG."),
    ],
)
def test_orientation(tmp_path, matrix, expected):
    path = films.write_film(tmp_path / "a.mp4", [flag()] * 2)
    films.set_matrix(path, *matrix)
    frame = read(path)[0]
    size = (96, 48) if matrix[0] == 0 else (48, 96)
    assert frame.rgb().shape == (*size, 3)
    assert corners(frame.rgb()) == expected
    assert corners(frame.small(size[0] // 2, size[1] // 2)) == expected
    assert frame.gray().shape == size


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "yuv420p10le", "yuv422p", "bgr0"])
def test_odd_sizes_and_pixel_formats(tmp_path, pixels):
    picture = flag(37, 71)
    path = films.write_film(tmp_path / "a.mkv", [picture] * 2, codec="ffv1", pixels=pixels)
    frame = read(path)[1]
    assert frame.rgb().shape == (37, 71, 3)
    for row, column in ((9, 17), (9, 53), (27, 17), (27, 53)):
        found, expected = frame.rgb()[row, column].astype(int), picture[row, column].astype(int)
        np.testing.assert_allclose(found, expected, atol=2)
    assert frame.small(12, 24, gray=True).shape == (12, 24)


@pytest.mark.parametrize(("size", "matrix"), [((720, 1280), "ITU709"), ((576, 720), "ITU601")])
def test_untagged_colors_are_what_players_take_them_for(tmp_path, size, matrix):
    path = films.write_film(
        tmp_path / "a.mkv", [flag(*size)], codec="ffv1", pixels="yuv420p10le", colorspace=matrix
    )
    rgb = read(path)[0].rgb()
    np.testing.assert_allclose(rgb[9, 9].astype(int), RED, atol=1)
    np.testing.assert_allclose(rgb[9, -9].astype(int), GREEN, atol=1)
    np.testing.assert_allclose(rgb[-9, 9].astype(int), BLUE, atol=1)


@pytest.mark.parametrize(
    ("aspect", "expected"), [(Fraction(4, 3), (48, 128)), (Fraction(3, 4), (64, 96))]
)
def test_pixels_become_square_by_stretching(tmp_path, aspect, expected):
    path = films.write_film(tmp_path / "a.mp4", [flag()] * 2, aspect=aspect)
    frame = read(path)[0]
    assert frame.rgb().shape == (*expected, 3)
    assert corners(frame.rgb()) == "RGB."
    films.set_matrix(path, 0, 1, -1, 0)
    assert read(path)[0].rgb().shape == (*expected[::-1], 3)


# --- interlacing ---------------------------------------------------------------------------------


def combed(count=8, height=64, width=96):
    """A bright column that moves on with each field: its edges are saws in whole frames."""
    fields = []
    for index in range(2 * count):
        field = np.full((height, width, 3), 40, np.uint8)
        field[:, 4 * index : 4 * index + 20] = 220
        fields.append(field)
    frames = [field.copy() for field in fields[::2]]
    for frame, later in zip(frames, fields[1::2], strict=True):
        frame[1::2] = later[1::2]
    return frames


def teeth(frame):
    """How much each line differs from both its neighbours, on average."""
    gray = frame.gray().astype(int)
    return np.abs(2 * gray[1:-1] - gray[:-2] - gray[2:]).mean()


def test_interlaced_frames_are_deinterlaced(tmp_path):
    path = films.write_film(tmp_path / "a.mkv", combed(), 25, "ffv1", interlaced=True)
    with VideoReader(path) as reader:
        assert reader.info.interlaced
        stored, clean = list(reader.frames(as_stored=True)), list(reader.frames())
        assert all(frame.interlaced for frame in stored)
        assert not any(frame.interlaced for frame in clean)
        # 8 of 96 columns are saws of 180 levels: 360 * 8 / 96
        np.testing.assert_allclose([teeth(frame) for frame in stored], 30, atol=1)
        assert max(teeth(frame) for frame in clean) < 1
        assert times(clean) == times(stored) == [Fraction(40 * index, 1000) for index in range(8)]
    np.testing.assert_allclose(teeth(read(path, deinterlace="off")[3]), 30, atol=1)


def test_deinterlaced_frames_are_found_again_as_they_were(tmp_path):
    fields = moving(60)
    pictures = [picture.copy() for picture in fields[::2]]
    for picture, later in zip(pictures, fields[1::2], strict=True):
        picture[1::2] = later[1::2]
    path = films.write_film(tmp_path / "a.mkv", pictures, 25, "ffv1", interlaced=True)
    with VideoReader(path) as reader:
        before = {frame.time: frame.rgb() for frame in reader.frames()}
        wanted = sorted(before)[3::5]
        for frame in [next(reader.frames(wanted[2])), *reader.frames_at(wanted, wanted)]:
            np.testing.assert_array_equal(frame.rgb(), before[frame.time])


def test_interlacing_that_is_not_marked(tmp_path):
    path = films.write_film(tmp_path / "a.mkv", combed(), 25, "ffv1")
    np.testing.assert_allclose(teeth(read(path)[3]), 30, atol=1)
    assert teeth(read(path, deinterlace="on")[3]) < 1


# --- damage --------------------------------------------------------------------------------------


def test_a_film_cut_short(tmp_path):
    path = films.write_film(tmp_path / "a.mkv", moving(75), 25)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with VideoReader(path) as reader:
        frames = list(reader.frames())
        assert 25 < len(frames) < 50
        assert reader.problems == [
            f"cut short: stops at {timecode.timecode(frames[-1].time)} of 0h00m03.000"
        ]
        list(reader.frames(0, 1))
        assert reader.problems == []


def test_damaged_frames_are_counted_and_marked(tmp_path):
    path = films.write_film(tmp_path / "a.mov", moving(75), 25, "mpeg2video", options={"g": "10"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = np.random.default_rng(0).integers(0, 256, 300, np.uint8).tobytes()
    path.write_bytes(data)
    with VideoReader(path) as reader:
        frames = list(reader.frames())
        damaged = [frame for frame in frames if frame.damaged]
        assert 0 < len(damaged) < 15
        (problem,) = reader.problems
        first = timecode.timecode(damaged[0].time)
        assert problem == f"{len(damaged)} damaged frame(s), the first at {first}"
        assert frames[-1].time == Fraction(74, 25)


# --- what is no film -----------------------------------------------------------------------------


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        VideoReader(path, **options)
    return str(caught.value)


def test_what_is_no_film_is_refused(tmp_path):
    junk, picture = tmp_path / "junk.mp4", tmp_path / "picture.png"
    junk.write_bytes(b"no film " * 100)
    picture.write_bytes(cv2.imencode(".png", flag())[1].tobytes())
    sound = films.write_sound(tmp_path / "sound.wav")
    assert refusal(junk) == (
        f"{junk}: expected a video, received something else or an unreadable one "
        "(Invalid data found when processing input)"
    )
    assert refusal(picture) == f"{picture}: expected a video, received an image"
    assert refusal(sound) == f"{sound}: expected a video, received audio"
    song = films.write_song(tmp_path / "song.m4a")
    expected = "expected a video, received a cover image and audio"
    assert refusal(song) == f"{song}: {expected}"
    nothing = tmp_path / "nothing.mkv"
    assert refusal(nothing) == f"video: expected a video, found nothing at {nothing}"
    assert refusal(tmp_path) == f"video: expected a video, found a folder at {tmp_path}"


def test_a_film_of_which_no_frame_can_be_decoded(tmp_path):
    path = films.write_film(tmp_path / "a.mov", moving(9), codec="mpeg2video")
    data = path.read_bytes()
    begin, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    path.write_bytes(data[:begin] + bytes(end - begin) + data[end:])
    assert refusal(path) == f"{path}: none of its video frames can be decoded"


def test_tags_whose_encoding_pyav_does_not_ask_for(tmp_path, monkeypatch):
    """From its version 19 on `av.open` has no `metadata_errors`."""
    path, original = films.write_film(tmp_path / "a.mp4", moving(3)), av.open
    monkeypatch.setattr(av, "open", lambda file, options: original(file, options=options))
    assert len(read(path)) == 3


def test_deinterlace_is_checked(tmp_path):
    assert refusal(tmp_path, deinterlace="yes") == (
        "deinterlace: expected one of auto, on, off, telecine, received 'yes'"
    )


def test_deinterlacing_choices_are_those_of_the_flag():
    assert container.DEINTERLACE is timecode.DEINTERLACE


def test_a_film_without_permission(tmp_path, monkeypatch):
    def refused(path, **_):
        raise av.error.PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(av, "open", refused)
    with pytest.raises(InputError, match=r"a\.mkv: Permission denied$"):
        VideoReader(tmp_path / "a.mkv")
