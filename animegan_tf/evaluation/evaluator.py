"""Generators compared in numbers: distance to photo and style, artifacts, colour, flicker, speed.

Pictures are uint8 RGB (height, width, 3); results are judged as a user sees them, in 8 bits and at
the photo's size. `metrics` defines artifacts, colour shift and flicker; content and style distance
are the training's losses (`losses`), here of whole pictures: content is the mean absolute
difference of the features of photo and result, style that of the result's Gram matrix and the mean
Gram matrix of the gray style pictures. Both are means over the photos.
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
# Mean absolute difference, in levels, of two pictures that differ by rounding alone: keeps the
# flicker of a perfectly still film finite.
_ROUNDING_LEVELS = 1 / 3
# How many frames after the first one a different one may come: animation holds its drawings.
_HELD = 6


@dataclasses.dataclass(frozen=True)
class Measures:
    """What was measured of a generator; None where there was nothing to measure it on.

    Attributes:
        content: feature distance to the photo; 0 for the photo itself.
        style: Gram distance to the style pictures.
        artifacts: high-frequency energy in flat regions relative to the photo's; 1 for the photo.
        artifacts_to_style: the same relative to that in the flat regions of the style pictures.
        color: mean over the photos of the length of each one's `lab`.
        lab: mean shift of (L, a, b): a cast of all photos.
        flicker: of a film's frames relative to the film's own; 1 for the film.
        images_per_second: on this machine, at the sizes given.
        kernel: `kernel_distance` of the results, all together, to the style pictures.
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
class StylePicture:
    """A picture of the style set: in colour, and as training makes it gray, in three channels."""

    rgb: np.ndarray
    gray: np.ndarray


@dataclasses.dataclass(frozen=True)
class FramePair:
    """Two frames of a film that follow each other, and the `metrics.Motion` between them."""

    first: np.ndarray
    second: np.ndarray
    motion: metrics.Motion


class Evaluator:
    """Measures generators on the same photos: `evaluator(stylizer) -> (Measures, results)`.

    photos: uint8 RGB pictures.
    features: a model of `networks.build_feature_extractor`.
    style: `StylePicture`s; without any the two measures that need them are None.
    pairs: `FramePair`s of a film; without any there is no flicker.
    kernel: measure the kernel distance to the style pictures too.

    `photos_themselves` and `style_itself` are the `Measures` of the photos unchanged, and of the
    style pictures, for comparison. The photos' features are kept: some 6 MB for one of 512x384.
    """

    def __init__(self, photos, features, style=(), pairs=(), kernel=False):
        import tensorflow as tf

        if not photos:
            raise InputError("photos: expected at least one, received none")
        if kernel and not style:
            raise InputError("style: expected pictures for the kernel distance, received none")
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
            kernel_distance.samples(self._features_of(one.rgb)) for one in style if kernel
        ]
        self._film_flicker = self._flicker_of(lambda picture: picture)
        self._style_energy, self._gram, self.style_itself = self._look_at(list(style))
        self.photos_themselves = dataclasses.replace(
            self._measure(self._photos, self._photo_features),
            flicker=self._relative_flicker(self._film_flicker),
        )

    def __call__(self, stylizer):
        """The `Measures` of `stylizer`, a function from photo to result, and its results."""
        stylizer(self._photos[0])  # the first call compiles
        started = time.perf_counter()
        results = [stylizer(photo) for photo in self._photos]
        seconds = time.perf_counter() - started
        for photo, result in zip(self._photos, results, strict=True):
            if photo.shape != result.shape:
                raise InputError(
                    f"stylizer: expected results of the photo's size {photo.shape}, received "
                    f"{result.shape}"
                )
        measured = dataclasses.replace(
            self._measure(results, [self._features_of(result) for result in results]),
            flicker=self._relative_flicker(self._flicker_of(stylizer)),
            images_per_second=len(results) / seconds,
        )
        return measured, results

    def _features_of(self, rgb):
        return self._features(images.to_network(rgb)[None])

    def _look_at(self, style):
        """(energy of flat regions, mean Gram matrix, `Measures`) of the style pictures."""
        from animegan_tf import losses

        if not style:
            return None, None, Measures()
        energies = [
            metrics.window_energies(one.rgb, metrics.flat_windows(one.rgb)) for one in style
        ]
        energy = metrics.typical(np.concatenate(energies))
        grams = [losses.gram_matrix(self._features_of(one.gray)) for one in style]
        gram = sum(grams) / len(grams)
        distances = [float(np.abs(one - gram).mean()) for one in grams]
        themselves = Measures(
            style=float(np.mean(distances)), artifacts_to_style=_ratio(energy, energy)
        )
        return energy, gram, themselves

    @property
    def flat_windows(self):
        """In how many windows of the photos artifacts are measured."""
        return int(sum(windows.sum() for windows in self._windows))

    def _typical_energy(self, pictures):
        """That of all pictures where the photos are flat; None where they are nowhere."""
        energies = [
            metrics.window_energies(picture, windows)
            for picture, windows in zip(pictures, self._windows, strict=True)
        ]
        return metrics.typical(np.concatenate(energies))

    def _measure(self, results, result_features):
        from animegan_tf import losses

        contents = [
            float(losses.content_loss(one, other))
            for one, other in zip(self._photo_features, result_features, strict=True)
        ]
        style = None
        if self._gram is not None:
            distances = [losses.gram_style_loss(self._gram, one) for one in result_features]
            style = float(np.mean(distances))
        shifts = np.array(list(map(metrics.lab_shift, self._photos, results)))
        energy = self._typical_energy(results)
        return Measures(
            content=float(np.mean(contents)),
            style=style,
            artifacts=_ratio(energy, self._energy),
            artifacts_to_style=_ratio(energy, self._style_energy),
            color=float(np.linalg.norm(shifts, axis=1).mean()),
            lab=tuple(shifts.mean(axis=0).tolist()),
            kernel=self._kernel_distance(result_features),
        )

    def _kernel_distance(self, result_features):
        if not self._style_samples:
            return None
        found = np.concatenate([kernel_distance.samples(one) for one in result_features])
        return kernel_distance.kernel_distance(found, np.concatenate(self._style_samples))

    def _flicker_of(self, stylizer):
        """Mean difference in levels of the pairs' results, None without pairs."""
        if not self._pairs:
            return None
        return float(
            np.mean(
                [
                    metrics.flicker(stylizer(pair.first), stylizer(pair.second), pair.motion)
                    for pair in self._pairs
                ]
            )
        )

    def _relative_flicker(self, levels):
        if levels is None:
            return None
        return (levels + _ROUNDING_LEVELS) / (self._film_flicker + _ROUNDING_LEVELS)


