"""Measures of generators: distance to photo and style, artifacts, colour, flicker, speed.

Images are uint8 RGB (height, width, 3); outputs are measured in 8 bits at the photo's size.
`metrics` defines artifacts, colour shift and flicker. Content and style distance are the training
losses (`losses`) of whole images, averaged over the photos: content is the mean absolute difference
of the features of photo and output; style that of the Gram matrix of the output and the mean Gram
matrix of the gray style images.
"""

import dataclasses
import itertools
import re
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from animegan_tf import files, images
from animegan_tf.errors import InputError
from animegan_tf.evaluation import kernel_distance, metrics
from animegan_tf.images import even_choice
from animegan_tf.networks import weights

_KEPT = re.compile(r"generator-(\d+)\.weights\.h5")
# Mean absolute difference, in levels, of two images that differ by rounding only. It keeps the
# relative flicker of a still video finite.
_ROUNDING_LEVELS = 1 / 3
# Maximum number of equal frames before one that differs: animation repeats drawings.
_HELD = 6


@dataclasses.dataclass(frozen=True)
class Measures:
    """The measures of a generator; None for those without data.

    Attributes:
        content: feature distance to the photo; 0 for the photo itself.
        style: Gram distance to the style images.
        artifacts: high-frequency energy in flat regions relative to the photo's; 1 for the photo.
        artifacts_to_style: the same relative to the flat regions of the style images.
        color: norm of the (L, a, b) shift of each photo, averaged over the photos.
        lab: mean (L, a, b) shift of all photos, i.e. the colour cast.
        flicker: flicker of a video relative to its source; 1 for the source.
        images_per_second: on this machine, for these photos.
        kernel: `kernel_distance` of all outputs to the style images.
    """

    content: float | None = None
    style: float | None = None
    artifacts: float | None = None
    artifacts_to_style: float | None = None
    color: float | None = None
    lab: tuple[float, float, float] | None = None
    flicker: float | None = None
    images_per_second: float | None = None
    kernel: float | None = None


@dataclasses.dataclass(frozen=True)
class StyleImage:
    """An image of the style set in RGB, and in gray (three channels) as in training."""

    rgb: np.ndarray
    gray: np.ndarray


@dataclasses.dataclass(frozen=True)
class FramePair:
    """Two consecutive frames of a video, and the `metrics.Motion` between them."""

    first: np.ndarray
    second: np.ndarray
    motion: metrics.Motion


class Evaluator:
    """Measures generators on the same photos: `evaluator(stylizer) -> (Measures, outputs)`.

    photos: uint8 RGB images.
    features: a model of `networks.build_feature_extractor`.
    style: `StyleImage`s; without them the measures that need them are None.
    pairs: `FramePair`s of a video, for the flicker.
    kernel: also measure the kernel distance to the style images.

    For comparison, `photos_themselves` and `style_itself` are the `Measures` of the unchanged
    photos and of the style images. The photos' features are kept in memory: 6 MB for 512x384.
    """

    def __init__(self, photos, features, style=(), pairs=(), kernel=False):
        import tensorflow as tf

        if not photos:
            raise InputError("photos: expected at least one, received none")
        if kernel and not style:
            raise InputError("style: expected images for the kernel distance, received none")
        self._features = tf.function(
            lambda batch: features(batch, training=False),
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)],
            autograph=False,
        )
        self._photos, self._pairs = list(photos), list(pairs)
        self._photo_features = [self._features_of(photo) for photo in self._photos]
        self._windows = [metrics.flat_windows(photo) for photo in self._photos]
        self._energy = self._typical_energy(self._photos)
        self._style_samples = [
            kernel_distance.samples(self._features_of(image.rgb)) for image in style if kernel
        ]
        self._source_flicker = self._flicker_of(lambda image: image)
        self._style_energy, self._gram, self.style_itself = self._measure_style(list(style))
        self.photos_themselves = dataclasses.replace(
            self._measure(self._photos, self._photo_features),
            flicker=self._relative_flicker(self._source_flicker),
        )

    def __call__(self, stylizer):
        """The `Measures` of `stylizer`, a function from photo to output, and its outputs."""
        stylizer(self._photos[0])  # the first call compiles
        started = time.perf_counter()
        outputs = [stylizer(photo) for photo in self._photos]
        seconds = time.perf_counter() - started
        for photo, output in zip(self._photos, outputs, strict=True):
            if photo.shape != output.shape:
                raise InputError(
                    f"stylizer: expected outputs of the photo's size {photo.shape}, received "
                    f"{output.shape}"
                )
        measured = dataclasses.replace(
            self._measure(outputs, [self._features_of(output) for output in outputs]),
            flicker=self._relative_flicker(self._flicker_of(stylizer)),
            images_per_second=len(outputs) / seconds,
        )
        return measured, outputs

    def _features_of(self, rgb):
        return self._features(images.to_network(rgb)[None])

    def _measure_style(self, style):
        """(energy of flat regions, mean Gram matrix, `Measures`) of the style images."""
        from animegan_tf import losses

        if not style:
            return None, None, Measures()
        energies = [
            metrics.window_energies(image.rgb, metrics.flat_windows(image.rgb)) for image in style
        ]
        energy = metrics.typical(np.concatenate(energies))
        grams = [losses.gram_matrix(self._features_of(image.gray)) for image in style]
        mean_gram = sum(grams) / len(grams)
        distances = [float(np.abs(gram - mean_gram).mean()) for gram in grams]
        measures = Measures(
            style=float(np.mean(distances)), artifacts_to_style=_ratio(energy, energy)
        )
        return energy, mean_gram, measures

    @property
    def flat_windows(self):
        """The number of flat windows of the photos, in which artifacts are measured."""
        return int(sum(windows.sum() for windows in self._windows))

    def _typical_energy(self, outputs):
        """The typical energy in the photos' flat windows, or None if there are none."""
        energies = [
            metrics.window_energies(image, windows)
            for image, windows in zip(outputs, self._windows, strict=True)
        ]
        return metrics.typical(np.concatenate(energies))

    def _measure(self, outputs, output_features):
        from animegan_tf import losses

        contents = [
            float(losses.content_loss(photo, output))
            for photo, output in zip(self._photo_features, output_features, strict=True)
        ]
        style = None
        if self._gram is not None:
            distances = [losses.gram_style_loss(self._gram, part) for part in output_features]
            style = float(np.mean(distances))
        shifts = np.array(list(map(metrics.lab_shift, self._photos, outputs)))
        energy = self._typical_energy(outputs)
        return Measures(
            content=float(np.mean(contents)),
            style=style,
            artifacts=_ratio(energy, self._energy),
            artifacts_to_style=_ratio(energy, self._style_energy),
            color=float(np.linalg.norm(shifts, axis=1).mean()),
            lab=tuple(shifts.mean(axis=0).tolist()),
            kernel=self._kernel_distance(output_features),
        )

    def _kernel_distance(self, output_features):
        if not self._style_samples:
            return None
        samples = np.concatenate([kernel_distance.samples(part) for part in output_features])
        return kernel_distance.kernel_distance(samples, np.concatenate(self._style_samples))

    def _flicker_of(self, stylizer):
        """Mean difference of the pairs' outputs in levels, None without pairs."""
        if not self._pairs:
            return None
        levels = [
            metrics.flicker(stylizer(pair.first), stylizer(pair.second), pair.motion)
            for pair in self._pairs
        ]
        return float(np.mean(levels))

    def _relative_flicker(self, levels):
        if levels is None:
            return None
        return (levels + _ROUNDING_LEVELS) / (self._source_flicker + _ROUNDING_LEVELS)


