"""What engines have in common."""

import hashlib

import numpy as np


class Engine:
    """An engine, as `animegan_tf.stylize.engines` describes it."""

    size = None
    has_model = on_litert = False

    def refuse_too_large(self, height, width):
        """Raise `InputError` for a picture that is known to be too large for the memory."""


def digest(parts):
    """A text that stands for some bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def weights_digest(model):
    """A text that stands for a model's weights."""
    return digest(np.ascontiguousarray(values) for values in model.get_weights())
