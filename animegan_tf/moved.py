"""Module paths of version 0.1, which still work with a `DeprecationWarning`."""

import importlib
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

# A stable name, without a warning.
_STABLE = {"animegan_tf.tf1": "animegan_tf.networks.tf1"}
_MOVED = {
    "animegan_tf.config": "animegan_tf.recipes",
    "animegan_tf.layers": "animegan_tf.networks.layers",
    "animegan_tf.weights": "animegan_tf.networks.weights",
    "animegan_tf.trainer": "animegan_tf.train.animegan",
    "animegan_tf.stylizer": "animegan_tf.stylize.stylizer",
    "animegan_tf.video.film": "animegan_tf.stylize.film",
    "animegan_tf.video.options": "animegan_tf.stylize.options",
    "animegan_tf.data.video": "animegan_tf.video.reader",
    "animegan_tf.data.frames": "animegan_tf.extract.extraction",
    "animegan_tf.serving_client": "animegan_tf.serving.client",
}


class Finder(MetaPathFinder, Loader):
    """Finds modules of old paths at their new paths; for the end of `sys.meta_path`."""

    def find_spec(self, name, path=None, target=None):
        """A spec for an old path, None for others."""
        return ModuleSpec(name, self) if name in _STABLE or name in _MOVED else None

    def create_module(self, spec):
        """The module at the new path itself, not a copy."""
        if spec.name in _MOVED:
            warnings.warn(
                f"{spec.name} is now {_MOVED[spec.name]}; version 0.3 removes the old name",
                DeprecationWarning,
                stacklevel=2,
            )
        module = importlib.import_module((_STABLE | _MOVED)[spec.name])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module):
        """Restore the spec of the new path; the module has been executed."""
        module.__spec__ = module.__spec__.loader_state
