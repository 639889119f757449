"""The image sources of a `DataConfig`: folders, videos, TFRecord shards. No TensorFlow.

Each source has the same three streams of indexed images, and photos for the sample grids.
"""

from typing import Protocol

import numpy as np

from animegan_tf import files
from animegan_tf.data import smoothing, tfrecords
from animegan_tf.data.pictures import EncodedPictures
from animegan_tf.errors import InputError

# The group (of folders or shards) that each stream reads.
GROUPS = {"photo": "train_photo", "anime": "style", "smooth": "smooth"}


def folders(config):
    """{group: folder} of the groups that a `DataConfig` reads from image files."""
    result = {"train_photo": config.photo_dir, "val": config.val_dir}
    if config.source == "images":
        result.update(style=config.style_dir, smooth=config.smooth_path)
    return result


class Images(Protocol):
    """A stream's images by index, uint8. `smooth` streams may lack `color`."""

    def __len__(self) -> int: ...

    def order(self, rng: np.random.Generator) -> np.ndarray:
        """The order of the images in an epoch."""

    def color(self, index: int) -> np.ndarray:
        """RGB (H, W, 3)."""

    def gray(self, index: int) -> np.ndarray:
        """Gray (H, W)."""


def open_streams(config, cache) -> dict[str, Images]:
    """{"photo", "anime", "smooth": `Images`} of a `DataConfig`; decoded ones are cached in `cache`.

    Raises `InputError` if a stream has no images or cannot be opened.
    """
    if config.source == "tfrecord":
        groups = tfrecords.read_index(config.tfrecords)
        places = dict.fromkeys(GROUPS.values(), config.tfrecords)
    else:
        places = folders(config)
        groups = {
            name: files.list_images(places[name], subfolders=True)
            for name in GROUPS.values()
            if name in places
        }
    if config.source != "video":
        groups["smooth"] = with_frames(config, groups)[0]
    size = config.image_size if config.crop == "none" else None
    streams = {
        stream: EncodedPictures(groups.get(group, []), size, cache, config.image_size)
        for stream, group in GROUPS.items()
        if group in places
    }
    if config.source == "video":
        streams["anime"] = open_videos(config, cache)
        streams["smooth"] = streams["anime"].smoothed()
    for stream, pictures in streams.items():
        if not len(pictures):
            place = places.get(GROUPS[stream], config.video)
            raise InputError(f"no images in {place}: expected those of the {stream} stream")
    return streams


def smoothed_pairs(config, groups):
    """{frame: its smoothed frame} of {group: items}."""
    folders_ = (config.style_dir, config.smooth_path) if config.source == "images" else ()
    return smoothing.counterparts(groups.get("style", []), groups.get("smooth", []), *folders_)


def with_frames(config, groups):
    """The smoothed frames in {group: items} that have a frame, and those that have none."""
    smoothed, used = groups.get("smooth", []), set(smoothed_pairs(config, groups).values())
    return [item for item in smoothed if item in used], [
        item for item in smoothed if item not in used
    ]


def open_videos(config, cache=None, progress=False):
    """The `video_frames.VideoFrames` of a `DataConfig` with the source "video".

    Raises `InputError` for a file that is not a video or is not seekable.
    """
    from animegan_tf.data import video_frames, video_index  # only these need PyAV

    index = video_index.look(config, progress)
    return video_frames.VideoFrames(index, config, cache)


def sample_photos(config, count):
    """The first `count` photos for sample grids, uint8 RGB (H, W, 3), from `val` if it exists."""
    if config.source == "tfrecord":
        groups = tfrecords.read_index(config.tfrecords)
        items = groups.get("val") or groups["train_photo"]
    else:
        folder = config.val_dir if config.val_dir.is_dir() else config.photo_dir
        items = files.list_images(folder, subfolders=True)
    return [files.decode_color(item.read_bytes(), item) for item in items[:count]]
