"""The command line of tools/benchmark.py, and what its suites measure.

`test_benchmark` tests the processes of contenders; here but one case has them.
"""

import functools
import json

import numpy as np
import pytest
from benchmarks import first_picture, inference, suites, worker
from commands import ROOT, run_alone, run_tool
from toys import toy_features, toy_generator

import animegan_tf

run = functools.partial(run_tool, "benchmark")


@pytest.fixture
def toys(monkeypatch):
    """Small networks, and a TensorFlow that is there already and keeps its threads."""
    import tensorflow as tf

    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", lambda count: None)
    discriminator = functools.partial(animegan_tf.build_discriminator, channels=8, depth=2)
    monkeypatch.setattr(animegan_tf, "build_discriminator", discriminator)
    monkeypatch.setattr(animegan_tf, "build_generator", toy_generator)
    monkeypatch.setattr(
        animegan_tf, "build_feature_extractor", lambda weights: toy_features(weights, "vgg19")
    )


def made(task):
    return worker.load(task.factory, task.options)


def called_once(settings, folder):
    """Each case's {contender: (seconds, task)}, in this process."""
    results = []
    for case in suites.cases(settings, folder):
        tasks = {name: made(task) for name, task in case.tasks.items()}
        results.append({name: (task(), task) for name, task in tasks.items()})
    return results


def test_every_engine_answers_the_same(tmp_path, toys, checked_here):
    ours = ("keras", "keras-eager", "frozen", "saved_model", "litert", "litert-fixed")
    settings = suites.Settings(
        arch="lite",
        sizes=((32, 48),),
        batches=(2,),
        engines=ours,
        generator="toys:toy_generator",
    )
    inference.files(settings.generator, "lite", tmp_path, ((32, 48),), (2,), ours)()
    (engines,) = called_once(settings, tmp_path)
    assert tuple(engines) == ours
    expected = engines["keras"][1].answer
    assert expected.shape == (2, 32, 48, 3)
    for seconds, task in engines.values():
        assert seconds > 0
        np.testing.assert_allclose(task.answer, expected, atol=1e-4)


@pytest.mark.slow
def test_a_measurement_of_the_real_generator(tmp_path):
    arguments = ["--arch=lite", "--sizes=48x32", "--batches=2", "--engines=litert", "--repeats=1"]
    done = run_alone(
        ROOT / "tools" / "benchmark.py",
        *arguments,
        "--json=out/a.json",
        "--markdown=out/a.md",
        folder=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "inference: lite, 48x32, batch 2: keras, litert\n" in done.stdout
    (case,) = json.loads((tmp_path / "out/a.json").read_text("utf-8"))["cases"]
    keras, litert = case["rows"]
    assert [(row["name"], row["status"]) for row in (keras, litert)] == [
        ("keras", "measured"),
        ("litert", "measured"),
    ]
    assert keras["ratio"] == 1
    assert litert["ratio"] == keras["samples"][0] / litert["samples"][0]
    assert litert["difference"] < 1e-4
    # TensorFlow is in the one process and not in the other.
    assert keras["peak_megabytes"] > 300 > litert["peak_megabytes"] > 10
    assert "| keras | " in (tmp_path / "out/a.md").read_text("utf-8")

    again = run("--json=out/a.json", folder=tmp_path)
    assert (again.returncode, again.stderr) == (
        1,
        "error: json: out/a.json exists; --overwrite replaces it\n",
    )


def test_training_and_data(tmp_path, toys):
    settings = suites.Settings(
        suite=("training", "data"), arch="lite", train_sizes=(32,), train_batches=(2,)
    )
    training, data = called_once(settings, tmp_path)
    names = ["adversarial as published", "adversarial", "initialization", "adversarial, bfloat16"]
    assert list(training) == names
    assert list(data) == ["training step", "pipeline"]
    assert all(seconds > 0 for seconds, _ in (*training.values(), *data.values()))


def test_smoothing_and_extraction(tmp_path, four_shots):
    settings = suites.Settings(
        suite=("smoothing", "extraction"), video=str(four_shots), video_seconds=2.0
    )
    smoothing, extraction = called_once(settings, tmp_path)
    plain, ours = (task.answer for _, task in smoothing.values())
    np.testing.assert_array_equal(plain, ours)
    assert all(seconds > 0 for seconds, _ in extraction.values())


def test_startup(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(suites, "_COMMANDS", {"import tensorflow": ["-c", "pass"]})
    settings = suites.Settings(suite=("startup",), arch="lite")
    inference.files(settings.generator, "lite", tmp_path, (), (1,), ("litert",))()
    commands, pictures = (case.tasks for case in suites.cases(settings, tmp_path))
    assert made(commands["import tensorflow"])() > 0
    tflite = made(pictures["tflite"])()
    # What its process does, in this one, which has TensorFlow.
    first_picture.main(**pictures["keras"].options)
    for parts in (tflite, json.loads(capsys.readouterr().out)):
        assert parts["whole"] > parts["imports"] + parts["network"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes=250,255"], "error: sizes: expected multiples of 4 of at least 16"),
        (["--batches=two"], "error: batches: expected whole numbers, received two"),
        (["--suite=extraction", "--video=no.mkv"], "error: video: expected a video"),
        (["--markdown=mine.md"], "error: markdown: expected a new file, or one with the lines"),
        (["256"], "error: arguments: expected flags only, received '256'"),
    ],
)
def test_mistakes(tmp_path, arguments, message):
    (tmp_path / "mine.md").write_text("mine", "utf-8")
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(message) and len(done.stderr.splitlines()) == 1
    assert (tmp_path / "mine.md").read_text("utf-8") == "mine"


@pytest.mark.parametrize("module", ("suites", "worker"))
def test_what_is_not_measured_is_not_loaded(module):
    absent = ("tensorflow", "keras", "cv2", "torch", "onnxruntime")
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r}); import benchmarks.{module}; "
        f"print([m for m in {absent} if m in sys.modules])"
    )
    done = run_alone("-c", code)
    assert done.stdout.strip() == "[]", done.stderr
