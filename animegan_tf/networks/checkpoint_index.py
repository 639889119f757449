"""Looks at a TensorFlow checkpoint before TensorFlow does, which ends the process on a bad one.

NAME.index is a table of LevelDB's kind: blocks of names in order, each with what is stored of that
tensor (a `BundleEntryProto`), found through one block more and the last 48 bytes.
"""

import math
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

from animegan_tf.errors import InputError

_MOST_BYTES, _MOST_SHARDS = 2**26, 1000
_FOOTER, _MAGIC = 48, 0xDB4775248B80FB57


def check(prefix):
    """Raise `InputError` unless the index of the checkpoint `prefix` and its files' sizes agree."""
    path = Path(f"{prefix}.index")
    try:
        size = path.stat().st_size
        if not path.is_file() or not _FOOTER <= size <= _MOST_BYTES:
            raise ValueError(f"{path.name} is no index")
        _check_entries(_entries(path.read_bytes()), str(prefix))
    except Exception as error:  # protobuf has a class of its own in each version
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"path: {str(prefix)!r} is not a readable checkpoint: {reason}") from error


def _check_entries(entries, prefix):
    header = tensor_bundle_pb2.BundleHeaderProto.FromString(entries.pop(b""))
    shards = header.num_shards
    if not 0 < shards <= _MOST_SHARDS:
        raise ValueError(f"{shards} files of data")
    names = [f"{prefix}.data-{shard:05d}-of-{shards:05d}" for shard in range(shards)]
    sizes = [Path(name).stat().st_size for name in names]
    for key, value in entries.items():
        name = key.decode("utf-8")
        entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
        sides = [dim.size for dim in entry.shape.dim]
        kind = tf.dtypes.as_dtype(entry.dtype)
        if entry.slices or entry.shape.unknown_rank or min(sides, default=0) < 0:
            raise ValueError(f"{name} is in slices, or of unknown shape")
        if kind != tf.string and entry.size != math.prod(sides) * kind.size:
            raise ValueError(f"{name} has other than its bytes")
        if min(entry.offset, entry.size, entry.shard_id) < 0 or entry.shard_id >= shards:
            raise ValueError(f"{name} is nowhere")
        if entry.offset + entry.size > sizes[entry.shard_id]:
            raise ValueError(f"{name} lies behind the end of {Path(names[entry.shard_id]).name}")


def _entries(data):
    """{name: BundleEntryProto as bytes} of an index, in which no block comes twice."""
    if int.from_bytes(data[-8:], "little") != _MAGIC:
        raise ValueError("its last bytes are not those of an index")
    _, at = _handle(data, len(data) - _FOOTER)
    blocks, _ = _handle(data, at)
    found, seen = {}, set()
    for _, value in _block(data, *blocks):
        place, _ = _handle(value, 0)
        if place in seen:
            raise ValueError("a block comes twice")
        seen.add(place)
        for key, entry in _block(data, *place):
            if key in found:
                raise ValueError("a name comes twice")
            found[key] = entry
    return found


def _block(data, start, size):
    """Yield (key, value) of a block; a key begins with some bytes of the one before."""
    block = data[start : start + size]
    # One byte says how it is compressed: TensorFlow's are not.
    if len(block) < size or data[start + size] != 0:
        raise ValueError("a block is cut short or compressed")
    restarts = int.from_bytes(block[-4:], "little")
    end, at, key = size - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        if shared > len(key) or at + own + length > end:
            raise ValueError("a name is cut short")
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + length]
        at += length


def _handle(data, at):
    """((start, size), where it ends) of a block's place."""
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
    raise ValueError("a number has no end")
