"""The fastest engine by measurement on the work itself, remembered for the processor."""

import pytest

from animegan_tf import storage
from animegan_tf.stylize.engines import choice
from animegan_tf.stylize.engines.choice import Choice

SIZE = (256, 256)
PIXELS = 256 * 256


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "user_cache", lambda: tmp_path)
    return tmp_path / "engines.json"


def new(weights="a" * 64):
    return Choice("v2", weights)


def work(found, seconds, count, starts=None, size=SIZE):
    """The engines of `count` photos; an engine takes its `seconds`, and is started once."""
    starts, used = dict(starts or dict.fromkeys(seconds, 0.0)), []
    for number in range(1, count + 1):
        name = found.pick(size, number * PIXELS, starts)
        starts[name] = 0.0
        found.took(size, name, seconds[name])
        used.append(name)
    return used


SECONDS = {"litert": 0.3, "openvino": 0.25, "keras": 0.28}


def test_engines_take_turns_until_the_fastest_is_known():
    used = work(new(), SECONDS, 20)
    assert used[0] == "litert"
    assert set(used[12:]) == {"openvino"}
    assert {name: used[:12].count(name) for name in SECONDS} == dict.fromkeys(SECONDS, 4)


def test_no_rule_of_one_processor():
    assert work(new(), {**SECONDS, "litert": 0.1}, 20)[-1] == "litert"
    assert work(new("b" * 64), {**SECONDS, "keras": 0.01}, 20, size=(512, 512))[-1] == "keras"


def test_the_next_process_knows_it_and_measures_nothing(cache):
    work(new(), SECONDS, 20)
    before = cache.read_text()
    assert set(work(new("another style"), SECONDS, 5)) == {"openvino"}
    assert cache.read_text() == before


def test_other_sizes_are_measured_for_themselves():
    work(new(), SECONDS, 20)
    assert work(new(), {**SECONDS, "openvino": 9.0}, 20, size=(1024, 1024))[-1] == "keras"
    assert work(new(), SECONDS, 3, size=(300, 250)) == ["openvino"] * 3  # of the same class


def test_a_slow_engine_is_tried_twice_only():
    assert work(new(), {"litert": 0.1, "keras": 5.0}, 20).count("keras") == 2


def test_one_photo_never_waits_for_an_engine_that_must_be_started():
    starts = {"litert": 0.0, "openvino": 1.5, "keras": 6.0}
    assert set(work(new(), SECONDS, 5, starts)) == {"litert"}
    work(new(), SECONDS, 40)
    # Known as faster, but not by as much as it takes to start.
    assert new().pick(SIZE, PIXELS, starts) == "litert"
    assert new().pick(SIZE, 100 * PIXELS, starts) == "openvino"


def test_what_is_started_must_be_worth_it():
    starts = {"litert": 0.0, "keras": 6.0}
    used = work(new(), SECONDS, 400, starts)
    first = used.index("keras")
    # Twice its 6 seconds of work, of 0.3 seconds each.
    assert 12 / 0.3 <= first + 1 <= 12 / 0.3 + 3


@pytest.mark.parametrize("content", ("", "no JSON", "[1]", '{"a": {"b": {"c": NaN}}}', '{"a": 1}'))
def test_a_damaged_file_of_measurements_is_written_anew(cache, content):
    cache.write_text(content)
    assert work(new(), SECONDS, 20)[-1] == "openvino"
    assert set(work(new(), SECONDS, 3)) == {"openvino"}


def test_another_processor_is_measured_anew(monkeypatch):
    work(new(), SECONDS, 20)
    monkeypatch.setattr(choice, "_machine", lambda: "another")
    assert work(new(), SECONDS, 1) == ["litert"]


def test_fidelity_belongs_to_the_weights():
    new().set_fidelity(SIZE, "openvino bfloat16", 46.0)
    assert new().fidelity(SIZE, "openvino bfloat16") == 46.0
    assert new().fidelity((1024, 1024), "openvino bfloat16") is None
    assert new("b" * 64).fidelity(SIZE, "openvino bfloat16") is None


def test_a_cache_that_cannot_be_written(monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(storage, "write_bytes", fail)
    assert work(new(), SECONDS, 20)[-1] == "openvino"
