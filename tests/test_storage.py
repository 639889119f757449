"""Files are whole or not there."""

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from animegan_tf import storage

ROOT = Path(__file__).parent.parent


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


_HOLD = """
import sys
from animegan_tf import storage
with storage.locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_goes_with_its_process(tmp_path):
    path = tmp_path / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError), storage.locked(path):
            pass
        other.kill()
        other.wait()
        with storage.locked(path):
            pass


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with storage.locked(tmp_path / ".lock"), storage.locked(tmp_path / ".lock", "waiting"):
        pass


def test_what_cannot_be_written_is_no_reason_to_go_on_without_a_lock(tmp_path):
    with pytest.raises(OSError), storage.locked(tmp_path):
        pass
