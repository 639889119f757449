"""Films that are stopped, killed, or do not fit on the disk: nothing is lost, and it goes on."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from places import ROOT
from sound_films import look, mean_errors, shifting, write_sound_film

import animegan_tf
from animegan_tf.errors import InputError
from animegan_tf.stylize import making
from animegan_tf.stylize.journal import Journal, partial_path, record_path, unfinished
from animegan_tf.video import animation, encoder, source, tracks, writer
from animegan_tf.video import container as video_file

# A film is done slowly in a process of its own, which says how far it is.
PROGRAM = """
import sys, time
import animegan_tf
from animegan_tf.stylize import making
making.SEGMENT = 8
count = 0
def slowly(rgb):
    global count
    count += 1
    print(count, flush=True)
    time.sleep(0.02)
    return 255 - rgb
report = animegan_tf.stylize_video(sys.argv[1], sys.argv[2], slowly)
print("stopped by", report.stopped)
"""


@pytest.fixture
def film(tmp_path, request):
    suffix = getattr(request, "param", "mkv")
    return write_sound_film(tmp_path / f"a.{suffix}", shifting(60), sounds=("aac",))


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    monkeypatch.setattr(making, "SEGMENT", 8)


def negative(rgb):
    return 255 - rgb


negative.__name__ = "slowly"  # the same stylizer as the program's, as far as the record tells


def interrupted(film, output, number, after=30):
    """Run the program until it is at frame `after`, send it a signal; returns what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(film), str(output)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    printed = []
    for line in process.stdout:
        printed.append(line)
        if line.strip() == str(after):
            process.send_signal(number)
    process.wait(timeout=30)
    # A kill leaves the lock's file, which means nothing; the next run removes it.
    partial_path(output, "lock").unlink(missing_ok=True)
    return "".join(printed)


def whole(film, tmp_path):
    """The result of a run that is left alone."""
    animegan_tf.stylize_video(film, tmp_path / f"whole{film.suffix}", negative)
    return look(tmp_path / f"whole{film.suffix}")


def check_whole(film, result, tmp_path):
    expected, found = whole(film, tmp_path), look(result)
    assert found.times == expected.times
    for before, after in zip(expected.pictures, found.pictures, strict=True):
        np.testing.assert_array_equal(after, before)
    assert found.sounds[0].packets == expected.sounds[0].packets
    assert found.sounds[0].times == expected.sounds[0].times
    assert found.duration == expected.duration
    assert not unfinished(result)
    assert not list(tmp_path.glob("*.partial*"))


@pytest.mark.parametrize("film", ["mkv", "mp4"], indirect=True)
def test_a_kill(film, tmp_path):
    result = tmp_path / f"b{film.suffix}"
    interrupted(film, result, signal.SIGKILL)
    partial = tmp_path / f"{result.name}.partial{film.suffix}"
    assert not result.exists()
    there = look(partial)  # it can be played
    assert 8 <= len(there.times) <= 32
    assert there.sounds[0].packets
    with pytest.raises(InputError, match="was interrupted: --resume continues it"):
        animegan_tf.stylize_video(film, result, negative)
    calls = []
    report = animegan_tf.stylize_video(
        film, result, _named(lambda rgb: calls.append(1) or 255 - rgb), resume=True
    )
    assert report.frames == 60
    assert 28 <= len(calls) <= 52  # at least one segment of 8 was not done again
    assert len(calls) % 8 == 60 % 8
    check_whole(film, result, tmp_path)


def _named(function):
    function.__name__ = "slowly"
    return function


@pytest.mark.parametrize(
    ("film", "number"), [("mkv", signal.SIGINT), ("mp4", signal.SIGTERM)], indirect=["film"]
)
def test_a_signal(film, tmp_path, number):
    """The result can be played and is as long as what was done, sound included."""
    result = tmp_path / f"b{film.suffix}"
    printed = interrupted(film, result, number)
    assert f"stopped by {number!s}" in printed
    found, source = look(result), look(film)
    count = len(found.times)
    assert 26 <= count <= 34
    assert found.times == source.times[:count]
    assert max(mean_errors([255 - one for one in source.pictures[:count]], found.pictures)) < 6
    assert abs(found.sounds[0].times[-1] - count / 25) < 0.05
    assert not (tmp_path / f"{result.name}.partial{film.suffix}").exists()
    with pytest.raises(InputError, match="is not complete: --resume continues it"):
        animegan_tf.stylize_video(film, result, negative)
    report = animegan_tf.stylize_video(film, result, negative, resume=True)
    assert (report.frames, report.stopped) == (60, None)
    check_whole(film, result, tmp_path)


def test_a_signal_before_the_first_segment(film, tmp_path):
    printed = interrupted(film, tmp_path / "b.mkv", signal.SIGTERM, after=2)
    assert "stopped by" in printed
    assert 1 <= len(look(tmp_path / "b.mkv").times) < 8
    animegan_tf.stylize_video(film, tmp_path / "b.mkv", negative, resume=True)
    check_whole(film, tmp_path / "b.mkv", tmp_path)


