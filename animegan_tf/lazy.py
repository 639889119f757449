"""Lazy imports, so that importing the package stays cheap."""

import importlib
import sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec

# Modules with layers that Keras needs to load a saved generator.
_LAYERS = ("animegan_tf.networks.layers", "animegan_tf.networks.convolution")


def load(package, module_of, name):
    """Import `name` from the module `module_of[name]` of `package`; for `__getattr__`."""
    if name in module_of:
        return getattr(importlib.import_module(f"{package}.{module_of[name]}"), name)
    raise AttributeError(f"module {package!r} has no attribute {name!r}")


def register_layers():
    """Register this package's layers with Keras, now or as soon as Keras is imported."""
    if "keras" in sys.modules:
        for name in _LAYERS:
            importlib.import_module(name)
    else:
        sys.meta_path.insert(0, _AfterKeras())


class _AfterKeras(MetaPathFinder):
    """Registers the layers once Keras is imported."""

    _searching = False

    def find_spec(self, name, path=None, target=None):
        """The usual spec of Keras with a loader that registers the layers; None for others."""
        if name != "keras" or self._searching:
            return None
        self._searching = True
        try:
            spec = find_spec(name)
        finally:
            self._searching = False
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_register(module):
                load(module)
                # Not earlier: a spec may be requested without an import.
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                register_layers()

            spec.loader.exec_module = load_and_register
        return spec
