"""Measures of results against numbers worked out by hand, and what is written about them."""

import csv
import json
import math

import cv2
import numpy as np
import pytest
from films import write_film
from pictures import network, noise, ramps

from animegan_tf.errors import InputError
from animegan_tf.evaluation import evaluator as evaluation
from animegan_tf.evaluation import kernel_distance, metrics, report
from animegan_tf.evaluation.evaluator import Evaluator, Measures, StyleImage
from animegan_tf.images import even_choice

ROUNDING = metrics.ROUNDING_ENERGY


def flat(level, height=64, width=96):
    return np.full((height, width, 3), level, np.uint8)


def checkered(picture, amplitude):
    signs = np.indices(picture.shape[:2]).sum(0) % 2 * 2 - 1
    return (picture.astype(int) + amplitude * signs[..., None]).astype(np.uint8)


def texture(height, width, seed=0):
    """Soft blobs of 40..210, whose movement can be followed."""
    soft = cv2.GaussianBlur(noise(height, width, seed=seed), (0, 0), 3).astype(float)
    return np.rint(np.interp(soft, (soft.min(), soft.max()), (40, 210))).astype(np.uint8)


# --- artifacts -----------------------------------------------------------------------------------


def test_rounding_spreads_a_twelfth_over_all_frequencies():
    frequencies = [min(index, 32 - index) / 32 for index in range(32)]
    above = sum(math.hypot(u, v) > 0.25 for u in frequencies for v in frequencies)
    assert pytest.approx(above / 32**2 / 12) == ROUNDING


@pytest.mark.parametrize("amplitude", [1, 4])
def test_a_checkerboard_counts_its_amplitude_squared(amplitude):
    photo = flat(120)
    windows = metrics.flat_windows(photo)
    assert windows.shape == (3, 5)
    assert windows.all()
    assert metrics.window_energies(photo, windows) == pytest.approx(ROUNDING)
    energies = metrics.window_energies(checkered(photo, amplitude), windows)
    assert energies == pytest.approx(amplitude**2 + ROUNDING, rel=1e-4)


@pytest.mark.parametrize(("period", "share"), [(2, 1.0), (3, 0.5), (8, 0.0), (16, 0.0)])
def test_stripes_count_above_a_quarter_of_a_cycle_per_pixel(period, share):
    wave = 120 + 40 * np.cos(2 * np.pi * np.arange(96) / period)
    stripes = np.broadcast_to(np.rint(wave)[None, :, None], (64, 96, 3)).astype(np.uint8)
    energy = metrics.window_energies(stripes, np.ones((3, 5), bool)).mean()
    assert energy == pytest.approx(40**2 * share + ROUNDING, rel=0.02, abs=0.3)


def test_flat_windows_are_those_of_the_flat_part():
    photo = np.concatenate([flat(90, 64, 64), noise(64, 64)], axis=1)
    windows = metrics.flat_windows(photo)
    # Windows begin at columns 0, 16, 32, ...; that at 48 has noise in its right half.
    assert windows.tolist() == [[True, True, True, False, False, False, False]] * 3


def test_a_picture_without_flat_windows_has_no_index():
    assert metrics.typical(metrics.window_energies(flat(1, 31, 99), np.zeros((0, 0), bool))) is None
    measured, _ = Evaluator([noise(64, 64)], network())(lambda photo: photo)
    assert (measured.artifacts, measured.artifacts_to_style) == (None, None)


def test_typical_is_the_geometric_mean():
    assert metrics.typical([1.0, 100.0]) == pytest.approx(10.0)


# --- colour and flicker --------------------------------------------------------------------------


def lightness(level):
    """L of CIELAB for a gray above about 10 of 255, by its definition."""
    linear = ((level / 255 + 0.055) / 1.055) ** 2.4
    return 116 * linear ** (1 / 3) - 16


def test_a_gray_cast_is_reported_with_its_size():
    shift = metrics.lab_shift(flat(100), flat(120))
    assert shift == pytest.approx([lightness(120) - lightness(100), 0, 0], abs=0.05)


def test_a_cast_is_reported_with_its_direction():
    redder, yellower = flat(100), flat(100)
    redder[..., 0] += 40
    yellower[..., 2] -= 40
    assert metrics.lab_shift(flat(100), redder)[1] > 10
    assert metrics.lab_shift(flat(100), yellower)[2] > 10


