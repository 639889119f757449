"""Write a training data set as TFRecord shards (see `tfrecords` for the format).

Images are stored as the bytes of their files. The index follows from their order and sizes. It is
written first as `.progress.json`, then each shard atomically, at last the index as `index.json`. An
interrupted run therefore continues with the missing shards, and a folder with an index is complete.
"""

import dataclasses
import functools
import json
import pathlib
import zlib

import tqdm

from animegan_tf import files, storage
from animegan_tf.data import sources, tfrecords
from animegan_tf.data.check import check_dataset
from animegan_tf.data.smoothing import ensure_smooth
from animegan_tf.errors import InputError, reason_of
from animegan_tf.validation import check_whole

_PROGRESS = ".progress.json"
# Bytes of a TFRecord before the data (length and its checksum) and after it (checksum).
_BEFORE, _AFTER = 12, 4


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """A plan for `write`.

    Attributes:
        output: the folder of the shards.
        index: the content of `index.json`.
        paths: {file name of a shard: paths of its images}.
        done: the names of the existing shards.
        finished: whether nothing is left to do.
    """

    output: pathlib.Path
    index: dict
    paths: dict[str, list[pathlib.Path]]
    done: tuple[str, ...] = ()
    finished: bool = False

    def __str__(self):
        shards = self.index["shards"]
        size = sum(length for shard in shards for _, _, length, _ in shard["pictures"])
        done = "all of them" if self.finished else len(self.done)
        return (
            f"{self.index['count']} images, {size / 1e6:.1f} MB, in {len(shards)} shards in "
            f"{self.output}; already written: {done}"
        )


def make_plan(config, output, shard_bytes=100_000_000, progress=True) -> ShardPlan:
    """Check a data set as for training, and plan its shards; no TensorFlow.

    Missing smoothed frames are created in the data set's folder.

    Args:
        config: the `DataConfig`, with the source "images".
        output: a new or empty folder, or one with some or all shards of these images.
        shard_bytes: a shard ends with the image at which it reaches this size.
        progress: show progress bars.

    Raises `InputError` if the data set has problems or `output` contains something else.
    """
    output = pathlib.Path(output)
    check_whole("shard_bytes", shard_bytes, 1)
    _require_ours(output)
    check_dataset(config, progress).raise_if_bad()
    ensure_smooth(config, progress)
    index, paths = _split_all(config, shard_bytes, progress)
    for name in (tfrecords.INDEX, _PROGRESS):
        path = output / name
        if path.exists() and path.read_text("utf-8", errors="replace") != _to_json(index):
            raise InputError(
                f"output: {output} was written from other images or with another shard size; "
                "delete it to restart, or use another folder"
            )
    finished = (output / tfrecords.INDEX).exists()
    if finished:
        tfrecords.read_index(output)  # raises for a missing or truncated shard
    done = tuple(shard["file"] for shard in index["shards"] if (output / shard["file"]).exists())
    return ShardPlan(output, index, paths, done, finished)


def write(plan, progress=True):
    """Write the missing shards of a `ShardPlan`, then the index.

    Raises `OSError` on a full disk; a later call continues from there. Only one process at a time
    may call this.
    """
    if plan.finished:
        return
    storage.write_text(plan.output / _PROGRESS, _to_json(plan.index))
    missing = [shard for shard in plan.index["shards"] if shard["file"] not in plan.done]
    for shard in tqdm.tqdm(missing, "writing", unit="shard", disable=not progress):
        _write_shard(plan.output, shard, plan.paths[shard["file"]])
    storage.write_text(plan.output / tfrecords.INDEX, _to_json(plan.index))
    (plan.output / _PROGRESS).unlink(missing_ok=True)


def _to_json(index):
    return json.dumps(index) + "\n"


def _require_ours(output):
    if not output.exists():
        return
    if not output.is_dir():
        raise InputError(f"output: expected a folder, found a file at {output}")
    names = {path.name for path in output.iterdir() if not path.name.endswith(".tmp")}
    if names and not names & {tfrecords.INDEX, _PROGRESS}:
        raise InputError(
            f"output: expected a new or empty folder, found {sorted(names)[0]!r} in {output}"
        )


def _split_all(config, shard_bytes, progress):
    """The index of the data set's current files, and {shard: paths of its images}."""
    folders, shards, paths = sources.folders(config), [], {}
    groups = {
        group: files.list_images(folders[group], subfolders=True)
        for group in tfrecords.GROUPS
        if folders[group].is_dir()  # val may be missing
    }
    groups["smooth"] = sources.with_frames(config, groups)[0]
    for group, images in groups.items():
        entry = functools.partial(_entry, folders[group])
        entries = files.map_in_threads(entry, images, f"reading {group}", progress)
        parts = _split(entries, shard_bytes)
        for number, part in enumerate(parts):
            name = f"{group}-{number:05}-of-{len(parts):05}.tfrecord"
            shards.append(_shard(name, group, part))
            paths[name] = [path for path, *_ in part]
    return index_of(shards), paths


def index_of(shards):
    """The index of shards, dicts with `file`, `group`, `bytes` and `pictures`."""
    return {
        "format": tfrecords.FORMAT,
        "version": tfrecords.VERSION,
        "count": sum(len(shard["pictures"]) for shard in shards),
        "shards": shards,
    }


def _entry(folder, path):
    """(path, name, size of the record, offset of the data in it, size of the data, CRC-32)."""
    data, name = path.read_bytes(), path.relative_to(folder).as_posix()
    record = _example(name, data)
    return path, name, len(record), record.index(data), len(data), zlib.crc32(data)


def _split(entries, shard_bytes):
    """Split `entries` into lists of `shard_bytes` or slightly more."""
    parts, size = [], shard_bytes
    for entry in entries:
        if size >= shard_bytes:
            parts.append([])
            size = 0
        parts[-1].append(entry)
        size += entry[4]
    return parts


def _shard(file, group, entries):
    """The index entry of a shard with these images."""
    size, pictures = 0, []
    for _, name, length, offset, data_length, crc in entries:
        pictures.append([name, size + _BEFORE + offset, data_length, crc])
        size += _BEFORE + length + _AFTER
    return {"file": file, "group": group, "bytes": size, "pictures": pictures}


def _write_shard(output, shard, paths):
    """Write the shard of an index entry."""
    import tensorflow as tf

    path = output / shard["file"]
    storage.sweep(output)
    with storage.aside(path) as temporary:
        try:
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for source, (name, _, length, crc) in zip(paths, shard["pictures"], strict=True):
                    data = source.read_bytes()
                    if len(data) != length or zlib.crc32(data) != crc:
                        raise InputError(f"{source} has changed while the shards were written")
                    writer.write(_example(name, data))
        except tf.errors.OpError as error:  # a full disk
            raise OSError(f"{path} cannot be written: {reason_of(error)}") from error
        size = temporary.stat().st_size
        if size != shard["bytes"]:
            raise OSError(f"{path} cannot be written: {size} of {shard['bytes']} bytes")


def _example(name, data):
    """The serialised `tf.train.Example` of an image, without TensorFlow."""

    def field(number, content):
        length, varint = len(content), b""
        while length >= 0x80:
            varint += bytes([length & 0x7F | 0x80])
            length >>= 7
        return bytes([number << 3 | 2]) + varint + bytes([length]) + content

    def feature(key, value):  # an entry of the map, with a BytesList of one value
        return field(1, field(1, key) + field(2, field(1, field(1, value))))

    filename = name.encode("utf-8", "surrogateescape")
    return field(1, feature(b"image/encoded", data) + feature(b"image/filename", filename))
