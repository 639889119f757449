"""Where sources come from, what their outputs are called, and what the log remembers."""

import csv
import json
import subprocess
import sys

import pyarrow
import pytest
from cluster_worker import write_photos
from fsspec.implementations.memory import MemoryFileSystem
from places import ROOT
from pyarrow import parquet

from animegan_tf.cluster import log, photos, places, sources
from animegan_tf.cluster.photos import output_name
from animegan_tf.errors import InputError
from animegan_tf.stylize.options import PhotoOptions


def found(*inputs, column="path", leave_out=()):
    checked = sources.check([str(path) for path in inputs])
    return sorted((one.name, one.path) for one in sources.stream(checked, column, leave_out))


def names(*inputs, **options):
    return [name for name, _ in found(*inputs, **options)]


@pytest.fixture
def folder(tmp_path):
    write_photos(tmp_path / "in", ["a.png", "b/c.jpg", "b/d/e.webp", ".hidden/f.png", "out/g.png"])
    (tmp_path / "in" / "b" / "notes.txt").write_text("none")
    (tmp_path / "in" / "film.mkv").write_bytes(b"")
    return tmp_path / "in"


def test_folders_and_globs(folder):
    assert names(folder, leave_out=[folder / "out"]) == [
        "a.png", "b/c.jpg", "b/d/e.webp", "film.mkv",
    ]  # fmt: skip
    assert found(f"{folder}/**/*.jpg") == [("b/c.jpg", str(folder / "b" / "c.jpg"))]
    assert names(f"{folder}/b/[c]*") == ["c.jpg"]
    assert found(folder / "b" / "c.jpg") == [("c.jpg", str(folder / "b" / "c.jpg"))]
    assert names(f"{folder}/**/*.png", leave_out=[folder / "out"]) == ["a.png"]
    with pytest.raises(InputError, match="found nothing at"):
        sources.check([str(folder / "missing")])
    with pytest.raises(InputError, match=r"expected a local path or one of s3://.*received http"):
        sources.check(["https://example.org/a.png"])


@pytest.mark.parametrize("suffix", sources.MANIFESTS)
def test_manifests(tmp_path, suffix):
    values = ["b/c.jpg", "/data/x/y.png", "s3://bucket/k/z.png", "../up.png", "", "http://e/a.png"]
    path = tmp_path / f"list{suffix}"
    rows = [{"id": number, "file": value} for number, value in enumerate(values)]
    if suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["id", "file"])
            writer.writeheader()
            writer.writerows(rows)
    elif suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    read = list(sources.stream([str(path)], "file"))
    assert [(one.name, one.path) for one in read if not one.error] == [
        ("b/c.jpg", str(tmp_path / "b" / "c.jpg")),
        ("data/x/y.png", "/data/x/y.png"),
        ("bucket/k/z.png", "s3://bucket/k/z.png"),
    ]
    assert [one.path for one in read if one.error] == ["../up.png", "", "http://e/a.png"]
    with pytest.raises(InputError, match="expected the column path, found id, file"):
        list(sources.stream([str(path)], "path"))


@pytest.mark.parametrize("suffix", sources.MANIFESTS)
def test_a_damaged_manifest_is_one_line(tmp_path, suffix):
    path = tmp_path / f"list{suffix}"
    path.write_bytes(b"\xff\x00\xfe{{{")
    with pytest.raises(InputError, match=r"list\."):
        list(sources.stream([str(path)], "path"))


def test_a_store(monkeypatch):
    monkeypatch.setattr(places, "STORES", ("memory",))
    for name in ("a.png", "b/c.jpg", "b/.hidden.png", "_log/d.png"):
        places.write(f"memory://bucket/{name}", name.encode())
    kept = {"leave_out": ["memory://bucket/_log"]}
    assert found("memory://bucket", **kept) == [
        ("a.png", "memory://bucket/a.png"), ("b/c.jpg", "memory://bucket/b/c.jpg"),
    ]  # fmt: skip
    assert names("memory://bucket/**/*.jpg") == ["b/c.jpg"]
    assert names("memory://bucket/*.png", **kept) == ["a.png"]
    assert names("memory://bucket/**/*.png", **kept) == ["a.png"]
    assert places.read("memory://bucket/b/c.jpg") == b"b/c.jpg"
    assert places.size("memory://bucket/a.png") == 5
    assert places.size("memory://bucket/missing") is None
    with pytest.raises(OSError, match="No such file or directory: 'memory://bucket/missing'"):
        places.read("memory://bucket/missing")
    (one,) = sources.stream(["memory://bucket/nothing"], "path")
    assert "found none" in one.error
    system, listing = places.file_system("memory://bucket")[0], MemoryFileSystem.ls

    def ls(self, path, *others, **options):
        if path.endswith("/b"):
            raise PermissionError("access denied")
        return listing(self, path, *others, **options)

    monkeypatch.setattr(type(system), "ls", ls)
    errors = {one.path: one.error for one in sources.stream(["memory://bucket"], "path", **kept)}
    assert errors == {
        "memory://bucket/a.png": None,
        "memory://bucket/b": "its list: access denied",
    }


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    (
        ("a/b.JPG", {}, "a/b.JPG"),
        ("b.gif", {}, "b.gif.png"),
        ("b.jpg", {"format": "webp"}, "b.jpg.webp"),
        ("b.jpg", {"bits": 16}, "b.jpg.png"),
        ("b.tif", {"bits": 16}, "b.tif"),
    ),
)
def test_names_of_outputs(name, options, expected):
    assert output_name(name, PhotoOptions(**options)) == expected


