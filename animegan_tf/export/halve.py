"""Conversion of a generator's weights to float16, with a comparison before writing."""

import numpy as np

from animegan_tf.export import check
from animegan_tf.export.tflite import BOUNDS
from animegan_tf.networks import weights
from animegan_tf.networks.generator import size_multiple
from animegan_tf.recipes import TRAINED_SIDE


def halve_weights(checkpoint, output, photos):
    """Write the generator of `checkpoint` to `output`, a `.weights.h5` file, in float16.

    checkpoint: as in `weights.load_generator`. photos: uint8 RGB images for the comparison. Returns
    the result of `check.compare`. Raises `InputError` for an invalid checkpoint or file name, and
    `ExportError`, before writing, if outputs change more than a float16 TFLite file's may.
    """
    model = weights.load_generator(checkpoint)
    largest, most = max(np.abs(v).max() for v in model.get_weights()), np.finfo(np.float16).max
    if not largest <= most:
        raise check.ExportError(
            f"checkpoint: expected weights within float16's {most:g}, received one of {largest:g}"
        )
    multiple = size_multiple(model)
    inputs = [check.fit_network(photo, None, multiple, TRAINED_SIDE) for photo in photos]
    expected = [np.array(model(batch)) for batch in inputs]
    model.set_weights([value.astype(np.float16) for value in model.get_weights()])
    outputs = [np.array(model(batch)) for batch in inputs]
    measured = check.compare(outputs, expected, BOUNDS["float16"])
    weights.save_generator(model, output, half=True)
    return measured
