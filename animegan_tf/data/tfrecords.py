"""Shards of training pictures: TFRecord files with an index. Reading needs no TensorFlow.

A folder that `tfrecord_writer` filled holds

    index.json                       what is in it, described below
    style-00000-of-00003.tfrecord    the pictures of one group: "train_photo", "style", "smooth"
                                     or "val" (optional)

Each record is a `tf.train.Example` of `image/filename` and `image/encoded`, the picture's file byte
by byte, so that `tf.data.TFRecordDataset` reads it too. The index says where in the shard each
picture's bytes are, so that any picture is one short read away:

    {"format": "animegan_tf tfrecords", "version": 1, "count": pictures in all,
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
    """One picture in a shard; stands for the `pathlib.Path` of a picture file."""

    shard: pathlib.Path
    name: str
    offset: int
    length: int
    crc: int

    def __str__(self):
        return f"{self.shard}[{self.name}]"

    @property
    def stem(self):
        """The file's name without its suffix."""
        return pathlib.PurePath(self.name).stem

    def read_bytes(self) -> bytes:
        """The bytes of the picture file. Raises `InputError` when they are not what was written."""
        with self.shard.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.length)
        if len(data) != self.length or zlib.crc32(data) != self.crc:
            raise InputError(f"{self} is damaged: make the shards anew")
        return data


def read_index(folder) -> dict[str, list[Record]]:
    """The records of a folder by group, in the order of the picture files that they were made of.

    Raises `InputError` when the folder was not filled to its end, the index is of another kind or
    version, or a shard is not there or not as long as it was.
    """
    folder = pathlib.Path(folder)
    index = _load(folder)
    groups = {}
    try:
        for shard in index["shards"]:
            path = folder / shard["file"]
            if path.parent != folder or shard["group"] not in GROUPS:
                raise ValueError(f"{shard['file']} is no shard of this folder")
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
            f"tfrecords: expected {count} pictures in {folder / INDEX}, found {found}; make the "
            "shards anew"
        )
    return groups


def _load(folder):
    path = folder / INDEX
    if not path.is_file():
        found = "one that is not finished" if folder.is_dir() else "nothing"
        raise InputError(
            f"tfrecords: expected a folder filled by tools/make_tfrecords.py (with {INDEX}) at "
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
            "make the shards anew"
        )
    return index


def _not_an_index(folder):
    return InputError(f"tfrecords: {folder / INDEX} is damaged or was written by something else")


def _record(path, size, name, offset, length, crc):
    numbers = all(type(number) is int and number >= 0 for number in (offset, length, crc))
    if not isinstance(name, str) or not numbers or offset + length > size:
        raise ValueError(f"{name} is nowhere in {path.name}")
    return Record(path, name, offset, length, crc)


def _check_shard(path, size):
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"tfrecords: the shard {path} is missing") from None
    if found != size:
        kind = "cut short" if found < size else "changed"
        raise InputError(
            f"tfrecords: the shard {path} is {kind}: it has {found} bytes, {size} were written"
        )
