"""A generator's weights in float16, compared with the float32 ones before they are written."""

import numpy as np

from animegan_tf.export import check
from animegan_tf.export.tflite import BOUNDS
from animegan_tf.networks import weights
from animegan_tf.networks.generator import size_multiple
from animegan_tf.recipes import TRAINED_SIDE


def halve_weights(checkpoint, output, photos):
    """Write the generator of `checkpoint` to `output`, a `.weights.h5` file, in float16.

    checkpoint: as in `weights.load_generator`. photos: uint8 RGB pictures to compare with. Returns
    what `check.compare` measured. Raises `InputError` for a checkpoint or a name that does not fit,
    and `ExportError`, before anything is written, where a picture changes by more than a float16
    TFLite file's may.
    """
    model = weights.load_generator(checkpoint)
    largest, most = max(np.abs(v).max() for v in model.get_weights()), np.finfo(np.float16).max
    if not largest <= most:
        raise check.ExportError(
            f"checkpoint: expected weights within float16's {most:g}, received one of {largest:g}"
        )
    multiple = size_multiple(model)
    pictures = [check.fit_network(photo, None, multiple, TRAINED_SIDE) for photo in photos]
    expected = [np.array(model(picture)) for picture in pictures]
    model.set_weights([value.astype(np.float16) for value in model.get_weights()])
    answers = [np.array(model(picture)) for picture in pictures]
    measured = check.compare(answers, expected, BOUNDS["float16"])
    weights.save_generator(model, output, half=True)
    return measured