def test_films_of_one_stem(film, tmp_path):
    """Each has files of its own while it is made, the animation's lossless film included."""
    (tmp_path / "out").mkdir()
    results = [tmp_path / "out" / f"b.{suffix}" for suffix in ("mkv", "gif", "mp4")]
    for result in results[:2]:
        interrupted(film, result, signal.SIGKILL)
    animegan_tf.stylize_video(film, results[2], negative)
    assert [unfinished(result) for result in results] == [True, True, False]
    for result in results[:2]:
        report = animegan_tf.stylize_video(film, result, negative, resume=True)
        assert report.frames == 60
        assert report.new_frames < 60
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.gif", "b.mkv", "b.mp4"]


def test_a_result_named_like_an_unfinished_film(film, tmp_path):
    result = tmp_path / "b.partial.mkv"
    interrupted(film, result, signal.SIGTERM)
    animegan_tf.stylize_video(film, result, negative, resume=True)
    assert len(look(result).times) == 60


def test_an_animation_goes_on(film, tmp_path):
    interrupted(film, tmp_path / "b.gif", signal.SIGTERM)
    assert 20 < len(look(tmp_path / "b.gif").times) < 40
    report = animegan_tf.stylize_video(film, tmp_path / "b.gif", negative, resume=True)
    assert report.frames == len(look(tmp_path / "b.gif").times) == 60
    assert not list(tmp_path.glob("*.partial*"))


def test_a_kill_while_going_on(film, tmp_path, monkeypatch):
    """The second file takes over from the first only when it has more."""
    result = tmp_path / "b.mkv"
    interrupted(film, result, signal.SIGKILL)
    kept = Journal.load(record_path(result))

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    for function in ("take", "frame"):
        with monkeypatch.context() as patch:
            patch.setattr(writer.Writer, function, die)
            with pytest.raises(Killed):
                animegan_tf.stylize_video(film, result, negative, resume=True)
        again = Journal.load(record_path(result))
        assert (again.film, again.segments) == (kept.film, kept.segments)
    animegan_tf.stylize_video(film, result, negative, resume=True)
    check_whole(film, result, tmp_path)


def test_going_on_wants_the_same(film, tmp_path):
    result = tmp_path / "b.mkv"
    interrupted(film, result, signal.SIGTERM)
    before = result.read_bytes()
    for options, name in [
        ({"crf": 30}, "result"),
        ({"codec": "ffv1"}, "result"),
        ({"end": 2}, "part"),
        ({"compare": True}, "result"),
    ]:
        with pytest.raises(InputError, match=f"resume: expected the {name} that"):
            animegan_tf.stylize_video(film, result, negative, resume=True, **options)
    with pytest.raises(InputError, match="expected the network that"):
        animegan_tf.stylize_video(film, result, lambda rgb: rgb, resume=True)
    os.utime(film, (1, 1))
    with pytest.raises(InputError, match="expected the source that"):
        animegan_tf.stylize_video(film, result, negative, resume=True)
    assert result.read_bytes() == before
    report = animegan_tf.stylize_video(film, result, negative, overwrite=True, end=1)
    assert report.frames == 25
    assert not list(tmp_path.glob("*.partial*"))


def test_nothing_to_go_on_from(film, tmp_path):
    """--resume for a whole folder: what was not begun begins."""
    report = animegan_tf.stylize_video(film, tmp_path / "b.mkv", negative, resume=True)
    assert report.frames == 60


def test_a_full_disk(film, tmp_path, monkeypatch):
    """The error says what is there; that can be played, and gone on with."""
    mux, result = writer.Writer._mux, tmp_path / "b.mkv"

    def full(self, packets):
        if self.frames > 30:
            raise av.error.OSError(errno.ENOSPC, "No space left on device")
        mux(self, packets)

    with monkeypatch.context() as patch:
        patch.setattr(writer.Writer, "_mux", full)
        message = r"b\.mkv: No space left on device; .*b\.mkv\.partial\.mkv"
        with pytest.raises(OSError, match=message):
            animegan_tf.stylize_video(film, result, negative)
    assert len(look(tmp_path / "b.mkv.partial.mkv").times) >= 24
    animegan_tf.stylize_video(film, result, negative, resume=True)
    check_whole(film, result, tmp_path)


def test_times_that_went_back(tmp_path):
    """Frames are counted on there, which a seek would not know."""
    pictures = shifting(60)
    parts = [
        write_sound_film(tmp_path / f"{name}.ts", part, sounds=())
        for name, part in (("one", pictures[:20]), ("two", pictures[20:]))
    ]
    film = tmp_path / "a.ts"
    film.write_bytes(b"".join(part.read_bytes() for part in parts))
    interrupted(film, tmp_path / "b.mp4", signal.SIGTERM, after=45)
    animegan_tf.stylize_video(film, tmp_path / "b.mp4", negative, resume=True)
    animegan_tf.stylize_video(film, tmp_path / "whole.mp4", negative)
    expected, found = look(tmp_path / "whole.mp4"), look(tmp_path / "b.mp4")
    assert len(expected.times) == 60
    assert found.times == expected.times
    assert found.times == sorted(set(found.times))
    assert max(mean_errors(expected.pictures, found.pictures)) == 0


