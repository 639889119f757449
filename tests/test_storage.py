"""Files are whole or not there."""

import pytest

from animegan_tf import storage


def test_write_replaces_at_once_and_makes_folders(tmp_path):
    path = tmp_path / "new" / "tief" / "a.txt"
    storage.write_text(path, "eins")
    storage.write_text(path, "zwei ü")
    assert path.read_text("utf-8") == "zwei ü"
    assert [found.name for found in path.parent.iterdir()] == ["a.txt"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        storage.write_text(path, "new")
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["a.txt"]


def test_a_failing_writer_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), storage.aside(tmp_path / "x.h5", ".h5") as temporary:
        assert temporary.suffix == ".h5"
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
