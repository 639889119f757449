"""The Keras engine."""

from animegan_tf import memory
from animegan_tf.stylize.engines import strips
from animegan_tf.stylize.engines.base import Engine, memory_errors, weights_digest


class KerasEngine(Engine):
    """A Keras generator, compiled once for all sizes, on TensorFlow's default device.

    On a CPU, images that do not fit into memory are computed in strips (see `strips`). An image
    that does not fit even then is an `InputError`.

    strip_memory: process all images in strips within this many gigabytes.
    """

    has_model = True

    def __init__(self, model, strip_memory=None):
        import tensorflow as tf

        from animegan_tf.networks.generator import matches_brightness, size_multiple

        self.model = model
        self.multiple = size_multiple(model)
        self.match_brightness = matches_brightness(model)
        self._strip_memory = strip_memory
        self.on_gpu = bool(tf.config.list_physical_devices("GPU"))
        # With unknown sizes, so that the graph is traced only once.
        self._run = tf.function(
            lambda batch: model(batch, training=False),
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)],
            autograph=False,
        )

    def identity(self):
        return weights_digest(self.model)

    def refuse_too_large(self, height, width):
        self._strips(height, width)

    def _strips(self, height, width, count=1):
        """The `StripEngine` for `count` images of that size, or None if none is needed."""
        if self._strip_memory is not None:
            allowed = int(self._strip_memory * memory.GIGABYTE)
            return strips.fitted(self.model, height, width, allowed)
        if self.on_gpu or not strips.supports(self.model):
            return None
        free = memory.available()
        if free is None or count * strips.whole_memory(self.model, height, width) <= free:
            return None
        return strips.fitted(self.model, height, width, free)

    def __call__(self, batch):
        engine = self._strips(*batch.shape[1:3], count=len(batch))
        if engine is not None:
            return engine(batch)
        with memory_errors():
            return self._run(batch).numpy()
