"""Names of films and times of their frames."""

from fractions import Fraction

import pytest

from animegan_tf.errors import InputError
from animegan_tf.video import timecode


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0h00m00.000"),
        (Fraction(1001, 24000), "0h00m00.042"),
        (59.9996, "0h01m00.000"),
        (723.48, "0h12m03.480"),
        (36000, "10h00m00.000"),
    ],
)
def test_timecode(seconds, text):
    assert timecode.timecode(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("83", 83), ("83.5", 83.5), ("1:23.5", 83.5), ("1:00:03", 3603), ("-1:30", -90), ("200", 200)],
)
def test_parse_time(text, seconds):
    assert timecode.parse_time("start", text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1:60", "1:60:00", "1::2", "-", "1h2m", "1:2:3:4"])
def test_parse_time_refuses(text):
    with pytest.raises(InputError) as caught:
        timecode.parse_time("start", text)
    assert str(caught.value) == f"start: expected seconds or h:mm:ss, received {text!r}"


def test_list_videos(tmp_path):
    for name in ("b.MKV", "a.mp4", "c.txt", ".hidden.mp4", "d.png"):
        (tmp_path / name).touch()
    assert [path.name for path in timecode.list_videos(tmp_path)] == ["a.mp4", "b.MKV"]
    assert timecode.list_videos(tmp_path / "c.txt") == [tmp_path / "c.txt"]
    with pytest.raises(InputError, match=r"video: expected a video or a folder .* at .*nope"):
        timecode.list_videos(tmp_path / "nope")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputError, match=r"video: expected videos \(.*mkv.*\) in .*empty, found none"
    ):
        timecode.list_videos(tmp_path / "empty")
