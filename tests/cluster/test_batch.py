"""Photos on two nodes: each once, whatever becomes of workers and nodes."""

import collections
import re
import threading
import time

import pytest
import ray
from cluster_worker import Light, Negative, write_photos
from pyarrow import parquet

from animegan_tf import images
from animegan_tf.cluster import batch, pool
from animegan_tf.cluster.worker import Photo
from animegan_tf.errors import InputError
from animegan_tf.stylize.options import PhotoOptions

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


def rows_of(log):
    return [
        row
        for path in sorted(log.glob("*.parquet"))
        for row in parquet.read_table(path).to_pylist()
    ]


def run(nodes, tmp_path, output="out", **options):
    output = str(tmp_path / output)
    settings = batch.Settings((tmp_path / "in",), output, address=nodes.address, **options)
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
        # Without seconds if its worker was killed when it had written, but not reported it.
        assert row["error"] is None and (row["seconds"] is None or row["seconds"] >= 0)
        assert row["source"] == str(tmp_path / "in" / name)
        assert row["size"] == (out / name).stat().st_size
        before = images.read_photo(tmp_path / "in" / name).rgb
        assert (images.read_photo(out / name).rgb == 255 - before).all()
    assert "expected an image" in rows["bad.jpg"]["error"] and rows["bad.jpg"]["size"] is None
    assert rows["poison.png"]["error"].startswith("its worker was lost")
    printed = capsys.readouterr().out
    found = re.findall(r"(\d+) (written|existed|failed|workers)", printed)
    counts = {word: int(count) for count, word in found}
    assert counts["written"] + counts.get("existed", 0) == 8
    assert counts["failed"] == 2 and counts["workers"] == 4

    # Again: only what is missing; one output is unknown to the log, as after a crash.
    (tmp_path / "in" / "poison.png").unlink()
    (out / "5.png").rename(out / "6.png")
    write_photos(tmp_path / "in", ["6.png"])
    assert run(nodes, tmp_path, concurrency=1) == 1
    printed = capsys.readouterr().out
    assert "0 written" in printed and "9 existed" in printed
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

    killing = threading.Thread(target=kill, daemon=True)
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
    # Nobody, not even root, can write there.
    with pytest.raises(OSError, match="no node can write"):
        run(nodes, tmp_path, output="/proc/out", concurrency=1, log=str(tmp_path / "log"))


def test_a_name_that_is_too_long_is_an_error_of_its_photo(tmp_path):
    write_photos(tmp_path / "in", ["a.png"])
    here = Negative(Light(), 1, PhotoOptions(), False)
    here._stylizer, here._node = Light().load(), "here"
    name = "x" * 250 + ".jpg.png"
    outcome = here.photo(Photo(str(tmp_path / "in" / "a.png"), str(tmp_path / name), name))
    assert outcome.full is None and outcome.value["error"] == "File name too long"


def test_an_address_without_a_cluster_is_named_at_once(tmp_path):
    write_photos(tmp_path, ["a.png"])
    for address in ("127.0.0.1:1", "127.0.0.1:99999"):
        settings = batch.Settings((tmp_path,), str(tmp_path / "out"), address=address)
        with pytest.raises(InputError, match=f"address: expected a Ray cluster at {address}, "):
            batch.run(settings, Light)
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file(tmp_path):
    write_photos(tmp_path, ["in/a.png", "out.png"])
    with pytest.raises(InputError, match="output: expected a folder, received the file"):
        batch.run(batch.Settings((tmp_path / "in",), str(tmp_path / "out.png")), Light)


def test_workers_that_cannot_start_leave_the_work_to_others(capsys):
    class Broken:
        exceptions = ray.exceptions

        @staticmethod
        def get(reference):
            raise ray.exceptions.RayActorError

    workers = pool.Pool.__new__(pool.Pool)
    workers._ray, workers._started, workers._failures, workers.count = Broken, True, 0, 2
    good, bad = pool._Actor(None), pool._Actor(None)
    good.node = "one"
    for _ in range(3):
        assert workers.count == 2
        workers._actors, workers._starting = [good, bad], {0: bad}
        assert workers._begin(0) == []
    assert workers.count == 1 and "expected them to start" in capsys.readouterr().err
    workers._actors, workers._starting = [bad, pool._Actor(None)], {0: bad}
    with pytest.raises(InputError, match="expected them to start"):
        workers._begin(0)
