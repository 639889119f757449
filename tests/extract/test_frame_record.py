"""Extraction that was stopped, repeated, or is asked for something else."""

import films
import pytest
from films import extract, state

from animegan_tf import contact_sheet, files
from animegan_tf.errors import InputError
from animegan_tf.extract import record as frame_record
from animegan_tf.extract import scan, writer
from animegan_tf.extract.record import Record


class Killed(BaseException):
    pass


def killing(function, call):
    """`function` until its `call`-th call, which ends the program."""
    calls = []

    def replacement(*arguments, **options):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return function(*arguments, **options)

    return replacement


KILLS = {
    "writing a picture": (writer.images, "write_photo", 3),
    "listing a picture": (Record, "add", 2),
    "sorting the list": (Record, "sort", 1),
    "drawing the sheet": (contact_sheet, "write", 1),
    "saving the run": (Record, "save_runs", 2),
    "looking at the film": (scan.quality, "flaw", 20),
}


@pytest.mark.parametrize("when", KILLS)
def test_a_killed_run_goes_on(four_shots, tmp_path, monkeypatch, when):
    extract(four_shots, tmp_path / "whole", crops=2, short_side=128)
    output = tmp_path / "style"
    owner, name, call = KILLS[when]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, killing(getattr(owner, name), call))
        with pytest.raises(Killed):
            extract(four_shots, output, crops=2, short_side=128)
    before = {path: path.stat().st_mtime_ns for path in output.glob("*.png")}
    report = extract(four_shots, output, crops=2, short_side=128)
    assert state(output) == state(tmp_path / "whole")
    assert report.new == 8 - len(before)
    assert all(path.stat().st_mtime_ns == mtime for path, mtime in before.items())
    assert not list(tmp_path.rglob("*.tmp*"))
    if when != "looking at the film":  # what was found in the film is not looked for again
        assert report.speed is None


def test_running_again_does_nothing(four_shots, tmp_path):
    first = extract(four_shots, tmp_path / "style")
    before = state(tmp_path / "style")
    again = extract(four_shots, tmp_path / "style")
    assert (again.new, again.kept, again.dropped) == (0, first.kept, first.dropped)
    assert state(tmp_path / "style") == before


def test_deleted_pictures_stay_deleted(four_shots, tmp_path):
    extract(four_shots, tmp_path / "style")
    files.list_images(tmp_path / "style")[1].unlink()
    report = extract(four_shots, tmp_path / "style")
    assert (report.pictures, report.new) == (3, 0)
    assert "1 of the listed images were deleted later, and are not written again" in report.notes


def test_a_line_that_was_not_finished_is_made_again(four_shots, tmp_path):
    extract(four_shots, tmp_path / "style")
    whole = state(tmp_path / "style")
    path = tmp_path / "style_frames.csv"
    path.write_bytes(path.read_bytes()[:-30])
    assert extract(four_shots, tmp_path / "style").new == 0
    assert state(tmp_path / "style") == whole


def test_what_follows_an_unfinished_line_is_not_lost(tmp_path):
    record = Record(tmp_path / "style")
    row = dict.fromkeys(frame_record.COLUMNS, "1")
    record.add([{**row, "file": "a"}, {**row, "file": "b"}])
    record.csv.write_bytes(record.csv.read_bytes()[:-3])
    Record(tmp_path / "style").add([{**row, "file": "c"}])
    assert [row["file"] for row in Record(tmp_path / "style").rows] == ["a", "c"]


def test_other_settings_are_refused(four_shots, tmp_path):
    output = tmp_path / "style"
    extract(four_shots, output, count=2)
    before = state(output)
    with pytest.raises(InputError) as caught:
        extract(four_shots, output, count=3, per_shot=1)
    assert str(caught.value) == (
        f"output: {str(output)!r} was created with other settings (count 2 then, 3 now; per_shot 3 "
        "then, 1 now); use another folder, or --allow_change=count,per_shot to add to this one"
    )
    with pytest.raises(InputError, match=r"\(per_shot 3 then, 1 now\).*allow_change=per_shot to"):
        extract(four_shots, output, ["count"], count=3, per_shot=1)
    with pytest.raises(InputError, match=r"allow_change: expected some of video, count, .* colour"):
        extract(four_shots, output, ["colour"], count=3)
    assert state(output) == before


def test_another_film_is_added_when_allowed(four_shots, tmp_path):
    output = tmp_path / "style"
    other = films.write_parts(tmp_path / "other.mkv", (3, 1), (8, 1), (9, 1))
    extract(four_shots, output)
    pictures, listed = state(output)
    with pytest.raises(InputError, match=r"video four\.mkv then, other\.mkv now"):
        extract(other, output)
    report = extract(other, output, ["video"])
    assert (report.new, report.pictures) == (2, 6)  # shot 3 is in both films
    now, all_listed = state(output)
    assert now.items() >= pictures.items()
    assert [row for row in all_listed if row["run"] == "1"] == listed
    assert extract(four_shots, output).new == 0
    enough = extract(four_shots, tmp_path / "two", count=2)
    enough = extract(other, tmp_path / "two", ["video", "count"], count=3)
    assert (enough.new, enough.pictures) == (1, 3)


def test_files_that_are_not_ours(four_shots, tmp_path):
    output = tmp_path / "style"
    extract(four_shots, output)
    (tmp_path / "style_frames.csv").write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(InputError, match=r"output: expected the columns file,film,.* received a,b"):
        extract(four_shots, output)
    (tmp_path / "style_frames.json").write_text("{}", "utf-8")
    (tmp_path / "style_frames.csv").unlink()
    with pytest.raises(InputError, match=r"output: expected a list of runs .* something else"):
        extract(four_shots, output)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="output: expected a folder, found a file at"):
        extract(four_shots, tmp_path / "file")


def test_a_spoilt_scan_is_made_anew(four_shots, tmp_path):
    extract(four_shots, tmp_path / "style")
    (path,) = (tmp_path / ".style_frames").iterdir()
    path.write_text('{"key": 1', "utf-8")
    assert extract(four_shots, tmp_path / "style").speed is not None
