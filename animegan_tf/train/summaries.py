"""The summaries of a run: scalars (TensorBoard and JSON lines) and sample grids."""

import contextlib
import itertools
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from animegan_tf import images, storage
from animegan_tf.errors import reason_of
from animegan_tf.networks.weights import SCALARS


@contextlib.contextmanager
def _os_errors():
    """Raise `OSError` for TensorFlow's own exceptions, for example on a full disk."""
    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(reason_of(error)) from error


class RunRecords:
    """Scalars and sample grids of a run in `run_dir`; `first_step` is the number of updates done.

    Records beyond `first_step` belong to updates that were lost when the run was stopped; they are
    removed. Raises `OSError` if a file cannot be written.
    """

    def __init__(self, run_dir, first_step):
        self.run_dir = Path(run_dir)
        events = self.run_dir / "tensorboard"
        self._drop_lost_lines(first_step)
        with _os_errors():
            for path in events.glob("*tfevents*"):
                _drop_lost_events(path, first_step)
        self._file = (self.run_dir / SCALARS).open("a", encoding="utf-8")
        self._writer = tf.summary.create_file_writer(str(events))

    def _drop_lost_lines(self, first_step):
        path = self.run_dir / SCALARS
        if not path.exists():
            return
        kept = []
        for line in path.read_text("utf-8", errors="replace").splitlines():
            # The last line of a killed run may be truncated; lines without a step are dropped.
            with contextlib.suppress(ValueError, TypeError, KeyError):
                if json.loads(line)["step"] <= first_step:
                    kept.append(line + "\n")
        storage.write_text(path, "".join(kept))

    def scalars(self, step, phase, epoch, losses, measures):
        """Record `losses` and `measures` (dicts of floats) of update number `step`, from 1."""
        line = {"step": step, "epoch": epoch, "phase": phase}
        for name, value in {**losses, **measures}.items():
            line[name] = float(f"{value:.6g}")
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        with _os_errors(), self._writer.as_default(step=step):
            for name, value in losses.items():
                tf.summary.scalar(f"{phase}/{name}", value)
            for name, value in measures.items():
                tf.summary.scalar(f"monitor/{name}", value)

    def samples(self, step, name, rows):
        """Write a grid of `rows`, each a list of uint8 RGB images of one height.

        A PNG file `samples/<name>.png`, and the same image in TensorBoard. Returns the path.
        """
        grid = stack_rows(rows)
        folder = self.run_dir / "samples"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.png"
        images.write_photo(path, grid)
        with _os_errors(), self._writer.as_default(step=step):
            tf.summary.image("samples", grid[None])
            self._writer.flush()
        return path

    def text(self, name, text):
        """Record a text in TensorBoard, line by line."""
        shown = text.encode("utf-8", "replace").decode()
        with _os_errors(), self._writer.as_default(step=0):
            tf.summary.text(name, f"```\n{shown}\n```")

    def close(self):
        """Flush and close the files."""
        self._file.close()
        with _os_errors():
            self._writer.close()


def _drop_lost_events(path, first_step):
    """Remove the events beyond `first_step` from a TensorBoard file."""

    def records():
        # The last record of a killed run may be truncated. Single records would be slow.
        batches = tf.data.TFRecordDataset(str(path)).ignore_errors().batch(256)
        return (record for batch in batches.as_numpy_iterator() for record in batch)

    def lost(record):
        return tf.compat.v1.Event.FromString(record).step > first_step

    if any(map(lost, records())):
        with storage.aside(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
            for record in itertools.filterfalse(lost, records()):
                writer.write(record)


def stack_rows(rows):
    """Stack rows (lists of uint8 (H, W, 3) images) into one image; shorter rows end in black."""
    joined = [np.concatenate(row, axis=1) for row in rows]
    width = max(row.shape[1] for row in joined)
    return np.concatenate(
        [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in joined], axis=0
    )
