"""Frames that do not flicker: running averages of statistics, held noise, brightness."""

import itertools
import json

import cv2
import numpy as np
import pytest
from films import scene
from pictures import network
from toys import two_norms

from animegan_tf import images, memory
from animegan_tf.stylize import flicker
from animegan_tf.stylize.engines import strips
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.stable import StableNetwork, mixing
from animegan_tf.stylize.stylizer import Stylizer


@pytest.fixture(scope="module", params=[False, True], ids=["layer", "instance"])
def generator(request):
    """One whose norm layers average over all channels, one that has each channel's own."""
    return two_norms(request.param)


def batch(count, seed=0):
    random = np.random.default_rng(seed)
    return random.uniform(-1, 1, (count, 16, 24, 3)).astype(np.float32)


def test_running_averages_as_a_matrix():
    rates, before = [0.3, 1.0, 0.25, 0.5], 10.0
    values = np.array([1.0, 2.0, 6.0, 4.0])
    expected, average = [], before
    for rate, value in zip(rates, values, strict=True):
        average = rate * value + (1 - rate) * average
        expected.append(average)
    mix, carry = mixing(rates)
    np.testing.assert_allclose(mix @ values + carry * before, expected, rtol=1e-6)
    assert (mix.dtype, carry.dtype) == (np.float32, np.float32)
    assert expected[1:] == [2.0, 3.0, 3.5]


def test_rates_of_one_are_the_generator(generator):
    inputs = batch(3)
    stable = StableNetwork(generator)
    plain = generator(inputs, training=False).numpy()
    np.testing.assert_allclose(stable(inputs, [1, 1, 1]), plain, atol=1e-5)
    # And nothing of it was changed.
    np.testing.assert_array_equal(generator(inputs, training=False).numpy(), plain)


def test_batches_make_no_difference(generator):
    inputs, rates = batch(4), [1, 0.4, 0.1, 0.3]
    together, singly, apart = (StableNetwork(generator) for _ in range(3))
    result = together(inputs, rates)
    one_by_one = [singly(inputs[n : n + 1], rates[n : n + 1]) for n in range(4)]
    np.testing.assert_allclose(result, np.concatenate(one_by_one), atol=1e-5)
    assert np.abs(result[1:] - generator(inputs[1:], training=False).numpy()).max() > 0.01
    # Going on with another's memory.
    together(inputs[:2], rates[:2])
    apart.memory = {**together.memory}
    np.testing.assert_allclose(apart(inputs[2:], rates[2:]), result[2:], atol=1e-5)


def test_films_share_one_graph(generator):
    """Each film's own would stay in memory; what was learned since is seen."""
    first, second = StableNetwork(generator), StableNetwork(generator)
    first(batch(2), [1, 0.5])
    norm, before = generator.get_layer("first"), generator.get_layer("first").get_weights()
    try:
        norm.set_weights([value + 0.5 for value in before])
        third = StableNetwork(generator)
        third(batch(3)[:, :32], [1, 0.5, 1])
        plain = generator(batch(1), training=False).numpy()
        np.testing.assert_allclose(third(batch(1), [1]), plain, atol=1e-5)
    finally:
        norm.set_weights(before)
    assert first._traced is second._traced is third._traced
    assert third._traced.run.experimental_get_tracing_count() == 1
    assert not np.array_equal(*(next(iter(one.memory.values())) for one in (first, second)))


def test_averages_are_of_every_norm_layer(generator):
    """By hand, for the first layer: the rest is the same code."""
    inputs = batch(2)
    stable = StableNetwork(generator)
    stable(inputs, [1, 0.25])
    norm = generator.get_layer("first")
    first = type(generator)(generator.input, norm.input)(inputs).numpy()
    axes = (1, 2) if norm.per_channel else (1, 2, 3)
    means, variances = first.mean(axes), first.var(axes)
    for kind, values in (("mean", means), ("variance", variances)):
        expected = 0.25 * values[1] + 0.75 * values[0]
        np.testing.assert_allclose(
            stable.memory[f"{norm.name}/{kind}"][0], np.atleast_1d(expected), rtol=1e-4, atol=1e-6
        )
    assert sorted(stable.memory) == [
        "first/mean", "first/variance", "second/mean", "second/variance",
    ]  # fmt: skip


def test_frames_that_do_not_fit_are_refused_before_any_work(generator, monkeypatch):
    stable, inputs = StableNetwork(generator), batch(3)
    free = [strips.whole_memory(generator, 2 * 16, 24)]
    monkeypatch.setattr(memory, "available", lambda: free[0])
    expected = r"3 frame\(s\) of 24x16 need 0\.3 GB, but 0\.3 GB are available; .* stabilize=False"
    with pytest.raises(MemoryError, match=expected):
        stable(inputs, [1, 1, 1])
    stable(inputs[:2], [1, 1])
    free[0] = 0  # of which nothing more is needed for as many
    stable(inputs[:2], [1, 1])


def change_of(frames):
    """Mean absolute change from frame to frame."""
    return np.mean([np.abs(b.astype(int) - a).mean() for a, b in itertools.pairwise(frames)])


# --- shots ---------------------------------------------------------------------------------------


def rates(frames, fps=25):
    shots = flicker.Shots()
    return [shots.rate(frame, number / fps) for number, frame in enumerate(frames)]


def test_cuts_begin_anew():
    frames = [scene(1)] * 10 + [scene(2)] * 10
    found = rates(frames)
    assert found[0] == found[10] == 1
    assert max(found[5:10]) < 0.3
    assert found[1] == found[11] == 0.5  # at first all frames of a shot count the same


def test_a_long_still_shot_is_averaged_over_seconds():
    assert 0.01 < rates([scene(1)] * 200)[-1] < 0.02
    assert rates([scene(1)] * 200, fps=50)[-1] < 0.01


