"""Checks a TensorFlow checkpoint before TensorFlow reads it, which aborts on a damaged index.

NAME.index is a table in LevelDB's format: blocks of sorted names, each with a `BundleEntryProto`
that describes its tensor. The footer, the last 48 bytes, points to the block that lists the others.
"""

import math
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

from animegan_tf.errors import InputError

_MOST_BYTES, _MOST_SHARDS = 2**26, 1000
_FOOTER, _MAGIC = 48, 0xDB4775248B80FB57


def check(prefix):
    """Raise `InputError` unless the index of the checkpoint `prefix` fits its data files."""
    path = Path(f"{prefix}.index")
    try:
        size = path.stat().st_size
        if not path.is_file() or not _FOOTER <= size <= _MOST_BYTES:
            raise ValueError(f"{path.name} has an invalid size")
        _check_entries(_entries(path.read_bytes()), str(prefix))
    except Exception as error:  # protobuf's exceptions depend on its version
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"path: {str(prefix)!r} is not a readable checkpoint: {reason}") from error


def _check_entries(entries, prefix):
    header = tensor_bundle_pb2.BundleHeaderProto.FromString(entries.pop(b""))
    shards = header.num_shards
    if not 0 < shards <= _MOST_SHARDS:
        raise ValueError(f"an index of {shards} data files")
    names = [f"{prefix}.data-{shard:05d}-of-{shards:05d}" for shard in range(shards)]
    sizes = [Path(name).stat().st_size for name in names]
    for key, value in entries.items():
        name = key.decode("utf-8")
        entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
        sides = [dim.size for dim in entry.shape.dim]
        kind = tf.dtypes.as_dtype(entry.dtype)
        if entry.slices or entry.shape.unknown_rank or min(sides, default=0) < 0:
            raise ValueError(f"{name} is sliced or has an unknown shape")
        if kind != tf.string and entry.size != math.prod(sides) * kind.size:
            raise ValueError(f"{name} has another size than its shape")
        if min(entry.offset, entry.size, entry.shard_id) < 0 or entry.shard_id >= shards:
            raise ValueError(f"{name} has an invalid position")
        if entry.offset + entry.size > sizes[entry.shard_id]:
            raise ValueError(f"{name} is beyond the end of {Path(names[entry.shard_id]).name}")


def _entries(data):
    """{name: serialised BundleEntryProto} of an index. Raises `ValueError` for duplicates."""
    if int.from_bytes(data[-8:], "little") != _MAGIC:
        raise ValueError("the footer of the index is damaged")
    _, at = _handle(data, len(data) - _FOOTER)
    blocks, _ = _handle(data, at)
    found, seen = {}, set()
    for _, value in _block(data, *blocks):
        place, _ = _handle(value, 0)
        if place in seen:
            raise ValueError("the index lists a block twice")
        seen.add(place)
        for key, entry in _block(data, *place):
            if key in found:
                raise ValueError("the index has a name twice")
            found[key] = entry
    return found


def _block(data, start, size):
    """Yield (key, value) of a block; keys share a prefix with the previous key."""
    block = data[start : start + size]
    # The byte after a block is its compression; TensorFlow uses none.
    if len(block) < size or data[start + size] != 0:
        raise ValueError("a block of the index is truncated or compressed")
    restarts = int.from_bytes(block[-4:], "little")
    end, at, key = size - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        if shared > len(key) or at + own + length > end:
            raise ValueError("a name in the index is truncated")
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + length]
        at += length


def _handle(data, at):
    """((start, size), end) of the encoded position of a block at `at`."""
    start, at = _varint(data, at)
    size, at = _varint(data, at)
    return (start, size), at


def _varint(data, at):
    number = shift = 0
    while shift < 64:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise ValueError("a number in the index is truncated")
