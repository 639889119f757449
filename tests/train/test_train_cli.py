"""The command line of training, end to end: a whole run, resuming, what is refused."""

import re
import shutil
import subprocess
import sys
from unittest import mock

import cv2
import films
import pytest
from commands import ROOT, call, run_alone

from animegan_tf.train import distribution

TRAIN, STYLIZE = "animegan_tf/train/__main__.py", "animegan_tf/stylize/__main__.py"


def smoke(run_dir, *more):
    return (f"--flagfile={ROOT / 'flags' / 'smoke.flags'}", f"--run_dir={run_dir}", *more)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of the real networks in a process of its own."""
    run_dir = tmp_path_factory.mktemp("smoke") / "run"
    return run_dir, run_alone("-m", "animegan_tf.train", *smoke(run_dir), folder=ROOT)


@pytest.mark.slow
def test_smoke_run(finished):
    run_dir, done = finished
    assert done.returncode == 0, done.stderr
    assert "4 steps of 2 images at 32x32 per epoch" in done.stdout
    assert "Traceback" not in done.stderr and "cudart" not in done.stderr
    names = {path.name for path in run_dir.iterdir()}
    assert {"flags.txt", "generator.weights.h5", "scalars.jsonl", "samples"} <= names


def test_a_run_is_extended_only_when_said(toys, tmp_path):
    run_dir = tmp_path / "run"
    assert call(TRAIN, *smoke(run_dir), folder=ROOT).returncode == 0
    refused = call(TRAIN, *smoke(run_dir, "--epochs=4", "--hflip"), folder=ROOT)
    assert refused.returncode == 1
    assert "error: run_dir:" in refused.stderr and "Traceback" not in refused.stderr
    assert "--epochs=3 then, --epochs=4 now" in refused.stderr
    assert "--allow_change=epochs,hflip" in refused.stderr
    # A run directory of a version that did not have some flag yet, and had another one.
    flags = run_dir / "flags.txt"
    kept = [line for line in flags.read_text().splitlines() if not line.startswith("--strategy")]
    flags.write_text("\n".join((*kept, "--cache_style_gram")) + "\n")
    more = (f"--flagfile={flags}", "--epochs=4", "--hflip", "--allow_change=epochs,hflip")
    done = call(TRAIN, *smoke(run_dir, *more), folder=ROOT)
    assert done.returncode == 0, done.stderr
    assert "resuming after step 12 of 16" in done.stdout
    assert "cache_style_gram" not in flags.read_text()


def test_a_run_keeps_the_precision_that_was_chosen(toys, tmp_path, monkeypatch):
    """On another device too; and "none" is what the recipe says of a float32 run."""
    run_dir, auto = tmp_path / "run", "--mixed_precision=auto"
    monkeypatch.setattr(distribution.onednn, "is_on", lambda: True)
    monkeypatch.setattr(distribution.onednn, "has_bfloat16", lambda: True)
    first = call(TRAIN, *smoke(run_dir, auto), folder=ROOT)
    assert "1 replica(s), bfloat16 (chosen for this device)" in first.stdout, first.stderr
    assert "--mixed_precision=bfloat16\n" in (run_dir / "flags.txt").read_text("utf-8")
    monkeypatch.setattr(distribution.onednn, "has_bfloat16", lambda: False)
    again = call(TRAIN, *smoke(run_dir, auto), folder=ROOT)
    assert "1 replica(s), bfloat16, on" in again.stdout, again.stderr
    refused = call(TRAIN, *smoke(run_dir), folder=ROOT)
    assert "--mixed_precision=bfloat16 then, --mixed_precision=float32 now" in refused.stderr


@pytest.mark.slow
def test_the_run_can_be_stylised_with(finished, tmp_path):
    run_dir, _ = finished
    photo = next((run_dir / "data" / "val").iterdir())
    done = call(STYLIZE, photo, f"--output={tmp_path}", f"--checkpoint={run_dir}")
    assert done.returncode == 0, done.stderr
    assert cv2.imread(str(tmp_path / photo.name)).shape == (32, 32, 3)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pictures in folders, the same in shards, and a film."""
    from animegan_tf.data import synthetic, tfrecord_writer
    from animegan_tf.data.config import DataConfig

    folder = tmp_path_factory.mktemp("sources")
    data = synthetic.make_smoke_dataset(folder / "data", 32)
    plan = tfrecord_writer.make_plan(
        DataConfig(data, "smoke", image_size=32), folder / "shards", progress=False
    )
    tfrecord_writer.write(plan, progress=False)
    films.write_film(folder / "film.mp4", [films.scene(index // 12) for index in range(60)])
    return folder


def source_flags(data, source):
    """The flags that name the data of a source."""
    return {
        "images": [f"--data_dir={data / 'data'}", "--style=smoke"],
        "video": [
            "--source=video",
            f"--video={data / 'film.mp4'}",
            "--video_every=0.25",
            f"--data_dir={data / 'data'}",
        ],
        "tfrecord": ["--source=tfrecord", f"--tfrecords={data / 'shards'}"],
    }[source]


@pytest.mark.parametrize(
    ("source", "frames", "place"),
    (("images", 6, "smoke/style"), ("video", 10, "film.mp4"), ("tfrecord", 6, "shards")),
)
def test_dry_run_changes_nothing_and_loads_no_tensorflow(data, tmp_path, source, frames, place):
    arguments = [*source_flags(data, source), f"--run_dir={tmp_path / 'run'}", "--dry_run"]
    code = (
        "import sys; from animegan_tf import cli; from animegan_tf.train import __main__ as train\n"
        "cli.load_tensorflow = lambda: sys.exit('TensorFlow was loaded')\n"
        f"sys.argv = ['train', '--image_size=32', '--batch_size=2', *{arguments!r}]\n"
        "train.console()\n"
    )
    code += "sys.exit('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "epochs of initialisation" in done.stdout
    (style,) = (line for line in done.stdout.splitlines() if line.startswith("style "))
    assert style.split()[1] == str(frames) and style.endswith(place)
    assert f"{max(6, frames) // 2} steps of 2 images" in done.stdout
    assert not (tmp_path / "run").exists()


def test_a_dry_run_with_synthetic_data_leaves_nothing(tmp_path):
    dry = call(TRAIN, *smoke(tmp_path / "run", "--dry_run"), folder=ROOT)
    assert dry.returncode == 0, dry.stderr
    assert str(tmp_path / "run" / "data" / "train_photo") in dry.stdout
    assert not (tmp_path / "run").exists()


def test_how_often_a_run_saves_is_free_to_change(tmp_path):
    """Also with a flags.txt of another version, which may not name all of it."""
    flags = tmp_path / "flags.txt"
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "ckpt-1.index").touch()
    flags.write_text("--save_every=7\n--cache_gb=9.0\n--keep=5\n--epochs=3\n")
    more = ("--save_minutes=5", "--samples=1", "--keep_every=2", "--dry_run", "--hflip")
    done = call(TRAIN, *smoke(tmp_path, *more), folder=ROOT)
    assert done.returncode == 1 and "not set then, --arch=lite now" in done.stderr
    refused = done.stderr.partition("--allow_change=")[2].split()[0].split(",")
    free = {"save_every", "cache_gb", "keep", "save_minutes", "samples", "keep_every"}
    assert "hflip" in refused and not free & set(refused)
    more += (f"--allow_change={','.join(refused)}",)
    done = call(TRAIN, *smoke(tmp_path, *more), folder=ROOT)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "flags.txt"]


def test_a_start_that_failed_allows_another(toys, tmp_path):
    """Nothing was trained: no flag is held against the corrected command."""
    (tmp_path / "flags.txt").write_text("--batch_size=12\n--arch=v2\n")
    done = call(TRAIN, *smoke(tmp_path), folder=ROOT)
    assert done.returncode == 0, done.stderr
    # Now there is something to lose: other networks do not fit, even if allowed.
    done = call(TRAIN, *smoke(tmp_path, "--norm=instance", "--allow_change=norm"), folder=ROOT)
    assert done.returncode == 1 and "allow_change: expected no norm" in done.stderr
    assert f"--init_from={tmp_path}" in done.stderr


def test_a_read_only_data_set_is_smoothed_beside_the_run(data, toys, tmp_path, monkeypatch):
    import os

    shutil.copytree(data / "data", tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "smoke" / "smooth")
    before = sorted(tmp_path.rglob("*"))
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: "smoke" not in str(path) and real(path, mode)
    )
    flags = ["--nosynthetic_data", f"--data_dir={tmp_path / 'data'}", "--style=smoke"]
    done = call(TRAIN, *smoke(tmp_path / "run", *flags, "--epochs=1"), folder=ROOT)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "run" / "smooth").iterdir())) == 6
    outside = [path for path in sorted(tmp_path.rglob("*")) if "run" not in path.parts]
    assert outside == before


