"""The command line of tools/extract_frames.py, end to end."""

import functools

import films
import pytest
from commands import run_tool

from animegan_tf import files

run = functools.partial(run_tool, "extract_frames")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Three shots of a second, named in Japanese, in an H.264-like codec with key frames."""
    path = tmp_path_factory.mktemp("film") / "風立ちぬ 1.mp4"
    pictures = [films.scene(seed, 256, 320) for seed in (1, 2, 3) for _ in range(24)]
    return films.write_film(path, pictures)


def test_a_film_and_once_more(film, tmp_path):
    output = tmp_path / "風" / "style"
    done = run(f"--video={film}", f"--output={output}", "--count=2", "--end=0:02.5")
    assert (done.returncode, "error" in done.stderr) == (0, False)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("60 frames (")
    assert lines[0].endswith(" per second) in 3 shots, 10 of them measured")
    assert lines[2] == "kept: 2 frames; 2 images, 2 of them new"
    csv = output.parent / "style_frames.csv"
    assert lines[3] == f"list: {csv}, contact sheet: {csv.with_suffix('.png')}"
    assert len(lines) == 4
    names = [path.name for path in files.list_images(output)]
    assert all(name.startswith("風立ちぬ_1_0h00m0") for name in names)
    again = run(f"--video={film}", f"--output={output}", "--count=2", "--end=2.5")
    assert again.stdout.splitlines()[2] == "kept: 2 frames; 2 images, 0 of them new"
    assert [path.name for path in files.list_images(output)] == names


def test_a_folder_with_a_film_cut_short(film, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    pictures = [films.scene(seed) for seed in range(4, 10) for _ in range(24)]
    short = films.write_film(folder / "short.mkv", pictures)
    short.write_bytes(short.read_bytes()[: short.stat().st_size // 2])
    (folder / "whole.mp4").write_bytes(film.read_bytes())
    done = run(f"--video={folder}", f"--output={tmp_path / 'style'}", "--per_shot=1")
    assert done.returncode == 1
    problem = done.stdout.splitlines()[-1]
    assert problem.startswith("problem: short.mkv: cut short: stops at 0h00m0")
    assert problem.endswith(" of 0h00m06.000")
    names = [path.name for path in files.list_images(tmp_path / "style")]
    assert {name.split("_")[0] for name in names} == {"short", "whole"}


def test_mistakes_are_one_line_and_status_1(film, tmp_path):
    output = f"--output={tmp_path / 'style'}"
    sound = films.write_sound(tmp_path / "sound.mp4")
    for arguments, message in (
        ([output], "video: expected --video=..., received nothing"),
        ([f"--video={film}"], "output: expected --output=..., received nothing"),
        (
            [f"--video={sound}", output],
            f"{sound}: expected a video, received audio",
        ),
        (
            [f"--video={film}", output, "--start=1:xx"],
            "start: expected seconds or h:mm:ss, received '1:xx'",
        ),
        (
            [f"--video={film}", output, "--short_side=200"],
            "short_side: expected a whole number of at least 256, received 200",
        ),
        (["surplus"], "arguments: expected flags only, received 'surplus'"),
    ):
        done = run(*arguments)
        assert (done.returncode, done.stderr, done.stdout) == (1, f"error: {message}\n", "")
    assert list(tmp_path.iterdir()) == [sound]


def test_help():
    done = run("--help")
    assert "python tools/extract_frames.py --video=film.mkv --output=" in done.stdout
    assert "--min_distance" in done.stdout
