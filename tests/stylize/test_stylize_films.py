"""Films among photos: folders, names, the command line."""

import errno
import io
import signal
import sys
import types

import av
import commands
import cv2
import numpy as np
import pytest
from films import write_film
from sound_films import look, shifting

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.stylize import film
from animegan_tf.stylize.batch import stylize_paths
from animegan_tf.stylize.options import VideoOptions, result_suffix
from animegan_tf.video import webp, writer
from animegan_tf.video.codecs import is_video


@pytest.fixture
def mixed(tmp_path):
    """A photo, a film, a GIF and WebP of several frames and of one, and no film."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    pictures = shifting(4, 40, 64)
    images.write_photo(folder / "photo.png", pictures[0])
    images.write_photo(folder / "still.webp", pictures[0])
    write_film(folder / "film.mpg", pictures, rate=25, codec="mpeg2video", options={})
    write_film(folder / "moving.gif", pictures, rate=10, codec="gif", pixels="rgb8", options={})
    write_film(folder / "still.gif", pictures[:1], rate=10, codec="gif", pixels="rgb8", options={})
    animation = cv2.Animation()
    animation.frames, animation.durations = pictures, [50] * 4
    cv2.imwriteanimation(str(folder / "moving.webp"), animation)
    (folder / "notes.txt").write_text("no film")
    return folder


def make():
    def negative(rgb):
        return 255 - rgb

    return negative


def test_which_are_films(mixed):
    moving = [path.name for path in sorted(mixed.iterdir()) if is_video(path)]
    assert moving == ["film.mpg", "moving.gif", "moving.webp"]
    (mixed / "broken.gif").write_bytes(b"GIF89a")
    (mixed / "empty.webp").write_bytes(b"")
    assert not is_video(mixed / "broken.gif")
    assert not is_video(mixed / "empty.webp")
    assert not is_video(mixed / "missing.gif")


@pytest.mark.parametrize(
    ("name", "options", "suffix"),
    [
        ("a.mp4", {}, ".mp4"),
        ("a.M4V", {}, ".M4V"),
        ("a.mov", {}, ".mov"),
        ("a.mkv", {}, ".mkv"),
        ("a.webm", {}, ".webm"),
        ("a.webm", {"codec": "h264"}, ".mkv"),
        ("a.avi", {}, ".mp4"),
        ("a.ts", {}, ".mp4"),
        ("a.gif", {}, ".gif"),
        ("a.webp", {}, ".webp"),
        ("a.mp4", {"container": "gif"}, ".gif"),
        ("a.gif", {"container": "mp4"}, ".mp4"),
        ("a.gif", {"codec": "hevc"}, ".mp4"),
        ("a.mp4", {"codec": "ffv1"}, ".mkv"),
        ("a.webm", {"codec": "vp9"}, ".webm"),
        ("a.mov", {"codec": "vp9"}, ".webm"),
        ("a.gif", {"codec": "hevc", "crf": 3}, ".mp4"),
        ("a.gif", {"container": "mp4", "crf": 3}, ".mp4"),
    ],
)
def test_the_container_of_a_result(name, options, suffix):
    assert result_suffix(name, VideoOptions(**options).check()) == suffix


def test_a_folder(mixed, tmp_path):
    report = stylize_paths(make, mixed, tmp_path / "out")
    names = ["film.mp4", "moving.gif", "moving.webp", "photo.png", "still.png", "still.webp"]
    assert [path.name for path in report.written] == names
    assert report.failed == ()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert len(look(tmp_path / "out" / "film.mp4").times) == 4
    again = stylize_paths(make, mixed, tmp_path / "out", video=VideoOptions(resume=True))
    assert (len(again.skipped), again.written) == (6, ())
    compared = stylize_paths(make, mixed / "film.mpg", tmp_path / "out", compare=True)
    assert [path.name for path in compared.written] == ["film_compare.mp4"]
    assert look(compared.written[0]).size == (40, 128)


def test_a_damaged_film_is_written_and_reported(mixed, tmp_path):
    whole = write_film(tmp_path / "whole.mkv", shifting(60), codec="ffv1")
    (mixed / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (mixed / "none.mp4").write_text("no film")
    report = stylize_paths(make, mixed, tmp_path / "out")
    assert [path.name for path, _ in report.failed] == ["cut.mkv", "none.mp4"]
    count = len(look(tmp_path / "out" / "cut.mkv").times)
    assert 10 < count < 40
    assert f"has the {count} frames read" in report.failed[0][1]
    assert tmp_path / "out" / "cut.mkv" in report.written
    assert len(report.written) == 7


def test_films_that_cannot_be_opened_do_not_end_the_run(mixed, tmp_path, monkeypatch):
    """One by FFmpeg, one by the reader of WebP; whoever runs this may be allowed everything."""
    opened = av.open

    def guarded(path, *arguments, **options):
        if str(path).endswith("film.mpg"):
            raise av.error.PermissionError(errno.EACCES, "Permission denied", path)
        return opened(path, *arguments, **options)

    def fails(path):
        raise OSError(errno.EIO, "Input/output error", path)

    monkeypatch.setattr(av, "open", guarded)
    monkeypatch.setattr(webp, "Animation", fails)
    report = stylize_paths(make, mixed, tmp_path / "out")
    names = ["moving.gif", "photo.png", "still.png", "still.webp"]
    assert [path.name for path in report.written] == names
    assert report.failed == (
        (mixed / "film.mpg", f"{mixed / 'film.mpg'}: Permission denied"),
        (mixed / "moving.webp", f"{mixed / 'moving.webp'}: Input/output error"),
    )


def test_a_full_disk_ends_the_run(mixed, tmp_path, monkeypatch):
    def full(*_):
        raise av.error.OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer.Writer, "_mux", full)
    with pytest.raises(OSError, match=r"film\.mp4: No space left on device"):
        stylize_paths(make, mixed, tmp_path / "out")


def test_a_stopped_film_ends_the_run(mixed, tmp_path, monkeypatch):
    def stopped(stylizer):
        def sends(rgb):
            signal.raise_signal(signal.SIGTERM)
            return rgb

        return sends

    report = stylize_paths(lambda: stopped(None), mixed, tmp_path / "out")
    assert report.stopped == signal.SIGTERM
    assert [path.name for path in report.written] == ["film.mp4"]
    assert film.unfinished(tmp_path / "out" / "film.mp4")
    # It is not taken for done.
    report = stylize_paths(make, mixed / "film.mpg", tmp_path / "out")
    assert "film.mp4 is not complete: --resume continues" in report.failed[0][1]
    report = stylize_paths(
        make, mixed / "film.mpg", tmp_path / "out", overwrite=True, video=VideoOptions(end=9)
    )
    assert (len(report.written), report.failed) == (1, ())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["film.mp4"]


def test_options_are_checked_before_any_work(mixed, tmp_path):
    with pytest.raises(InputError, match="crf: expected 0 to 51 for h264, received 52"):
        stylize_paths(make, mixed, tmp_path / "out", video=VideoOptions(crf=52))
    assert not (tmp_path / "out").exists()


# --- the command line ----------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Call the command line in this process; returns its exit status and what it printed."""
    commands.without_styles(monkeypatch)
    weights = tmp_path / "some.weights.h5"
    weights.touch()

    def call(*arguments):
        return commands.stylize_here(monkeypatch, capsys, f"--checkpoint={weights}", *arguments)

    return call