def test_the_log_of_a_crashed_run(tmp_path):
    with log.Log(str(tmp_path / "log"), "/out") as rows:
        rows.add({"source": "/in/a.png", "result": "a.png", "size": 3, "seconds": 0.5})
        rows.add({"source": "/in/b.png", "result": "b.png", "error": "damaged"})
        rows.flush()
        rows.add({"source": "/in/\udce9", "result": "\udce9.png", "size": 3})
    done = log.done(str(tmp_path / "log"), "/out")
    assert "a.png" in done and "b.png" not in done and log.plain("\udce9.png") in done
    assert len(list((tmp_path / "log").iterdir())) == 2
    assert "a.png" not in log.done(str(tmp_path / "none"), "/out")
    # The log of two outputs.
    assert "a.png" not in log.done(str(tmp_path / "log"), "/other")
    (tmp_path / "log" / "part.parquet").write_bytes(b"none")
    with pytest.raises(InputError, match=r"log: expected parts of a log, received .*part"):
        log.done(str(tmp_path / "log"), "/out")


def test_many_names_take_eight_bytes_each(monkeypatch):
    monkeypatch.setattr(log, "_NEW", 8)
    names = log.Names()
    assert all(names.add(str(number)) for number in range(100))
    assert not any(names.add(str(number)) for number in range(100))
    assert "100" not in names and names._sorted.nbytes == 8 * 96


def test_one_output_has_one_source(tmp_path):
    write_photos(tmp_path, ["x/a.png", "y/a.png", "x/bad.mp4", "y/bad.mp4"])
    (tmp_path / "x" / "gone.gif").symlink_to("nowhere")
    (tmp_path / "out").symlink_to("x")
    (tmp_path / "list.csv").write_text("path\nx/a.png\nx/a.png\n")
    with log.Log(str(tmp_path / "log"), "/out") as rows:
        batch = photos.Batch(str(tmp_path / "out2"), rows, PhotoOptions())
        inputs = [str(tmp_path / name) for name in ("x", "y", "list.csv")]
        tasks = list(batch._tasks(sources.stream(inputs, "path"), log.Names()))
        same = photos.Batch(str(tmp_path / "out"), rows, PhotoOptions(), overwrite=True)
        replaced = list(same._tasks(sources.stream(inputs[:1], "path"), log.Names()))
    first = [str(tmp_path / "x" / name) for name in ("a.png", "gone.gif")]
    assert sorted(task.source for task in tasks) == first
    assert [film.path for film in batch.films] == [str(tmp_path / "x" / "bad.mp4")]
    assert (batch.summary.failed, batch.summary.repeated) == (2, 2)
    # A link to the folder of the photos does not hide that they would be replaced.
    assert [task.source for task in replaced] == first[1:] and same.summary.failed == 1


def test_help_and_a_missing_ray_are_short(tmp_path):
    code = (
        "import sys; sys.modules['ray'] = None; sys.argv[1:] = {!r}\n"
        "import animegan_tf.cluster.__main__ as batch\n"
        "batch.console()"
    )
    write_photos(tmp_path, ["a.png"])
    call = [str(tmp_path), f"--output={tmp_path}/out"]
    done = subprocess.run(
        [sys.executable, "-c", code.format(call)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: ray: expected it to be installed, found nothing: "
        "pip install 'animegan_tf[cluster]'\n"
    )


@pytest.mark.parametrize(("flag", "precision"), [((), "float32"), (("bfloat16",), "bfloat16")])
def test_all_workers_have_one_precision(tmp_path, flag, precision):
    """With `auto` each would measure, and the segments of a video would differ."""
    program = (
        "import animegan_tf.cluster.__main__ as command\n"
        "from animegan_tf.cluster import batch\n"
        "batch.run = lambda settings, model: print(model().options['precision'])\n"
        "command.console()"
    )
    arguments = [f"--output={tmp_path}", "photo.png", *(f"--precision={name}" for name in flag)]
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.strip(), done.returncode) == (precision, 0), done.stderr
