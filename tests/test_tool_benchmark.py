"""The command line of tools/benchmark.py, and its suites on small inputs."""

import functools
import json

import numpy as np
import pytest
from commands import ROOT, run_tool

from animegan_tf.benchmark import contest, suites

run = functools.partial(run_tool, "benchmark")


def measure(settings, folder):
    """[{contender: row}] of each case."""
    cases = suites.cases(settings, folder)
    suites.prepare(settings, folder)
    return [{row.name: row for row in contest.run_case(case, settings.repeats)} for case in cases]


def test_inference_with_a_toy_generator(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    settings = suites.Settings(
        arch="lite",
        sizes=((32, 32),),
        batches=(2,),
        engines=("litert",),
        repeats=1,
        generator="conftest:toy_generator",
    )
    (rows,) = measure(settings, tmp_path)
    assert [(row.name, row.status) for row in rows.values()] == [
        ("keras", "measured"),
        ("litert", "measured"),
    ]
    assert rows["keras"].ratio == 1
    litert = rows["litert"]
    assert litert.ratio == rows["keras"].samples[0] / litert.samples[0]
    assert litert.difference < 1e-4
    # TensorFlow is in the one process and not in the other.
    assert rows["keras"].peak_megabytes > 300 > litert.peak_megabytes > 10
    assert np.load(tmp_path / "input-32x32-2.npy").shape == (2, 32, 32, 3)


@pytest.mark.slow
def test_all_engines_of_the_real_generator_agree(tmp_path):
    done = run(
        "--arch=lite",
        "--sizes=48x32",
        "--batches=2",
        "--repeats=1",
        "--json=out/a.json",
        "--markdown=out/a.md",
        folder=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "inference: lite, 48x32, batch 2: keras, keras-eager, frozen, " in done.stdout
    (case,) = json.loads((tmp_path / "out/a.json").read_text("utf-8"))["cases"]
    rows = {row["name"]: row for row in case["rows"]}
    assert list(rows) == list(suites.ENGINES)
    for row in rows.values():
        assert row["status"] == "measured" or (
            row["status"] == "absent" and row["name"] in ("onnxruntime", "pytorch")
        )
        assert row["difference"] is None or row["difference"] < 1e-4
    assert "| keras | " in (tmp_path / "out/a.md").read_text("utf-8")

    again = run("--json=out/a.json", folder=tmp_path)
    assert (again.returncode, again.stderr) == (
        1,
        "error: json: out/a.json exists; --overwrite replaces it\n",
    )


@pytest.mark.slow
def test_training_and_data(tmp_path):
    settings = suites.Settings(
        suite=("training", "data"), arch="lite", train_sizes=(32,), train_batches=(2,), repeats=1
    )
    training, data = measure(settings, tmp_path)
    assert {row.status for row in (*training.values(), *data.values())} == {"measured"}
    assert list(training) == ["adversarial as published", "adversarial", "initialization"]
    assert list(data) == ["training step", "pipeline"]


def test_smoothing_and_extraction(tmp_path, four_shots):
    settings = suites.Settings(
        suite=("smoothing", "extraction"), video=str(four_shots), video_seconds=2.0, repeats=1
    )
    smoothing, extraction = measure(settings, tmp_path)
    assert smoothing["smooth_edges"].difference == 0
    assert {row.status for row in (*smoothing.values(), *extraction.values())} == {"measured"}


@pytest.mark.slow
def test_startup(tmp_path):
    settings = suites.Settings(suite=("startup",), arch="lite", repeats=1)
    commands, pictures = measure(settings, tmp_path)
    assert {row.status for row in (*commands.values(), *pictures.values())} == {"measured"}
    for name in ("keras", "tflite"):
        parts = [pictures[f"{name}: {part}"].samples[0] for part in ("whole", "imports", "network")]
        assert parts[0] > parts[1] + parts[2] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes=250,255"], "error: sizes: expected multiples of 4 of at least 16"),
        (["--batches=two"], "error: batches: expected whole numbers, received two"),
        (["--suite=extraction", "--video=no.mkv"], "error: video: expected a film"),
        (["--markdown=mine.md"], "error: markdown: expected a new file, or one with the lines"),
        (["256"], "error: arguments: expected flags alone, received '256'"),
    ],
)
def test_mistakes(tmp_path, arguments, message):
    (tmp_path / "mine.md").write_text("mine", "utf-8")
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(message) and len(done.stderr.splitlines()) == 1
    assert (tmp_path / "mine.md").read_text("utf-8") == "mine"
