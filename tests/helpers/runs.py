"""Training runs with toy networks as processes of their own, for the tests that stop them."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import tensorflow as tf
from places import TESTS


def environment(**more):
    """The environment of a process that uses this checkout."""
    path = os.pathsep.join(filter(None, (str(TESTS.parent), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2", **more}


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def arguments(data, run_dir, steps_per_epoch=3):
    """Flags for a tiny run of both phases."""
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
        "--mixed_precision=none",  # two processes and one agree to rounding
    ]


def start(arguments, workers=1):
    """Start the workers of a run; they talk over the loopback."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    started = []
    for index in range(workers):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        more = {"TF_CONFIG": json.dumps(task)} if workers > 1 else {}
        started.append(
            subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("worker.py")), *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment(**more),
            )
        )
    return started


def finish(processes, timeout=300):
    """The outputs of the processes, which must all succeed; none is left running."""
    try:
        outputs = [process.communicate(timeout=timeout)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output
    return outputs


def final_weights(run_dir):
    """{name: value} of the networks in the last checkpoint."""
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints"))
    names = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    parts = ("generator/", "discriminator/", "average/")
    networks = [name for name in names if name.startswith(parts)]
    assert {name.partition("/")[0] for name in networks} == {part[:-1] for part in parts}
    return {name: reader.get_tensor(name) for name in networks}


def wait_until(true, process, what, seconds=240):
    """Wait for `true()` while the process runs; `what` is what then did not happen."""
    end = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, f"no {what} in {seconds} s"
        time.sleep(0.01)


def wait_for(path, process):
    """Wait for a file."""
    wait_until(path.exists, process, path)


def steps_done(run_dir):
    """How many steps the scalars of a run tell of."""
    path = run_dir / "scalars.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0
