"""What a run says it will take, against measurements."""

import dataclasses
import types

import pytest

import animegan_tf
from animegan_tf.train import estimates


@pytest.mark.parametrize(
    ("arch", "size", "batch", "measured"),
    (
        # Peak memory in GB of a process on a CPU after one adversarial step.
        ("v2", 128, 2, 1.90),
        ("v2", 128, 8, 4.27),
        ("v2", 256, 2, 4.22),
        ("v2", 256, 4, 7.34),
        ("lite", 128, 2, 1.54),
        ("lite", 128, 8, 2.95),
        ("v1", 128, 2, 2.42),
        ("v1", 128, 8, 6.03),
    ),
)
def test_memory_is_within_a_fifth(arch, size, batch, measured):
    recipe = dataclasses.replace(
        animegan_tf.recipe("hayao"), arch=arch, image_size=size, batch_size=batch
    )
    assert estimates.memory_gb(recipe) == pytest.approx(measured, rel=0.2)


@pytest.mark.parametrize(("size", "measured"), ((128, 1.46), (256, 2.71)))
def test_memory_in_bfloat16(size, measured):
    recipe = dataclasses.replace(animegan_tf.recipe("hayao"), image_size=size, batch_size=2)
    assert estimates.memory_gb(recipe, precision="bfloat16") == pytest.approx(measured, rel=0.1)


def test_too_little_memory_is_said_before_the_first_step():
    config = types.SimpleNamespace(recipe=animegan_tf.recipe("hayao"), mixed_precision="float32")
    said = estimates.describe_memory(config, 1, available=8e9)
    assert said.startswith("a step takes about 20.0 GB") and "more than the 8.0 GB" in said
    assert "smaller --batch_size" in said
    assert "more than" not in estimates.describe_memory(config, 1, available=32e9)
    assert "about 10.5 GB" in estimates.describe_memory(config, 2)


def test_the_time_of_both_phases_is_said_once_in_each():
    now = iter(range(0, 10_000, 5))
    clock = estimates.Clock("v2", lambda: next(now))
    left = {"initialize": 120, "discriminate": 0, "adversarial": 600}
    # The clock is read twice: it ticks five seconds for ten steps.
    said = [clock.after("initialize", left) for _ in range(30)]
    (text,) = filter(None, said)
    assert said[10] == text
    assert text.startswith("about 11 min left: initialize 60 s, adversarial 10 min (later phases")
    said = [clock.after("adversarial", {"adversarial": 600}) for _ in range(30)]
    assert list(filter(None, said)) == ["about 5 min left: adversarial 5 min"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    ((50, "50 s"), (720, "12 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h")),
)
def test_durations(seconds, text):
    assert estimates.duration(seconds) == text
