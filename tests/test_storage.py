"""Files are whole or not there."""

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

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


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", full_disk)
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.jpg'"):
        storage.write_bytes(tmp_path / "a.jpg", b"picture")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_writer_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), storage.aside(tmp_path / "x.h5", ".h5") as temporary:
        assert temporary.suffix == ".h5"
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


_WRITE = """
import sys
from animegan_tf import storage
with storage.aside(sys.argv[1], ".tflite") as file, storage.temporary_folder(sys.argv[2]) as folder:
    file.write_bytes(b"half")
    (folder / "a").write_bytes(b"half")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_leaves_is_removed_by_the_next(tmp_path):
    command = [sys.executable, "-c", _WRITE, tmp_path / "a.tflite", tmp_path]
    (tmp_path / ".a.tmp").write_text("of someone else")
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "held\n"
        storage.sweep(tmp_path)
        assert len(list(tmp_path.iterdir())) == 3  # it may still be at work
        writer.kill()
    storage.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".a.tmp"]
    storage.sweep(tmp_path / "none")


def test_a_temporary_folder_that_is_moved_stays(tmp_path):
    with storage.temporary_folder(tmp_path) as folder:
        (folder / "a").write_text("a")
        storage.move(folder, tmp_path / "made")
    with storage.temporary_folder(tmp_path) as folder:
        (folder / "b").write_text("b")
    assert [path.name for path in tmp_path.rglob("*")] == ["made", "a"]


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


def test_a_lock_that_is_a_link_is_refused(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / ".lock").symlink_to(mine)
    with pytest.raises(OSError, match="links"), storage.locked(tmp_path / ".lock"):
        pass
    assert mine.read_text() == "mine"


def test_files_are_on_the_disk_before_they_have_their_names(tmp_path, monkeypatch):
    events = []
    real = storage.os.fsync, storage.os.replace

    def fsync(opened):
        name = Path(f"/proc/self/fd/{opened}").resolve().name
        events.append(f"sync {'new' if name.endswith('.tmp') else name}")
        real[0](opened)

    def replace(old, new):
        events.append(f"name {Path(new).name}")
        real[1](old, new)

    monkeypatch.setattr(storage.os, "fsync", fsync)
    monkeypatch.setattr(storage.os, "replace", replace)
    storage.write_text(tmp_path / "a" / "b.txt", "b")
    assert events == ["sync new", "name b.txt", "sync a"]
    events.clear()
    storage.move(tmp_path / "a", tmp_path / "c")
    assert events == ["sync b.txt", "sync a", "name c", f"sync {tmp_path.name}"]


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with storage.locked(tmp_path / ".lock"), storage.locked(tmp_path / ".lock", "waiting"):
        pass


def test_what_cannot_be_written_is_no_reason_to_go_on_without_a_lock(tmp_path):
    with pytest.raises(OSError), storage.locked(tmp_path):
        pass
