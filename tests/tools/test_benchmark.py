"""How the benchmark measures: contenders with given seconds, in processes of their own."""

import json

import numpy as np
import pytest
from benchmarks import contest, report, suites
from benchmarks.contest import Case, Row, Task
from places import TESTS

from animegan_tf import memory
from animegan_tf.errors import InputError


@pytest.fixture(autouse=True)
def workers_find_the_contenders(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS / "helpers"))


def task(factory, **options):
    return Task(f"contenders:{factory}", options)


def case(reference, tolerance=None, **tasks):
    return Case("suite", "label", reference, {reference: tasks.pop(reference), **tasks}, tolerance)


def run(given, repeats=3):
    return {row.name: row for row in contest.run_case(given, repeats)}


def test_medians_and_ratios_by_rounds_in_alternating_calls(tmp_path):
    log = tmp_path / "log"
    # A machine that is three times slower in the second round, and disturbed once in the third.
    rows = run(
        case(
            "usual",
            usual=task("given", seconds=[99, 1, 3, 1], log=str(log), name="usual"),
            slow=task("given", seconds=[99, 2, 6, 9], log=str(log), name="slow"),
            fast=task("given", seconds=[99, 0.5, 1.5, 0.5], log=str(log), name="fast"),
        )
    )
    assert rows["slow"].samples == [2, 6, 9]
    assert {name: row.median_seconds for name, row in rows.items()} == {
        "usual": 1,
        "slow": 6,
        "fast": 0.5,
    }
    assert {name: row.ratio for name, row in rows.items()} == {"usual": 1, "slow": 0.5, "fast": 2}
    called = [line.split() for line in log.read_text("utf-8").splitlines()]
    names = ["usual", "slow", "fast"]
    assert [name for name, _ in called] == [*names, *names, *reversed(names), *names]
    assert len({process for _, process in called}) == 3


def test_parts_are_compared_part_by_part():
    both = {"whole": 4, "start": 2}
    rows = run(
        case(
            "a",
            a=task("given", seconds=[both] * 3),
            b=task("given", seconds=[{"whole": 2, "start": 0.5}] * 3),
        ),
        repeats=2,
    )
    assert {name: row.ratio for name, row in rows.items()} == {
        "a: whole": 1,
        "a: start": 1,
        "b: whole": 2,
        "b: start": 4,
    }


def test_wrong_answers_are_not_measured():
    close = [[0.1, 0.25], [0.5, -1]]
    rows = run(
        case(
            "right",
            tolerance=1e-3,
            right=task("given", seconds=[1, 1], answer=[[0.1, 0.25], [0.5, -1.0005]]),
            close=task("given", seconds=[1, 1], answer=close),
            wrong=task("given", seconds=[1, 1], answer=[[0.1, 0.25], [0.75, -1]]),
            nan=task("given", seconds=[1, 1], answer=[[0.1, float("nan")], [0.5, -1]]),
            flat=task("given", seconds=[1, 1], answer=[0.1, 0.25, 0.5, -1]),
            silent=task("given", seconds=[1, 1]),
        ),
        repeats=1,
    )
    assert {name: row.status for name, row in rows.items()} == {
        "right": "measured",
        "close": "measured",
        "wrong": "wrong",
        "nan": "wrong",
        "flat": "wrong",
        "silent": "failed",
    }
    assert rows["close"].difference == pytest.approx(0.0005, rel=1e-3)
    for name in ("nan", "flat"):
        assert rows[name].reason == "its answer has another shape, or is not finite"
    assert rows["wrong"].reason == "differs from right by 0.25"
    assert rows["wrong"].samples == rows["silent"].samples == []


def test_failures_are_said_and_the_others_measured():
    rows = run(
        case(
            "fine",
            fine=task("given", seconds=[1, 1, 1]),
            refused=task("refused"),
            dying=task("dying", status=3),
            killed=task("dying", status=-9),
            absent=Task("contenders:given", {}, ("no_such_module", "json")),
        ),
        repeats=2,
    )
    assert (rows["refused"].status, rows["refused"].reason) == ("failed", "no such engine here")
    assert rows["dying"].status == "failed"
    assert rows["killed"].reason.startswith("its process was killed, as the system does when")
    assert rows["dying"].reason == "its process ended with status 3: last words"
    assert (rows["absent"].status, rows["absent"].reason) == (
        "absent",
        "no_such_module not installed",
    )
    assert (rows["fine"].status, rows["fine"].ratio) == ("measured", 1)


def test_without_the_reference_nothing_is_measured():
    rows = run(case("a", a=task("refused"), b=task("given", seconds=[1, 1])), repeats=1)
    assert (rows["a"].status, rows["b"].status) == ("failed", "left out")
    assert rows["b"].reason == "a, the reference, failed"


def test_peak_memory_is_each_process_own():
    big = np.ones(2**25)  # in this process, which a fork would pass on: 256 MB
    rows = run(case("small", small=task("held", megabytes=1), large=task("held", megabytes=200)), 1)
    del big
    assert rows["small"].peak_megabytes < 150
    assert 195 < rows["large"].peak_megabytes - rows["small"].peak_megabytes < 230


