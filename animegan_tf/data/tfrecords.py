"""Shards of training images: TFRecord files with an index. Reading needs no TensorFlow.

A folder written by `tfrecord_writer` contains

    index.json                       the index, described below
    style-00000-of-00003.tfrecord    images of one group: "train_photo", "style", "smooth" or "val"
                                     (optional)

Each record is a `tf.train.Example` with `image/filename` and `image/encoded` (the bytes of the
image file), which `tf.data.TFRecordDataset` can read too. The index has the position of each image
in its shard, so that any image can be read directly:

    {"format": "animegan_tf tfrecords", "version": 1, "count": number of images,
     "shards": [{"file": name, "group": group, "bytes": size of the file,
                 "pictures": [[name, offset, length, CRC-32], ...]}, ...]}
"""

import dataclasses
import json
import pathlib
import zlib

from animegan_tf.errors import InputError

INDEX = "index.json"
FORMAT, VERSION = "animegan_tf tfrecords", 1
GROUPS = ("train_photo", "style", "smooth", "val")


@dataclasses.dataclass(frozen=True)
class Record:
    """An image in a shard, with the same methods as the `pathlib.Path` of an image file."""

    shard: pathlib.Path
    name: str
    offset: int
    length: int
    crc: int

    def __str__(self):
        return f"{self.shard}[{self.name}]"

    def read_bytes(self) -> bytes:
        """The bytes of the image file. Raises `InputError` if they are damaged."""
        with self.shard.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.length)
        if len(data) != self.length or zlib.crc32(data) != self.crc:
            raise InputError(f"{self} is damaged: create the shards again")
        return data


def read_index(folder) -> dict[str, list[Record]]:
    """The records of a folder by group, in the order of the original image files.

    Raises `InputError` if the folder is incomplete, the index has another format or version, or a
    shard is missing or has another size.
    """
    folder = pathlib.Path(folder)
    index = _load(folder)
    groups = {}
    try:
        for shard in index["shards"]:
            path = folder / shard["file"]
            if path.parent != folder or shard["group"] not in GROUPS:
                raise ValueError(f"{shard['file']} is not a shard of this folder")
            _check_shard(path, shard["bytes"])
            records = [_record(path, shard["bytes"], *fields) for fields in shard["pictures"]]
            groups.setdefault(shard["group"], []).extend(records)
        count = index["count"]
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise _not_an_index(folder) from error
    found = sum(map(len, groups.values()))
    if found != count:
        raise InputError(
            f"tfrecords: expected {count} images in {folder / INDEX}, found {found}; create the "
            "shards again"
        )
    return groups


def _load(folder):
    path = folder / INDEX
    if not path.is_file():
        found = "an incomplete one" if folder.is_dir() else "nothing"
        raise InputError(
            f"tfrecords: expected a folder written by tools/make_tfrecords.py (with {INDEX}) at "
            f"{folder}, found {found}"
        )
    try:
        index = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _not_an_index(folder) from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise _not_an_index(folder)
    if index.get("version") != VERSION:
        raise InputError(
            f"tfrecords: expected version {VERSION} in {path}, found {index.get('version')!r}; "
            "create the shards again"
        )
    return index


def _not_an_index(folder):
    return InputError(f"tfrecords: {folder / INDEX} is damaged or has another format")


def _record(path, size, name, offset, length, crc):
    numbers = all(type(number) is int and number >= 0 for number in (offset, length, crc))
    if not isinstance(name, str) or not numbers or offset + length > size:
        raise ValueError(f"{name} is not in {path.name}")
    return Record(path, name, offset, length, crc)


def _check_shard(path, size):
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"tfrecords: the shard {path} is missing") from None
    if found != size:
        kind = "truncated" if found < size else "changed"
        raise InputError(
            f"tfrecords: the shard {path} is {kind}: it has {found} bytes, {size} were written"
        )
