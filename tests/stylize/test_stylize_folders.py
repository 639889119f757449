"""What folders and wildcards name besides photos stops nothing."""

import errno
import os

from pictures import files_in, jpeg, make_negative, photos_in

from animegan_tf.stylize.batch import stylize_paths


def not_needed():
    raise AssertionError("the network was loaded though there is nothing to do for it")


def test_links_to_nothing_pipes_and_other_files_stop_nothing(tmp_path, capsys):
    photos = photos_in(tmp_path / "photos", "a.png", "z.png")
    (photos / "gone.JPG").symlink_to(photos / "none.jpg")
    (photos / "loop.jpg").symlink_to(photos / "loop.jpg")
    os.mkfifo(photos / "pipe.jpg")
    (photos / "IMG_1.NEF").write_bytes(b"II*\0")
    (photos / "notes.txt").write_text("no photo")
    (photos / "no_suffix").write_bytes((photos / "a.png").read_bytes())
    (photos / "web.jpg_large").write_bytes(jpeg())
    report = stylize_paths(make_negative, photos, tmp_path / "out", progress=True)
    assert files_in(tmp_path / "out") == ["a.png", "no_suffix.png", "web.jpg", "z.png"]
    assert {path.name: reason for path, reason in report.failed} == {
        "gone.JPG": "No such file or directory",
        "loop.jpg": "Too many levels of symbolic links",
    }
    assert report.notes == (
        f"skipped, raw photos, to be developed first: {photos / 'IMG_1.NEF'}",
        f"skipped, not photos or videos: {photos / 'notes.txt'}",
        f"skipped, not regular files: {photos / 'pipe.jpg'}",
    )
    assert f"error: {photos / 'gone.JPG'}: No such file" in capsys.readouterr().err


def test_links_to_folders_are_named_and_not_followed(tmp_path):
    photos = photos_in(tmp_path / "photos", "a.png", "sub/b.png")
    (photos / "again").symlink_to(photos / "sub")
    report = stylize_paths(make_negative, photos, tmp_path / "out", recursive=True)
    assert files_in(tmp_path / "out") == ["a.png", "sub/b.png"]
    assert report.notes == (f"skipped, links to folders: {photos / 'again'}",)


def test_a_home_folder_within_quotes(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(photos_in(tmp_path / "home", "a.png")))
    report = stylize_paths(make_negative, "~/a.png", tmp_path / "out")
    assert [path.name for path in report.written] == ["a.png"]


def test_what_a_shell_s_wildcard_names_stops_nothing(tmp_path):
    photos = photos_in(tmp_path / "photos", "a.png")
    (photos / "gone.png").symlink_to(photos / "none.png")
    os.mkfifo(photos / "pipe.png")
    (photos / "zero.png").symlink_to("/dev/zero")
    report = stylize_paths(make_negative, sorted(photos.iterdir()), tmp_path / "out")
    assert files_in(tmp_path / "out") == ["a.png"]
    pipe = "expected a photo, found a pipe or device"
    assert [(path.name, reason) for path, reason in report.failed] == [
        ("gone.png", "No such file or directory"),
        ("pipe.png", pipe),
        ("zero.png", pipe),
    ]
    report = stylize_paths(not_needed, photos / "pipe.png", tmp_path / "x.png")
    assert report.failed == ((photos / "pipe.png", pipe),)


def test_folders_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    photos = photos_in(tmp_path / "photos", "a.png", "shut/b.png")
    scan = os.scandir

    def guarded(folder):
        if str(folder).endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    report = stylize_paths(make_negative, photos, tmp_path / "out", recursive=True)
    assert len(report.written) == 1
    assert report.failed == ((photos / "shut", "Permission denied"),)
    report = stylize_paths(not_needed, photos / "shut", tmp_path / "out")
    assert report.failed == ((photos / "shut", "Permission denied"),)
