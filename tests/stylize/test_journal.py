"""The record of an unfinished film: cut, changed, or naming another file."""

import numpy as np
import pytest

from animegan_tf.stylize.journal import Journal


def test_a_record_that_was_cut(tmp_path):
    journal = Journal(tmp_path / "b.partial.jsonl", {"crf": 18}, "b.partial.mkv")
    journal.write()
    for number in range(3):
        journal.add({"frames": [[number, 1]] * 4, "state": {}})
    text = journal.path.read_text()
    journal.path.write_text(text[:-10])
    again = Journal.load(journal.path)
    assert (again.job, again.film, len(again.segments)) == ({"crf": 18}, "b.partial.mkv", 2)
    assert [len(again.whole(packets)) for packets in (3, 4, 5, 8, 9)] == [0, 0, 1, 1, 2]
    again.stopped = True
    assert [len(again.whole(packets)) for packets in (3, 4, 8)] == [0, 1, 2]
    journal.path.write_text("something else")
    assert Journal.load(journal.path) is None


@pytest.mark.parametrize("film", ("x.partial.txt", "../b.partial.mkv", "b.partial/../a.mkv", 3))
def test_a_record_that_names_another_file(tmp_path, film):
    """It would be removed."""
    journal = Journal(tmp_path / "b.partial.jsonl", {"crf": 18}, film)
    journal.write()
    assert Journal.load(journal.path) is None


def test_records_that_were_changed(tmp_path):
    journal = Journal(
        tmp_path / "b.partial.jsonl", {"size": [4, 4], "base": "1/25"}, "b.partial.mkv"
    )
    journal.write()
    journal.add({"frames": [[0, 1]] * 4, "exact_times": True, "state": {}})
    good = journal.path.read_text()
    random = np.random.default_rng(0)
    pieces = ("[", "]", "{", "}", "null", '"a"', "1e999", "-1", "0", ",", "[" * 100_000)
    for _ in range(300):
        start, end = sorted(random.integers(0, len(good), 2))
        end = end if random.random() < 0.3 else start + 1
        journal.path.write_text(good[:start] + pieces[random.integers(len(pieces))] + good[end:])
        found = Journal.load(journal.path)
        assert found is None or [found.whole(packets) for packets in (0, 4, 10)]