def test_movement_is_found_and_taken_out():
    wide = texture(128, 166)
    first, second = wide[:, :160], wide[:, 6:]
    motion = metrics.find_motion(first, second)
    moved = motion.sources[..., 0] - np.arange(160)
    assert np.median(moved) == pytest.approx(6, abs=0.05)
    assert motion.comparable.mean() > 0.9
    plain = float(cv2.absdiff(first, second).mean())
    assert metrics.flicker(first, second, motion) < 0.02 * plain
    brighter = metrics.flicker(first, second + np.uint8(10), motion)
    assert brighter == pytest.approx(10, abs=0.2)


def test_frames_across_a_cut_are_not_compared():
    assert metrics.find_motion(texture(96, 96), texture(96, 96, seed=1)) is None
    assert metrics.find_motion(texture(96, 96), noise(96, 96)) is None
    with pytest.raises(InputError, match=r"frames: expected one size, received \(8, 8, 3\) and"):
        metrics.find_motion(flat(0, 8, 8), flat(0, 8, 9))


# --- generators ----------------------------------------------------------------------------------


def still_pair(picture):
    return evaluation.FramePair(picture, picture, metrics.find_motion(picture, picture))


def test_the_identity_changes_nothing():
    photos = [ramps(64, 96), np.concatenate([flat(90), noise(64, 96)])]
    evaluator = Evaluator(photos, network(), pairs=[still_pair(texture(96, 96))])
    measured, results = evaluator(lambda photo: photo)
    assert measured.images_per_second > 0
    expected = Measures(content=0, artifacts=1, color=0, lab=(0, 0, 0), flicker=1)
    compared = [evaluator.photos_themselves, measured]
    for one in compared:
        for name in ("content", "artifacts", "color", "lab", "flicker"):
            assert getattr(one, name) == pytest.approx(getattr(expected, name)), name
        assert (one.style, one.artifacts_to_style) == (None, None)
    assert [result is photo for result, photo in zip(results, photos, strict=True)] == [True, True]
    assert evaluator.flat_windows == metrics.flat_windows(photos[0]).sum() + 3 * 5


def test_added_patterns_raise_the_artifact_index():
    evaluator = Evaluator([flat(100), flat(150)], network())
    measured, _ = evaluator(lambda photo: checkered(photo, 3))
    assert measured.artifacts == pytest.approx((9 + ROUNDING) / ROUNDING, rel=1e-4)
    assert measured.color == pytest.approx(0, abs=0.15)


def test_content_is_the_mean_difference_of_the_features():
    evaluator = Evaluator([flat(100), flat(150)], network())
    measured, _ = evaluator(lambda photo: photo + np.uint8(photo[0, 0, 0] == 150) * np.uint8(51))
    # 51 levels are 0.4 of [-1, 1]; the other photo did not change.
    assert measured.content == pytest.approx(0.2, abs=1e-6)


def test_style_is_the_distance_to_the_mean_gram_matrix():
    # Features are the picture itself: for 255, 1 in [-1, 1], every entry of the Gram matrix is
    # 1 / 3; for 204, 0.6, it is 0.12; their mean is 0.68 / 3.
    style = [StyleImage(flat(0), flat(255)), StyleImage(flat(0), flat(204))]
    evaluator = Evaluator([flat(0)], network(), style)
    measured, _ = evaluator(lambda photo: photo + np.uint8(204))
    assert evaluator.style_itself.style == pytest.approx(0.32 / 3, abs=1e-6)
    assert measured.style == pytest.approx(0.68 / 3 - 0.12, abs=1e-6)
    assert evaluator.photos_themselves.style == pytest.approx(1 / 3 - 0.68 / 3, abs=1e-6)


def test_kernel_distance_by_hand():
    ones, threes = np.ones((2, 1)), np.full((2, 1), 3.0)
    # Within: (3 * 3 + 1)^3 and (1 + 1)^3; across: (3 + 1)^3.
    assert kernel_distance.kernel_distance(threes, ones) == pytest.approx(1000 + 8 - 2 * 64)
    # The scale is that of the second set: a factor for both changes nothing.
    assert kernel_distance.kernel_distance(5 * threes, 5 * ones) == pytest.approx(880)
    # A sample is not compared with itself: (2 * 0 + 1)^3 within the first, 8 within the second.
    mixed = np.array([[0.0], [2.0]])
    assert kernel_distance.kernel_distance(mixed, ones) == pytest.approx(1 + 8 - (1 + 27))
    for first, second in ((ones[:1], ones), (ones, ones[:1]), (ones[0], ones)):
        with pytest.raises(InputError, match="expected two samples or more, received an array"):
            kernel_distance.kernel_distance(first, second)


