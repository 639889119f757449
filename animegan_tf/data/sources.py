"""Where a `DataConfig`'s pictures are: in folders, in films, in TFRecord shards. No TensorFlow.

Each source gives the same three streams of numbered pictures, and photos for the sample grids.
"""

from animegan_tf import files
from animegan_tf.data import tfrecords
from animegan_tf.data.pictures import EncodedPictures
from animegan_tf.errors import InputError

# What feeds each stream; the names are those of the folders and of the shards' groups.
GROUPS = {"photo": "train_photo", "anime": "style", "smooth": "smooth"}


def folders(config):
    """{group: folder} of the groups that a `DataConfig` reads as picture files."""
    found = {"train_photo": config.photo_dir, "val": config.val_dir}
    if config.source == "images":
        found.update(style=config.style_dir, smooth=config.smooth_dir)
    return found


def open_streams(config, cache):
    """{"photo", "anime", "smooth": numbered pictures} of a `DataConfig`.

    They have `len()`, `order(rng)`, `color(index)` and `gray(index)`, as
    `pictures.EncodedPictures`. Decoded ones are kept in `cache`, a `PictureCache`.

    Raises `InputError` when a stream has no pictures or cannot be opened.
    """
    if config.source == "tfrecord":
        groups = tfrecords.read_index(config.tfrecords)
        places = dict.fromkeys(GROUPS.values(), config.tfrecords)
    else:
        places = folders(config)
        groups = {
            name: files.list_images(places[name]) for name in GROUPS.values() if name in places
        }
    size = config.image_size if config.crop == "none" else None
    streams = {
        stream: EncodedPictures(groups.get(group, []), size, cache, config.image_size)
        for stream, group in GROUPS.items()
        if group in places
    }
    if config.source == "video":
        streams["anime"] = open_films(config, cache)
        streams["smooth"] = streams["anime"].smoothed()
    for stream, pictures in streams.items():
        if not len(pictures):
            place = places.get(GROUPS[stream], config.video)
            raise InputError(f"no pictures in {place}: expected those of the {stream} stream")
    return streams


def open_films(config, cache=None, progress=False):
    """The `film_frames.FilmFrames` of a `DataConfig` with the source "video".

    Raises `InputError` when something is no film or cannot be sought.
    """
    from animegan_tf.data import film_frames, film_index  # PyAV is not needed for anything else

    index = film_index.look(config, progress)
    return film_frames.FilmFrames(index, config, cache)


def sample_photos(config, count):
    """The first `count` photos for sample grids, uint8 RGB (H, W, 3): of `val` if it is there."""
    if config.source == "tfrecord":
        groups = tfrecords.read_index(config.tfrecords)
        items = groups.get("val") or groups["train_photo"]
    else:
        folder = config.val_dir if config.val_dir.is_dir() else config.photo_dir
        items = files.list_images(folder)
    return [files.decode_color(item.read_bytes(), item) for item in items[:count]]
