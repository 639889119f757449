"""Kernel distance: how far a set of pictures lies from another one, in VGG features.

The kernel Inception distance of Bińkowski et al., "Demystifying MMD GANs" (2018), with the VGG
features at hand in place of Inception's: the unbiased estimate of the squared maximum mean
discrepancy under the kernel (x.y / d + 1)^3. A sample is the mean of the rectified features over a
patch of a picture, so that a few dozen pictures make some hundred samples. Values depend on the
feature network and on the pictures' size: compare only what was measured alike. NumPy alone.
"""

import numpy as np

from animegan_tf.errors import InputError

# A patch in cells of the features, which have an eighth of the picture's size: 128 pixels.
PATCH = 16


def samples(features):
    """The samples of one picture: float64 (n, channels), a row for each patch.

    features: (1, H, W, channels) or (H, W, channels), before the ReLU. A picture that is smaller
    than a patch is one sample; what does not fill a patch at the edges is left out.
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

    first, second: (n, channels). Both are divided by the root mean square of `second`, the set to
    compare with, so that the kernel sees values of about 1. The estimate is unbiased, and so can
    be a little below 0. Raises `InputError` for fewer than two samples.
    """
    first, second = (np.asarray(one, np.float64) for one in (first, second))
    for name, one in (("first", first), ("second", second)):
        if one.ndim != 2 or len(one) < 2:
            raise InputError(
                f"{name}: expected two samples or more, received an array of shape {one.shape}"
            )
    scale = np.sqrt(np.square(second).mean()) or 1.0
    first, second = first / scale, second / scale
    return float(_within(first) + _within(second) - 2 * _kernel(first, second).mean())


def _kernel(first, second):
    return (first @ second.T / first.shape[1] + 1) ** 3


def _within(one):
    """The mean kernel of two different samples of a set."""
    kernel, count = _kernel(one, one), len(one)
    return (kernel.sum() - np.trace(kernel)) / (count * (count - 1))