def test_kernel_distance_of_one_distribution_is_about_zero():
    draw = np.random.default_rng(0).normal
    one, same, other = draw(1, 1, (400, 8)), draw(1, 1, (400, 8)), draw(1.5, 1, (400, 8))
    assert abs(kernel_distance.kernel_distance(one, same)) < 0.2
    assert kernel_distance.kernel_distance(other, same) > 2


def test_samples_are_means_of_rectified_patches():
    features = np.full((1, 40, 33, 2), -1.0)
    features[:, :16, 16:32, 0], features[:, 16:32, :16, 1] = 2.0, 4.0
    features[:, 32:], features[:, :, 32:] = 9.0, 9.0  # left out at the edges
    found = kernel_distance.samples(features)
    np.testing.assert_array_equal(found, [[0, 0], [2, 0], [0, 4], [0, 0]])
    np.testing.assert_array_equal(kernel_distance.samples(features[:, :1, 16:20]), [[2, 0]])


def test_kernel_distance_of_results_to_the_style():
    style = [StyleImage(flat(204), flat(204)), StyleImage(flat(204), flat(204))]
    evaluator = Evaluator([flat(0), flat(102)], network(), style, kernel=True)
    found, _ = evaluator(lambda photo: flat(204))
    assert found.kernel == pytest.approx(0, abs=1e-6)
    assert evaluator.photos_themselves.kernel > 0.1
    with pytest.raises(InputError, match="style: expected images for the kernel distance"):
        Evaluator([flat(0)], network(), kernel=True)


def test_artifacts_are_related_to_the_style_pictures_too():
    style = [StyleImage(checkered(flat(100), 2), flat(100))]
    evaluator = Evaluator([flat(100)], network(), style)
    measured, _ = evaluator(lambda photo: photo)
    assert measured.artifacts_to_style == pytest.approx(ROUNDING / (4 + ROUNDING), rel=1e-4)
    assert evaluator.style_itself.artifacts_to_style == 1


def test_color_has_the_size_of_opposite_shifts_that_lab_averages_out():
    evaluator = Evaluator([flat(100), flat(120)], network())
    measured, _ = evaluator(lambda photo: flat(220 - photo[0, 0, 0]))
    size = lightness(120) - lightness(100)
    assert measured.color == pytest.approx(size, abs=0.15)
    assert measured.lab == pytest.approx((0, 0, 0), abs=0.01)


def test_flicker_is_relative_to_the_film():
    first = texture(96, 96)
    second = first + np.uint8(2)
    pair = evaluation.FramePair(first, second, metrics.find_motion(first, first))
    evaluator = Evaluator([flat(0)], network(), pairs=[pair])
    measured, _ = evaluator(lambda photo: photo + np.uint8(8 * (photo is second)))
    # The film's frames differ by 2 levels, the results by 2 + 8; rounding adds a third to both.
    assert measured.flicker == pytest.approx((10 + 1 / 3) / (2 + 1 / 3))


def test_a_result_of_another_size_is_refused():
    evaluator = Evaluator([flat(0)], network())
    with pytest.raises(InputError, match=r"expected outputs of the photo's size \(64, 96, 3\)"):
        evaluator(lambda photo: photo[:-1])
    with pytest.raises(InputError, match="photos: expected at least one, received none"):
        Evaluator([], network())


# --- inputs --------------------------------------------------------------------------------------


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1])


def test_photos_and_style_are_loaded_evenly_and_shrunk(tmp_path):
    for index in range(5):
        save(tmp_path / f"{index}.png", flat(index * 10, 40, 80))
    photos = evaluation.load_photos(tmp_path, 40, 3)
    assert [name for name, _ in photos] == ["0.png", "2.png", "4.png"]
    assert [photo.shape for _, photo in photos] == [(20, 40, 3)] * 3
    colored = flat(100, 40, 80)
    colored[..., 0] = 200
    save(tmp_path / "style" / "a.png", colored)
    (one,) = evaluation.load_style(tmp_path / "style", 40, 3)
    np.testing.assert_array_equal(one.rgb, colored[:20, :40])
    assert one.gray.shape == (20, 40, 3)
    assert np.abs(one.gray - (0.299 * 200 + 0.701 * 100)).max() <= 1
    with pytest.raises(InputError, match=r"photos: expected a folder of images at .*gone, found"):
        evaluation.load_photos(tmp_path / "gone", 40, 3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"style_dir: expected images in .*empty, found none"):
        evaluation.load_style(tmp_path / "empty", 40, 3)


