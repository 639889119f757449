"""The endless stream of training batches, as `tf.data`.

Photos, anime frames and smoothed frames are three streams, shuffled independently. The gray anime
is the colour anime's picture with the same crop and flip, decoded as gray by OpenCV. Where the
pictures are read from is `sources`' matter.
Batches are float32 RGB in [-1, 1] (x / 127.5 - 1), NHWC; gray ones repeat one channel three times.

Nothing here has a state: sample number i of a stream is a pure function of (seed, stream, i), so a
resumed run continues the very sequence it left, and workers share one sequence without talking.
"""

import atexit
import functools
import threading
import time
import typing

import cv2
import numpy as np

from animegan_tf.data import sources
from animegan_tf.data.config import DataConfig
from animegan_tf.data.drawing import draw
from animegan_tf.data.flatten import flatten, lighten, saturate
from animegan_tf.data.painting import paint
from animegan_tf.data.pictures import PictureCache
from animegan_tf.data.smoothing import ensure_smooth
from animegan_tf.errors import InputError
from animegan_tf.validation import check_whole

__all__ = ["DataConfig", "SampleSource", "ensure_smooth", "make_dataset"]

_STREAMS = ("photo", "anime", "smooth")
_KEYS = ("photo", "anime", "anime_gray", "smooth_gray")
# What makes the reference of a photo; the photo itself needs nothing.
_REFERENCES = {"flat": flatten, "drawn": draw, "painted": paint}


class Window(typing.NamedTuple):
    """A square part of a picture, perhaps mirrored."""

    top: int
    left: int
    side: int
    mirrored: bool


class SampleSource:
    """The training samples of a `DataConfig`, by number. Safe to call from many threads.

    Attributes:
        streams: {"photo", "anime", "smooth": numbered pictures} (see `sources.open_streams`).

    Raises `InputError` when a stream has no pictures.
    """

    def __init__(self, config):
        self.config = config
        self._cache = PictureCache(config.cache_gb * 1e9)
        self.streams = sources.open_streams(config, self._cache)
        self._order = functools.lru_cache(maxsize=32)(self._draw_order)

    def index(self, stream, number):
        """Which of the pictures of "photo", "anime" or "smooth" sample `number` is made of.

        Each epoch, of as many samples as there are pictures, visits every picture once.
        """
        epoch, position = divmod(number, len(self.streams[stream]))
        return int(self._order(stream, epoch)[position])

    def sample(self, number):
        """Sample `number` as (photo, anime, anime_gray, smooth_gray).

        Each is uint8, (S, S, 3) RGB or (S, S) gray, S = `image_size`.
        """
        (photo,) = self._crops("photo", number, "color")
        if self.config.hue:
            # The numbers of a stream nobody draws from: the option changes nothing but itself.
            rng = np.random.default_rng([self.config.seed, 2 * len(_STREAMS) + 1, number])
            photo = turn_hue(photo, rng.uniform(-self.config.hue, self.config.hue))
        return (
            photo,
            *self._crops("anime", number, "color", "gray"),
            *self._crops("smooth", number, "gray"),
        )

    def _crops(self, stream, number, *kinds):
        """The same window of one picture, in each of `kinds`."""
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
        """Order of a stream's pictures in an epoch."""
        seed = [self.config.seed, 2 * _STREAMS.index(stream) + 2, epoch]
        return self.streams[stream].order(np.random.default_rng(seed))


def choose_window(config, rng, height, width) -> Window:
    """Draw the part of a (height, width) picture that becomes a sample.

    Its side is `image_size` / scale, at most the picture's shorter side: a picture smaller than
    what is asked is enlarged.
    """
    # All four are drawn whatever the options, so that an option changes nothing but itself.
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
    """A window of a uint8 picture (H, W) or (H, W, 3), resized to `size` square."""
    top, left, side, mirrored = window
    part = picture[top : top + side, left : left + side]
    if side != size:
        # Only the window is resized, not the picture around it.
        method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
        part = cv2.resize(part, (size, size), interpolation=method)
    return np.ascontiguousarray(part[:, ::-1] if mirrored else part)


