"""Videos in segments: the same frames, to the bit, as of one process, with sound and times."""

import shutil

import av
import numpy as np
import pytest
from cluster_worker import Light, Negative
from films import scene, write_film
from pyarrow import parquet
from sound_films import look, ramp, write_sound_film

import animegan_tf
from animegan_tf.cluster import batch, films
from animegan_tf.cluster.sources import Source
from animegan_tf.cluster.worker import Model, Worker
from animegan_tf.errors import InputError
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.options import PhotoOptions, VideoOptions

# Lengths of shots, shorter and longer than a segment's least.
SHOTS = (7, 3, 12, 5, 9)


class Here:
    """Stands for the `Pool`: one worker in this process, whose segments end in reverse order.

    After `fail_after` segments nothing more is done, as in a run that is killed.
    """

    gpus = 0

    def __init__(self, stylizer, fail_after=None):
        self._worker, self._left, self.count = Worker(None, 1, PhotoOptions(), False), fail_after, 0
        self._worker._stylizer = stylizer

    def run(self, method, items, stopped):
        assert method == "segment"
        for item in reversed(list(items)):
            if self.count == self._left:
                raise InputError("killed")
            self.count += 1
            yield item, self._worker.segment(item).value, None


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    monkeypatch.setattr(films, "LEAST", 4)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Shots with a moving and a black part and noise, in a codec with B-frames."""
    frames, random = [], np.random.default_rng(0)
    for seed, length in enumerate(SHOTS):
        picture = scene(seed, 64, 96) if seed != 2 else np.zeros((64, 96, 3), np.uint8)
        for step in range(length):
            frame = np.roll(picture, step // 2, 1).astype(int)
            if seed != 2 or step:
                frame += random.integers(-3, 4, frame.shape)
            frames.append(frame.clip(0, 255).astype(np.uint8))
    path = tmp_path_factory.mktemp("film") / "shots.mkv"
    return write_film(path, frames, codec="libx264", options={"g": "10", "crf": "15"})


def pixels(path):
    with av.open(str(path)) as container:
        return [
            (frame.pts, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]


def drawn(film, output, pool, **options):
    return films.run(
        Source(str(film), film.name),
        str(output.parent),
        Model("toy", None, {}),
        pool,
        VideoOptions(codec="ffv1", **options),
        name=output.name,
    )


@pytest.mark.parametrize("options", ({"engine": "litert"}, {"engine": "keras"}, {"start": 0.3}))
def test_the_same_frames_as_in_one_process(tmp_path, film, toy, monkeypatch, options):
    # Frames in groups are rounded otherwise, and how they are grouped depends on time.
    monkeypatch.setattr(FrameStylizer, "largest_batch", lambda self, prepared: 1)
    options = {"engine": "litert", **options}
    stylizer = animegan_tf.Stylizer(toy, match_brightness=True)
    one, many = tmp_path / "one.mkv", tmp_path / "many" / "many.mkv"
    animegan_tf.stylize_video(film, one, stylizer, codec="ffv1", **options)
    pool = Here(stylizer)
    row, stopped = drawn(film, many, pool, **options)
    assert stopped is None and row["error"] is None and row["size"] == many.stat().st_size
    assert pool.count >= 3
    expected, found = pixels(one), pixels(many)
    assert [pts for pts, _ in found] == [pts for pts, _ in expected]
    for (_, before), (_, after) in zip(expected, found, strict=True):
        np.testing.assert_array_equal(before, after)
    assert [path.name for path in many.parent.iterdir()] == ["many.mkv"]


def test_a_killed_run_continues(tmp_path, film):
    whole, again = tmp_path / "whole.mkv", tmp_path / "again.mkv"
    light = Light().load()
    all_of_them = Here(light)
    drawn(film, whole, all_of_them, engine="keras")
    row, _ = drawn(film, again, Here(light, fail_after=2), engine="keras")
    assert "killed" in row["error"] and not again.exists()
    rest = Here(light)
    row, _ = drawn(film, again, rest, engine="keras")
    assert row["error"] is None and rest.count == all_of_them.count - 2
    np.testing.assert_equal(pixels(again), pixels(whole))
    row, _ = drawn(film, again, None, engine="keras")
    assert row["size"] == again.stat().st_size and "seconds" not in row
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.mkv", "whole.mkv"]


def test_nodes_that_read_other_frames_are_found(tmp_path, film):
    class Other(Here):
        def run(self, method, items, stopped):
            items = list(items)
            write_film(copy, [scene(9, 64, 96)] * sum(SHOTS), codec="libx264")
            yield from super().run(method, items, stopped)

    copy = tmp_path / "copy.mkv"
    shutil.copy(film, copy)
    row, _ = drawn(copy, tmp_path / "out.mkv", Other(Light().load()), engine="keras")
    assert "differ between nodes" in row["error"]


def test_two_nodes_with_sound_and_a_lost_worker(nodes, tmp_path, film):
    # Beyond the first frames its segments kill their worker the first time.
    (tmp_path / "in").mkdir()
    pictures = [np.asarray(one) for one in (ramp(), 255 - ramp())] * 6
    source = write_sound_film(tmp_path / "in" / "once.mp4", pictures)
    settings = batch.Settings(
        (str(source),),
        str(tmp_path / "out"),
        video=VideoOptions(stabilize=False),
        address=nodes.address,
        concurrency=2,
    )
    assert batch.run(settings, Light, Negative) == 0
    before, after = look(source), look(tmp_path / "out" / "once.mp4")
    assert after.times == before.times and len(after.times) == 12
    assert [vars(sound) for sound in after.sounds] == [vars(sound) for sound in before.sounds]
    rows = parquet.read_table(tmp_path / "out" / "_log").to_pylist()
    assert [(row["result"], row["error"]) for row in rows] == [("once.mp4", None)]
