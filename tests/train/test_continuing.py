"""Runs that go on with other data, another batch size, precision or moving average."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

import animegan_tf
from animegan_tf.data import synthetic
from animegan_tf.data.config import DataConfig
from animegan_tf.errors import Stopped, TrainingError
from animegan_tf.train import checkpoints, loop
from animegan_tf.train import plan as training

SIZE = 16


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return synthetic.make_smoke_dataset(tmp_path_factory.mktemp("data") / "d", SIZE, count=4)


def _plan(data_dir, run_dir, mixed_precision="float32", steps_per_epoch=None, **changes):
    numbers = {"batch_size": 2, "epochs": 4, "init_epochs": 2, "ema_decay": 0.9, **changes}
    recipe = dataclasses.replace(
        animegan_tf.recipe("lite"),
        image_size=SIZE,
        discriminator_channels=2,
        discriminator_depth=1,
        **numbers,
    )
    data = DataConfig(data_dir, synthetic.STYLE, image_size=SIZE, batch_size=recipe.batch_size)
    config = training.RunConfig(
        str(run_dir),
        recipe,
        data,
        features="random",
        samples=1,
        save_every=100,
        mixed_precision=mixed_precision,
        steps_per_epoch=steps_per_epoch,
    )
    return training.make_plan(config)


@pytest.fixture
def stop_after(monkeypatch):
    """`stop_after(n)` ends the next run as SIGTERM does, after n of its steps."""
    import signal

    def stop(count):
        left = [count]

        class Received(loop.Signals):
            @property
            def received(self):
                left[0] -= 1
                return signal.SIGTERM if left[0] <= 0 else None

            @received.setter
            def received(self, value):
                pass

        monkeypatch.setattr(loop, "Signals", Received)

    yield stop


def _stopped(plan, stop_after, count):
    with pytest.raises(Stopped):
        stop_after(count)
        loop.run(plan, progress=False)
    stop_after(10**6)


def _lines(run_dir):
    return [json.loads(line) for line in (run_dir / "scalars.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("batch", "steps"), ((1, 4), (4, 1)))
def test_another_batch_size_goes_on_in_the_same_epoch(
    toys, data_dir, tmp_path, stop_after, batch, steps, capsys
):
    """Five updates are two epochs of initialisation and half of the third."""
    _stopped(_plan(data_dir, tmp_path), stop_after, 5)
    grid = (tmp_path / "samples" / "epoch-0002.png").stat().st_mtime_ns
    loop.run(_plan(data_dir, tmp_path, batch_size=batch), progress=False)
    out = capsys.readouterr().out
    assert "resuming after step 5 of" in out and "epoch 3 of 4, adversarial" in out
    assert f"batch size 2 -> {batch}" in out
    lines = _lines(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    rest = [(line["epoch"], line["phase"]) for line in lines[5:]]
    half = 4 // batch // 2
    assert rest == [(3, "adversarial")] * (steps - half) + [(4, "adversarial")] * steps
    assert (tmp_path / "samples" / "epoch-0002.png").stat().st_mtime_ns == grid
    # The same command again finds the same place.
    loop.run(_plan(data_dir, tmp_path, batch_size=batch), progress=False)
    assert "nothing left to do: all 4 epochs are trained" in capsys.readouterr().out


def test_added_photos_go_on_in_the_same_epoch(toys, data_dir, tmp_path, stop_after, capsys):
    _stopped(_plan(data_dir, tmp_path / "run"), stop_after, 6)
    more = synthetic.make_smoke_dataset(tmp_path / "more", SIZE, count=12)
    loop.run(_plan(more, tmp_path / "run"), progress=False)
    assert "photos 4 -> 12" in capsys.readouterr().out
    assert [(line["epoch"], line["phase"]) for line in _lines(tmp_path / "run")[6:]] == [
        (4, "adversarial")
    ] * 6


def test_a_plan_that_would_repeat_a_phase_is_refused(toys, data_dir, tmp_path, stop_after):
    _stopped(_plan(data_dir, tmp_path), stop_after, 6)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(animegan_tf.InputError, match=r"init_epochs, .*would be 'initialize'"):
        loop.run(_plan(data_dir, tmp_path, init_epochs=4), progress=False)
    with pytest.raises(animegan_tf.InputError, match="epochs: expected at least the 3"):
        loop.run(_plan(data_dir, tmp_path, epochs=2), progress=False)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_checkpoints_without_facts_never_go_back(toys, data_dir, tmp_path, stop_after, monkeypatch):
    """Version 0.1 stored none."""
    monkeypatch.setattr(training.Plan, "facts", {})
    monkeypatch.setattr(loop, "describe_changes", lambda *_: "")
    _stopped(_plan(data_dir, tmp_path), stop_after, 6)
    with pytest.raises(animegan_tf.InputError, match=r"steps_per_epoch: .*would be 'initialize'"):
        loop.run(_plan(data_dir, tmp_path, batch_size=1), progress=False)


@pytest.mark.parametrize(
    ("before", "after"),
    (("float16", "float32"), ("float32", "float16"), ("bfloat16", "float16")),
)
def test_another_precision_goes_on(toys, data_dir, tmp_path, stop_after, before, after):
    _stopped(_plan(data_dir, tmp_path, before), stop_after, 3)
    old = tf.train.load_checkpoint(str(tmp_path / "checkpoints" / "ckpt-3"))
    model = loop.build_model(_plan(data_dir, tmp_path, after).config)
    state = checkpoints.RunState(model, tmp_path)
    assert state.restore() == 3
    optimizer = model.init_optimizer
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    assert int(inner.iterations.value) == 3
    moments = [variable.numpy() for variable in inner.variables if variable.shape.rank]
    stored = {key: old.get_tensor(key) for key in old.get_variable_to_shape_map()}
    stored = [value for key, value in stored.items() if key.startswith("init_optimizer/")]
    for moment in moments:
        assert any(np.array_equal(moment, value) for value in stored)


@pytest.mark.parametrize(("before", "after"), ((0.9, 0.0), (0.0, 0.9)))
def test_the_moving_average_is_switched(toys, data_dir, tmp_path, stop_after, before, after):
    _stopped(_plan(data_dir, tmp_path, ema_decay=before), stop_after, 3)
    model = loop.build_model(_plan(data_dir, tmp_path, ema_decay=after).config)
    state = checkpoints.RunState(model, tmp_path)
    assert state.restore() == 3
    assert bool(state.notes) == bool(after)
    if after:
        for mean, weight in zip(
            model.average.get_weights(), model.generator.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mean, weight)


def _fails_at(monkeypatch, step, error):
    real = loop._Steps.__call__

    def fail(self, number, plan, batch):
        if number == step:
            raise error
        return real(self, number, plan, batch)

    monkeypatch.setattr(loop._Steps, "__call__", fail)


def test_too_little_memory_is_one_line(toys, data_dir, tmp_path, monkeypatch):
    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    _fails_at(monkeypatch, 3, error)
    with pytest.raises(TrainingError, match=r"out of memory: .*--batch_size=1 .*ckpt-2$"):
        loop.run(_plan(data_dir, tmp_path), progress=False)


def test_a_lost_worker_is_one_line(toys, data_dir, tmp_path, monkeypatch):
    error = tf.errors.UnavailableError(None, None, "Collective ops is aborted by: tasks lost")
    config = _plan(data_dir, tmp_path).config
    from animegan_tf.train import failures

    class State:
        latest = None

    with (
        pytest.raises(TrainingError, match=r"another worker of this run has ended .*start all"),
        failures.running(config, 2, State),
    ):
        raise error


@pytest.mark.parametrize("damage", ("unlink", "truncate"))
def test_an_image_that_is_lost_saves_the_state(toys, tmp_path, damage, monkeypatch):
    data_dir = synthetic.make_smoke_dataset(tmp_path / "d", SIZE, count=4)
    real = loop._Steps.__call__

    def lose(self, number, plan, batch):
        for path in (data_dir / "train_photo").iterdir():
            path.unlink() if damage == "unlink" else path.write_bytes(b"")
        return real(self, number, plan, batch)

    monkeypatch.setattr(loop._Steps, "__call__", lose)
    plan = _plan(data_dir, tmp_path / "run", epochs=50, init_epochs=50, steps_per_epoch=100)
    with pytest.raises(TrainingError, match=r"train_photo.*\.png.*the last checkpoint is") as found:
        loop.run(plan, progress=False)
    assert len(str(found.value).splitlines()) == 1
    done = _lines(tmp_path / "run")[-1]["step"]
    assert (tmp_path / "run" / "checkpoints" / f"ckpt-{done}.index").exists()


def test_a_dead_generator_stops_the_run(toys, data_dir, tmp_path, monkeypatch):
    def constant(self, step, plan, batch):
        del self, step, plan, batch
        return {"init": tf.constant(1.0)}, {"output_range": tf.constant(0.0)}

    monkeypatch.setattr(loop._Steps, "__call__", constant)
    plan = _plan(data_dir, tmp_path, epochs=50, init_epochs=50)
    with pytest.raises(TrainingError, match=r"single colour for 10 steps.*no checkpoint was saved"):
        loop.run(plan, progress=False)
    assert not (tmp_path / "checkpoints").exists()


def test_the_first_grid_comes_before_the_first_epoch_ends(toys, data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "EARLY_GRID_SECONDS", 0.0)
    loop.run(_plan(data_dir, tmp_path, epochs=1, init_epochs=1), progress=False)
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["epoch-0001.png", "step-0000001.png"]


@pytest.mark.parametrize("ema_decay", (0.0, 0.9))
def test_an_older_checkpoint_is_stylised_with(toys, data_dir, tmp_path, ema_decay):
    from animegan_tf.networks import weights

    plan = _plan(data_dir, tmp_path, ema_decay=ema_decay)
    loop.run(plan, progress=False)
    for name in ("ckpt-8", "ckpt-8.index"):
        loaded = weights.load_generator(tmp_path / "checkpoints" / name)
        expected = weights.load_generator(tmp_path)
        for one, other in zip(loaded.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    older = weights.load_generator(tmp_path / "checkpoints" / "ckpt-6")
    assert any(
        not np.array_equal(one, other)
        for one, other in zip(older.get_weights(), expected.get_weights(), strict=True)
    )
    with pytest.raises(animegan_tf.InputError, match=r"checkpoint: .*ckpt-7"):
        weights.load_generator(tmp_path / "checkpoints" / "ckpt-7")
