"""Working size, guided upsampling and mixing with the photo. No TensorFlow.

A network draws lines of the same width in pixels at any size; in large photos they are hardly
visible, at many times the cost. `Delivery` processes photos at a working size; outputs are then
upsampled with the photo as the guide, so that edges stay sharp. Images are RGB (H, W, 3), uint8 or
uint16; functions return the type of the network's output.

Source: He and Sun, Fast Guided Filter, 2015, with a colour guide and the residual of the working
size added.
"""

import cv2
import numpy as np

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.stylize.options import DrawOptions

# Hint for errors about images that are too large.
LIMITS = "a smaller draw_side or max_side limits the size"
# Radius of the filter windows, and the regularisation (variance of values in [0, 1]).
_RADIUS, _EPSILON = 3, 4e-4
# Size of the bands in which large images are processed, at some 100 bytes per pixel.
_BAND_PIXELS = 2**16


class Delivery(DrawOptions):
    """The working size of photos, and how outputs are mixed with them."""

    def shrink(self, photo, within=None):
        """The photo at its working size.

        within: the fixed (height, width) of the network, if any. A photo that is shrunk anyway is
            then shrunk to fit.
        """
        height, width = photo.shape[:2]
        if not self.draw_side or min(height, width) <= self.draw_side:
            return photo
        scale = self.draw_side / min(height, width)
        size = round(height * scale), round(width * scale)
        if within is not None and (size[0] > within[0] or size[1] > within[1]):
            size = images.size_within(height, width, *within)
        return images.resize(photo, *size)

    def finish(self, photo, drawn, result):
        """The final image for `photo`, from the network's `result` for `drawn = shrink(photo)`.

        It has the size of the photo, or of `result` if that has another size than `drawn`.
        """
        if drawn is not photo:
            result = enlarge(photo, drawn, result)
        if self.keep_color or self.strength < 1:
            photo = images.resize(photo, *result.shape[:2])
        if self.keep_color:
            result = keep_chroma(photo, result)
        return blend(photo, result, self.strength)


def enlarge(photo: np.ndarray, small_photo: np.ndarray, small_result: np.ndarray) -> np.ndarray:
    """Upsample `small_result`, the output for `small_photo`, to the size of `photo`.

    photo: (H, W, 3). small_photo, small_result: (h, w, 3), not larger.

    In each window at the small size, the output is approximated by a linear function of the photo's
    colours. The smoothed, upsampled functions are applied to the large photo; the upsampled
    residual of the small size is added. Works in bands of rows to save memory. Raises `InputError`
    for sizes that do not match.
    """
    sides = zip(small_photo.shape[:2], photo.shape[:2], strict=True)
    if small_photo.shape != small_result.shape or any(small > large for small, large in sides):
        raise InputError(
            "enlarge: expected a small photo and its output of one size, no larger than the photo "
            f"{photo.shape}, received {small_photo.shape} and {small_result.shape}"
        )
    guide, target = _planes(small_photo), _planes(small_result)
    slopes, offsets = _linear_functions(guide, target)
    lost = target - offsets - np.einsum("ckhw,khw->chw", slopes, guide)
    functions = np.concatenate([slopes.reshape(-1, *guide.shape[1:]), offsets])
    functions, lost = _Enlarged(functions, photo), _Enlarged(lost, photo, cv2.INTER_CUBIC)
    result = np.empty(photo.shape, small_result.dtype)
    for rows in _bands(photo):
        colours, function = _planes(photo[rows]), functions[rows]
        planes = function[9:] + lost[rows]
        for channel in range(3):
            for colour in range(3):
                slope = function[3 * channel + colour]
                cv2.accumulateProduct(colours[colour], slope, planes[channel])
        result[rows] = _levels(planes, result.dtype)
    return result


def blend(photo: np.ndarray, result: np.ndarray, strength: float) -> np.ndarray:
    """Mix images (H, W, 3): `strength` (0 to 1) of the result, the rest of the photo."""
    if strength == 1:
        return result
    return cv2.addWeighted(result, strength, images.as_kind(photo, result.dtype), 1 - strength, 0)