def turn_hue(picture, degrees):
    """A uint8 RGB picture with its colours turned around gray, in U and V; luma is kept.

    Where a turned colour lies outside RGB it is clipped. U and V are those of ITU-R BT.601.
    """
    y, u, v = cv2.split(cv2.cvtColor(picture.astype(np.float32), cv2.COLOR_RGB2YUV))
    # OpenCV puts gray at one half of float pictures, which it takes to reach from 0 to 1.
    u, v = u - 0.5, v - 0.5
    angle = np.radians(degrees)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    turned = cv2.merge([y, u * cos - v * sin + 0.5, u * sin + v * cos + 0.5])
    rgb = cv2.cvtColor(turned, cv2.COLOR_YUV2RGB)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def make_dataset(config, start_step=0, shard=(0, 1)):
    """Endless batches for training.

    Args:
        config: a `DataConfig`; its three streams must have pictures (`ensure_smooth`).
        start_step: number of the first batch, as if that many had been skipped.
        shard: (index, count): the rows of each batch that worker `index` of `count` gets. The
            workers' batches, concatenated in order, are the batch of a single worker.

    Returns:
        `tf.data.Dataset` of dicts `photo`, `anime`, `anime_gray`, `smooth_gray`, each float32
        (B, S, S, 3) RGB in [-1, 1] (`anime` beyond it under a `color_shift`), where B is
        `batch_size` / count and S is `image_size`. With another reference than "photo" there is
        `reference` too, made of `photo`.

    Raises:
        InputError: for a stream without pictures, a bad `start_step`, a batch that `count` does not
            divide. What is wrong with a single picture shows when its turn comes, as a TensorFlow
            error with the same text: see `check.check_dataset`.
    """
    import tensorflow as tf  # slow to load, and the rest of this module is used without it

    check_whole("start_step", start_step, 0)
    rows = _rows_per_shard(config.batch_size, shard)
    source = SampleSource(config)
    size = config.image_size

    made_of_photo = _reference_maker(config)
    keys = (*_KEYS, "reference") if made_of_photo else _KEYS
    blank = tuple(np.zeros(_shape(key, size), np.uint8) for key in keys)

    def load(position):
        step, row = divmod(int(position), rows)
        with _calls:
            if _calls.exiting:
                return blank
            pictures = source.sample(step * config.batch_size + shard[0] * rows + row)
            return (*pictures, made_of_photo(pictures[0])) if made_of_photo else pictures

    def load_in_python(position):
        pictures = tf.numpy_function(load, [position], [tf.uint8] * len(keys), stateful=False)
        for key, picture in zip(keys, pictures, strict=True):
            picture.set_shape(_shape(key, size))
        return dict(zip(keys, pictures, strict=True))

    options = tf.data.Options()
    options.deterministic = True
    # Workers take their own rows by number; distribution must not skip or split files on top.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return (
        tf.data.Dataset.range(start_step * rows, np.iinfo(np.int64).max)
        .map(load_in_python, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(rows, drop_remainder=True)
        .map(functools.partial(_normalize, config), num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
        .with_options(options)
    )


def _reference_maker(config):
    """What makes the reference of a photo, or None where that is the photo itself."""
    make = _REFERENCES.get(config.reference)
    if make is None:
        return None

    def reference(photo):
        # Lines and tones are drawn in the lighter photo: its shadows have some then.
        lighter = lighten(photo, config.reference_gamma)
        return saturate(make(lighter), config.reference_saturation)

    return reference


def _normalize(config, batch):
    """A batch of uint8 pictures as `make_dataset` promises them."""
    import tensorflow as tf

    batch = {key: tf.cast(pictures, tf.float32) for key, pictures in batch.items()}
    if config.color_shift is not None:
        batch["anime"] += tf.constant(config.color_shift[::-1], tf.float32)  # B, G, R to RGB
    batch = {key: pictures / 127.5 - 1 for key, pictures in batch.items()}
    for key in ("anime_gray", "smooth_gray"):
        batch[key] = tf.repeat(batch[key][..., None], 3, axis=-1)
    return batch


def _shape(key, size):
    """Shape of a sample's picture before it is normalised."""
    return (size, size) if key.endswith("gray") else (size, size, 3)


def _rows_per_shard(batch_size, shard):
    """Rows of each global batch that one of the workers gets."""
    index, count = shard
    if not 0 <= index < count:
        raise InputError(f"shard: expected 0 <= index < count of (index, count), received {shard}")
    if batch_size % count:
        raise InputError(
            f"batch_size: expected a multiple of the {count} workers, received {batch_size}"
        )
    return batch_size // count


def _entropy(seed, stream, number):
    """Seed of a sample's augmentation: odd second words, where the orders have even ones.

    The length cannot tell the two apart: numpy pads a short seed with zeros.
    """
    return [seed, 2 * _STREAMS.index(stream) + 1, number]


class _Calls:
    """Lets the interpreter end only while none of TensorFlow's threads is inside Python.

    An iterator that is still alive at exit (a script's global) goes on filling its buffers, and a
    thread that comes back from OpenCV to a Python that is shutting down aborts the whole process,
    with a bad exit status after a good run. So at exit the calls return at once, the buffers fill
    up, and the exit goes on when there have been no calls for a moment.
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
        """Wait for quiet; registered to run at exit."""
        self.exiting = True
        end = time.monotonic() + self._patience
        while time.monotonic() < end:
            if not self._running and time.monotonic() - self._last > self._pause:
                return
            time.sleep(self._pause / 10)


_calls = _Calls()
atexit.register(_calls.settle)