def test_command_line(run, mixed, tmp_path):
    out = tmp_path / "out"
    status, printed = run(
        mixed, f"--output={out}", "--codec=ffv1", "--start=0:00.03", "--end=0.11", "--nostabilize"
    )
    assert (status, printed.out) == (0, f"6 written to {out}\n")
    found = look(out / "film.mkv")
    assert found.codec == "ffv1"
    assert len(found.times) == 2
    assert "film.mpg: 2 frames" in printed.err
    np.testing.assert_array_equal(
        images.read_photo(out / "photo.png").rgb, 255 - images.read_photo(mixed / "photo.png").rgb
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--crf=70"], "error: crf: expected 0 to 51 for h264, received 70"),
        (["--container=webm", "--crf=70"], "error: crf: expected 0 to 63 for vp9, received 70"),
        (["--container=gif", "--crf=3"], "error: crf: expected none for the container gif"),
        (["--crf=3"], "moving.gif, which stays a gif, received 3; the container mp4 converts it"),
        (["--start=soon"], "error: start: expected seconds or h:mm:ss, received 'soon'"),
        (["--camera=0"], "error: camera: expected no photos or videos with --camera, received "),
    ],
)
def test_mistakes(run, mixed, tmp_path, arguments, message):
    status, printed = run(mixed, f"--output={tmp_path / 'out'}", *arguments)
    assert status == 1
    assert message in printed.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("x.avi", [], "output: expected a file with one of .mp4, .m4v, .mov, .mkv, .webm, .gif, "),
        ("x.ts", [], "output: expected a file with one of .mp4"),
        ("x.webm", ["--codec=h264"], "container: expected one of mp4, mov, mkv for the codec h264"),
        ("x.mkv", ["--container=mp4"], "container: expected mkv for x.mkv, received mp4"),
        ("-", ["--codec=hevc"], "codec: expected none with raw frames"),
    ],
)
def test_outputs_that_cannot_be(run, mixed, tmp_path, name, options, message):
    film, output = mixed / "film.mpg", name if name == "-" else tmp_path / name
    status, printed = run(film, f"--output={output}", *options)
    assert status == 1
    assert message in printed.err
    assert not list(tmp_path.glob("x.*"))


def test_raw_frames_of_a_film(run, mixed, tmp_path, monkeypatch):
    received = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(buffer=received, flush=lambda: None))
    status, _ = run(mixed / "film.mpg", "--output=-", "--end=0.1", "--nostabilize")
    assert status == 0
    (tmp_path / "x.y4m").write_bytes(received.getvalue())
    assert len(look(tmp_path / "x.y4m").times) == 3


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "litert"])
def test_libraries_print_nothing(tmp_path, engine):
    films = [write_film(tmp_path / f"{n}.avi", shifting(2, 64 + 16 * n, 80)) for n in range(6)]
    options = ["--style=thequestion-lite", f"--engine={engine}", f"--output={tmp_path / 'out'}"]
    call = [*films[: 6 if engine == "auto" else 1], *options]
    ended = commands.run_alone("-m", "animegan_tf.stylize", *call)
    assert ended.returncode == 0
    lines = [line for line in ended.stderr.splitlines() if line != "loading TensorFlow"]
    assert all(line.startswith(str(tmp_path)) for line in lines), ended.stderr


def test_a_camera_without_a_display(run, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    status, printed = run("--camera=0")
    assert status == 1
    assert printed.err.startswith("error: camera: expected a display, found none")