def test_features_are_obtained_before_frames_are_smoothed(data, tmp_path):
    shutil.copytree(data / "data", tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "smoke" / "smooth")
    (tmp_path / "vgg19.npy").write_bytes(b"no pickle")
    flags = ["--nosynthetic_data", f"--data_dir={tmp_path / 'data'}", "--style=smoke"]
    flags.append(f"--features={tmp_path / 'vgg19.npy'}")
    done = call(TRAIN, *smoke(tmp_path / "run", *flags), folder=ROOT)
    assert done.returncode == 1 and "vgg19.npy' is not" in done.stderr
    assert not (tmp_path / "data" / "smoke" / "smooth").exists()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [".lock"]


def test_names_that_are_not_utf8_train(data, toys, tmp_path):
    import os

    folder = os.fsdecode(os.fsencode(tmp_path) + b"/d\x83t")
    shutil.copytree(data / "data", folder)
    flags = ["--nosynthetic_data", f"--data_dir={folder}", "--style=smoke", "--epochs=1"]
    for _ in range(2):
        done = call(TRAIN, *smoke(tmp_path / "run", *flags), folder=ROOT)
        assert done.returncode == 0, done.stderr


def test_the_same_folder_may_be_spelled_otherwise(data, toys, tmp_path):
    flags = ["--nosynthetic_data", "--style=smoke", "--epochs=1"]
    for folder in (data / "data", f"{data}/./data/"):
        done = call(TRAIN, *smoke(tmp_path, *flags, f"--data_dir={folder}"), folder=ROOT)
        assert done.returncode == 0, done.stderr


