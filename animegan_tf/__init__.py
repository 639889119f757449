"""AnimeGANv2 on TensorFlow 2 and Keras 3: photos to anime-style images with a small GAN.

Public names are loaded on first use, so that `import animegan_tf` and `--help` stay cheap.
"""

import importlib
import sys
from typing import TYPE_CHECKING

from animegan_tf import lazy, moved

if TYPE_CHECKING:
    from animegan_tf.errors import InputError
    from animegan_tf.networks import (
        build_discriminator,
        build_feature_extractor,
        build_generator,
        tf1,
    )
    from animegan_tf.recipes import Recipe, recipe
    from animegan_tf.stylize import Stylizer, stylize_paths, stylize_video
    from animegan_tf.train import AnimeGAN

__version__ = "0.1.0"

_MODULE_OF = {
    "build_generator": "networks",
    "build_discriminator": "networks",
    "build_feature_extractor": "networks",
    "recipe": "recipes",
    "Recipe": "recipes",
    "AnimeGAN": "train",
    "Stylizer": "stylize",
    "stylize_paths": "stylize",
    "stylize_video": "stylize",
    "InputError": "errors",
}
_SUBMODULES = ("errors", "images", "losses", "networks", "recipes", "styles", "tf1")

__all__ = [*_MODULE_OF, *_SUBMODULES, "__version__"]


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    return lazy.load(__name__, _MODULE_OF, name)


def __dir__():
    return sorted(__all__)


lazy.register_layers()
# Last, so that it is used only for modules that are not found otherwise.
sys.meta_path.append(moved.Finder())
