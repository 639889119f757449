"""The networks: three generators, the discriminator, the VGG features. No training code."""

from animegan_tf import lazy

_MODULE_OF = {
    "build_generator": "generator",
    "size_multiple": "generator",
    "build_discriminator": "discriminator",
    "build_feature_extractor": "features",
}

__all__ = list(_MODULE_OF)


def __getattr__(name):
    # Loaded on first use, so that inference never imports the VGG.
    return lazy.load(__name__, _MODULE_OF, name)
