"""The index of MP4 files, put first."""

import struct

import pytest

from animegan_tf import storage
from animegan_tf.video import faststart


def _box(kind, *content):
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def _index(*tables):
    for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        tables = [_box(kind, *tables)]
    return tables[0]


def _stco(*places):
    return _box(b"stco", struct.pack(f">II{len(places)}I", 0, len(places), *places))


def _co64(*places):
    return _box(b"co64", struct.pack(f">II{len(places)}Q", 0, len(places), *places))


_HEAD, _FRAMES = _box(b"ftyp", b"isom"), _box(b"mdat", b"frames")


def test_places_of_frames_move_by_the_index(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(_HEAD + _FRAMES + _index(_stco(20, 23), _co64(21, 2**33)) + _box(b"free"))
    faststart.put_index_first(path)
    by = len(_index(_stco(20, 23), _co64(21, 2**33)))
    moved = _index(_stco(20 + by, 23 + by), _co64(21 + by, 2**33 + by))
    assert path.read_bytes() == _HEAD + moved + _FRAMES + _box(b"free")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF" + bytes(60),
        _HEAD + _FRAMES,
        _HEAD + _FRAMES + _index() + _index(),
        _HEAD + _FRAMES + _index(_stco(2**32 - 8)),
        _FRAMES + _index(),
    ],
)
def test_other_files_stay_as_they_are(tmp_path, data):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    faststart.put_index_first(path)
    assert path.read_bytes() == data


def test_a_full_disk_leaves_the_file_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    data = _HEAD + _FRAMES + _index(_stco(20))
    path.write_bytes(data)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "move", full)
    faststart.put_index_first(path)
    assert path.read_bytes() == data
    assert [one.name for one in tmp_path.iterdir()] == ["a.mp4"]
