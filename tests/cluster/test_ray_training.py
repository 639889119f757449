"""Training under Ray Train, which sets TF_CONFIG: two workers compute what two processes do."""

import json
import os
import subprocess
import sys

import pytest
import runs
from places import TESTS

from animegan_tf.data import synthetic


@pytest.mark.slow
def test_ray_train_starts_two_workers(nodes, tmp_path):
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.tensorflow import TensorflowTrainer

    data = synthetic.make_smoke_dataset(tmp_path / "data", 32, count=5)
    program = str(TESTS / "helpers" / "worker.py")
    command = [sys.executable, program, *runs.arguments(data, tmp_path / "run", 1)]
    environment, folder = runs.environment(), tmp_path

    def train():
        task = json.loads(os.environ["TF_CONFIG"])
        index = task["task"]["index"]
        done = subprocess.run(
            command,
            env={**environment, "TF_CONFIG": os.environ["TF_CONFIG"]},
            capture_output=True,
            text=True,
        )
        (folder / f"{index}.json").write_text(json.dumps([task, done.returncode, done.stdout]))
        assert done.returncode == 0, done.stderr[-2000:]

    ray.init(address=nodes.address, log_to_driver=False)
    try:
        TensorflowTrainer(
            train,
            scaling_config=ScalingConfig(num_workers=2, resources_per_worker={"CPU": 0.5}),
            run_config=RunConfig(storage_path=str(tmp_path / "ray")),
        ).fit()
    finally:
        ray.shutdown()
    results = [json.loads((tmp_path / f"{index}.json").read_text()) for index in (0, 1)]
    assert [len(task["cluster"]["worker"]) for task, _, _ in results] == [2, 2]
    assert "2 replica(s)" in results[0][2] and "done:" in results[0][2]
    # Only the chief writes.
    assert "done:" not in results[1][2]
    assert (tmp_path / "run" / "scalars.jsonl").read_text().count("\n") > 0