def test_pairs_are_found_where_a_film_moves(tmp_path):
    wide = texture(96, 200)
    moving = [wide[:, 3 * index :][:, :128] for index in range(20)]
    write_film(tmp_path / "film.mp4", moving)
    pairs = evaluation.load_pairs(tmp_path / "film.mp4", 64, 2)
    assert [pair.first.shape for pair in pairs] == [(48, 64, 3)] * 2
    for pair in pairs:  # 3 pixels in the film are 1.5 in its half
        moved = np.median(pair.motion.sources[..., 0] - np.arange(64))
        assert moved == pytest.approx(1.5, abs=0.2)
    assert not np.array_equal(pairs[0].first, pairs[1].first)
    write_film(tmp_path / "still.mp4", [flat(100, 64, 64)] * 8)
    with pytest.raises(InputError, match=r"found no two frames to compare in .*still.mp4"):
        evaluation.load_pairs(tmp_path / "still.mp4", 64, 2)


def test_kept_generators_are_sorted_by_epoch(tmp_path):
    assert evaluation.kept_generators(tmp_path) == []
    folder = tmp_path / "epochs"
    folder.mkdir()
    for name in ("generator-0010", "generator-0002", "generator-last", ".generator-0003"):
        (folder / f"{name}.weights.h5").touch()
    assert evaluation.kept_generators(tmp_path) == [
        (2, folder / "generator-0002.weights.h5"),
        (10, folder / "generator-0010.weights.h5"),
    ]


@pytest.mark.parametrize(
    ("count", "chosen"), [(9, [0, 1, 2, 3, 4]), (3, [0, 2, 4]), (2, [0, 4]), (1, [0])]
)
def test_even_choice(count, chosen):
    assert even_choice(list(range(5)), count) == chosen


# --- reports -------------------------------------------------------------------------------------

ROWS = [
    report.Row("photos", Measures(content=0.0, artifacts=1.0, lab=(0.0, 0.0, 0.0))),
    report.Row(
        "run", Measures(1.25, 2.5, 0.5, 0.25, 7.0, (3.0, -2.0, 0.0), 1.5, 12.0, 0.75), epoch=4
    ),
]


def test_table():
    lines = [" ".join(line.split()) for line in report.table(ROWS).splitlines()]
    assert lines == [
        "content style artifacts to style colour L a b flicker images/s kernel",
        "photos 0.000 - 1.00 - - +0.0 +0.0 +0.0 - - -",
        "run 1.250 2.500 0.50 0.25 7.0 +3.0 -2.0 +0.0 1.50 12.00 0.750",
    ]


def test_json_and_csv_hold_the_same_numbers(tmp_path):
    report.write_json(tmp_path / "a.json", ROWS, {"max_side": 9})
    report.write_csv(tmp_path / "a.csv", ROWS)
    written = json.loads((tmp_path / "a.json").read_text())
    assert written["settings"] == {"max_side": 9}
    assert written["rows"][1]["lab"] == [3.0, -2.0, 0.0]
    with (tmp_path / "a.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["label"], first["epoch"], first["style"]) == ("photos", "", "")
    assert (second["epoch"], second["shift_a"], second["flicker"]) == ("4", "-2", "1.5")
    for name in ("content", "style", "artifacts", "artifacts_to_style", "color"):
        assert float(second[name]) == written["rows"][1][name]


def test_grid_has_a_row_for_each_photo_and_a_column_for_each_generator():
    photos = [flat(10, 128, 256), flat(20, 512, 256)]
    columns = [(f"generator {level}", [flat(level, 128, 256), flat(level, 512, 256)])
               for level in range(30, 230, 10)]  # fmt: skip
    grid = report.draw_grid(photos, columns)
    assert grid.shape == (2 * 270, 10 * 256, 3)
    top, bottom = grid[128, 128::256, 0], grid[270 + 128, 128::256, 0]
    # Of twenty columns nine are shown, the first and the last among them.
    assert top.tolist()[:2] == [10, 30]
    assert bottom.tolist()[:2] == [20, 30]
    assert (top[-1], bottom[-1]) == (220, 220)
    # The tall photo stands in the middle of its column.
    assert len(set(grid[270 + 128, [4, 251], 0])) == 1 != grid[270 + 128, 128, 0]


def test_epochs_chart_has_a_panel_for_each_measure_there_is():
    without_style = Measures(content=1.0, artifacts=1.0, color=1.0)
    rows = [report.Row(f"{epoch}", without_style, epoch) for epoch in (5, 1)]
    few = report.draw_epochs("run", rows, ROWS[:1])
    many = report.draw_epochs("run", [ROWS[1], *rows], ROWS[:1])
    assert few.shape[1] == many.shape[1] == 1500
    assert many.shape[0] - 60 == 3 * (few.shape[0] - 60)
