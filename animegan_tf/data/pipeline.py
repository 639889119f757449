"""The endless stream of training batches, as `tf.data`.

Photos, anime frames and smoothed frames are three streams, shuffled independently. The gray anime
is the same frame as the colour anime with the same crop and flip, decoded as gray by OpenCV.
`sources` opens the files.
Batches are float32 RGB in [-1, 1] (x / 127.5 - 1), NHWC; gray images have three equal channels.

The pipeline has no state: sample i of a stream is a pure function of (seed, stream, i). A resumed
run therefore continues the same sequence, and workers share one sequence without communication.
"""

import atexit
import functools
import threading
import time
import typing

import cv2
import numpy as np

from animegan_tf.data import painting, sources
from animegan_tf.data.config import DataConfig
from animegan_tf.data.drawing import draw
from animegan_tf.data.flatten import flatten, lighten, saturate
from animegan_tf.data.pictures import PictureCache
from animegan_tf.data.smoothing import ensure_smooth
from animegan_tf.errors import InputError
from animegan_tf.validation import check_whole

if typing.TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["DataConfig", "SampleSource", "ensure_smooth", "make_dataset"]

_STREAMS = ("photo", "anime", "smooth")
_KEYS = ("photo", "anime", "anime_gray", "smooth_gray")
# The functions that compute the reference of a photo.
_REFERENCES = {
    "flat": flatten,
    "drawn": draw,
    "painted": painting.paint,
    "inked": functools.partial(painting.paint, pen=painting.BOLD),
    "brushed": functools.partial(painting.paint, pen=painting.BOLD, brush=3),
}


class Window(typing.NamedTuple):
    """A square part of an image; `mirrored` flips it horizontally."""

    top: int
    left: int
    side: int
    mirrored: bool


class SampleSource:
    """The training samples of a `DataConfig`, by number. Thread-safe.

    Attributes:
        streams: {"photo", "anime", "smooth": indexed images} (see `sources.open_streams`).

    Raises `InputError` if a stream has no images.
    """

    def __init__(self, config):
        self.config = config
        self._cache = PictureCache(config.cache_gb * 1e9)
        self.streams = sources.open_streams(config, self._cache)
        self._order = functools.lru_cache(maxsize=32)(self._draw_order)

    def index(self, stream, number):
        """The index of the image in "photo", "anime" or "smooth" that sample `number` uses.

        An epoch has as many samples as there are images, and uses each image once.
        """
        epoch, position = divmod(number, len(self.streams[stream]))
        return int(self._order(stream, epoch)[position])

    def sample(self, number):
        """Sample `number` as (photo, anime, anime_gray, smooth_gray).

        Each is uint8, (S, S, 3) RGB or (S, S) gray, S = `image_size`.
        """
        (photo,) = self._crops("photo", number, "color")
        if self.config.hue:
            # A random stream of its own, so that this option does not change other augmentations.
            rng = np.random.default_rng([self.config.seed, 2 * len(_STREAMS) + 1, number])
            photo = turn_hue(photo, rng.uniform(-self.config.hue, self.config.hue))
        return (
            photo,
            *self._crops("anime", number, "color", "gray"),
            *self._crops("smooth", number, "gray"),
        )

    def _crops(self, stream, number, *kinds):
        """The same window of one image, for each of `kinds`."""
        index, pictures = self.index(stream, number), self.streams[stream]
        rng = np.random.default_rng(_entropy(self.config.seed, stream, number))
        window, crops = None, []
        for kind in kinds:
            picture = pictures.color(index) if kind == "color" else pictures.gray(index)
            if window is None:
                window = choose_window(self.config, rng, *picture.shape[:2])
            crops.append(cut(picture, window, self.config.image_size))
        return crops

    def _draw_order(self, stream, epoch):
        """Order of a stream's images in an epoch."""
        seed = [self.config.seed, 2 * _STREAMS.index(stream) + 2, epoch]
        return self.streams[stream].order(np.random.default_rng(seed))


def choose_window(config, rng, height, width) -> Window:
    """Choose a random window of a (height, width) image for a sample.

    Its side is `image_size` / scale, at most the image's shorter side; smaller windows are enlarged
    later.
    """
    # Always four numbers, so that an option does not change the other augmentations.
    scale, top, left, mirror = rng.random(4)
    low, high = config.scale
    side = round(config.image_size / (low + scale * (high - low)))
    side = min(max(side, 1), height, width)
    if config.crop == "random":
        top, left = int(top * (height - side + 1)), int(left * (width - side + 1))
    else:
        top, left = (height - side) // 2, (width - side) // 2
    return Window(top, left, side, config.hflip and bool(mirror < 0.5))


def cut(picture, window, size):
    """A window of a uint8 image (H, W) or (H, W, 3), resized to `size` square."""
    top, left, side, mirrored = window
    part = picture[top : top + side, left : left + side]
    if side != size:
        # Only the window is resized, not the whole image.
        method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
        part = cv2.resize(part, (size, size), interpolation=method)
    return np.ascontiguousarray(part[:, ::-1] if mirrored else part)


