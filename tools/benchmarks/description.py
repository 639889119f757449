"""A `networks.description` on disk, for a process that loads no TensorFlow."""

import json
from pathlib import Path

import numpy as np

from animegan_tf.networks.description import describe

_NODES, _WEIGHTS = "nodes.json", "weights.npz"


def save(model, folder):
    """Write the description of `model` into `folder`."""
    nodes, weights = describe(model)
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, _NODES).write_text(json.dumps(nodes), "utf-8")
    np.savez(Path(folder, _WEIGHTS), **weights)


def load(folder):
    """(nodes, weights) that `save` wrote."""
    nodes = json.loads(Path(folder, _NODES).read_text("utf-8"))
    with np.load(Path(folder, _WEIGHTS)) as stored:
        return nodes, {name: stored[name] for name in stored.files}
