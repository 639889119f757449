"""Computes a generator in horizontal strips, layer by layer: large images in little memory.

Independent tiles would change colours and show seams, since norms use statistics of the whole
image. Here all strips of a layer are computed before the next layer, each from the rows that its
kernel reads. Inputs of normalisation layers are stored, with their mean and variance over the whole
image; everything else (norms, activations, padding, resizing) is recomputed per strip. Stored
tensors are freed as soon as their last reader has passed. Results equal those of the whole image,
except for the rounding of the statistics, which are float64.
"""

import sys

import numpy as np
from tqdm import tqdm

from animegan_tf.errors import InputError
from animegan_tf.memory import GIGABYTE
from animegan_tf.stylize import progress
from animegan_tf.stylize.engines import strip_plan
from animegan_tf.stylize.engines.base import memory_errors
from animegan_tf.stylize.guided import LIMITS

# Larger strips are slower; so are much smaller ones, since neighbours recompute the same rows.
STRIP_BYTES = 8 * 2**20
# Independent of the size: TensorFlow's buffers, and memory that its allocator does not return.
_BASE_BYTES = 300 * 2**20
# Measured from 640x360 to 1920x1080, plus 10%.
_WHOLE_BYTES_PER_PIXEL = {"v2": 1050, "lite": 600, "v1": 1600}


def supports(model):
    """Whether all layers of `model` can be computed in strips."""
    return all(map(strip_plan.supports, model.layers))


def whole_memory(model, height, width):
    """The approximate number of bytes that `model` needs for a whole image of that size."""
    from animegan_tf.networks.generator import generator_arch

    return _BASE_BYTES + _WHOLE_BYTES_PER_PIXEL[generator_arch(model)] * height * width


def fitted(model, height, width, available):
    """A `StripEngine` for that size, with strips as large as useful within `available` bytes.

    Raises `InputError` if even single rows do not fit.
    """
    strip_bytes = STRIP_BYTES
    while True:
        engine = StripEngine(model, strip_bytes)
        needed = engine.memory(height, width)
        if needed <= available:
            return engine
        if not strip_bytes:
            raise InputError(
                f"photo: {width}x{height} needs {needed / GIGABYTE:.1f} GB even in strips, but "
                f"{available / GIGABYTE:.1f} GB are available; {LIMITS}"
            )
        strip_bytes //= 2


class StripEngine:
    """Computes a generator of `build_generator` in strips.

    strip_bytes: approximate size of the largest tensor of a strip; a strip has at least one row.
    Raises `InputError` for a model with other layers.
    """

    size = None

    def __init__(self, model, strip_bytes=STRIP_BYTES):
        from animegan_tf.networks import size_multiple

        self.multiple = size_multiple(model)
        self._model = model
        self._strip_bytes = strip_bytes
        for layer in model.layers:
            if not strip_plan.supports(layer):
                raise InputError(
                    "model: expected a generator of build_generator(), received one with a layer "
                    f"{layer.name} of type {type(layer).__name__}"
                )

    def __call__(self, batch):
        """float32 RGB in [-1, 1], (N, H, W, 3), to the same. Raises `MemoryError`."""
        result = np.empty(batch.shape, np.float32)
        with memory_errors():
            for photo, output in zip(batch, result, strict=True):
                self._one(photo[None], output)
        return result

    def memory(self, height, width):
        """Estimated memory for an image of that size in bytes, besides TensorFlow itself."""
        sides = (-(-side // self.multiple) * self.multiple for side in (height, width))
        plan = strip_plan.Plan(self._model, *sides)
        at_work = plan.most_at_work(self._strip_bytes)
        in_and_out = 2 * plan.photo.bytes
        return in_and_out + plan.most_kept() + at_work + _BASE_BYTES

    def _one(self, photo, result):
        plan = strip_plan.Plan(self._model, *photo.shape[1:3])
        plan.photo.values = photo
        shown, total = progress.is_shown(), sum(node.height for node in plan.passes)
        if shown:
            height, width = photo.shape[1:3]
            tqdm.write(f"{width}x{height}: in strips, to fit into memory", file=sys.stderr)
        with tqdm(total=total, unit="row", leave=False, disable=None if shown else True) as bar:
            for node in plan.passes:
                for start, strip in plan.strips(node, self._strip_bytes):
                    if node is plan.output:
                        result[start : start + strip.shape[1]] = strip[0]
                    bar.update(strip.shape[1])