def keep_chroma(photo: np.ndarray, result: np.ndarray) -> np.ndarray:
    """The result with the photo's colours: L of the result, a and b of the photo in CIE Lab.

    Both (H, W, 3) sRGB. Colours outside sRGB are clipped.
    """
    output = np.empty_like(result)
    for rows in _bands(result):
        light, colour = (
            cv2.cvtColor(image[rows].astype(np.float32) / images.white_of(image), cv2.COLOR_RGB2Lab)
            for image in (result, photo)
        )
        colour[..., 0] = light[..., 0]
        rgb = cv2.cvtColor(colour, cv2.COLOR_Lab2RGB)
        output[rows] = np.rint(np.clip(rgb, 0, 1) * images.white_of(output))
    return output


def _bands(image):
    """Slices of rows."""
    height, width = image.shape[:2]
    step = max(1, _BAND_PIXELS // width)
    return [slice(first, min(height, first + step)) for first in range(0, height, step)]


def _planes(image):
    """Levels (H, W, C) to float32 (C, H, W) in [0, 1]."""
    return np.stack(cv2.split(image)).astype(np.float32) / np.float32(images.white_of(image))


def _levels(planes, kind):
    """The inverse of `_planes`, clipped, as levels of that type."""
    if kind == np.uint8:
        return cv2.merge([cv2.convertScaleAbs(cv2.max(plane, 0), alpha=255) for plane in planes])
    return np.rint(np.clip(cv2.merge(list(planes)), 0, 1) * np.iinfo(kind).max).astype(kind)


def _linear_functions(guide, target):
    """Slopes (3, 3, h, w) and offsets (3, h, w) for target = slopes @ guide + offsets, smoothed."""
    means, wanted = _mean(guide), _mean(target)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    xx, xy, xz, yy, yz, zz = (
        _mean(guide[i] * guide[j]) - means[i] * means[j] + (_EPSILON if i == j else 0)
        for i, j in pairs
    )
    # The inverse of a symmetric matrix of 3x3, by its cofactors.
    cofactors = [yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy]
    determinant = xx * cofactors[0] + xy * cofactors[1] + xz * cofactors[2]
    cofactors += [xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy]
    inverse = dict(zip(pairs, (value / determinant for value in cofactors), strict=True))
    slopes = np.empty((3, *guide.shape), np.float32)
    for channel in range(3):
        shared = [_mean(guide[i] * target[channel]) - means[i] * wanted[channel] for i in range(3)]
        for i in range(3):
            slopes[channel, i] = sum(inverse[min(i, j), max(i, j)] * shared[j] for j in range(3))
    offsets = wanted - np.einsum("ckhw,khw->chw", slopes, means)
    return _mean(slopes), _mean(offsets)


def _mean(planes):
    """The mean over the window around each pixel of (..., h, w)."""
    side = 2 * _RADIUS + 1
    flat = planes.reshape(-1, *planes.shape[-2:])
    return np.stack([cv2.blur(plane, (side, side)) for plane in flat]).reshape(planes.shape)


class _Enlarged:
    """`enlarged[rows]`: rows (C, n, W) of float32 planes (C, h, w) upsampled to a photo's size."""

    def __init__(self, planes, photo, interpolation=cv2.INTER_LINEAR):
        height, self._width = photo.shape[:2]
        self._planes, self._interpolation = planes, interpolation
        # OpenCV's interpolation weights of each small row in each large row.
        rows = planes.shape[1]
        self._weights = cv2.resize(
            np.eye(rows, dtype=np.float32), (rows, height), interpolation=interpolation
        )

    def __getitem__(self, rows):
        weights = self._weights[rows]
        used = np.flatnonzero(weights.any(axis=0))
        used = slice(used[0], used[-1] + 1)
        tall = weights[:, used] @ self._planes[:, used]
        count, height, width = tall.shape
        wide = cv2.resize(
            tall.reshape(-1, width),
            (self._width, count * height),
            interpolation=self._interpolation,
        )
        return wide.reshape(count, height, self._width)