def test_what_does_not_fit_side_by_side_is_measured_in_groups(monkeypatch, tmp_path):
    log = tmp_path / "log"
    fits = iter([1e12, 0, None])  # one with the reference, then the other
    monkeypatch.setattr(memory, "available", lambda: next(fits))
    tasks = {
        name: task("given", seconds=[1, seconds], log=str(log), name=name)
        for name, seconds in (("a", 1), ("b", 2), ("c", 4))
    }
    rows = run(case("a", **tasks), repeats=1)
    called = [line.split()[0] for line in log.read_text("utf-8").splitlines()]
    assert called == list("ababacac")
    assert {name: row.ratio for name, row in rows.items()} == {"a": 1, "b": 0.5, "c": 0.25}

    monkeypatch.setattr(memory, "available", lambda: 0)
    rows = run(case("a", **tasks), repeats=1)
    assert (rows["b"].status, rows["b"].reason) == ("left out", "not enough memory is free")
    assert rows["a"].status == "measured"


# --- settings and reports ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"suite": ("speed",)}, "suite: expected one of inference, .*received 'speed'"),
        ({"suite": ()}, "suite: expected one of .*received ''"),
        ({"engines": ("tensorrt",)}, "engines: expected one of keras, .*received 'tensorrt'"),
        ({"arch": "v3"}, "arch: expected one of v2, lite, v1, received 'v3'"),
        ({"sizes": ((64, 66),)}, "sizes: expected multiples of 4 of at least 16 .*received 66"),
        (
            {"train_sizes": (68,), "arch": "lite"},
            "train_sizes: expected multiples of 8 .*received 68",
        ),
        ({"batches": (0,)}, "batches: expected a whole number of at least 1"),
        ({"repeats": 0}, "repeats: expected a whole number of at least 1, received 0"),
        ({"threads": 0}, "threads: expected a whole number of at least 1, received 0"),
        (
            {"suite": ("extraction",)},
            "video: expected a video for the suite extraction, received None",
        ),
        ({"video_seconds": 0.0}, "video_seconds: expected seconds above 0, received 0"),
        (
            {"features": "vgg.npy"},
            "features: expected random or imagenet or a file, received 'vgg.npy'",
        ),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(InputError, match=message):
        suites.Settings(**options)


def test_sizes():
    assert suites.parse_sizes(["256", "1920x1080"]) == ((256, 256), (1080, 1920))
    for text in ("", "a", "5x", "x5", "1x2x3"):
        with pytest.raises(InputError, match="sizes: expected sides or WIDTHxHEIGHT"):
            suites.parse_sizes([text])


def results():
    """A case of four contenders, and its rows."""
    shown = Case("inference", "v2", "keras", {}, 1e-3, 4, "image")
    return shown, [
        Row("keras", samples=[2.0, 1.0, 4.0], median_seconds=2.0, ratio=1.0, peak_megabytes=900.4),
        Row("litert", samples=[0.02] * 3, median_seconds=0.02, ratio=100.0, difference=3e-6),
        Row("pytorch", "absent", "torch not installed"),
    ]


def contents(tmp_path):
    machine = {"cpu": "A", "cores": 2, "memory_megabytes": 2048, "load_average": 1, "system": "L"}
    settings = suites.Settings(repeats=3, threads=2)
    versions = {"python": "3.11"}
    return report.contents(machine, versions, settings, [results()], "2026-01-02T03:04:05+00:00")


def test_table():
    lines = report.table(*results()).splitlines()
    assert lines[2].split() == ["keras", "2.00", "1.00", "to", "4.00", "2", "1.00", "900"]
    assert lines[3].split() == [
        "litert",
        "0.02",
        "0.02",
        "to",
        "0.02",
        "200",
        "100.00",
        "3e-06",
    ]
    assert lines[4] == "  pytorch  absent: torch not installed"


def test_json_holds_every_sample(tmp_path):
    report.write_json(tmp_path / "a.json", contents(tmp_path))
    read = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert sorted(read) == ["cases", "format", "machine", "made", "settings", "versions"]
    assert read["settings"]["sizes"][-1] == [1080, 1920]
    (measured,) = read["cases"]
    assert (measured["suite"], measured["reference"], measured["items"]) == (
        "inference",
        "keras",
        4,
    )
    assert measured["rows"][0]["samples"] == [2.0, 1.0, 4.0]
    assert measured["rows"][2] == {
        "name": "pytorch",
        "status": "absent",
        "reason": "torch not installed",
        "samples": [],
        "median_seconds": None,
        "ratio": None,
        "difference": None,
        "peak_megabytes": None,
    }


def test_markdown_goes_into_its_place(tmp_path):
    path = tmp_path / "performance.md"
    path.write_text(f"# Speed\n\n{report.BEGIN}\nold\n{report.END}\n\nwords\n", "utf-8")
    report.check_markdown(path)
    for _ in range(2):  # and again into the same place
        report.write_markdown(path, report.markdown(contents(tmp_path), [results()]))
    written = path.read_text("utf-8")
    assert written.startswith("# Speed\n") and written.endswith("\n\nwords\n")
    assert "old" not in written
    assert written.count("| keras | 2.00 | 1.00 to 4.00 | 2 | 1.00 | 900 |  |\n") == 1
    assert "| pytorch | absent: torch not installed |" in written
    assert "A, 2 core(s), 2 GB, L, load average 1.0" in written

    other = tmp_path / "mine.md"
    other.write_text("mine", "utf-8")
    with pytest.raises(InputError, match="markdown: expected a new file, or one with the lines"):
        report.check_markdown(other)
    report.check_markdown(tmp_path / "new.md")
