"""Fill a folder with TFRecord shards of a training data set (see `tfrecords` for what is in it).

Pictures go in as the bytes of their files. Which shard holds which is fixed by their order and
sizes. A shard is written aside and moved into place, then noted in `.progress.json`; `index.json`
comes last. So a run that was stopped goes on where it was, and a folder with an index is complete.
"""

import dataclasses
import json
import pathlib
import zlib

import tqdm

from animegan_tf import files, storage
from animegan_tf.data import tfrecords
from animegan_tf.data.check import check_dataset
from animegan_tf.data.smoothing import ensure_smooth
from animegan_tf.errors import InputError, reason_of
from animegan_tf.validation import check_whole

_PROGRESS = ".progress.json"
# A record's length and its checksum come before its data, the data's checksum after.
_BEFORE, _AFTER = 12, 4


@dataclasses.dataclass(frozen=True)
class Shard:
    """A shard as it will be: `pictures` are (path, name, size, CRC-32)."""

    file: str
    group: str
    pictures: tuple


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """What `write` will do: the `Shard`s of `output`, and the index entries of those in place.

    `finished` says that nothing is left to do.
    """

    output: pathlib.Path
    shards: tuple[Shard, ...]
    done: tuple[dict, ...]
    finished: bool

    def __str__(self):
        pictures = [picture for shard in self.shards for picture in shard.pictures]
        size = sum(length for _, _, length, _ in pictures)
        there = "all of them" if self.finished else len(self.done)
        return (
            f"{len(pictures)} pictures, {size / 1e6:.1f} MB, in {len(self.shards)} shards in "
            f"{self.output}; already there: {there}"
        )


def make_plan(config, output, shard_bytes=100_000_000, progress=True) -> ShardPlan:
    """Check a data set as training does it, and find out what has to be written; no TensorFlow.

    Smoothed frames that are missing are made in the data set's folder.

    Args:
        config: the `DataConfig`, with the source "images".
        output: a new or empty folder, or one that was filled, or half filled, from these pictures.
        shard_bytes: a shard ends with the picture that makes it this large.
        progress: show progress bars.

    Raises `InputError` when the data set has problems or `output` holds something else.
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
    """Write the shards of a `ShardPlan` that are not in place, then the index.

    Raises `OSError` when the disk is full; what is in place then is gone on from. One process at a
    time may call this.
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
    found = {path.name for path in output.iterdir() if not path.name.endswith(".tmp")}
    if found and not found & {tfrecords.INDEX, _PROGRESS}:
        raise InputError(
            f"output: expected a new or empty folder, found {sorted(found)[0]!r} in {output}"
        )


def _split_all(config, shard_bytes, progress):
    """The `Shard`s of the data set as it is now."""
    folders = (config.photo_dir, config.style_dir, config.smooth_dir, config.val_dir)
    shards = []
    for group, folder in zip(tfrecords.GROUPS, folders, strict=True):
        if not folder.is_dir():
            continue  # val
        paths = files.list_images(folder)
        entries = files.map_in_threads(_entry, paths, f"reading {group}", progress)
        parts = _split(entries, shard_bytes)
        shards += [
            Shard(f"{group}-{number:05}-of-{len(parts):05}.tfrecord", group, tuple(part))
            for number, part in enumerate(parts)
        ]
    return shards


def _entry(path):
    data = path.read_bytes()
    return path, path.name, len(data), zlib.crc32(data)


def _split(entries, shard_bytes):
    """Lists of neighbours that have `shard_bytes` together, or a little more."""
    parts, size = [], shard_bytes
    for entry in entries:
        if size >= shard_bytes:
            parts.append([])
            size = 0
        parts[-1].append(entry)
        size += entry[2]
    return parts


def _identity(shards):
    """What tells one plan from another, as JSON: names and contents, and how they are split."""
    return [
        [shard.file, shard.group, [list(picture[1:]) for picture in shard.pictures]]
        for shard in shards
    ]


def _done_before(output, shards):
    """The index entries of the shards that are in place, the first of `shards`."""
    for name in (tfrecords.INDEX, _PROGRESS):
        path = output / name
        if not path.exists():
            continue
        try:
            found = json.loads(path.read_text("utf-8"))
            done, version = found["shards"], found["version"]
            before = found.get("plan") or _identity_of(done)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"output: {path} is damaged; delete the folder to begin anew"
            ) from error
        if version != tfrecords.VERSION or before != _identity(shards):
            raise InputError(
                f"output: {output} was filled from other pictures or with another shard size; "
                "delete it to begin anew, or use another folder"
            )
        if name == tfrecords.INDEX:
            tfrecords.read_index(output)  # names a shard that is missing or cut short
        return done
    return []


def _identity_of(done):
    """`_identity` from the entries of an index."""
    return [
        [
            entry["file"],
            entry["group"],
            [[name, length, crc] for name, _, length, crc in entry["pictures"]],
        ]
        for entry in done
    ]


def _write_shard(output, shard):
    """Write one shard; returns its entry of the index."""
    import tensorflow as tf

    path, size, pictures = output / shard.file, 0, []
    with storage.aside(path) as temporary:
        try:
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for source, name, length, crc in shard.pictures:
                    data = source.read_bytes()
                    if len(data) != length or zlib.crc32(data) != crc:
                        raise InputError(f"{source} was changed while the shards were written")
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
    """The serialised `tf.train.Example` of a picture."""
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
    """The index of the shards in `done`; with `shards`, what a run that goes on needs besides."""
    index = {
        "format": tfrecords.FORMAT,
        "version": tfrecords.VERSION,
        "count": sum(len(entry["pictures"]) for entry in done),
        "shards": done,
    }
    if shards is not None:
        index["plan"] = _identity(shards)
    return json.dumps(index) + "\n"
