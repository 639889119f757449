"""Training runs on tiny data: the plan, what is written, resuming, stopping on NaN."""

import dataclasses
import itertools
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import tensorflow as tf
from toys import toy_features, toy_generator

import animegan_tf
from animegan_tf import networks
from animegan_tf.data import synthetic
from animegan_tf.data.config import DataConfig
from animegan_tf.errors import TrainingError
from animegan_tf.networks import weights
from animegan_tf.train import distribution, loop
from animegan_tf.train import plan as training
from animegan_tf.train.checkpoints import RunState

SIZE = 32


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return synthetic.make_smoke_dataset(tmp_path_factory.mktemp("data") / "d", SIZE, count=5)


@pytest.fixture(scope="module", autouse=True)
def toy_networks():
    """The real networks are tested elsewhere, and through the command line below."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vars(networks), "build_feature_extractor", toy_features)
        patch.setitem(vars(networks), "build_generator", toy_generator)
        patch.setitem(weights._PARAMETERS, 128, "lite")
        yield


def _config(data_dir, run_dir, **changes):
    recipe = dataclasses.replace(
        animegan_tf.recipe("lite"),
        batch_size=2,
        image_size=SIZE,
        discriminator_channels=2,
        discriminator_depth=1,
        epochs=3,
        init_epochs=1,
        ema_decay=0.9,
    )
    data = DataConfig(data_dir, synthetic.STYLE, image_size=SIZE, batch_size=2)
    defaults = {"samples": 2, "save_every": 2, "features": "random"}
    defaults["mixed_precision"] = "none"
    return training.RunConfig(str(run_dir), recipe, data, **{**defaults, **changes})


def _plan(data_dir, run_dir, **changes):
    return training.make_plan(_config(data_dir, run_dir, **changes))


def _lines(run_dir):
    return [json.loads(line) for line in (run_dir / "scalars.jsonl").read_text().splitlines()]


def test_published_number_of_steps(data_dir, tmp_path):
    plan = _plan(data_dir, tmp_path)
    # Five photos and five frames in batches of two.
    assert (plan.steps_per_epoch, plan.init_steps, plan.total_steps) == (2, 2, 6)
    assert "2 steps of 2 images at 32x32 per epoch" in str(plan)
    assert str(tmp_path) in str(plan)
    assert _plan(data_dir, tmp_path, steps_per_epoch=7).total_steps == 21


def test_phases_and_learning_rates(data_dir, tmp_path):
    plan = _plan(data_dir, tmp_path, steps_per_epoch=4)
    assert [training.phase_of(step, plan) for step in (0, 3, 4)] == [
        "initialize",
        "initialize",
        "adversarial",
    ]
    assert {training.learning_rate_factor(step, plan) for step in range(12)} == {1.0}
    recipe = dataclasses.replace(
        plan.config.recipe, init_learning_rate_end=0.2, learning_rate_end=0.0
    )
    plan = dataclasses.replace(plan, config=dataclasses.replace(plan.config, recipe=recipe))
    # Half a cosine: 1 at the start of the phase, the mean of both ends in its middle.
    assert training.learning_rate_factor(0, plan) == 1.0
    assert training.learning_rate_factor(2, plan) == pytest.approx(0.6)
    assert training.learning_rate_factor(4, plan) == 1.0
    assert training.learning_rate_factor(8, plan) == pytest.approx(0.5)


def test_discriminator_epochs_lie_between_the_phases(data_dir, tmp_path):
    plan = _plan(data_dir, tmp_path, steps_per_epoch=4)
    assert plan.discriminator_steps == 0
    recipe = dataclasses.replace(
        plan.config.recipe, discriminator_epochs=1, init_learning_rate_end=0.2, learning_rate_end=0
    )
    plan = dataclasses.replace(plan, config=dataclasses.replace(plan.config, recipe=recipe))
    phases = [training.phase_of(step, plan) for step in range(12)]
    assert phases == ["initialize"] * 4 + ["discriminate"] * 4 + ["adversarial"] * 4
    assert "1 of the discriminator only, 1 adversarial, 12 steps in all" in str(plan)
    factors = [training.learning_rate_factor(step, plan) for step in (4, 7, 8, 10)]
    assert factors == pytest.approx([1, 1, 1, 0.5])


def test_a_run_with_discriminator_epochs(data_dir, tmp_path):
    config = _config(data_dir, tmp_path, steps_per_epoch=2)
    recipe = dataclasses.replace(config.recipe, discriminator_epochs=1)
    loop.run(training.make_plan(dataclasses.replace(config, recipe=recipe)), progress=False)
    lines = _lines(tmp_path)
    assert [line["phase"] for line in lines] == (
        ["initialize"] * 2 + ["discriminate"] * 2 + ["adversarial"] * 2
    )
    assert lines[2]["discriminator_gradient_norm"] > 0 and "g" not in lines[2]
    assert {"d", "d_real", "d_generated", "d_gray", "d_smooth"} <= lines[2].keys()


def test_bad_data_is_found_first(data_dir, tmp_path):
    config = _config(data_dir, tmp_path / "run")
    wrong = dataclasses.replace(config, data=dataclasses.replace(config.data, image_size=64))
    with pytest.raises(animegan_tf.InputError, match="problem"):
        training.make_plan(wrong)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "text"),
    (
        ({"features": "none.npy"}, "features: .*found no file at 'none.npy'"),
        ({"init_from": "none"}, "init_from: expected a generator, found nothing at 'none'"),
    ),
)
def test_missing_files_are_found_first(data_dir, tmp_path, changes, text):
    with pytest.raises(animegan_tf.InputError, match=text):
        _plan(data_dir, tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    (
        ({"save_every": 0}, "save_every: expected a whole number of at least 1, received 0"),
        (
            {"steps_per_epoch": 0},
            "steps_per_epoch: expected a whole number of at least 1",
        ),
    ),
)
def test_wrong_numbers_are_named(data_dir, tmp_path, changes, text):
    with pytest.raises(animegan_tf.InputError, match=text):
        _config(data_dir, tmp_path, **changes)


@pytest.fixture(scope="module")
def finished(data_dir, tmp_path_factory, toy_networks):
    """A whole run that was not interrupted."""
    run_dir = tmp_path_factory.mktemp("finished")
    model = loop.run(_plan(data_dir, run_dir), progress=False)
    return run_dir, model


def test_what_a_run_leaves(finished):
    run_dir, model = finished
    lines = _lines(run_dir)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["phase"] for line in lines] == ["initialize"] * 2 + ["adversarial"] * 4
    assert [line["epoch"] for line in lines] == [1, 1, 2, 2, 3, 3]
    assert {"d", "g", "content", "style", "color", "tv", "adversarial"} <= lines[-1].keys()
    # A grid of two photos, each beside the generator's and the average's result.
    grids = sorted((run_dir / "samples").iterdir())
    assert [path.name for path in grids] == [f"epoch-000{n}.png" for n in (1, 2, 3)]
    assert cv2.imread(str(grids[0])).shape == (2 * SIZE, 3 * SIZE, 3)
    kept = sorted(path.name for path in (run_dir / "checkpoints").glob("*.index"))
    assert kept == ["ckpt-2.index", "ckpt-4.index", "ckpt-6.index"]
    # What stylising loads is the running average.
    loaded = weights.load_generator(run_dir)
    for saved, mean in zip(loaded.get_weights(), model.average.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, mean)


def test_scalars_reach_tensorboard(finished):
    run_dir, _ = finished
    found = {}
    for path in (run_dir / "tensorboard").iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value))
    assert [step for step, _ in found["initialize/init"]] == [1, 2]
    assert [step for step, _ in found["adversarial/d"]] == [3, 4, 5, 6]
    assert [step for step, _ in found["samples"]] == [2, 4, 6]
    logged = tf.make_ndarray(found["adversarial/d"][-1][1].tensor)
    assert float(logged) == pytest.approx(_lines(run_dir)[-1]["d"], rel=1e-5)


@pytest.mark.parametrize("stop", (1, 3, 5))
def test_a_killed_run_ends_as_if_it_had_not_been(finished, data_dir, tmp_path, stop, monkeypatch):
    """Killed after `stop` steps; steps after the last checkpoint are done again."""
    real = loop._Steps.__call__

    def killed(self, step, plan, batch):
        if step == stop:
            raise KeyboardInterrupt
        return real(self, step, plan, batch)

    plan = _plan(data_dir, tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop._Steps, "__call__", killed)
        loop.run(plan, progress=False)
    model = loop.run(plan, progress=False)
    _, whole = finished
    for network in ("generator", "discriminator", "average"):
        for old, new in zip(
            getattr(whole, network).get_weights(),
            getattr(model, network).get_weights(),
            strict=True,
        ):
            np.testing.assert_allclose(new, old, atol=1e-6)
    assert [line["step"] for line in _lines(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_a_run_that_cannot_be_resumed_keeps_its_flags(data_dir, tmp_path):
    plan = _plan(data_dir, tmp_path, steps_per_epoch=1)
    loop.run(plan, progress=False, flags_text="--discriminator_depth=1\n")
    recipe = dataclasses.replace(plan.config.recipe, discriminator_depth=2)
    other = dataclasses.replace(plan, config=dataclasses.replace(plan.config, recipe=recipe))
    with pytest.raises(animegan_tf.InputError, match="none of the 3 checkpoints"):
        loop.run(other, progress=False, flags_text="--discriminator_depth=2\n")
    assert (tmp_path / training.FLAGS_FILE).read_text() == "--discriminator_depth=1\n"


def test_a_finished_run_does_nothing_more(finished, data_dir, monkeypatch):
    run_dir, model = finished
    monkeypatch.setattr(loop._Steps, "__call__", None)
    again = loop.run(_plan(data_dir, run_dir), progress=False)
    for old, new in zip(model.generator.get_weights(), again.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


class _Value:
    """A loss that says when it is read."""

    def __init__(self, log, step):
        self._log, self._step = log, step

    def __float__(self):
        self._log.append(f"read {self._step}")
        return 1.0


@pytest.fixture
def log(monkeypatch):
    """When steps that do nothing begin, are read, and saved."""
    log = []

    def begin(self, step, plan, batch):
        log.append(f"begin {step}")
        return {"init": _Value(log, step)}, {}

    monkeypatch.setattr(loop._Steps, "__call__", begin)
    monkeypatch.setattr(loop.RunState, "save", lambda self, step, _: log.append(f"save {step}"))
    return log


def test_a_step_begins_before_the_last_one_is_read(data_dir, tmp_path, log):
    """A GPU would wait otherwise; what is saved has been read."""
    loop.run(_plan(data_dir, tmp_path, steps_per_epoch=3, save_every=100), progress=False)
    epoch = "begin 0,begin 1,read 0,begin 2,read 1,read 2,save 3,begin 3,begin 4,read 3"
    assert log[:10] == epoch.split(",")
    assert [line["step"] for line in _lines(tmp_path)] == list(range(1, 10))


def test_only_a_time_to_save_has_a_worker_read_at_once(data_dir, tmp_path, log, monkeypatch):
    clock = SimpleNamespace(monotonic=itertools.count(0, 20).__next__, perf_counter=lambda: 0.0)
    monkeypatch.setattr(loop, "time", clock)
    plan = _plan(data_dir, tmp_path, steps_per_epoch=6, save_every=100, save_minutes=1)
    loop.run(plan, distribution.Worker(1, 2, False), progress=False)
    at = {entry: index for index, entry in enumerate(log)}
    early = [step for step in range(17) if at[f"read {step}"] < at[f"begin {step + 1}"]]
    assert early == [2, 5, 8, 11, 14]


@pytest.mark.parametrize("save_every", (1, 100))
def test_not_a_number_stops_the_run(data_dir, tmp_path, save_every, monkeypatch):
    real = loop._Steps.__call__

    def poisoned(self, step, plan, batch):
        if step == 4:
            batch = {**batch, "photo": batch["photo"] * np.nan}
        return real(self, step, plan, batch)

    monkeypatch.setattr(loop._Steps, "__call__", poisoned)
    plan = _plan(data_dir, tmp_path, save_every=save_every)
    with pytest.raises(TrainingError) as raised:
        loop.run(plan, progress=False)
    text = str(raised.value)
    assert "step 5: the loss term 'd' is nan" in text
    assert "the last checkpoint is" in text and "ckpt-4" in text
    # The bad update reached neither the checkpoints nor the weights for stylising.
    assert not list((tmp_path / "checkpoints").glob("ckpt-5*"))
    for value in weights.load_generator(tmp_path).get_weights():
        assert np.isfinite(value).all()
    assert [line["step"] for line in _lines(tmp_path)] == [1, 2, 3, 4]


def test_weights_that_are_not_finite_are_never_saved(data_dir, tmp_path):
    model = loop.build_model(_config(data_dir, tmp_path))
    state = RunState(model, tmp_path)
    state.save(1)
    kernel = model.discriminator.get_layer("last_conv").kernel
    kernel.assign(kernel * np.nan)
    with pytest.raises(TrainingError, match=r"step 2: discriminator/last_conv/kernel .*ckpt-1"):
        state.save(2)
    assert state.latest.endswith("ckpt-1")


def test_a_cut_checkpoint_is_passed_over(data_dir, tmp_path, capsys):
    config = _config(data_dir, tmp_path)
    model = loop.build_model(config)
    state = RunState(model, tmp_path)
    state.save(1)
    good = model.generator.get_weights()
    model.generator.get_layer("Conv").kernel.assign_add(
        np.ones(model.generator.get_layer("Conv").kernel.shape)
    )
    model.phase = "adversarial"
    state.save(2)
    data = tmp_path / "checkpoints" / "ckpt-2.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1000])

    other = loop.build_model(config)
    assert RunState(other, tmp_path).restore() == 1
    assert "ckpt-2 cannot be restored" in capsys.readouterr().err
    assert other.phase == "initialize"
    for old, new in zip(good, other.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)

    for path in (tmp_path / "checkpoints").glob("ckpt-1.data*"):
        path.write_bytes(b"")
    with pytest.raises(animegan_tf.InputError, match="none of the 2 checkpoints"):
        RunState(loop.build_model(config), tmp_path).restore()


def test_a_new_style_starts_from_another_generator(finished, data_dir, tmp_path):
    run_dir, model = finished
    started = loop.build_model(_config(data_dir, tmp_path, init_from=str(run_dir)))
    for old, new in zip(model.average.get_weights(), started.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    config = _config(data_dir, tmp_path, init_from=str(run_dir))
    other = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, arch="v2"))
    with pytest.raises(animegan_tf.InputError, match=r"init_from: expected .* arch v2"):
        loop.build_model(other)


def test_a_worker_does_not_wait_for_ever(data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "PATIENCE", 0.05)
    monkeypatch.setattr(training, "POLL", 0.01)
    plan = _plan(data_dir, tmp_path)
    data = dataclasses.replace(plan.config.data, smooth_dir=str(tmp_path / "none"))
    plan = dataclasses.replace(plan, config=dataclasses.replace(plan.config, data=data))
    with pytest.raises(TrainingError, match="the first worker has smoothed no frame for"):
        training.prepare(plan, distribution.Worker(1, 2, False))


def test_deterministic_xla_is_refused(data_dir, tmp_path):
    with pytest.raises(animegan_tf.InputError, match="deterministic: expected no jit_compile"):
        _config(data_dir, tmp_path, deterministic=True, jit_compile=True)


def test_training_rate_rests_the_discriminator(data_dir, tmp_path):
    config = _config(data_dir, tmp_path, steps_per_epoch=3)
    recipe = dataclasses.replace(config.recipe, training_rate=2)
    loop.run(training.make_plan(dataclasses.replace(config, recipe=recipe)), progress=False)
    assert [line["step"] for line in _lines(tmp_path) if "d" in line] == [4, 6, 8]
