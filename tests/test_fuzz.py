"""Damaged files of every kind are read or refused in a line, within bounds of time and memory."""

import sys

import pytest
from places import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import fuzz

sys.path.pop(0)

WITH_TENSORFLOW = ("shards", "checkpoint", "saved_model", "weights", "tflite")


@pytest.mark.slow
@pytest.mark.parametrize("loads_tensorflow", (False, True))
def test_damaged_files(loads_tensorflow):
    kinds = [kind for kind in fuzz.KINDS if (kind in WITH_TENSORFLOW) == loads_tensorflow]
    assert fuzz.run(fuzz.jobs_of(kinds, 0, 100)) == []


def test_damage_can_be_made_again(tmp_path):
    data = bytes(range(256)) * 4
    made = [fuzz.damaged(data, seed) for seed in range(100)]
    assert made == [fuzz.damaged(data, seed) for seed in range(100)]
    assert len(set(made)) > 80
    fuzz.run([("png", 7, 8)], keep=str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").stat().st_size > 0


def test_what_is_found_is_named_and_the_rest_goes_on(monkeypatch):
    """A crash, an exception, and too long."""
    found = fuzz.run([("none of these", 0, 1)])
    assert len(found) == 1 and "KeyError" in found[0][2]