def test_one_command_trains_in_a_run_directory(data, tmp_path):
    """Another is refused before it makes, or replaces, anything."""
    from animegan_tf import storage
    from animegan_tf.train import plan as training

    shutil.copytree(data / "data", tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "smoke" / "smooth")
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    flags = run_dir / training.FLAGS_FILE
    flags.write_text("--epochs=7\n")
    arguments = [f"--data_dir={tmp_path / 'data'}", "--style=smoke", "--image_size=32"]
    arguments += [f"--run_dir={run_dir}", "--allow_change=epochs,image_size,data_dir,style"]
    with storage.locked(run_dir / training.LOCK):
        done = call(TRAIN, *arguments, folder=ROOT)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "error: run_dir: expected a directory that no other process" in done.stderr
    assert flags.read_text() == "--epochs=7\n"
    assert sorted(path.name for path in run_dir.iterdir()) == [".lock", "flags.txt"]
    assert [path.name for path in (tmp_path / "data" / "smoke").iterdir()] == ["style"]


@pytest.mark.parametrize("source", ("video", "tfrecord"))
def test_a_run_from_each_source(data, toys, tmp_path, source):
    flags = ["--nosynthetic_data", *source_flags(data, source), "--epochs=2", "--color_shift=auto"]
    done = call(TRAIN, *smoke(tmp_path, *flags), folder=ROOT)
    assert done.returncode == 0, done.stderr
    assert f"done: {tmp_path}" in done.stdout and "Traceback" not in done.stderr
    grid = cv2.imread(str(tmp_path / "samples" / "epoch-0002.png"))
    assert grid.shape == (2 * 32, 2 * 32, 3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    (
        ((), "run_dir: expected --run_dir=..., received nothing"),
        (("--run_dir=r",), "data_dir: expected --data_dir=..., received nothing"),
        (("--run_dir=r", "--data_dir=d", "--style=s", "photo.jpg"), "expected flags only"),
        (("--run_dir=r", "--data_dir=none", "--style=s"), "none/train_photo"),
        (
            ("--run_dir=r", "--data_dir=d", "--source=video"),
            "video: expected --video=..., received nothing",
        ),
        (
            ("--run_dir=r", "--source=tfrecord"),
            "tfrecords: expected --tfrecords=..., received nothing",
        ),
        (
            ("--run_dir=r", "--source=tfrecord", "--tfrecords=none"),
            "tfrecords: expected a folder written by tools/make_tfrecords.py",
        ),
        (
            ("--run_dir=r", "--data_dir=d", "--style=s", "--video=film.mkv"),
            "source: expected video for video=film.mkv, received images",
        ),
        (
            ("--run_dir=r", "--data_dir=d", "--source=video", "--video=f", "--video_start=1m"),
            "video_start: expected seconds or h:mm:ss, received '1m'",
        ),
        (
            ("--run_dir=r", "--source=video", "--video=f", "--synthetic_data"),
            "synthetic_data: expected the source images, received --source=video",
        ),
        (
            ("--run_dir=r", "--data_dir=d", "--style=s", "--discriminator_weights=1,x,1,1"),
            "discriminator_weights: expected numbers, received '1,x,1,1'",
        ),
    ),
)
def test_mistakes_are_one_line(arguments, text):
    done = call(TRAIN, *arguments)
    assert done.returncode == 1
    assert "error: " in done.stderr and "Traceback" not in done.stderr
    assert text in done.stderr


