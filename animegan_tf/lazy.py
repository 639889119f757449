"""What is loaded on first use, so that importing the package stays cheap."""

import importlib
import sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec

# The modules with layers that Keras must know before it can load a saved generator.
_LAYERS = ("animegan_tf.networks.layers", "animegan_tf.networks.convolution")


def load(package, module_of, name):
    """`name` from the module of `package` that `module_of`, a dict, says; for `__getattr__`."""
    if name in module_of:
        return getattr(importlib.import_module(f"{package}.{module_of[name]}"), name)
    raise AttributeError(f"module {package!r} has no attribute {name!r}")


def register_layers():
    """Have Keras know this package's layers: now if Keras is loaded, else as soon as it is."""
    if "keras" in sys.modules:
        for name in _LAYERS:
            importlib.import_module(name)
    else:
        sys.meta_path.insert(0, _AfterKeras())


class _AfterKeras(MetaPathFinder):
    """Registers the layers when Keras has been imported."""

    def __init__(self):
        self._looking = False

    def find_spec(self, name, path=None, target=None):
        """The ordinary spec of Keras, whose loader then registers the layers; None for others."""
        if name != "keras" or self._looking:
            return None
        self._looking = True
        try:
            spec = find_spec(name)
        finally:
            self._looking = False
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_register(module):
                load(module)
                # Not before: others may only ask whether there is a Keras.
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                register_layers()

            spec.loader.exec_module = load_and_register
        return spec
