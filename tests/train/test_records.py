"""What a run writes for people, when a part of it is done again."""

import json

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from animegan_tf.train import summaries


def in_tensorboard(run_dir, tag):
    """The steps at which TensorBoard shows values of `tag`."""
    events = EventAccumulator(str(run_dir / "tensorboard"), size_guidance={"tensors": 0})
    return [event.step for event in events.Reload().Tensors(tag)]


def test_steps_done_again_are_recorded_once(tmp_path):
    def write(first, last):
        record = summaries.RunRecords(tmp_path, first)
        for step in range(first + 1, last + 1):
            record.scalars(step, "initialize", 1, {"init": 1.0}, {})
            record.samples(step, "epoch-0001", [[np.zeros((8, 8, 3), np.uint8)]])
        record.close()

    write(0, 3)
    write(3, 6)
    # Killed while it wrote; and somebody's note, which is no step's.
    for path in (tmp_path / "tensorboard").iterdir():
        path.write_bytes(path.read_bytes()[:-3])
    scalars = tmp_path / summaries.SCALARS
    scalars.write_bytes(scalars.read_bytes() + b'{"note": "lower rate"}\n[1]\n{"step": \xff')
    write(2, 5)
    lines = scalars.read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5]
    for tag in ("initialize/init", "samples"):
        assert in_tensorboard(tmp_path, tag) == [1, 2, 3, 4, 5]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 3
