"""A generator computed in horizontal strips, layer by layer: large pictures in little memory.

Cutting a picture into tiles would change its colours and show seams, since the norms look at the
whole picture. Here a layer's strips are all computed before the next layer begins, each from the
rows that its kernel wants. What a norm reads is kept, with its mean and variance over the whole
picture; the norm itself, activations, paddings and resizings happen anew whenever rows are read, so
their results never exist whole. What is read no more is freed while the next layer fills up. The
numbers are those of the whole picture, but for the rounding of the statistics, which are float64.
"""

import contextlib
import contextvars
import sys

import numpy as np
from tqdm import tqdm

from animegan_tf.errors import InputError
from animegan_tf.memory import GIGABYTE
from animegan_tf.stylize.engines import strip_plan
from animegan_tf.stylize.guided import LIMITS

# Larger ones are slower, smaller ones too once most of their rows are their neighbours' as well.
STRIP_BYTES = 8 * 2**20
# Whatever the size: buffers of TensorFlow's own, and what its allocator does not give back.
_BASE_BYTES = 300 * 2**20
# Measured from 640x360 to 1920x1080, a tenth added.
_WHOLE_BYTES_PER_PIXEL = {"v2": 1050, "lite": 600, "v1": 1600}

_shown = contextvars.ContextVar("shown", default=False)


@contextlib.contextmanager
def progress_shown():
    """Within it, photos that are computed in strips say so and show how far they are."""
    token = _shown.set(True)
    try:
        yield
    finally:
        _shown.reset(token)


def supports(model):
    """Whether `model` has only layers that can be computed in strips."""
    return all(map(strip_plan.supports, model.layers))


def whole_memory(model, height, width):
    """The bytes that `model` takes for a whole picture of that size: measured, not exact."""
    from animegan_tf.networks.generator import generator_arch

    return _BASE_BYTES + _WHOLE_BYTES_PER_PIXEL[generator_arch(model)] * height * width


def fitted(model, height, width, available):
    """A `StripEngine` for that size: the strips as large as is useful and as `available` allows.

    available: bytes. Raises `InputError` when not even single rows fit.
    """
    strip_bytes = STRIP_BYTES
    while True:
        engine = StripEngine(model, strip_bytes)
        needed = engine.memory(height, width)
        if needed <= available:
            return engine
        if not strip_bytes:
            raise InputError(
                f"photo: {width}x{height} takes {needed / GIGABYTE:.1f} GB even in strips, and "
                f"{available / GIGABYTE:.1f} GB are there for it; {LIMITS}"
            )
        strip_bytes //= 2


class StripEngine:
    """A generator of `build_generator` in strips; an engine of `animegan_tf.stylize.engines`.

    strip_bytes: about what the widest picture of a strip may take; at least a row is done at once.
    Raises `InputError` for a model with layers that a generator does not have.
    """

    size = None

    def __init__(self, model, strip_bytes=STRIP_BYTES):
        import tensorflow as tf

        from animegan_tf.networks import size_multiple

        self.multiple = size_multiple(model)
        self._model = model
        self._strip_bytes = strip_bytes
        self._out_of_memory = tf.errors.ResourceExhaustedError
        for layer in model.layers:
            if not strip_plan.supports(layer):
                raise InputError(
                    "model: expected a generator of build_generator(), received one with a layer "
                    f"{layer.name} of type {type(layer).__name__}"
                )

    def __call__(self, batch):
        """float32 RGB in [-1, 1], (N, H, W, 3), to the same. Raises `MemoryError`."""
        try:
            result = np.empty(batch.shape, np.float32)
            for photo, made in zip(batch, result, strict=True):
                self._one(photo[None], made)
            return result
        except self._out_of_memory as error:
            raise MemoryError(str(error)) from error

    def memory(self, height, width):
        """The bytes that a picture of that size takes, estimated, beside TensorFlow itself."""
        sides = (-(-side // self.multiple) * self.multiple for side in (height, width))
        plan = strip_plan.Plan(self._model, *sides)
        at_work = plan.most_at_work(self._strip_bytes)
        in_and_out = 2 * plan.photo.bytes
        return in_and_out + plan.most_kept() + at_work + _BASE_BYTES

    def _one(self, photo, result):
        plan = strip_plan.Plan(self._model, *photo.shape[1:3])
        plan.photo.values = photo
        shown, total = _shown.get(), sum(node.height for node in plan.passes)
        if shown:
            height, width = photo.shape[1:3]
            tqdm.write(f"{width}x{height}: in strips, to fit into memory", file=sys.stderr)
        with tqdm(total=total, unit="row", leave=False, disable=None if shown else True) as bar:
            for node in plan.passes:
                for start, strip in plan.strips(node, self._strip_bytes):
                    if node is plan.output:
                        result[start : start + strip.shape[1]] = strip[0]
                    bar.update(strip.shape[1])
