"""The command line of tools/evaluate.py, end to end; `test_evaluation` tests what it measures."""

import csv
import functools
import json

import cv2
import numpy as np
import pytest
from commands import run_tool
from films import scene, write_film

from animegan_tf.networks import build_generator, weights

run = functools.partial(run_tool, "evaluate")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Photos, style pictures, a film, and a run with two kept epochs, the second of them broken."""
    folder = tmp_path_factory.mktemp("inputs")
    for name in ("photos", "style"):
        (folder / name).mkdir()
        for index in range(2):
            picture = np.concatenate([np.full((48, 96, 3), 90, np.uint8), scene(index, 48, 96)])
            cv2.imwrite(str(folder / name / f"{index}.png"), picture)
    wide = scene(5, 96, 140)
    write_film(folder / "film.mp4", [wide[:, 2 * index :][:, :96] for index in range(12)])
    generator = build_generator("lite")
    kept = folder / "run" / "epochs"
    weights.save_generator(generator, kept / "generator-0002.weights.h5")
    weights.save_generator(generator, folder / "run" / "generator.weights.h5")
    (kept / "generator-0004.weights.h5").write_bytes(b"?")
    lines = [json.dumps({"step": step, "epoch": step, "phase": "x"}) for step in (1, 5)]
    (folder / "run" / "scalars.jsonl").write_text("\n".join(lines))
    return folder


def test_a_run_with_a_broken_epoch(inputs, tmp_path):
    done = run(
        f"--photos={inputs / 'photos'}",
        f"--style_dir={inputs / 'style'}",
        f"--run_dir={inputs / 'run'}",
        f"--video={inputs / 'film.mp4'}",
        f"--output={tmp_path / 'out'}",
        "--features=random",
        "--features_depth=vgg16",
        "--kid",
        "--max_side=64",
        "--video_pairs=1",
        inputs / "run" / "generator.weights.h5",
    )
    assert done.returncode == 1
    assert "error: epoch 4: checkpoint: " in done.stderr
    given = str(inputs / "run" / "generator.weights.h5")
    with (tmp_path / "out" / "evaluation.csv").open() as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["unchanged photos", "style images", given, "epoch 2", "latest"]
    assert [row["epoch"] for row in rows.values()] == ["", "", "", "2", "5"]
    # The three are one network.
    for name in ("content", "style", "artifacts", "color", "flicker", "kernel"):
        values = [float(rows[label][name]) for label in (given, "epoch 2", "latest")]
        assert values == pytest.approx([values[0]] * 3, rel=1e-4)
        assert np.isfinite(values[0])
    unchanged = rows["unchanged photos"]
    for name, value in (("content", 0), ("artifacts", 1), ("color", 0), ("flicker", 1)):
        assert float(unchanged[name]) == value
    assert float(rows["latest"]["content"]) > 0
    table = done.stdout.splitlines()
    assert table[1].split()[:3] == ["unchanged", "photos", "0.000"]
    assert table[-1] == (
        f"evaluation.json, evaluation.csv, grid.png, epochs.png in {tmp_path / 'out'}"
    )
    written = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert written["settings"]["photo_names"] == ["0.png", "1.png"]
    assert written["settings"]["flat_windows"] > 0
    assert [row["label"] for row in written["rows"]] == list(rows)
    grid = cv2.imread(str(tmp_path / "out" / "grid.png"))
    assert grid.shape[1] == 4 * 256  # the photo and three generators
    assert cv2.imread(str(tmp_path / "out" / "epochs.png")).shape[1] == 1500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "photos: expected --photos=..., received nothing"),
        (["--photos={}"], "output: expected --output=..., received nothing"),
        (
            ["--photos={}", "--output={}/o"],
            "checkpoint: expected at least one, or --run_dir=..., received none",
        ),
        (
            ["--photos={}", "--output={}/o", "{}/gone.weights.h5"],
            "checkpoint: expected a run directory, a .weights.h5 file, a TensorFlow 1 checkpoint "
            "or an export, found nothing at {}/gone.weights.h5",
        ),
        (
            ["--photos={}", "--output={}/o", "--run_dir={}"],
            "run_dir: expected a run with generator.weights.h5 or epochs/, found neither in '{}'",
        ),
        (
            ["--photos={}", "--output={}/o", "--kid", "{}"],
            "style_dir: expected the style's frames for --kid, received none",
        ),
        (["--photos={}", "--output={}/o", "{}"], "photos: expected images in {}, found none"),
    ],
)
def test_mistakes_are_one_line_and_status_1(tmp_path, arguments, message):
    done = run(*(one.format(tmp_path) for one in arguments))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {message.replace('{}', str(tmp_path))}\n"
    assert not (tmp_path / "o").exists()