def test_a_moving_camera_is_no_cut_and_is_followed():
    wide = cv2.GaussianBlur(scene(3, 72, 600), (0, 0), 2)
    found = rates([np.ascontiguousarray(wide[:, 6 * n : 6 * n + 128]) for n in range(60)])
    assert max(found[1:]) < 1
    assert np.mean(found[20:]) > rates([scene(3)] * 60)[-1] * 1.5


def test_a_fade_is_followed():
    frames = [np.rint(scene(4) * max(0.0, 1 - n / 25)).astype(np.uint8) for n in range(25)]
    assert min(rates(frames)) > 0.5


def test_shots_go_on_from_their_state():
    frames = [scene(1)] * 12 + [scene(2)] * 6
    whole, one, other = rates(frames), flicker.Shots(), flicker.Shots()
    for number in range(9):
        one.rate(frames[number], number / 25)
    other.restore(json.loads(json.dumps(one.state())))
    assert [other.rate(frames[n], n / 25) for n in range(9, 18)] == whole[9:]


# --- noise ---------------------------------------------------------------------------------------


def test_noise_is_held_back_and_movement_is_not():
    random, still = np.random.default_rng(0), flicker.Still()
    background = cv2.GaussianBlur(scene(5, 96, 160), (0, 0), 1)
    shown, seen = [], []
    for number in range(40):
        frame = background + random.normal(0, 1.2, background.shape)
        frame = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
        place = 20 + 2 * number
        frame[40:60, place : place + 20] = (250, 30, 30) if number % 2 else (240, 40, 40)
        seen.append(frame)
        shown.append(still.hold(frame, 1.0 if number == 0 else 0.05))
    changes = [
        np.abs(b[:30].astype(int) - a[:30]).mean() for a, b in itertools.pairwise(shown[20:])
    ]
    noise = [np.abs(b[:30].astype(int) - a[:30]).mean() for a, b in itertools.pairwise(seen[20:])]
    assert np.mean(changes) < 0.2 * np.mean(noise)
    for number in (10, 39):
        # What moves is there at once, and is not where it was.
        place = 20 + 2 * number
        for part in (slice(place, place + 20), slice(place - 20, place)):
            error = np.abs(shown[number][40:60, part].astype(int) - seen[number][40:60, part])
            assert error.max() <= 6
    assert np.abs(shown[39].astype(int) - seen[39]).max() <= 10


def test_a_slow_change_is_not_held_back():
    still = flicker.Still()
    for number in range(100):
        frame = np.full((20, 30, 3), 50 + number, np.uint8)
        shown = still.hold(frame, 0.01)
        assert np.abs(shown.astype(int) - frame).max() <= 3


def test_brightness_is_averaged():
    brightness = flicker.Brightness()
    assert brightness.scale(1.5, 1.0) == pytest.approx(1.5)
    assert brightness.scale(3.0, 0.5) == pytest.approx(np.sqrt(1.5 * 3.0))
    assert brightness.scale(2.0, 1.0) == pytest.approx(2.0)


# --- together ------------------------------------------------------------------------------------


def stylised(stylizer, frames, stabilize):
    one = FrameStylizer(stylizer, stabilize)
    prepared = [one.prepare(frame, number / 25) for number, frame in enumerate(frames)]
    answers = one.infer(prepared)
    return [one.finish(item, answer) for item, answer in zip(prepared, answers, strict=True)]


def test_without_it_frames_are_photos():
    model = two_norms()
    stylizer = Stylizer(model)
    frames = [scene(number, 264, 256) for number in range(2)]
    for frame, result in zip(frames, stylised(stylizer, frames, False), strict=True):
        np.testing.assert_array_equal(result, stylizer(frame))


def test_what_does_not_move_flickers_less_than_half():
    """A still picture with noise, and something bright that comes and goes beside it."""
    model = two_norms()
    random, frames = np.random.default_rng(1), []
    for number in range(10):
        frame = scene(6, 256, 256) + random.normal(0, 0.7, (256, 256, 3))
        frame[192:, :64] = 90 + 12 * (number % 2)
        frames.append(np.clip(np.rint(frame), 0, 255).astype(np.uint8))
    change = {}
    for stabilize in (False, True):
        results = stylised(Stylizer(model), frames, stabilize)
        parts = [result[:96, 96:].astype(int) for result in results]
        change[stabilize] = np.mean(
            [np.abs(b - a).mean() for a, b in itertools.pairwise(parts[3:])]
        )
    assert change[True] < 0.5 * change[False]


def test_identity_stays_identity():
    frames = [scene(7, 256, 264)] * 2 + [scene(8, 256, 264)]
    for frame, result in zip(frames, stylised(Stylizer(network()), frames, True), strict=True):
        np.testing.assert_allclose(result.astype(int), frame, atol=1)


def test_the_state_of_a_film_is_kept_with_a_frame():
    model = two_norms()
    frames = [scene(number // 3, 256, 256) for number in range(5)]
    first, second = FrameStylizer(Stylizer(model)), FrameStylizer(Stylizer(model))

    def one(stylizer, number):
        prepared = stylizer.prepare(frames[number], number / 25, keep_state=True)
        return stylizer.finish(prepared, stylizer.infer([prepared])[0]), prepared.state

    results = [one(first, number) for number in range(5)]
    second.restore(json.loads(json.dumps(results[3][1])))
    second.warm_up(frames[3], 3 / 25)
    second.restore(json.loads(json.dumps(results[3][1])))
    np.testing.assert_allclose(one(second, 4)[0].astype(int), results[4][0], atol=1)
    assert first.identity() == second.identity()
    assert first.identity() != FrameStylizer(Stylizer(model, max_side=9)).identity()
    images.check_rgb("result", results[0][0])
