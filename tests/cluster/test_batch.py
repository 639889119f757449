"""Photos on two nodes: each once, whatever becomes of workers and nodes."""

import collections
import threading
import time

import pytest
from cluster_worker import Light, Negative, write_photos
from pyarrow import parquet

from animegan_tf import images
from animegan_tf.cluster import batch

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


def rows_of(log):
    return [
        row
        for path in sorted(log.glob("*.parquet"))
        for row in parquet.read_table(path).to_pylist()
    ]


def run(nodes, tmp_path, **options):
    settings = batch.Settings(
        (tmp_path / "in",), str(tmp_path / "out"), address=nodes.address, **options
    )
    return batch.run(settings, Light, Negative)


def test_each_photo_once_though_workers_are_killed(nodes, tmp_path, capsys):
    good = [f"{number}.png" for number in range(6)] + ["a/once.png", "a/b/x.bmp"]
    write_photos(tmp_path / "in", [*good, "bad.jpg", "poison.png"])
    assert run(nodes, tmp_path, concurrency=2) == 1
    out, log = tmp_path / "out", tmp_path / "out" / "_log"
    found = [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()]
    assert sorted(name for name in found if not name.startswith("_log")) == sorted(good)
    rows = {row["result"]: row for row in rows_of(log)}
    assert len(rows) == len(rows_of(log)) == len(good) + 2
    for name in good:
        row = rows[name]
        assert row["error"] is None and row["seconds"] >= 0
        assert row["source"] == str(tmp_path / "in" / name)
        assert row["size"] == (out / name).stat().st_size
        before = images.read_photo(tmp_path / "in" / name).rgb
        assert (images.read_photo(out / name).rgb == 255 - before).all()
    assert "expected an image" in rows["bad.jpg"]["error"] and rows["bad.jpg"]["size"] is None
    assert rows["poison.png"]["error"].startswith("its worker was lost")
    printed = capsys.readouterr().out
    assert "8 written" in printed and "2 failed" in printed and "4 workers lost" in printed

    # Again: only what is missing; one output is unknown to the log, as after a crash.
    (tmp_path / "in" / "poison.png").unlink()
    (out / "5.png").rename(out / "6.png")
    write_photos(tmp_path / "in", ["6.png"])
    assert run(nodes, tmp_path, concurrency=1) == 1
    assert "0 written" in (printed := capsys.readouterr().out) and "9 existed" in printed
    assert collections.Counter(row["result"] for row in rows_of(log)) == {
        **dict.fromkeys([*good, "6.png", "poison.png"], 1),
        "bad.jpg": 2,
    }


def test_a_node_is_killed_and_another_is_full(nodes, tmp_path, capsys):
    lost = nodes.add_node(**NODE)
    full = nodes.add_node(**NODE, env_vars={"FULL": "1"})
    names = [f"slow{number}.png" for number in range(8)]
    write_photos(tmp_path / "in", names)

    def kill():
        while not list((tmp_path / "out").glob("*.png")):
            time.sleep(0.1)
        nodes.remove_node(lost, allow_graceful=False)

    killing = threading.Thread(target=kill)
    killing.start()
    assert run(nodes, tmp_path, concurrency=3) == 0
    killing.join()
    nodes.remove_node(full)
    rows = rows_of(tmp_path / "out" / "_log")
    assert sorted(row["result"] for row in rows) == names
    assert not [row for row in rows if row["error"]]
    assert "rests: No space left on device" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_log", *names]


def test_no_node_can_write(nodes, tmp_path):
    write_photos(tmp_path / "in", ["0.png"])
    (tmp_path / "out").write_bytes(b"a file, not a folder")
    with pytest.raises(OSError, match="no node can write"):
        run(nodes, tmp_path, concurrency=1, log=str(tmp_path / "log"))
