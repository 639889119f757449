"""Which photos are done, under which names, and what stops nothing."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pictures import files_in, make_negative, negative, network, noise, photos_in, ramps
from PIL import Image
from places import TESTS

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.stylize import progress
from animegan_tf.stylize.batch import stylize_paths
from animegan_tf.stylize.options import PhotoOptions
from animegan_tf.stylize.stylizer import Stylizer

CASES = TESTS / "photos"


@pytest.fixture(scope="module")
def identity():
    return network()


def not_needed():
    raise AssertionError("the network was loaded though there is nothing to do for it")


def test_one_photo(tmp_path):
    photo = noise(6, 9)
    images.write_photo(tmp_path / "a.png", photo)
    report = stylize_paths(make_negative, tmp_path / "a.png", tmp_path / "new" / "out")
    assert report.written == (tmp_path / "new" / "out" / "a.png",)
    assert report.skipped == report.failed == ()
    np.testing.assert_array_equal(images.read_photo(report.written[0]).rgb, 255 - photo)


def test_a_stylizer_as_it_is(tmp_path, identity):
    photos_in(tmp_path, "a.png")
    report = stylize_paths(Stylizer(identity), [tmp_path / "a.png"], tmp_path / "out")
    np.testing.assert_array_equal(images.read_photo(report.written[0]).rgb, 5)


def test_a_folder(tmp_path):
    photos = photos_in(tmp_path / "photos", "b.png", "a.JPG", "below/c.png", ".hidden.png")
    (photos / "notes.txt").write_text("no photo")
    report = stylize_paths(make_negative, [photos], tmp_path / "out")
    assert [path.name for path in report.written] == ["a.JPG", "b.png"]
    assert files_in(tmp_path / "out") == ["a.JPG", "b.png"]


def test_folders_below(tmp_path):
    photos = photos_in(tmp_path, "b.png", "below/a.png", "below/deep/a.png", "below/.x/a.png")
    for _ in range(2):  # the results in a folder below are no photos of the next run
        report = stylize_paths(
            make_negative, [photos], tmp_path / "out", recursive=True, overwrite=True
        )
        assert len(report.written) == 3
    assert files_in(tmp_path / "out") == ["b.png", "below/a.png", "below/deep/a.png"]


def test_photos_are_done_once(tmp_path, monkeypatch):
    photos_in(tmp_path, "photos/a.png")
    monkeypatch.chdir(tmp_path)
    inputs = ["photos", "photos/a.png", tmp_path / "photos" / ".." / "photos" / "a.png"]
    report = stylize_paths(make_negative, inputs, "out")
    assert (report.written, report.notes) == ((Path("out/a.png"),), ())
    (tmp_path / "photos" / "z.png").symlink_to("a.png")
    report = stylize_paths(make_negative, "photos", "again")
    assert report.written == (Path("again/a.png"),)
    assert report.notes == (f"skipped, other names of the same files: {Path('photos/z.png')}",)


def test_no_two_photos_share_a_result(tmp_path):
    photos_in(tmp_path, "x/a.png", "y/a.png", "x/a.webp", "x/A.png")
    data = (tmp_path / "x" / "a.png").read_bytes()
    (tmp_path / "x" / "a.avif").write_bytes(data)
    report = stylize_paths(make_negative, [tmp_path / "x", tmp_path / "y"], tmp_path / "out")
    names = ["A.png", "a-4.png", "a-2.png", "a.webp", "a-3.png"]
    assert [path.name for path in report.written] == names
    levels = [int(images.read_photo(path).rgb[0, 0, 0]) for path in report.written]
    assert levels == [255 - 35, 255 - 5, 255 - 5, 255 - 25, 255 - 15]


def test_alpha_is_carried_over(tmp_path):
    rgb, alpha = noise(6, 9), noise(6, 9, 1)[:, :, 0]
    images.write_photo(tmp_path / "a.png", rgb, alpha)
    # Named like a JPEG, which could not hold the alpha.
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.png").read_bytes())
    report = stylize_paths(make_negative, [tmp_path], tmp_path / "out")
    assert [path.name for path in report.written] == ["a.png", "b.png"]
    for path in report.written:
        photo = images.read_photo(path)
        np.testing.assert_array_equal(photo.rgb, 255 - rgb)
        np.testing.assert_array_equal(photo.alpha, alpha)


def test_alpha_follows_the_result_s_size(tmp_path, identity):
    images.write_photo(tmp_path / "a.png", ramps(60, 80), ramps(60, 80)[:, :, 1])
    stylize = Stylizer(identity, max_side=40)
    (path,) = stylize_paths(stylize, [tmp_path], tmp_path / "out").written
    assert images.read_photo(path).alpha.shape == (30, 40)
    (path,) = stylize_paths(stylize, [tmp_path], tmp_path / "out", compare=True).written
    assert path.name == "a_compare.png"
    assert images.read_photo(path).alpha.shape == (30, 80)


def test_compare(tmp_path):
    photo = noise(6, 9)
    images.write_photo(tmp_path / "a.png", photo)
    (path,) = stylize_paths(make_negative, [tmp_path], tmp_path / "out", compare=True).written
    assert path.name == "a_compare.png"
    both = images.read_photo(path).rgb
    np.testing.assert_array_equal(both, np.hstack([photo, 255 - photo]))


def test_compare_at_the_published_size(tmp_path, identity):
    images.write_photo(tmp_path / "a.png", ramps(300, 200))
    stylize = Stylizer(identity, sizing="published")
    (path,) = stylize_paths(stylize, [tmp_path], tmp_path / "out", compare=True).written
    assert images.read_photo(path).rgb.shape == (288, 512, 3)


def test_existing_results_are_left(tmp_path):
    photos = photos_in(tmp_path / "photos", "a.png", "b.png")
    out = photos_in(tmp_path / "out", "a.png")
    report = stylize_paths(make_negative, [photos], out)
    assert (report.written, report.skipped) == ((out / "b.png",), (out / "a.png",))
    assert images.read_photo(out / "a.png").rgb[0, 0, 0] == 5
    assert stylize_paths(not_needed, [photos], out).skipped == (out / "a.png", out / "b.png")
    report = stylize_paths(make_negative, [photos], out, overwrite=True)
    assert report.written == (out / "a.png", out / "b.png")
    assert images.read_photo(out / "a.png").rgb[0, 0, 0] == 250


def test_an_empty_result_is_done_again(tmp_path):
    """A power cut leaves such."""
    photos = photos_in(tmp_path / "photos", "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").touch()
    report = stylize_paths(make_negative, [photos], tmp_path / "out")
    assert report.written == (tmp_path / "out" / "a.png",)


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_photos_are_never_replaced(tmp_path, overwrite, link):
    photos = photos_in(tmp_path / "photos", "a.png", "b.png")
    before = (photos / "b.png").read_bytes()
    out = photos
    if link:
        out = tmp_path / "out"
        out.mkdir()
        link(photos / "b.png", out / "b.png")
    with pytest.raises(InputError, match=r"output: .* is one of the photos, .* never replaced"):
        stylize_paths(not_needed, [photos], out, overwrite=overwrite)
    assert (photos / "b.png").read_bytes() == before
    assert files_in(out) == (["b.png"] if link else ["a.png", "b.png"])


def test_another_input_s_photo_is_not_replaced_either(tmp_path):
    photos_in(tmp_path, "x/a.png", "y/a.png")
    with pytest.raises(InputError, match="never replaced"):
        stylize_paths(
            not_needed, [tmp_path / "x/a.png", tmp_path / "y"], tmp_path / "y", overwrite=True
        )


def test_unreadable_files_are_named_and_the_rest_goes_on(tmp_path, capsys):
    photos = photos_in(tmp_path / "photos", "a.png", "d.png")
    (photos / "b.jpg").write_bytes(b"no picture")
    (photos / "c.heic").write_bytes(b"\0\0\0\x18ftypheic")
    report = stylize_paths(make_negative, [photos], tmp_path / "out", progress=True)
    assert files_in(tmp_path / "out") == ["a.png", "d.png"]
    assert [path.name for path, _ in report.failed] == ["b.jpg", "c.heic"]
    assert "expected an image in a format" in report.failed[0][1]
    errors = capsys.readouterr().err
    assert f"error: {photos / 'b.jpg'}: expected an image" in errors
    assert "c.heic" in errors


def test_photos_that_fail_in_the_network_are_named(tmp_path, capsys):
    photos = photos_in(tmp_path / "photos", "a.png", "b.png")

    def fail_on_the_first(rgb):
        if rgb[0, 0, 0] == 5:
            raise MemoryError("9x6 is too large")
        return rgb

    report = stylize_paths(lambda: fail_on_the_first, [photos], tmp_path / "out", progress=True)
    assert report.failed == ((photos / "a.png", "9x6 is too large"),)
    assert report.written == (tmp_path / "out" / "b.png",)
    assert f"error: {photos / 'a.png'}: 9x6 is too large" in capsys.readouterr().err


def test_nothing_is_printed_unless_asked(tmp_path, capfd):
    photos = photos_in(tmp_path / "photos", "a.png")
    (photos / "b.jpg").write_bytes(b"")
    assert stylize_paths(make_negative, [photos], tmp_path / "out").failed
    assert capfd.readouterr() == ("", "")


def test_long_steps_are_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LONG", 1)
    path = photos_in(tmp_path, "a.png") / "a.png"

    def slowly(rgb):
        progress.step("drawing at 9x6")
        time.sleep(2.2)
        return 255 - rgb

    stylize_paths(lambda: slowly, path, tmp_path / "out", progress=True)
    assert capsys.readouterr().err == (f"{path}: drawing at 9x6, which takes more than 1 seconds\n")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    stylize_paths(lambda: slowly, path, tmp_path / "again", progress=True)
    shown = capsys.readouterr().err
    assert shown.count(f"00:01<?, ?photo/s, {path}: drawing at 9x6") == 1
    assert "takes more" not in shown


def test_a_photo_that_vanishes_is_named(tmp_path):
    photos = photos_in(tmp_path / "photos", "a.png", "b.png")

    def make():
        (photos / "a.png").unlink()
        return negative

    report = stylize_paths(make, [photos], tmp_path / "out")
    assert report.failed == ((photos / "a.png", f"{photos / 'a.png'}: No such file or directory"),)
    assert len(report.written) == 1


def test_a_full_disk_ends_the_run(tmp_path, monkeypatch):
    photos = photos_in(tmp_path / "photos", "a.png")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images, "write_photo", fail)
    with pytest.raises(OSError, match="No space left"):
        stylize_paths(make_negative, [photos], tmp_path / "out")


def test_without_a_network_nothing_is_made(tmp_path):
    photos = photos_in(tmp_path / "photos", "a.png")

    def fail():
        raise InputError("no network")

    with pytest.raises(InputError, match="no network"):
        stylize_paths(fail, [photos], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mistakes_in_paths(tmp_path):
    (tmp_path / "empty" / "below").mkdir(parents=True)
    photos = photos_in(tmp_path / "photos", "a.png")
    cases = [
        ([], "out", "photos: expected at least one photo or folder, received none"),
        ([tmp_path / "none"], "out", "photos: expected a photo or folder, found nothing at .*none"),
        ([photos, tmp_path / "empty"], "out", "photos: expected photos in .*empty, found none"),
        ([photos], "photos/a.png", "output: expected a folder for the outputs, .* is a file"),
    ]
    for inputs, output, message in cases:
        with pytest.raises(InputError, match=message):
            stylize_paths(not_needed, inputs, tmp_path / output)
    with pytest.raises(InputError, match="output: expected a folder"):
        stylize_paths(not_needed, [photos], "")
    assert not (tmp_path / "out").exists()


def test_one_name_that_is_too_long_stops_nothing(tmp_path):
    photos = photos_in(tmp_path / "photos", "a.png", "z.png", f"{'b' * 251}.png")
    report = stylize_paths(make_negative, photos, tmp_path / "out", compare=True)
    assert [path.name for path in report.written] == ["a_compare.png", "z_compare.png"]
    # Now the others exist.
    again = stylize_paths(make_negative, photos, tmp_path / "out", compare=True)
    assert len(again.skipped) == 2
    for ((path, reason),) in (report.failed, again.failed):
        assert path.name.startswith("bbb") and reason == "File name too long"


def test_wildcards_empty_names_and_addresses(tmp_path):
    photos = photos_in(tmp_path / "photos", "a.png", "b.png", "c.webp")
    report = stylize_paths(make_negative, str(photos / "*.png"), tmp_path / "out")
    assert [path.name for path in report.written] == ["a.png", "b.png"]
    for given, message in (
        ("", "photos: expected a photo or folder, received an empty name"),
        ("https://example.com/a.jpg", "received https://example.com/a.jpg; nothing is downloaded"),
        (str(photos / "*.gif"), r"found nothing at .*\*\.gif"),
    ):
        with pytest.raises(InputError, match=message):
            stylize_paths(not_needed, [given], tmp_path / "out")


def test_a_result_s_own_name(tmp_path):
    photos = photos_in(tmp_path / "photos", "a.png", "b.png")
    for name, kind in (("new/x.jpg", "JPEG"), ("y.webp", "WEBP"), ("z.avif", "AVIF")):
        report = stylize_paths(make_negative, photos / "a.png", tmp_path / name)
        assert report.written == (tmp_path / name,)
        with Image.open(tmp_path / name) as image:
            assert image.format == kind
    assert stylize_paths(not_needed, photos / "a.png", tmp_path / "y.webp").skipped
    cases = [
        ([photos], "x.jpg", "output: expected a folder for the outputs of more than one photo"),
        ([photos / "a.png", photos / "b.png"], "x.jpg", "of more than one photo, received .*x.jpg"),
        ([photos / "a.png"], "x.mp4", r"output: expected a photo's suffix for .*a\.png"),
        ([photos / "a.png"], "photos/a.png", "never replaced"),
    ]
    for inputs, name, message in cases:
        with pytest.raises(InputError, match=message):
            stylize_paths(not_needed, inputs, tmp_path / name)


def test_numbers_stay_when_photos_are_added(tmp_path):
    photos = photos_in(tmp_path, "x/a.jpg", "y/a.jpg", "z/IMG.png", "z/IMG.bmp")
    out = tmp_path / "out"
    first = stylize_paths(make_negative, photos / "x/a.jpg", out)
    second = stylize_paths(make_negative, [photos / "y/a.jpg", photos / "x/a.jpg"], out)
    assert (second.written, second.skipped) == ((out / "a-2.jpg",), first.written)
    assert abs(int(images.read_photo(out / "a-2.jpg").rgb[0, 0, 0]) - (255 - 15)) < 3
    third = stylize_paths(not_needed, [photos / "x/a.jpg", photos / "y/a.jpg"], out)
    assert third.skipped == (out / "a.jpg", out / "a-2.jpg")
    # What another format comes before, too.
    webp = PhotoOptions(format="webp")
    first = stylize_paths(make_negative, photos / "z/IMG.png", out, photo=webp)
    second = stylize_paths(make_negative, photos / "z", out, photo=webp)
    assert (second.written, second.skipped) == ((out / "IMG-2.webp",), (out / "IMG.webp",))


def test_shards_share_the_work(tmp_path):
    names = [f"{folder}/{number}.png" for folder in "ab" for number in range(10)]
    for number, name in enumerate(names):
        images.write_photo(tmp_path / "in" / name, noise(6, 9, seed=number))
    shards = []
    for number in (1, 2, 3):
        options = {"recursive": True, "shard": f"{number}/3"}
        report = stylize_paths(make_negative, tmp_path / "in", tmp_path / "out", **options)
        assert not report.skipped
        shards.append(files_in(tmp_path / "out"))
    assert 0 < len(shards[0]) < len(shards[1]) < len(shards[2]) == 20
    # The same on every machine and with every version.
    assert [name for name in shards[0] if name.startswith("a/")] == [
        "a/1.png",
        "a/2.png",
        "a/7.png",
    ]
    report = stylize_paths(not_needed, tmp_path / "in", tmp_path / "out", **options)
    assert not report.written


@pytest.mark.parametrize("shard", ("0/3", "4/3", "3", "1/0", "a/3", "1/3/5"))
def test_a_shard_is_one_of_its_count(tmp_path, noise_photos, shard):
    with pytest.raises(InputError, match=f"shard: expected 1/N to N/N, .* received {shard}"):
        stylize_paths(not_needed, noise_photos, tmp_path / "out", shard=shard)
