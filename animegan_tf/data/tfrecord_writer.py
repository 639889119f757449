"""Write a training data set as TFRecord shards (see `tfrecords` for the format).

Images are stored as the bytes of their files. Their order and sizes determine the shards. A shard
is written atomically and then recorded in `.progress.json`; `index.json` is written last. An
interrupted run therefore continues where it stopped, and a folder with an index is complete.
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
class Shard:
    """A planned shard: `pictures` are (path, name, size, CRC-32)."""

    file: str
    group: str
    pictures: tuple


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """A plan for `write`: all `Shard`s of `output`, and the index entries of the existing ones.

    `finished` is true if nothing is left to do.
    """

    output: pathlib.Path
    shards: tuple[Shard, ...]
    done: tuple[dict, ...]
    finished: bool

    def __str__(self):
        pictures = [picture for shard in self.shards for picture in shard.pictures]
        size = sum(length for _, _, length, _ in pictures)
        done = "all of them" if self.finished else len(self.done)
        return (
            f"{len(pictures)} images, {size / 1e6:.1f} MB, in {len(self.shards)} shards in "
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
    shards = _split_all(config, shard_bytes, progress)
    done = _done_before(output, shards)
    return ShardPlan(output, tuple(shards), tuple(done), (output / tfrecords.INDEX).exists())


def write(plan, progress=True):
    """Write the missing shards of a `ShardPlan`, then the index.

    Raises `OSError` on a full disk; a later call continues from there. Only one process at a time
    may call this.
    """
    if plan.finished:
        return
    output, done = plan.output, list(plan.done)
    output.mkdir(parents=True, exist_ok=True)
    missing = plan.shards[len(done) :]
    for shard in tqdm.tqdm(missing, "writing", unit="shard", disable=not progress):
        done.append(_write_shard(output, shard))
        storage.write_text(output / _PROGRESS, _to_json(done, plan.shards))
    storage.write_text(output / tfrecords.INDEX, _to_json(done))
    (output / _PROGRESS).unlink(missing_ok=True)


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
    """The `Shard`s of the data set's current files."""
    folders, shards = sources.folders(config), []
    groups = {
        group: files.list_images(folders[group], subfolders=True)
        for group in tfrecords.GROUPS
        if folders[group].is_dir()  # val may be missing
    }
    groups["smooth"] = sources.with_frames(config, groups)[0]
    for group, paths in groups.items():
        entry = functools.partial(_entry, folders[group])
        entries = files.map_in_threads(entry, paths, f"reading {group}", progress)
        parts = _split(entries, shard_bytes)
        shards += [
            Shard(f"{group}-{number:05}-of-{len(parts):05}.tfrecord", group, tuple(part))
            for number, part in enumerate(parts)
        ]
    return shards


def _entry(folder, path):
    data = path.read_bytes()
    return path, path.relative_to(folder).as_posix(), len(data), zlib.crc32(data)


def _split(entries, shard_bytes):
    """Split `entries` into lists of `shard_bytes` or slightly more."""
    parts, size = [], shard_bytes
    for entry in entries:
        if size >= shard_bytes:
            parts.append([])
            size = 0
        parts[-1].append(entry)
        size += entry[2]
    return parts


def _identity(shards):
    """The identity of a plan as JSON: shards, and name, length and CRC-32 of their images."""
    return [
        [shard.file, shard.group, [list(picture[1:]) for picture in shard.pictures]]
        for shard in shards
    ]


def _done_before(output, shards):
    """The index entries of the first of `shards`, which already exist."""
    for name in (tfrecords.INDEX, _PROGRESS):
        path = output / name
        if not path.exists():
            continue
        try:
            stored = json.loads(path.read_text("utf-8"))
            done, version = stored["shards"], stored["version"]
            before = stored.get("plan") or _identity_of(done)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"output: {path} is damaged; delete the folder to restart") from error
        if version != tfrecords.VERSION or before != _identity(shards):
            raise InputError(
                f"output: {output} was written from other images or with another shard size; "
                "delete it to restart, or use another folder"
            )
        if name == tfrecords.INDEX:
            tfrecords.read_index(output)  # raises for a missing or truncated shard
        return done
    return []


def _identity_of(done):
    """`_identity` from the entries of an index, whose images also have an offset."""
    pictures = [[[p[0], *p[2:]] for p in entry["pictures"]] for entry in done]
    return [[entry["file"], entry["group"], p] for entry, p in zip(done, pictures, strict=True)]


def _write_shard(output, shard):
    """Write one shard; returns its index entry."""
    import tensorflow as tf

    path, size, pictures = output / shard.file, 0, []
    storage.sweep(output)
    with storage.aside(path) as temporary:
        try:
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for source, name, length, crc in shard.pictures:
                    data = source.read_bytes()
                    if len(data) != length or zlib.crc32(data) != crc:
                        raise InputError(f"{source} has changed while the shards were written")
                    record = _example(name, data)
                    writer.write(record)
                    pictures.append([name, size + _BEFORE + record.index(data), length, crc])
                    size += _BEFORE + len(record) + _AFTER
        except tf.errors.OpError as error:  # a full disk
            raise OSError(f"{path} cannot be written: {reason_of(error)}") from error
        if temporary.stat().st_size != size:
            raise OSError(f"{path} cannot be written: {temporary.stat().st_size} of {size} bytes")
    return {"file": shard.file, "group": shard.group, "bytes": size, "pictures": pictures}


def _example(name, data):
    """The serialised `tf.train.Example` of an image."""
    import tensorflow as tf

    def feature(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    features = {
        "image/filename": feature(name.encode("utf-8", "surrogateescape")),
        "image/encoded": feature(data),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(
        deterministic=True
    )


def _to_json(done, shards=None):
    """The index of the shards in `done`; `shards` adds the plan, for continuing a run."""
    index = {
        "format": tfrecords.FORMAT,
        "version": tfrecords.VERSION,
        "count": sum(len(entry["pictures"]) for entry in done),
        "shards": done,
    }
    if shards is not None:
        index["plan"] = _identity(shards)
    return json.dumps(index) + "\n"
