"""The same numbers on one device, on several, and on several processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from replicas import CASES

from animegan_tf import distribution
from animegan_tf.data import synthetic
from animegan_tf.errors import InputError

TESTS = Path(__file__).parent
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
    "text", ("{", "[]", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}')
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


def _environment(**more):
    path = os.pathsep.join(filter(None, (str(TESTS.parent), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2", **more}


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    """The results on 1, 2 and 4 devices."""
    folder = tmp_path_factory.mktemp("replicas")
    results = {}
    for count in (1, 2, 4):
        path = folder / f"{count}.npz"
        command = [sys.executable, str(TESTS / "replicas.py"), str(count), str(path)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=_environment(), timeout=600
        )
        assert done.returncode == 0, done.stderr
        results[count] = np.load(path)
    return results


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_replicas_compute_what_one_device_does(replicas, case):
    """Weights, the spectral norm's `u` and the reported losses, after two updates."""
    names = [key for key in replicas[1] if key.startswith(f"{case}|")]
    assert any(name.endswith("/u") for name in names)
    for name in names:
        rtol = 1e-4 if "loss/" in name else 0
        for count in (2, 4):
            np.testing.assert_allclose(
                replicas[count][name],
                replicas[1][name],
                atol=1e-5,
                rtol=rtol,
                err_msg=f"{count} {name}",
            )


# --- several processes ---------------------------------------------------------------------------


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _arguments(data, run_dir, steps_per_epoch=3):
    return [
        f"--data_dir={data}",
        "--style=smoke",
        f"--run_dir={run_dir}",
        "--arch=lite",
        "--image_size=32",
        "--batch_size=4",
        "--epochs=2",
        "--init_epochs=1",
        f"--steps_per_epoch={steps_per_epoch}",
        "--discriminator_channels=4",
        "--discriminator_depth=2",
        "--gan=wgan-gp",
        "--features=random",
        "--ema_decay=0.9",
        "--save_every=1",
        "--samples=1",
        "--keep=20",
    ]


def _start(arguments, workers=1):
    """Start the workers of a run; they talk over the loopback."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    started = []
    for index in range(workers):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        more = {"TF_CONFIG": json.dumps(task)} if workers > 1 else {}
        started.append(
            subprocess.Popen(
                [sys.executable, str(TESTS / "worker.py"), *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=_environment(**more),
            )
        )
    return started


def _finish(processes, timeout=300):
    """The outputs of the processes, which must all succeed; none is left running."""
    try:
        outputs = [process.communicate(timeout=timeout)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output
    return outputs


def _final_weights(run_dir):
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints"))
    names = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    parts = ("generator/", "discriminator/", "average/")
    networks = [name for name in names if name.startswith(parts)]
    assert {name.partition("/")[0] for name in networks} == {part[:-1] for part in parts}
    return {name: reader.get_tensor(name) for name in networks}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return synthetic.make_smoke_dataset(tmp_path_factory.mktemp("data") / "d", 32, count=5)


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("alone")
    _finish(_start(_arguments(data, run_dir)))
    return _final_weights(run_dir)


@pytest.mark.slow
def test_two_processes_compute_what_one_does(alone, data, tmp_path):
    outputs = _finish(_start(_arguments(data, tmp_path), workers=2))
    for name, value in _final_weights(tmp_path).items():
        np.testing.assert_allclose(value, alone[name], atol=1e-5, err_msg=name)
    # Only the chief speaks and writes.
    assert "2 replica(s)" in outputs[0] and "done:" in outputs[0]
    assert "done:" not in outputs[1]
    lines = (tmp_path / "scalars.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]


def _wait_for(path, process, seconds=240):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_worker_that_dies_can_come_back(alone, data, tmp_path):
    chief, other = _start(_arguments(data, tmp_path), workers=2)
    try:
        _wait_for(tmp_path / "checkpoints" / "ckpt-3.index", chief)
        other.kill()
        output = chief.communicate(timeout=240)[0]
    finally:
        for process in (chief, other):
            process.kill()
    # A cluster without one of its workers cannot go on; whoever started it starts it again.
    assert chief.returncode != 0, output
    outputs = _finish(_start(_arguments(data, tmp_path), workers=2))
    assert "resuming after step" in outputs[0]
    for name, value in _final_weights(tmp_path).items():
        np.testing.assert_allclose(value, alone[name], atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", (1, 4))
def test_killed_at_any_step_it_ends_the_same(data, tmp_path_factory, killed_at):
    """SIGKILL and a second start: the weights of the run that was left alone, to the bit."""
    whole, broken = (tmp_path_factory.mktemp(name) for name in ("whole", "broken"))
    more = ["--deterministic", "--seed=5"]
    _finish(_start([*_arguments(data, whole), *more]))
    (process,) = _start([*_arguments(data, broken), *more])
    _wait_for(broken / "checkpoints" / f"ckpt-{killed_at}.index", process)
    process.kill()
    process.communicate()
    _finish(_start([*_arguments(data, broken), *more]))
    expected = _final_weights(whole)
    for name, value in _final_weights(broken).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.slow
def test_sigterm_saves_and_says_so(data, tmp_path):
    arguments = [*_arguments(data, tmp_path, steps_per_epoch=2000), "--save_every=100000"]
    (process,) = _start(arguments)
    try:
        _wait_for(tmp_path / "scalars.jsonl", process)
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=240)[0]
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM, output
    assert "stopped by SIGTERM after step" in output and "saved in" in output
    step = json.loads((tmp_path / "scalars.jsonl").read_text().splitlines()[-1])["step"]
    assert (tmp_path / "checkpoints" / f"ckpt-{step}.index").exists()
