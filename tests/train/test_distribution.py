"""The same numbers on one device, on several, and on several processes."""

import json
import subprocess
import sys

import numpy as np
import pytest
import runs
from commands import call
from places import TESTS
from replicas import CASES, update
from toys import toy_networks

from animegan_tf.data import synthetic
from animegan_tf.errors import InputError
from animegan_tf.train import distribution

CLUSTER = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


@pytest.mark.parametrize(
    ("config", "expected"),
    (
        (None, distribution.Worker(0, 1, True)),
        ({}, distribution.Worker(0, 1, True)),
        (CLUSTER, distribution.Worker(1, 2, False)),
        (
            {
                "cluster": {"chief": ["a:1"], "worker": ["b:2"]},
                "task": {"type": "chief", "index": 0},
            },
            distribution.Worker(0, 2, True),
        ),
    ),
)
def test_place_in_the_cluster(monkeypatch, config, expected):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert distribution.this_worker() == expected
    assert distribution.this_worker("one_device") == distribution.Worker()


@pytest.mark.parametrize(
    "text",
    (
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": "localhost:1"}, "task": {"type": "worker", "index": 0}}',
    ),
)
def test_a_broken_tf_config_is_named(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="TF_CONFIG: expected"):
        distribution.this_worker()


def test_multi_worker_needs_a_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match="multi_worker needs TF_CONFIG"):
        distribution.this_worker("multi_worker")


def test_an_indivisible_batch_is_refused_with_both_numbers():
    distribution.check_batch(12, 4)
    with pytest.raises(InputError, match="multiple of the 8 replicas, received 12"):
        distribution.check_batch(12, 8)


def test_rates_are_scaled_only_when_asked():
    import animegan_tf

    scaled = distribution.scale_rates(animegan_tf.recipe("hayao"), 4)
    assert scaled.generator_learning_rate == pytest.approx(8e-5)
    assert scaled.discriminator_learning_rate == pytest.approx(16e-5)
    assert scaled.init_learning_rate == pytest.approx(8e-4)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The results of two devices, which have to be there before TensorFlow is."""
    path = tmp_path_factory.mktemp("replicas") / "2.npz"
    command = [sys.executable, str(TESTS / "helpers" / "replicas.py"), "2", str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=runs.environment(), timeout=600
    )
    assert done.returncode == 0, done.stderr
    return np.load(path)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_replicas_compute_what_one_device_does(two, case):
    """Weights, the spectral norm's `u` and the reported losses, after two updates."""
    one = update(distribution.make_strategy("mirrored"), *case.split("/"))
    assert any(name.endswith("/u") for name in one)
    for name, value in one.items():
        rtol = 1e-4 if name.startswith("loss/") else 0
        np.testing.assert_allclose(two[f"{case}|{name}"], value, atol=1e-5, rtol=rtol, err_msg=name)


# --- several processes ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return synthetic.make_smoke_dataset(tmp_path_factory.mktemp("data") / "d", 32, count=5)


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("alone")
    with toy_networks():
        done = call("animegan_tf/train/__main__.py", *runs.arguments(data, run_dir))
    assert done.returncode == 0, done.stderr
    return runs.final_weights(run_dir)


@pytest.mark.slow
def test_two_processes_compute_what_one_does_even_if_one_dies(alone, data, tmp_path):
    chief, other = runs.start(runs.arguments(data, tmp_path), workers=2)
    try:
        runs.wait_for(tmp_path / "checkpoints" / "ckpt-3.index", chief)
        other.kill()
        output = chief.communicate(timeout=240)[0]
    finally:
        for process in (chief, other):
            process.kill()
    # A cluster without one of its workers cannot go on; whoever started it starts it again.
    assert chief.returncode != 0, output
    outputs = runs.finish(runs.start(runs.arguments(data, tmp_path), workers=2))
    assert "resuming after step" in outputs[0]
    for name, value in runs.final_weights(tmp_path).items():
        np.testing.assert_allclose(value, alone[name], atol=1e-5, err_msg=name)
    # Only the chief speaks and writes.
    assert "2 replica(s)" in outputs[0] and "done:" in outputs[0]
    assert "done:" not in outputs[1]
    lines = (tmp_path / "scalars.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
