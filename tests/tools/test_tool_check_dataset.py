"""tools/check_dataset.py end to end, and what it looks for besides `test_check`: duplicates."""

import functools
import pathlib

import cv2
import numpy as np
import pytest
from commands import run_tool
from films import scene, write_film

from animegan_tf.data import check, duplicates, overview, tfrecord_writer
from animegan_tf.data.config import DataConfig
from animegan_tf.errors import InputError

run = functools.partial(run_tool, "check_dataset")


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1])


@pytest.fixture
def data(tmp_path):
    """Three photos and three frames, no two alike, 64 square."""
    for index in range(3):
        save(tmp_path / "train_photo" / f"{index}.png", scene(index, 64, 64))
        save(tmp_path / "ghost" / "style" / f"{index}.png", scene(10 + index, 64, 64))
    return tmp_path


def inspect(data, **options):
    return check.check_dataset(DataConfig(data, "ghost", image_size=64, **options))


def prints(*pictures):
    return {
        pathlib.Path(f"{index}"): duplicates.fingerprint(bytes([index]), picture)
        for index, picture in enumerate(pictures)
    }


def within(images):
    """Duplicates of earlier images."""
    return duplicates.find(images, images)


# --- duplicates ----------------------------------------------------------------------------------


def altered():
    picture = scene(1, 256, 256)
    small = cv2.resize(picture, (100, 120), interpolation=cv2.INTER_AREA)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", picture, [1, 30])[1], cv2.IMREAD_COLOR)
    return {"smaller": small, "jpeg": jpeg, "brighter": cv2.convertScaleAbs(picture, None, 1.0, 9)}


@pytest.mark.parametrize("how", ["smaller", "jpeg", "brighter"])
def test_altered_copies_are_alike(how):
    found = within(prints(scene(0, 256, 256), scene(1, 256, 256), altered()[how]))
    assert found == (duplicates.Duplicate(pathlib.Path("2"), pathlib.Path("1"), False),)


def test_other_pictures_are_not():
    picture = scene(0)
    figure, tinted = picture.copy(), picture.copy()
    figure[20:50, 40:70] = (250, 20, 20)
    tinted[..., 0] //= 2
    pictures = [picture, figure, tinted, picture[:, ::-1], *(scene(seed) for seed in range(1, 30))]
    assert within(prints(*pictures)) == ()


def test_flat_pictures_are_told_apart_by_their_colour():
    flat = [np.full((32, 32, 3), level, np.uint8) for level in (60, 120, 200)]
    assert within(prints(*flat)) == ()
    (found,) = within(prints(*flat, flat[1]))
    assert (found.path.name, found.original.name) == ("3", "1")


def test_of_several_copies_each_is_named_once(data):
    style = data / "ghost" / "style"
    for name in ("3.png", "4.png"):
        (style / name).write_bytes((style / "1.png").read_bytes())
    (data / "train_photo" / "z.png").write_bytes((style / "2.png").read_bytes())
    save(data / "val" / "a.jpg", scene(0, 64, 64))
    report = inspect(data)
    assert report.duplicates == {
        "frames are duplicates of other frames": (
            duplicates.Duplicate(style / "3.png", style / "1.png", True),
            duplicates.Duplicate(style / "4.png", style / "1.png", True),
        ),
        "frames are duplicates of photos": (
            duplicates.Duplicate(style / "2.png", data / "train_photo" / "z.png", True),
        ),
        "validation photos are duplicates of training photos": (
            duplicates.Duplicate(data / "val" / "a.jpg", data / "train_photo" / "0.png", False),
        ),
    }
    report.raise_if_bad()
    assert (
        f"note: 2 frames are duplicates of other frames (2 identical, 0 similar), for example "
        f"{style / '3.png'} and {style / '1.png'}"
    ) in str(report).splitlines()


# --- the tool ------------------------------------------------------------------------------------


