"""The check before training, and the configuration it reads: what is found and how it is said."""

import cv2
import numpy as np
import places
import pytest

from animegan_tf import files, images
from animegan_tf.data import check, smoothing, sources
from animegan_tf.data.config import DataConfig
from animegan_tf.errors import InputError

GOLDEN = np.load(places.GOLDEN / "data_a.npz")


def save(path, height, width, value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write_photo(path, np.full((height, width, 3), value, np.uint8))


@pytest.fixture
def data(tmp_path):
    """Two photos and two frames, 32 square, smoothed."""
    for index in range(2):
        save(tmp_path / "train_photo" / f"{index}.png", 32, 32)
        save(tmp_path / "ghost" / "style" / f"{index}.png", 32, 32)
        save(tmp_path / "ghost" / "smooth" / f"{index}.png", 32, 32)
    return tmp_path


def inspect(data, **options):
    return check.check_dataset(DataConfig(data, "ghost", image_size=32, **options))


def test_a_good_data_set(data):
    save(data / "val" / "wide.jpg", 20, 500)
    report = inspect(data)
    report.raise_if_bad()
    assert (report.problems, report.notes, report.smooth_missing) == ((), (), 0)
    assert report.folders["val"].widths == (500, 500)
    assert str(report).splitlines()[1].split() == [
        "train_photo", "2", "32", "32", str(data / "train_photo"),
    ]  # fmt: skip


def test_wrong_sizes_are_problems_without_a_crop_alone(data):
    save(data / "train_photo" / "big.png", 40, 64)
    save(data / "ghost" / "style" / "small.png", 32, 16)
    report = inspect(data)
    end = "--crop=random or --crop=center takes other sizes"
    assert report.problems == (
        "1 image(s) of train_photo are not 32x32, for example "
        f"{data / 'train_photo' / 'big.png'} (64x40): {end}",
        "1 image(s) of style are not 32x32, for example "
        f"{data / 'ghost' / 'style' / 'small.png'} (16x32): {end}",
    )
    assert report.folders["train_photo"].widths == (32, 64)
    assert report.folders["train_photo"].heights == (32, 40)
    assert "32..64" in str(report)
    cropped = inspect(data, crop="random")
    assert cropped.problems == ()
    assert cropped.notes == ("1 image(s) of style are smaller than 32 and are enlarged",)


def test_images_in_subfolders_are_read(data):
    save(data / "ghost" / "style" / "ep1" / "0.png", 32, 32)
    save(data / "train_photo" / "a" / "b" / "0.png", 32, 32)
    save(data / "train_photo" / ".hidden" / "0.png", 32, 32)
    report = inspect(data)
    assert [report.folders[name].count for name in ("train_photo", "style")] == [3, 3]
    assert report.smooth_missing == 1 and report.problems == ()


def test_files_that_are_not_used_are_counted_by_kind(data):
    for name in ("a.gif", "b.GIF", "c.avif", "notes", ".DS_Store"):
        (data / "train_photo" / name).write_bytes(b"?")
    (data / "ghost" / "style" / "gone.png").symlink_to("nowhere.png")
    assert inspect(data).notes == (
        "4 file(s) of train_photo are not used: 2 .gif, 1 .avif, 1 without suffix",
        "1 file(s) of style are not used: 1 broken link",
    )
    for path in (data / "ghost" / "style").glob("?.png"):
        path.rename(path.with_suffix(".gif"))
    (problem,) = inspect(data).problems
    assert problem.endswith(".webp, found 2 .gif, 1 broken link")


def test_smoothed_frames_of_deleted_or_replaced_frames_are_named(data):
    style, smooth = data / "ghost" / "style", data / "ghost" / "smooth"
    (style / "0.png").unlink()
    save(style / "1.png", 32, 32, value=200)
    report = inspect(data)
    assert report.folders["smooth"].count == 1
    assert report.notes == (
        f"1 smoothed frame(s) have no frame and are not used: {smooth / '0.png'}",
        f"1 smoothed frame(s) show something else than their frames, for example "
        f"{smooth / '1.png'}: delete them, and they are created again",
    )
    streams = sources.open_streams(DataConfig(data, "ghost", image_size=32), None)
    assert streams["smooth"].items == [smooth / "1.png"]


def test_unreadable_files_are_named_with_the_number_of_the_rest(data):
    for index in range(13):
        (data / "train_photo" / f"broken{index:02}.png").write_bytes(b"?")
    report = inspect(data)
    assert report.folders["train_photo"].count == 2
    with pytest.raises(InputError) as caught:
        report.raise_if_bad()
    lines = str(caught.value).splitlines()
    assert lines[0] == "the data set has 13 problem(s):"
    broken = data / "train_photo" / "broken00.png"
    assert lines[1] == f"  cannot decode {broken}: not an image, or damaged (1 bytes)"
    assert (len(lines), lines[-1]) == (12, "  ... and 3 more")


def test_val_may_hold_any_size_but_not_a_broken_file(data):
    save(data / "val" / "a.png", 50, 20)
    (data / "val" / "b.png").write_bytes(b"?")
    assert [problem.split(":")[0] for problem in inspect(data).problems] == [
        f"cannot decode {data / 'val' / 'b.png'}"
    ]


def test_missing_and_empty_folders(tmp_path):
    (tmp_path / "train_photo").mkdir()
    report = inspect(tmp_path)
    suffixes = ", ".join(files.IMAGE_SUFFIXES)
    assert report.problems == (
        f"no images in {tmp_path / 'train_photo'}: expected {suffixes}",
        f"expected a folder of images at {tmp_path / 'ghost' / 'style'}, found nothing",
    )
    assert report.folders["train_photo"].mean_bgr is None


def test_missing_smooth_is_announced_not_refused(data):
    (data / "ghost" / "smooth" / "1.png").unlink()
    report = inspect(data)
    report.raise_if_bad()
    assert report.smooth_missing == 1
    assert "1 smoothed frame(s) will be created" in str(report)


def test_smooth_of_another_size_than_its_frame(data):
    save(data / "ghost" / "style" / "big.jpg", 64, 96)
    smoothing.smooth_folder(data / "ghost" / "style", data / "ghost" / "smooth", 32, progress=False)
    smooth, frame = data / "ghost" / "smooth" / "big.png", data / "ghost" / "style" / "big.jpg"
    assert inspect(data, crop="center").problems == (
        "1 smoothed frame(s) have another size than their frames, for example "
        f"{smooth} (32x32) and {frame} (96x64): delete them, and they are created again",
    )


def test_mean_of_the_style_gives_the_published_color_shift(tmp_path):
    folder = tmp_path / "ghost" / "style"
    folder.mkdir(parents=True)
    for index in range(3):
        picture = GOLDEN[f"input/cartoon_{index}.png"]
        (folder / f"{index}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    mean = np.array(inspect(tmp_path, crop="random").folders["style"].mean_bgr)
    np.testing.assert_allclose(mean.mean() - mean, GOLDEN["color_mean_diff_bgr"], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": ""}, "style: expected a folder's name, received ''"),
        ({"data_dir": None}, "data_dir: expected a folder's name, received None"),
        ({"image_size": 4}, "image_size: expected a whole number of at least 8, received 4"),
        ({"batch_size": 2.0}, "batch_size: expected a whole number of at least 1, received 2.0"),
        ({"seed": -1}, "seed: expected a whole number of at least 0, received -1"),
        ({"crop": "centre"}, "crop: expected one of none, random, center, received 'centre'"),
        ({"hflip": "no"}, "hflip: expected True or False, received 'no'"),
        ({"hue": 181}, "hue: expected degrees from 0 to 180, received 181"),
        ({"hue": "red"}, "hue: expected degrees from 0 to 180, received 'red'"),
        ({"cache_gb": -1}, "cache_gb: expected a number of at least 0, received -1"),
        ({"scale": (2, 1), "crop": "random"}, "scale: expected two numbers 0 < low <= high"),
        ({"scale": (1,)}, r"scale: expected 2 numbers, received \(1,\)"),
        ({"scale": (0.5, 1)}, "crop: expected random or center for scale=0.5,1, received none"),
        ({"color_shift": (1, 2)}, r"color_shift: expected 3 numbers, received \(1, 2\)"),
        ({"color_shift": (1, 2, float("nan"))}, "color_shift: expected 3 numbers, received .*nan"),
    ],
)
def test_configuration_mistakes(options, message):
    with pytest.raises(InputError, match=message):
        DataConfig(**{"data_dir": "data", "style": "ghost", **options})


def test_configuration_takes_lists_as_flags_give_them():
    config = DataConfig("data", "ghost", crop="random", scale=[0.5, 1], color_shift=[1, 2, 3])
    assert (config.scale, config.color_shift) == ((0.5, 1.0), (1.0, 2.0, 3.0))
    assert hash(config) == hash(DataConfig(**vars(config)))
