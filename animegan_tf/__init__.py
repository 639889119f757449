"""AnimeGANv2 on TensorFlow 2 and Keras 3: photos to anime-style pictures with a small GAN.

Public names are loaded on first use, so that `import animegan_tf` and `--help` stay cheap.
"""

import importlib

__version__ = "0.1.0"

_MODULE_OF = {
    "build_generator": "networks",
    "build_discriminator": "networks",
    "build_feature_extractor": "networks",
    "recipe": "config",
    "Recipe": "config",
    "AnimeGAN": "trainer",
    "Stylizer": "stylizer",
    "stylize_video": "video.film",
    "InputError": "errors",
}
_SUBMODULES = (
    "config",
    "errors",
    "images",
    "layers",
    "losses",
    "networks",
    "styles",
    "tf1",
    "trainer",
    "weights",
)

__all__ = [*_MODULE_OF, *_SUBMODULES, "__version__"]


def __getattr__(name):
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
