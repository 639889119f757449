"""The networks: three generators, the discriminator, the VGG features. No training code."""

import importlib

_MODULE_OF = {
    "build_generator": "generator",
    "size_multiple": "generator",
    "build_discriminator": "discriminator",
    "build_feature_extractor": "features",
}

__all__ = list(_MODULE_OF)


def __getattr__(name):
    # Loaded on first use, so that inference never imports the VGG.
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