def _ratio(energy, reference):
    return None if energy is None or reference is None else energy / reference


# --- checkpoints and data ------------------------------------------------------------------------


def kept_generators(run_dir):
    """The generators in the folder `epochs` of a run: [(epoch, path)], ascending."""
    folder = Path(run_dir) / weights.EPOCH_WEIGHTS
    if not folder.is_dir():
        return []
    matches = ((_KEPT.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in matches if match)


def load_photos(folder, max_side, count):
    """[(name, uint8 RGB)] of up to `count` photos of a folder, at equal intervals.

    Longer sides are shrunk to `max_side`.
    """
    return [
        (path.name, images.limit_side(images.read_photo(path).rgb, max_side))
        for path in _some("photos", folder, count)
    ]


def load_style(folder, max_side, count):
    """Up to `count` `StyleImage`s of a folder, at equal intervals."""
    style = []
    for path in _some("style_dir", folder, count):
        data = path.read_bytes()
        gray = images.limit_side(files.decode_gray(data, path), max_side)
        rgb = images.limit_side(files.decode_color(data, path), max_side)
        style.append(StyleImage(rgb, np.repeat(gray[..., None], 3, axis=-1)))
    return style


def load_pairs(video, max_side, count):
    """Up to `count` `FramePair`s, spread evenly over a video.

    Still parts and cuts have none. Raises `InputError` if there are none in the whole video.
    """
    from animegan_tf.video.reader import VideoReader

    pairs = []
    with VideoReader(video) as reader:
        length = Fraction(reader.info.duration or 0)
        places = count if length else 1
        for place in range(places):
            frames = reader.frames(length * Fraction(2 * place + 1, 2 * places))
            pair = _first_pair(frames, max_side)
            if pair is not None:
                pairs.append(pair)
    if not pairs:
        raise InputError(
            f"video: expected a video with motion, found no two frames to compare in {video}"
        )
    return pairs


def _first_pair(frames, max_side):
    """The first frame and the next one that differs, or None if these cannot be compared."""
    first = None
    for frame in itertools.islice(frames, _HELD + 1):
        image = images.limit_side(frame.rgb(), max_side)
        if first is None:
            first = image
        elif not np.array_equal(first, image):
            motion = metrics.find_motion(first, image)
            return None if motion is None else FramePair(first, image, motion)
    return None


def _some(name, folder, count):
    """Up to `count` images of a folder at equal intervals, including the first and the last."""
    try:
        paths = files.list_images(folder)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    if not paths:
        raise InputError(f"{name}: expected images in {folder}, found none")
    return even_choice(paths, count)
