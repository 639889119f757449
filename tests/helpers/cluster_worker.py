"""Stands for `animegan_tf.cluster.worker.Worker`: light, and what befalls it is in the photos."""

import os
import pathlib
import signal
import time

import numpy as np

from animegan_tf import images
from animegan_tf.cluster.worker import Outcome, Worker


class Negative(Worker):
    """A model of no weight.

    A photo whose name has "poison" kills its worker, one with "once" only the first time, "slow"
    takes a second. On a node with FULL in its environment nothing can be written.
    """

    def segment(self, task, again=False):
        kind = task.film.path
        if "once" in kind and not again and task.frames[0][0]:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep("slow" in kind)
        return super().segment(task, again)

    def photo(self, task, again=False):
        if "poison" in task.name or ("once" in task.name and not again):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep("slow" in task.name)
        if os.environ.get("FULL"):
            return Outcome({}, "No space left on device")
        return super().photo(task, again)


class Light:
    """Stands for the `Model`: its load returns a negative, as a `Stylizer` does."""

    checkpoint, data, options = "negative", None, {}

    def load(self):
        return _Inverted()


class _Inverted:
    max_side = None

    def __call__(self, photo):
        return 255 - photo

    def stylized(self, photo, bits):
        assert bits == 8
        return self(photo)


def write_photos(folder, names):
    """A small photo for each name; one that begins with "bad" is none."""
    for number, name in enumerate(names):
        path = pathlib.Path(folder, name)
        if path.name.startswith("bad"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no photo")
        else:
            images.write_photo(path, np.full((6, 9, 3), number, np.uint8))
