"""Runs that are killed at any moment, stopped, or out of disk space end as if nothing had been."""

import json
import random
import resource
import signal
import time

import numpy as np
import pytest
import runs

from animegan_tf.data import synthetic

pytestmark = pytest.mark.slow
STEPS = 40


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return synthetic.make_smoke_dataset(tmp_path_factory.mktemp("data") / "d", 32, count=5)


def arguments(data, run_dir, *more):
    """Of a run of 40 steps that saves after every third, files of 750 kB each."""
    return [
        *runs.arguments(data, run_dir, steps_per_epoch=STEPS // 2),
        "--save_every=3",
        "--keep=3",
        "--discriminator_channels=32",
        "--deterministic",
        "--seed=5",
        *more,
    ]


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The weights of a run that was left alone."""
    run_dir = tmp_path_factory.mktemp("whole")
    runs.finish(runs.start(arguments(data, run_dir)))
    return runs.final_weights(run_dir)


def kill_at(data, run_dir, steps, delay):
    """Start the run and end it by SIGKILL `delay` seconds after it has told of `steps` steps."""
    (process,) = runs.start(arguments(data, run_dir))
    try:
        runs.wait_until(lambda: runs.steps_done(run_dir) >= steps, process, f"step {steps}")
        time.sleep(delay)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL


def out_of_space(data, run_dir, checkpoint, limit):
    """Let no file of the run grow beyond `limit` after a checkpoint; returns what it says."""
    (process,) = runs.start(arguments(data, run_dir))
    try:
        runs.wait_for(run_dir / "checkpoints" / f"ckpt-{checkpoint}.index", process)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        output = process.communicate(timeout=240)[0]
    finally:
        process.kill()
    assert process.returncode == 1, output
    assert "Traceback" not in output and "Fatal" not in output
    (error,) = (line for line in output.splitlines() if line.startswith("error: "))
    assert not list((run_dir / "checkpoints").glob("*_temp*"))
    return error


def test_after_a_kill_and_on_a_full_disk_it_ends_the_same(data, whole, tmp_path):
    """One run: killed at a random moment, in a step or while it saves or writes pictures; without
    room for a checkpoint; without any; then with room again."""
    seed = random.SystemRandom().randrange(1_000_000)
    drawn = random.Random(seed)
    moment = drawn.randint(4, 20), drawn.uniform(0, 0.05)
    kill_at(data, tmp_path, *moment)
    error = out_of_space(data, tmp_path, 24, 100_000)
    assert "the checkpoint cannot be written" in error and "File too large" in error
    assert f"the last one is {tmp_path / 'checkpoints' / 'ckpt-'}" in error
    error = out_of_space(data, tmp_path, 30, 0)
    assert "File too large" in error and f"{tmp_path / 'checkpoints' / 'ckpt-'}" in error

    what = f"seed {seed}: killed at {moment}, {error}"
    (output,) = runs.finish(runs.start(arguments(data, tmp_path)))
    assert "resuming after step" in output, f"{what}: {output}"
    for name, value in runs.final_weights(tmp_path).items():
        np.testing.assert_array_equal(value, whole[name], err_msg=f"{what} {name}")
    lines = (tmp_path / "scalars.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, STEPS + 1)), what


def test_sigterm_saves_and_says_so(data, tmp_path):
    more = ("--steps_per_epoch=2000", "--save_every=100000")
    (process,) = runs.start(arguments(data, tmp_path, *more))
    try:
        runs.wait_until(lambda: runs.steps_done(tmp_path) > 3, process, "step 3")
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=240)[0]
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM, output
    assert "stopped by SIGTERM after step" in output and "saved in" in output
    step = runs.steps_done(tmp_path)
    assert (tmp_path / "checkpoints" / f"ckpt-{step}.index").exists()
