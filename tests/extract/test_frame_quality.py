"""What makes a frame worth keeping: flaws, sharpness, likeness, bars, crops, an even choice."""

import cv2
import films
import numpy as np
import pytest

from animegan_tf.extract import quality as frame_quality
from animegan_tf.extract import selection


def gray_scene(seed=1, height=256, width=455):
    return cv2.cvtColor(films.scene(seed, height, width), cv2.COLOR_RGB2GRAY)


def credits(paper=0, ink=255):
    picture = np.full((256, 455), paper, np.uint8)
    for line in range(6):
        text = "Directed by Somebody Else"
        cv2.putText(picture, text, (40, 40 + 36 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.7, ink, 2)
    return picture


def barred(side):
    picture = np.zeros((256, 455), np.uint8)
    inside = (slice(20, -20), slice(None)) if side == "top" else (slice(None), slice(60, -60))
    picture[inside] = gray_scene()[inside]
    return picture


def moon():
    disc = cv2.circle(np.zeros((256, 455), np.uint8), (227, 128), 110, 1, -1)
    return gray_scene() * disc


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (gray_scene(), None),
        (np.full((256, 455), 20, np.uint8), "black"),
        (cv2.convertScaleAbs(gray_scene(), alpha=0.12), "black"),  # 31 at most
        (np.full((256, 455), 250, np.uint8), "white"),
        (cv2.convertScaleAbs(gray_scene(), alpha=0.12, beta=100), "faded"),
        (credits(), "flat"),
        (credits(255, 0), "flat"),
        (credits(90, 200), "flat"),
        (barred("top"), "barred"),
        (barred("left"), "barred"),
        (np.vstack([np.zeros((60, 455), np.uint8), gray_scene()[60:]]), None),  # a dark sky
        (moon(), None),
    ],
)
def test_flaws(picture, expected):
    assert frame_quality.flaw(picture) == expected


def test_sharpness_falls_with_blur_whatever_is_shown():
    for seed in range(5):
        sharp = frame_quality.sharpness(gray_scene(seed))
        dim = cv2.convertScaleAbs(gray_scene(seed), alpha=0.3, beta=60)
        slight, strong = (
            frame_quality.sharpness(films.blurred(gray_scene(seed), sigma)) for sigma in (0.7, 2)
        )
        assert 0.5 < sharp < 0.8
        assert abs(frame_quality.sharpness(dim) - sharp) < 0.1
        assert strong < 0.15 < slight < 0.9 * sharp
    assert frame_quality.sharpness(np.full((64, 64), 100, np.uint8)) == 0


def test_hashes_of_alike_and_unlike_pictures():
    hashes = [frame_quality.perceptual_hash(gray_scene(seed)) for seed in range(8)]
    assert all(0 <= one < 2**64 for one in hashes)
    noise = np.random.default_rng(0).normal(0, 8, (256, 455))
    noisy = np.clip(gray_scene(0) * 0.8 + 20 + noise, 0, 255).astype(np.uint8)
    small = cv2.resize(gray_scene(0), (160, 90), interpolation=cv2.INTER_AREA)
    for alike in (noisy, small):
        alike = frame_quality.perceptual_hash(alike)
        assert frame_quality.distances(alike, hashes[:1])[0] <= 6
    assert min(frame_quality.distances(hashes[0], hashes[1:])) >= 16


def test_distances_count_bits():
    others = [0, 1, 0b1011, 2**64 - 1, 2**63]
    assert frame_quality.distances(0, others).tolist() == [0, 1, 3, 64, 1]


# --- bars ----------------------------------------------------------------------------------------


def framed(picture, top=0, bottom=0, left=0, right=0):
    return cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=16)


def test_bars_have_their_width_and_two_pixels():
    pictures = [framed(gray_scene(seed, 200, 300), 30, 31, 5, 0) for seed in range(6)]
    bars = frame_quality.find_bars(pictures)
    assert bars == frame_quality.Bars(32, 33, 7, 0)
    assert bars.cut(pictures[0], 261, 305).shape == (196, 298)
    half = cv2.resize(pictures[0], (152, 130))
    # 32, 33 and 7 pixels of 261 x 305 are 15.9, 16.4 and 3.5 of these: whole ones are cut
    assert bars.cut(half, 261, 305).shape == (130 - 16 - 17, 152 - 4)