def test_a_good_data_set_with_its_contact_sheet(data, tmp_path):
    for folder in (data / "train_photo", data / "ghost" / "style"):
        for path in folder.iterdir():
            path.unlink()
        for index, level in enumerate((40, 80)):
            save(folder / f"{index}.png", np.full((64, 64, 3), (level, 60, 20), np.uint8))
    sheet = tmp_path / "out" / "sheet.png"
    done = run(data, "ghost", "--image_size=64", f"--contact_sheet={sheet}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[3:] == [
        "mean B, G, R of train_photo: 20.0, 60.0, 60.0",
        "mean B, G, R of style: 20.0, 60.0, 60.0",
        "2 smoothed frame(s) will be created",
        "note: 2 frames are duplicates of photos (2 identical, 0 similar), for example "
        f"{data / 'ghost' / 'style' / '0.png'} and {data / 'train_photo' / '0.png'}",
        "to remove the style's colour cast: --color_shift=26.6667,-13.3333,-13.3333",
        f"contact sheet: {sheet}",
        "training would start",
    ]
    drawn = cv2.imread(str(sheet))[..., ::-1]
    # Photos, frames, and both frames again above the photos that they are.
    for level, count in ((40, 2 * 64**2 + 2 * 56**2), (80, 2 * 64**2 + 2 * 56**2)):
        same = (drawn == (level, 60, 20)).all(-1).sum()
        assert same == pytest.approx(count, rel=0.05)


def test_status_1_when_training_would_refuse(data):
    (data / "ghost" / "style" / "broken.png").write_bytes(b"?")
    for index in range(10):
        save(data / "train_photo" / f"wide{index}.png", scene(20 + index, 64, 90))
    done = run(data, "ghost", "--image_size=64")
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[-1]) == (1, "training would refuse")
    problems = [line for line in lines if line.startswith("problem: ")]
    assert (len(problems), problems[-1]) == (
        2,
        f"problem: 10 image(s) of train_photo are not 64x64, for example {data}/train_photo/"
        "wide0.png (90x64): --crop=random or --crop=center takes other sizes",
    )
    assert problems[0].startswith(f"problem: cannot decode {data}/ghost/style/broken.png")
    listed = run(data, "ghost", "--image_size=64", "--list").stdout.splitlines()
    assert sum(line.startswith(f"{data}/train_photo/wide") for line in listed) == 10
    cropped = run(data, "ghost", "--image_size=64", "--crop=random")
    assert cropped.returncode == 1
    (data / "ghost" / "style" / "broken.png").unlink()
    assert run(data, "ghost", "--image_size=64", "--crop=random").returncode == 0


def test_list_names_every_duplicate(data):
    style = data / "ghost" / "style"
    (style / "copy.png").write_bytes((style / "1.png").read_bytes())
    done = run(data, "ghost", "--image_size=64", "--list")
    # The copy comes after the original by its name.
    pair = f"{style / 'copy.png'} is identical to {style / '1.png'}"
    assert f"frames are duplicates of other frames: {pair}" in done.stdout.splitlines()


def test_mistakes_are_one_line_and_status_1(data):
    few = run(data)
    assert (few.returncode, few.stderr) == (
        1, f"error: arguments: expected DATA STYLE, received '{data}'\n",
    )  # fmt: skip
    small = run(data, "ghost", "--image_size=4")
    assert small.stderr == "error: image_size: expected a whole number of at least 8, received 4\n"
    empty = check.DatasetReport(folders={}, problems=(), notes=(), smooth_missing=0)
    with pytest.raises(InputError, match="contact_sheet: expected a data set with readable"):
        overview.write(data / "sheet.png", empty)
    assert not (data / "sheet.png").exists()


def test_films_and_shards_are_checked_too(data, tmp_path):
    film = write_film(tmp_path / "film.mp4", [scene(index // 12) for index in range(48)])
    sheet = tmp_path / "sheet.png"
    flags = (f"--video={film}", "--video_every=0.5", "--image_size=64", f"--contact_sheet={sheet}")
    done = run(data, *flags)
    assert done.returncode == 0, done.stderr
    assert f"style              4            64            64  {film}" in done.stdout
    assert "4 frames, one every 0.5 s; dropped: none" in done.stdout
    drawn = cv2.imread(str(sheet))[..., ::-1]
    assert len(np.unique(drawn[-112:].reshape(-1, 3), axis=0)) > 100  # frames, not red squares
    shards = tmp_path / "shards"
    plan = tfrecord_writer.make_plan(
        DataConfig(data, "ghost", image_size=64), shards, progress=False
    )
    tfrecord_writer.write(plan, progress=False)
    done = run(f"--tfrecords={shards}", "--image_size=64")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"smooth             3            64            64  {shards}" in done.stdout
    refused = run(data, f"--tfrecords={shards}")
    assert "error: arguments: expected none, received" in refused.stderr