def _ratio(energy, reference):
    return None if energy is None or reference is None else energy / reference


# --- what is measured, and what on ---------------------------------------------------------------


def kept_generators(run_dir):
    """The generators that a run has kept: [(epoch, path)], ascending, from its folder `epochs`."""
    folder = Path(run_dir) / weights.EPOCH_WEIGHTS
    if not folder.is_dir():
        return []
    found = ((_KEPT.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match)


def load_photos(folder, max_side, count):
    """[(name, uint8 RGB)] of up to `count` photos of a folder, taken at even steps.

    Longer sides are shrunk to `max_side`.
    """
    return [
        (path.name, images.limit_side(images.read_photo(path).rgb, max_side))
        for path in _some("photos", folder, count)
    ]


def load_style(folder, max_side, count):
    """Up to `count` `StylePicture`s of a folder, taken at even steps."""
    pictures = []
    for path in _some("style_dir", folder, count):
        data = path.read_bytes()
        gray = images.limit_side(files.decode_gray(data, path), max_side)
        rgb = images.limit_side(files.decode_color(data, path), max_side)
        pictures.append(StylePicture(rgb, np.repeat(gray[..., None], 3, axis=-1)))
    return pictures


def load_pairs(video, max_side, count):
    """Up to `count` `FramePair`s, spread evenly over a film.

    Where it stands still or cuts there is none. Raises `InputError` when there is none at all.
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
            f"video: expected a film that moves, found no two frames to compare in {video}"
        )
    return pairs


def _first_pair(frames, max_side):
    """The first frame and the first one after it that differs, if that can be compared."""
    first = None
    for frame in itertools.islice(frames, _HELD + 1):
        picture = images.limit_side(frame.rgb(), max_side)
        if first is None:
            first = picture
        elif not np.array_equal(first, picture):
            motion = metrics.find_motion(first, picture)
            return None if motion is None else FramePair(first, picture, motion)
    return None


def _some(name, folder, count):
    """Up to `count` of the pictures in a folder, at even steps, the first and last among them."""
    try:
        paths = files.list_images(folder)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    if not paths:
        raise InputError(f"{name}: expected pictures in {folder}, found none")
    return even_choice(paths, count)