@pytest.mark.parametrize(
    ("codec", "container"),
    [("hevc", "mkv"), ("hevc", "mp4"), ("av1", "mp4"), ("vp9", "mkv"), ("ffv1", "mkv")],
)
def test_other_codecs_go_on(film, tmp_path, codec, container):
    calls = []

    def stops(rgb):
        calls.append(1)
        if len(calls) == 27:
            raise RuntimeError("the power went")
        return 255 - rgb

    result, whole = tmp_path / f"b.{container}", tmp_path / f"whole.{container}"
    with pytest.raises(RuntimeError, match="the power went"):
        animegan_tf.stylize_video(film, result, _named(stops), codec=codec)
    calls.clear()
    again = _named(lambda rgb: calls.append(1) or 255 - rgb)
    animegan_tf.stylize_video(film, result, again, codec=codec, resume=True)
    assert len(calls) < 60
    animegan_tf.stylize_video(film, whole, negative, codec=codec)
    found, expected = look(result), look(whole)
    assert (found.times, found.duration) == (expected.times, expected.duration)
    np.testing.assert_array_equal(found.pictures, expected.pictures)


def test_an_error_of_the_stylizer(film, tmp_path):
    """No traces of a film of which nothing could be done; threads end."""

    def fails(rgb):
        raise InputError("checkpoint: its network answers with values that are not finite")

    with pytest.raises(InputError, match="not finite"):
        animegan_tf.stylize_video(film, tmp_path / "b.mkv", fails)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_another_version_of_the_encoder(film, tmp_path):
    """What is refused leaves what was there, and nothing more."""
    result = tmp_path / "b.mkv"
    interrupted(film, result, signal.SIGKILL)
    record = record_path(result)
    header, *segments = record.read_text().splitlines()
    journal = json.loads(header)
    journal["job"]["encoder"] = "00"
    record.write_text("\n".join([json.dumps(journal), *segments]) + "\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match="encoded with another version"):
        animegan_tf.stylize_video(film, result, negative, resume=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_full_disk_while_going_on(film, tmp_path, monkeypatch):
    """The old file stays, and the error names it."""
    result = tmp_path / "b.mkv"
    interrupted(film, result, signal.SIGKILL)
    before = sorted(tmp_path.iterdir())

    def full(*_):
        raise av.error.OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer.Writer, "take", full)
    with pytest.raises(OSError, match=r"frames so far are in .*b\.mkv\.partial\.mkv, and --resume"):
        animegan_tf.stylize_video(film, result, negative, resume=True)
    assert sorted(tmp_path.iterdir()) == before


def test_an_animation_that_cannot_be_written(film, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(animation, "_encode", full)
        with pytest.raises(OSError, match="No space left on device; the frames so far"):
            animegan_tf.stylize_video(film, tmp_path / "b.gif", negative)
    names = ["a.mkv", "b.gif.partial.jsonl", "b.gif.partial.mkv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    report = animegan_tf.stylize_video(film, tmp_path / "b.gif", negative, resume=True)
    assert report.frames == 60


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are not listed here")
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (source, "colours_of"),
        (tracks, "_chapters"),
        (encoder.Spec, "converter"),
        (video_file.VideoFile, "_pick_stream"),
    ],
)
def test_nothing_stays_open_or_lies_about(film, tmp_path, monkeypatch, owner, name):
    """Whatever is being made when it fails."""

    def fails(*_):
        raise InputError("it fails here")

    monkeypatch.setattr(owner, name, fails)
    with pytest.raises(InputError, match="it fails here") as raised:
        animegan_tf.stylize_video(film, tmp_path / "b.mkv", negative)
    assert raised  # which still holds whatever was being made
    descriptors = Path("/proc/self/fd").iterdir()
    assert not [one for one in map(os.path.realpath, descriptors) if one.startswith(str(tmp_path))]
    assert list(tmp_path.iterdir()) == [film]


def test_two_runs_never_make_one_film(tmp_path):
    """The second is told, and touches nothing of the first's."""
    film, output, told = tmp_path / "a.mkv", tmp_path / "new" / "out.mp4", []
    write_sound_film(film, shifting(4))

    def slow(rgb):
        if not told:
            told.append(True)
            with pytest.raises(InputError, match=r"output: another process is writing .*out\.mp4"):
                animegan_tf.stylize_video(film, output, slow, overwrite=True)
        return rgb

    assert animegan_tf.stylize_video(film, output, slow).frames == 4
    assert [path.name for path in output.parent.iterdir()] == ["out.mp4"]
    (tmp_path / "b.mkv").write_text("no film")
    with pytest.raises(InputError, match="expected a video"):
        animegan_tf.stylize_video(tmp_path / "b.mkv", tmp_path / "other" / "b.mp4", slow)
    assert not (tmp_path / "other").exists()