def turn_hue(picture, degrees):
    """Rotate the hue of a uint8 RGB image in the UV plane; luma is kept.

    Colours outside RGB are clipped. U and V are those of ITU-R BT.601.
    """
    y, u, v = cv2.split(cv2.cvtColor(picture.astype(np.float32), cv2.COLOR_RGB2YUV))
    # OpenCV adds 0.5 to U and V of float images.
    u, v = u - 0.5, v - 0.5
    angle = np.radians(degrees)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    rotated = cv2.merge([y, u * cos - v * sin + 0.5, u * sin + v * cos + 0.5])
    rgb = cv2.cvtColor(rotated, cv2.COLOR_YUV2RGB)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def make_dataset(
    config: DataConfig, start_step: int = 0, shard: tuple[int, int] = (0, 1)
) -> "tf.data.Dataset":
    """Endless batches for training.

    Args:
        config: a `DataConfig` whose three streams have images (`ensure_smooth`).
        start_step: number of the first batch.
        shard: (index, count): only the rows of each batch for worker `index` of `count`. The
            workers' batches, concatenated in order, are the batch of a single worker.

    Returns:
        `tf.data.Dataset` of dicts `photo`, `anime`, `anime_gray`, `smooth_gray`, each float32
        (B, S, S, 3) RGB in [-1, 1] (`anime` may exceed it with a `color_shift`), where B is
        `batch_size` / count and S is `image_size`. With another reference than "photo" also
        `reference`, computed from `photo`.

    Raises:
        InputError: for a stream without images, an invalid `start_step`, or a batch size that is
            not a multiple of `count`. A damaged image raises a TensorFlow error with the same text
            when it is read; `check.check_dataset` finds it before.
    """
    import tensorflow as tf  # slow to load; the rest of this module does not need it

    check_whole("start_step", start_step, 0)
    rows = _rows_per_shard(config.batch_size, shard)
    source = SampleSource(config)
    size = config.image_size

    to_reference = _reference_function(config)
    keys = (*_KEYS, "reference") if to_reference else _KEYS
    blank = tuple(np.zeros(_shape(key, size), np.uint8) for key in keys)

    def load(position):
        step, row = divmod(int(position), rows)
        with _calls:
            if _calls.exiting:
                return blank
            images = source.sample(step * config.batch_size + shard[0] * rows + row)
            return (*images, to_reference(images[0])) if to_reference else images

    def load_in_python(position):
        images = tf.numpy_function(load, [position], [tf.uint8] * len(keys), stateful=False)
        for key, image in zip(keys, images, strict=True):
            image.set_shape(_shape(key, size))
        return dict(zip(keys, images, strict=True))

    options = tf.data.Options()
    options.deterministic = True
    # Workers select their rows by number, so `tf.distribute` must not shard the dataset again.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return (
        tf.data.Dataset.range(start_step * rows, np.iinfo(np.int64).max)
        .map(load_in_python, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(rows, drop_remainder=True)
        .map(functools.partial(_normalize, config), num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
        .with_options(options)
    )


def _reference_function(config):
    """The function that computes the reference of a photo, or None if that is the photo itself."""
    make = _REFERENCES.get(config.reference)
    if make is None:
        return None

    def reference(photo):
        # Lighten first, so that lines and tones appear in the shadows too.
        lighter = lighten(photo, config.reference_gamma)
        return saturate(make(lighter), config.reference_saturation)

    return reference


def _normalize(config, batch):
    """Convert a batch of uint8 images to the format that `make_dataset` returns."""
    import tensorflow as tf

    batch = {key: tf.cast(images, tf.float32) for key, images in batch.items()}
    if config.color_shift is not None:
        batch["anime"] += tf.constant(config.color_shift[::-1], tf.float32)  # B, G, R to RGB
    batch = {key: images / 127.5 - 1 for key, images in batch.items()}
    for key in ("anime_gray", "smooth_gray"):
        batch[key] = tf.repeat(batch[key][..., None], 3, axis=-1)
    return batch


def _shape(key, size):
    """Shape of a sample's image before it is normalised."""
    return (size, size) if key.endswith("gray") else (size, size, 3)


def _rows_per_shard(batch_size, shard):
    """Rows of each global batch for one worker."""
    index, count = shard
    if not 0 <= index < count:
        raise InputError(f"shard: expected 0 <= index < count of (index, count), received {shard}")
    if batch_size % count:
        raise InputError(
            f"batch_size: expected a multiple of the {count} workers, received {batch_size}"
        )
    return batch_size // count


def _entropy(seed, stream, number):
    """Seed of a sample's augmentation. Its second word is odd; it is even in the seeds of orders.

    Different lengths would not be enough: NumPy pads short seeds with zeros.
    """
    return [seed, 2 * _STREAMS.index(stream) + 1, number]


class _Calls:
    """Delays the exit of the interpreter until no thread of TensorFlow is inside Python.

    An iterator that still exists at exit (a global of a script) continues to fill its buffers. A
    thread that returns from OpenCV while Python shuts down aborts the process, with a bad exit
    status after a successful run. At exit, calls therefore return immediately until the buffers
    are full, and the exit continues after a short time without calls.
    """

    def __init__(self, pause=0.1, patience=5.0):
        self.exiting = False
        self._pause = pause
        self._patience = patience
        self._running = 0
        self._last = 0.0
        self._lock = threading.Lock()

    def __enter__(self):
        with self._lock:
            self._running += 1

    def __exit__(self, *_):
        with self._lock:
            self._running -= 1
            self._last = time.monotonic()

    def settle(self):
        """Wait until there are no more calls; registered with `atexit`."""
        self.exiting = True
        end = time.monotonic() + self._patience
        while time.monotonic() < end:
            if not self._running and time.monotonic() - self._last > self._pause:
                return
            time.sleep(self._pause / 10)


_calls = _Calls()
atexit.register(_calls.settle)
