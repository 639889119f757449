"""The Keras engine."""

from animegan_tf import memory
from animegan_tf.stylize.engines import strips
from animegan_tf.stylize.engines.base import Engine, memory_errors, weights_digest
from animegan_tf.stylize.engines.converted import ConvertedEngine
from animegan_tf.stylize.engines.runtimes import RUNTIMES


class KerasEngine(Engine):
    """A Keras generator, compiled once for all sizes, on TensorFlow's default device.

    On a CPU, images that do not fit into memory are computed in strips (see `strips`). An image
    that does not fit even then is an `InputError`.

    strip_memory: process all images in strips within this many gigabytes. precision: "float32" or
        "bfloat16", of the layers; norms and output, and strips, remain float32.
    """

    stabilizes = True

    def __init__(self, model, strip_memory=None, precision="float32"):
        import tensorflow as tf

        from animegan_tf.networks.generator import properties

        self.model = model
        facts = properties(model)
        self.arch, self.multiple = facts["arch"], facts["multiple"]
        self.match_brightness = facts["match_brightness"]
        self._strip_memory = strip_memory
        self._drawn = drawn = model if precision == "float32" else _in_precision(model, precision)
        self.on_gpu = bool(tf.config.list_physical_devices("GPU"))
        # With unknown sizes, so that the graph is traced only once.
        self._run = tf.function(
            lambda batch: drawn(batch, training=False),
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

    def frames(self, stabilize=True, count=None, engine="auto"):
        if engine in RUNTIMES:
            from animegan_tf.stylize.stable import converted

            return ConvertedEngine(converted(self.model, engine), engine).frames()
        if not stabilize:
            return super().frames()
        from animegan_tf.stylize.stable import StableNetwork

        return StableNetwork(self._drawn)


def _in_precision(model, precision):
    """A copy of `model` with the same weights that computes in a reduced precision."""
    import keras

    def clone(layer):
        # The output's rounding would be visible.
        policy = "float32" if layer is model.layers[-1] else f"mixed_{precision}"
        return layer.from_config({**layer.get_config(), "dtype": policy})

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy
