"""Shot changes and blends: found at the right frame, and not where there are none."""

import cv2
import films
import numpy as np
import pytest

from animegan_tf.video import shots


def decide(pictures, rate=24):
    """[(time, new_shot)] of the shots, and the times of blended frames."""
    detector, decided = shots.ShotDetector(), []
    for index, picture in enumerate(pictures):
        decided += detector.push(index / rate, picture, index)
    decided += detector.finish()
    assert [frame.payload for frame in decided] == list(range(len(pictures)))
    begins = [(frame.payload, frame.new_shot) for frame in decided if frame.new_shot]
    return begins, [frame.payload for frame in decided if frame.blend]


def thumbnail(seed):
    return films.scene(seed, 36, 64)


def test_cuts_are_found_at_their_frame():
    pictures = [thumbnail(seed) for seed in (1, 2, 3, 4) for _ in range(24)]
    assert decide(pictures) == ([(0, "start"), (24, "cut"), (48, "cut"), (72, "cut")], [])


def test_short_shots_and_low_rates():
    pictures = [thumbnail(seed) for seed in (1, 2, 3, 4) for _ in range(5)]
    assert decide(pictures, rate=5)[0] == [(0, "start"), (5, "cut"), (10, "cut"), (15, "cut")]


def test_movement_and_light_are_no_cuts():
    wide = films.scene(7, 36, 400)
    pan = [wide[:, 6 * index : 6 * index + 64] for index in range(48)]
    held = [pan[index - index % 3] for index in range(48)]  # drawn on threes
    figure = [thumbnail(1) for _ in range(48)]
    for index, picture in enumerate(figure):
        picture[8:28, index : index + 12] = 255
    dim = [cv2.convertScaleAbs(thumbnail(1), alpha=0.5)] * 20
    lightning = [*dim, thumbnail(1), thumbnail(1), *dim]
    flicker = [thumbnail(seed) for seed in range(24)]
    for pictures in (pan, held, figure, lightning, flicker):
        assert decide(pictures)[0] == [(0, "start")]


@pytest.mark.parametrize("count", [6, 12, 24, 40])
def test_dissolves_are_blends_and_shot_changes(count):
    one, other = thumbnail(1), thumbnail(2)
    pictures = [*[one] * 48, *films.dissolve(one, other, count), *[other] * 48]
    begins, blends = decide(pictures)
    # the ends of a dissolve hardly differ from the pictures themselves
    assert set(blends) >= set(range(48 + count // 6, 48 + count - count // 6))
    assert set(blends) <= set(range(48, 48 + count))
    assert begins == [(0, "start"), (blends[-1] + 1, "blend")]


def test_a_fade_is_a_blend():
    one, black = thumbnail(1), np.zeros((36, 64, 3), np.uint8)
    begins, blends = decide([*[one] * 30, *films.dissolve(one, black, 12), *[black] * 30])
    assert set(range(32, 40)) <= set(blends) <= set(range(30, 42))
    assert [why for _, why in begins] == ["start", "blend"]


def test_a_blended_frame_at_a_cut():
    one, other = thumbnail(1), thumbnail(2)
    _, blends = decide([*[one] * 24, *films.dissolve(one, other, 1), *[other] * 24])
    assert blends == [24]


def test_slow_movement_over_fine_detail_gives_no_blends():
    noise = np.random.default_rng(0).integers(0, 256, (18, 60), np.uint8)
    wide = cv2.resize(noise, (2400, 720), interpolation=cv2.INTER_CUBIC)
    slow = []
    for index in range(96):  # an eighth of a thumbnail's pixel per frame: all between is linear
        view = np.ascontiguousarray(wide[:, 2 * index : 2 * index + 1024])
        view = cv2.resize(view, (64, 36), interpolation=cv2.INTER_AREA)
        slow.append(cv2.cvtColor(view, cv2.COLOR_GRAY2RGB))
    assert shots.difference(slow[0], slow[6]) > 8
    assert decide(slow) == ([(0, "start")], [])
