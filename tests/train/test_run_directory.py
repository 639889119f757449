"""Run directories that were damaged, or come from someone else."""

import dataclasses

import numpy as np
import pytest

import animegan_tf
from animegan_tf.data.config import DataConfig
from animegan_tf.train import loop
from animegan_tf.train import plan as training
from animegan_tf.train.checkpoints import RunState


@pytest.fixture
def config(toys, tmp_path):
    recipe = dataclasses.replace(
        animegan_tf.recipe("lite"), discriminator_channels=2, discriminator_depth=1, image_size=32
    )
    data = DataConfig(tmp_path, "s", image_size=32)
    return training.RunConfig(
        str(tmp_path / "run"), recipe, data, features="random", mixed_precision="none"
    )


def _saved(config, *steps, keep=3):
    """A run's folder of checkpoints after saving those steps."""
    state = RunState(loop.build_model(config), config.run_dir, keep)
    for step in steps:
        state.save(step)
    return state._folder


def _restored(config):
    state = RunState(loop.build_model(config), config.run_dir)
    return state.restore(), state


def _names(folder):
    return sorted(path.name for path in folder.glob("*.index"))


@pytest.mark.parametrize(
    "damage",
    (
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\0" * 300),
        lambda path: path.write_bytes(path.read_bytes()[:60]),
        lambda path: path.write_bytes(b"\xff\xfe\x80"),
    ),
    ids=("missing", "empty", "zeros", "cut", "no text"),
)
def test_a_damaged_state_file_never_begins_anew(config, damage, capsys):
    folder = _saved(config, 1, 2)
    damage(folder / "checkpoint")
    step, state = _restored(config)
    assert step == 2
    said = capsys.readouterr().err
    assert f"{folder / 'checkpoint'} is missing or damaged: resuming from {folder}/ckpt-2" in said
    state.save(3)
    assert _names(folder) == ["ckpt-1.index", "ckpt-2.index", "ckpt-3.index"]
    assert _restored(config)[0] == 3
    assert "missing or damaged" not in capsys.readouterr().err


def test_the_newest_is_found_when_the_state_file_names_an_older_one(config, capsys):
    """A kill came between the two."""
    folder = _saved(config, 1)
    before = (folder / "checkpoint").read_text()
    _saved(config, 1, 2)
    (folder / "checkpoint").write_text(before)
    assert _restored(config)[0] == 2
    assert capsys.readouterr().err == ""


def test_checkpoints_that_are_named_and_gone_stop_the_run(config):
    folder = _saved(config, 1)
    (folder / "ckpt-1.index").unlink()
    with pytest.raises(animegan_tf.InputError, match=r"run_dir: expected the checkpoint .*ckpt-1"):
        _restored(config)


def test_only_old_checkpoints_of_the_run_are_removed(config, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = [elsewhere / "old-1.index", elsewhere / "old-1.data-00000-of-00001"]
    folder = _saved(config, 1, 2)
    kept += [folder / "ckpt-1-best.index", folder / "notes.index"]
    for path in kept:
        path.write_bytes(b"mine")
    lines = f'all_model_checkpoint_paths: "{elsewhere}/old-1"\n'
    state = folder / "checkpoint"
    state.write_text(f'model_checkpoint_path: "{folder}/ckpt-2"\n{lines}')
    _, run = _restored(config)
    for step in (3, 4, 5):
        run.save(step)
    assert all(path.read_bytes() == b"mine" for path in kept)
    assert [name for name in _names(folder) if name[5:6].isdigit() and "best" not in name] == [
        "ckpt-3.index", "ckpt-4.index", "ckpt-5.index",
    ]  # fmt: skip
    assert "elsewhere" not in state.read_text()


def test_a_damaged_later_checkpoint_never_pushes_out_a_good_one(config, capsys):
    folder = _saved(config, 1, 9)
    for path in folder.glob("ckpt-9.data*"):
        path.write_bytes(b"")
    step, _ = _restored(config)
    assert step == 1
    _saved(config, 2, keep=1)
    assert _restored(config)[0] == 2


def test_checkpoints_of_earlier_versions_are_gone_on_from(config):
    """TensorFlow's manager wrote them."""
    import tensorflow as tf

    state = RunState(loop.build_model(config), config.run_dir)
    state._step.assign(4)
    tf.train.CheckpointManager(state._checkpoint, str(state._folder), 3).save(4)
    step, restored = _restored(config)
    assert step == 4
    for old, new in zip(
        state.model.generator.get_weights(), restored.model.generator.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("name", (".lock", "checkpoints", "scalars.jsonl", "samples"))
def test_links_in_a_run_directory_are_refused(tmp_path, name):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(mine)
    with (
        pytest.raises(animegan_tf.InputError, match=f"in which {name} is a link"),
        training.held(tmp_path / "run"),
    ):
        pass
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("content", (b"\xff\xfe\x80--lr=1\n", bytes(300)))
def test_flags_that_are_no_text_are_refused_in_words(tmp_path, content):
    from animegan_tf.train import __main__ as command

    (tmp_path / "flags.txt").write_bytes(content)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "ckpt-1.index").touch()
    with pytest.raises(animegan_tf.InputError, match="was created with other flags"):
        command._refuse_changes({}, tmp_path / "flags.txt", ())
