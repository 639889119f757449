"""Kernel distance between two sets of images, in VGG features. Needs only NumPy.

The kernel Inception distance of Bińkowski et al., "Demystifying MMD GANs" (2018), with VGG features
instead of Inception's: the unbiased estimate of the squared maximum mean discrepancy with the
kernel (x.y / d + 1)^3. A sample is the mean of the rectified features over a patch, so that some
dozen images give some hundred samples. Values depend on the feature network and the image size:
compare only values of the same setting.
"""

import numpy as np

from animegan_tf.errors import InputError

# Side of a patch in feature cells of 8x8 pixels: 128 pixels.
PATCH = 16


def samples(features):
    """The samples of an image: float64 (n, channels), a row per patch.

    features: (1, H, W, channels) or (H, W, channels), before the ReLU. An image smaller than a
    patch is one sample; incomplete patches at the edges are ignored.
    """
    features = np.maximum(np.asarray(features, np.float64), 0)
    height, width, channels = features.shape[-3:]
    features = features.reshape(height, width, channels)
    rows, columns = min(PATCH, height), min(PATCH, width)
    features = features[: height // rows * rows, : width // columns * columns]
    patches = features.reshape(height // rows, rows, width // columns, columns, channels)
    return patches.mean(axis=(1, 3)).reshape(-1, channels)


def kernel_distance(first, second):
    """The distance of two sets of samples: a float, about 0 for sets of one distribution.

    first, second: (n, channels). Both are divided by the root mean square of `second`, the
    reference set, so that values are about 1. The estimate is unbiased, and therefore may be
    slightly below 0. Raises `InputError` for fewer than two samples.
    """
    first, second = (np.asarray(samples, np.float64) for samples in (first, second))
    for name, samples in (("first", first), ("second", second)):
        if samples.ndim != 2 or len(samples) < 2:
            raise InputError(
                f"{name}: expected two samples or more, received an array of shape {samples.shape}"
            )
    scale = np.sqrt(np.square(second).mean()) or 1.0
    first, second = first / scale, second / scale
    return float(_within(first) + _within(second) - 2 * _kernel(first, second).mean())


def _kernel(first, second):
    return (first @ second.T / first.shape[1] + 1) ** 3


def _within(samples):
    """The mean kernel of two different samples of a set."""
    kernel, count = _kernel(samples, samples), len(samples)
    return (kernel.sum() - np.trace(kernel)) / (count * (count - 1))