def test_a_dark_scene_makes_no_bars():
    night = [framed(gray_scene(seed, 140, 300), 60, 0) for seed in range(9)]
    assert frame_quality.find_bars([*night, gray_scene(20, 200, 300)]) == frame_quality.Bars()


def test_all_dark_frames_do_not_count_and_single_marks_do_not_matter():
    black = [np.full((261, 300), 16, np.uint8)] * 50
    marked = framed(gray_scene(9, 200, 300), 30, 31)
    marked[5:15, 100:200] = 255
    pictures = [framed(gray_scene(seed, 200, 300), 30, 31) for seed in range(40)]
    expected = frame_quality.Bars(32, 33)
    assert frame_quality.find_bars([*black, *pictures, marked]) == expected
    assert frame_quality.find_bars([*black, *pictures[:3]]) == frame_quality.Bars()
    assert not frame_quality.find_bars(black)


def test_a_small_picture_in_the_middle_is_not_taken_for_bars():
    pictures = [framed(gray_scene(seed, 60, 300), 120, 20) for seed in range(6)]
    assert frame_quality.find_bars(pictures) == frame_quality.Bars()


# --- crops ---------------------------------------------------------------------------------------


def test_crops_are_spread_and_do_not_overlap():
    plain = np.zeros((256, 700), np.uint8)
    assert frame_quality.place_crops(plain, 256, 9) == [(0, 0), (0, 444)]
    assert frame_quality.place_crops(np.zeros((512, 600), np.uint8), 256, 9) == [
        (0, 0), (0, 344), (256, 0), (256, 344),
    ]  # fmt: skip


def test_a_single_crop_goes_where_the_detail_is():
    picture = np.zeros((256, 455), np.uint8)
    assert frame_quality.place_crops(picture, 256, 1) == [(0, 100)]  # the middle
    picture[:, 400:] = films.scene(1, 256, 55)[..., 0]
    assert frame_quality.place_crops(picture, 256, 1) == [(0, 199)]
    assert frame_quality.place_crops(np.ascontiguousarray(picture.T), 256, 1) == [(199, 0)]


def test_the_most_detailed_crops_come_first():
    picture = np.zeros((64, 256), np.uint8)
    picture[:, 64:128:2] = 50
    picture[:, 192::2] = 250
    assert frame_quality.place_crops(picture, 64, 2) == [(0, 192), (0, 64)]


# --- selection -----------------------------------------------------------------------------------


def test_distinct_keeps_the_best_of_alike_ones_wherever_they_are():
    hashes = [0b0, 0xFFFF << 32, 0b11, 0xFFFF, 0b1]
    quality = [1, 1, 3, 1, 2]
    assert selection.distinct(hashes, quality, 4) == [1, 2, 3]
    assert selection.distinct(hashes, quality, 2) == [0, 1, 2, 3]
    assert selection.distinct(hashes, quality, 1) == [0, 1, 2, 3, 4]
    assert selection.distinct(hashes, quality, 0) == [0, 1, 2, 3, 4]
    assert selection.distinct(hashes, quality, 4, taken=[0b111]) == [1, 3]
    assert selection.distinct([], [], 4) == []


def test_nearest():
    assert selection.nearest([0, 0b111, 0xFF]) == [3, 3, 5]
    assert selection.nearest([5]) == [64]
    assert selection.nearest([]) == []


def test_by_spread_is_even_for_every_count():
    order = selection.by_spread([0] * 9, range(9), [1] * 9)
    assert sorted(order) == list(range(9))
    assert sorted(order[:5]) == [0, 2, 4, 6, 8]
    crowded = [0, 1, 2, 3, 4, 5, 6, 7, 20, 40, 60, 80, 100]
    order = selection.by_spread([0] * 13, crowded, [1] * 13)
    assert [crowded[index] for index in sorted(order[:6])] == [0, 20, 40, 60, 80, 100]


def test_by_spread_prefers_quality_and_looks_at_films_apart():
    order = selection.by_spread([0] * 4, [0, 1, 10, 11], [1, 2, 2, 1])
    assert sorted(order[:2]) == [1, 2]
    # the last frame of one film and the first of the next are not close, whatever their times
    order = selection.by_spread([0, 0, 1, 1], [0, 50, 50, 51], [1, 1, 1, 1])
    assert sorted(order[:3]) == [0, 1, 2]
    assert selection.by_spread([], [], []) == []