def test_unknown_flags_are_refused():
    done = call(TRAIN, "--run_dir=r", "--batchsize=3")
    assert done.returncode == 1
    assert "Unknown command line flag 'batchsize'" in done.stderr


def test_help_shows_ten_flags_first_and_each_once():
    done = run_alone("-m", "animegan_tf.train", "--help")
    headings = re.findall(r"^([A-Z].*):$", done.stdout, re.MULTILINE)
    assert len(headings) == 5
    first = done.stdout.partition(f"{headings[0]}:")[2].partition(f"{headings[1]}:")[0]
    names = re.findall(r"^  --(?:\[no\])?(\w+): ", done.stdout, re.MULTILINE)
    ten = re.findall(r"^  --(?:\[no\])?(\w+): ", first, re.MULTILINE)
    assert len(ten) == 10 and {"style", "data_dir", "run_dir"} <= set(ten)
    assert len(set(names)) == len(names) > 60


def test_color_shift_comes_from_the_style(tmp_path):
    """`auto` is what tools/color_balance.py prints, and both need three numbers or that word."""
    from animegan_tf.data import check, synthetic

    data = synthetic.make_smoke_dataset(tmp_path / "data", 32)
    shift = check.color_shift(check.mean_bgr(data / "smoke" / "style"))
    flags = ("--image_size=32", "--run_dir=r", "--style=smoke", f"--data_dir={data}", "--dry_run")

    def run_with(value):
        with mock.patch("animegan_tf.train.plan.make_plan") as make_plan:
            done = call(TRAIN, *flags, f"--color_shift={value}")
        return done.stderr, *(each.args[0].data.color_shift for each in make_plan.call_args_list)

    assert run_with("auto") == ("", shift)
    assert run_with("1,2.5,-3") == ("", (1.0, 2.5, -3.0))
    (error,) = run_with("1,2")
    assert "color_shift: expected 3 numbers" in error
