"""Checkpoints as TensorFlow 1 wrote them."""

import tensorflow as tf


def write_checkpoint(prefix, values):
    """Write `values` (name to array) in the format of TensorFlow 1's Saver."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    names = sorted(values)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(values[name]) for name in names],
    )
    return prefix
