"""Training straight from films: which frames, the same ones in any order, batches, refusals."""

import dataclasses
from fractions import Fraction

import cv2
import films
import numpy as np
import pytest

from animegan_tf import images
from animegan_tf.data import check, pipeline, sources, video_frames, video_index
from animegan_tf.data.config import DataConfig
from animegan_tf.data.pictures import PictureCache
from animegan_tf.data.smoothing import smooth_edges
from animegan_tf.errors import InputError
from animegan_tf.extract import quality
from animegan_tf.video.reader import VideoReader

SIZE = 32
BLACK = np.zeros((72, 128, 3), np.uint8)


def moving(seed, count, height=72, width=128):
    """Pictures of which each differs from all others."""
    wide = films.scene(seed, height, width + 2 * count)
    return [wide[:, 2 * index : 2 * index + width] for index in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two films of 4 seconds, of kinds that are sought differently, and photos."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "films").mkdir()
    films.write_film(folder / "films" / "a.mp4", moving(1, 96), 24)
    films.write_film(
        folder / "films" / "b.mpg", moving(2, 100), 25, "mpeg2video", options={"g": "10"}
    )
    for index in range(3):
        images.write_photo(folder / "train_photo" / f"{index}.png", films.scene(index, 40, 50))
    return folder


@pytest.fixture
def config(folder):
    return config_of(folder / "films", folder)


def config_of(video, folder="data", **options):
    defaults = {"image_size": SIZE, "batch_size": 4, "crop": "random", "video_every": 0.25}
    options = {**defaults, **options}
    return DataConfig(str(folder), "", source="video", video=str(video), **options)


def nearest(pictures, rgb):
    """Which of `pictures`, shrunk to the size of `rgb`, it is like."""
    height, width = rgb.shape[:2]
    small = [images.resize(picture, height, width).astype(int) for picture in pictures]
    return min(range(len(small)), key=lambda index: np.abs(small[index] - rgb).mean())


# --- which frames --------------------------------------------------------------------------------


def test_places_are_spread_over_the_film_and_show_what_is_there(tmp_path):
    pictures = moving(1, 96)
    path = films.write_film(tmp_path / "a.mp4", pictures, 24)  # a key frame every 12
    frames = sources.open_videos(config_of(path))
    # Every half second a key frame, and the frame a quarter of a second later: at 3/8 s of it.
    shown = [nearest(pictures, frames.color(number)) for number in range(len(frames))]
    assert shown == [key + part for key in range(0, 96, 12) for part in (0, 9)]
    assert [len(group) for group in frames.index.groups] == [2] * 8
    (film,) = frames.index.videos
    assert (film.places, film.dropped, film.picture_size) == (16, {}, (72, 128))


def test_black_and_flat_frames_are_skipped(tmp_path):
    """A black key frame gives its group to the next usable frame; later ones fall back to it."""
    one, other = films.scene(1), films.scene(2)
    pictures = [BLACK] * 6 + [one] * 18 + [BLACK] * 12 + [other] * 6 + [BLACK] * 6
    path = films.write_film(tmp_path / "a.mp4", pictures, 24)
    frames = sources.open_videos(config_of(path, video_every=1 / 8))
    shown = [nearest([one, other, BLACK], frames.color(number)) for number in range(len(frames))]
    assert set(shown) == {0, 1} and shown == sorted(shown)
    (film,) = frames.index.videos
    # Of 4 places in half a second: 2 black before the first picture, 4 in the dark half second.
    assert film.dropped == {quality.BLACK: 6} and film.places == 10 == len(shown)
    bases = [place.base for place in frames.index.places]
    assert bases == [0, 0, 2, 2, 2, 2, 6, 6, 6, 6]
    assert "10 frames, one every 0.125 s; dropped: 6 black" in video_index.describe(film, 1 / 8)


def test_bars_are_cut(tmp_path):
    pictures = [np.pad(one, ((12, 12), (0, 0), (0, 0))) for one in moving(3, 96)]
    path = films.write_film(tmp_path / "a.mp4", pictures, 24)
    frames = sources.open_videos(config_of(path))
    (film,) = frames.index.videos
    assert film.bars and film.picture_size[0] <= 72
    assert min(frames.color(number)[[0, -1]].max() for number in range(len(frames))) > 40


def test_start_and_end_leave_frames_out(tmp_path):
    pictures = moving(1, 96)
    path = films.write_film(tmp_path / "a.mp4", pictures, 24)
    frames = sources.open_videos(config_of(path, video_start=1.25, video_end=-1.0))
    shown = [nearest(pictures, frames.color(number)) for number in range(len(frames))]
    assert len(shown) == 7 and min(shown) >= 30 and max(shown) < 72


def test_turned_and_interlaced_films(tmp_path):
    picture = films.scene(4)
    turned = films.write_film(tmp_path / "a.mp4", [picture] * 24, 24)
    films.set_matrix(turned, 0, 1, -1, 0)
    frames = sources.open_videos(config_of(turned))
    assert nearest([np.rot90(picture, -1), np.rot90(picture, 1)], frames.color(0)) == 0
    assert frames.color(0).shape == (57, 32, 3)
    saws = [np.where(np.arange(72)[:, None, None] % 2, 230, 20).astype(np.uint8)] * 24
    saws = [np.where(np.arange(128)[None, :, None] < 64, one, films.scene(5)) for one in saws]
    path = films.write_film(tmp_path / "b.mkv", saws, 24, "ffv1", interlaced=True)
    picture = sources.open_videos(config_of(path, image_size=72)).color(0)[2:-2, :60].astype(int)
    assert np.abs(np.diff(picture, axis=0)).max() < 10  # of one field alone, which is dark


# --- what becomes of them ------------------------------------------------------------------------


def test_frames_are_the_film_s_scaled_and_cut(folder):
    path = folder / "films" / "a.mp4"
    with VideoReader(path) as reader:
        first = next(reader.frames()).rgb()
    config = config_of(path)
    np.testing.assert_array_equal(
        sources.open_videos(config).color(0), images.resize(first, 32, 57)
    )
    # Half of the size asks for twice as much of the picture, as far as there is any.
    for low, height in ((0.5, 64), (0.1, 72)):
        wide = dataclasses.replace(config, scale=(low, 1.0))
        assert sources.open_videos(wide).color(0).shape[0] == height
    # A square, as frame extraction cuts it.
    square = sources.open_videos(dataclasses.replace(config, crop="none")).color(0)
    scaled = images.resize(first, 32, 57)
    gray = cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY)
    ((top, left),) = quality.place_crops(gray, SIZE, 1)
    np.testing.assert_array_equal(square, scaled[top : top + SIZE, left : left + SIZE])


def test_companions_are_made_of_the_frame(config):
    frames = sources.open_videos(config)
    color, gray = frames.color(5), frames.gray(5)
    np.testing.assert_array_equal(gray, cv2.cvtColor(color, cv2.COLOR_RGB2GRAY))
    smooth = frames.smoothed().gray(5)
    expected = cv2.cvtColor(smooth_edges(color, None, gray), cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(smooth, expected)
    assert (smooth != gray).mean() > 0.05


@pytest.mark.parametrize("order", ("forwards", "backwards", "shuffled", "interleaved"))
def test_a_frame_is_the_same_whatever_was_read_before(config, order):
    expected = []
    for number in range(len(sources.open_videos(config))):
        expected.append(sources.open_videos(config).color(number))  # a reader of its own
    frames, rng = sources.open_videos(config), np.random.default_rng(0)
    numbers = {
        "forwards": np.arange(len(frames)),
        "backwards": np.arange(len(frames))[::-1],
        "shuffled": rng.permutation(len(frames)),
        "interleaved": frames.order(rng),
    }[order]
    assert sorted(numbers) == list(range(len(frames)))
    for number in numbers:
        np.testing.assert_array_equal(frames.color(number), expected[number])


def test_readers_and_memory_are_bounded(config, monkeypatch):
    cache, open_now, most = PictureCache(20_000), [], 0

    class Counted(VideoReader):
        def __enter__(self):
            nonlocal most
            open_now.append(self)
            most = max(most, len(open_now))
            return self

        def __exit__(self, *_):
            open_now.remove(self)
            self.close()

    frames = sources.open_videos(config, cache)
    monkeypatch.setattr(video_frames, "VideoReader", Counted)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(frames.color, [*range(len(frames))] * 3))
    assert all((found[n] == found[n + len(frames)]).all() for n in range(len(frames)))
    assert most <= video_frames._READERS and frames._read.cache_info().currsize <= 16
    assert 10_000 < sum(one.nbytes for one in cache._pictures.values()) <= 20_000


def test_the_frames_of_a_keyframe_are_read_together(config, monkeypatch):
    """Reading in the order of an epoch seeks once for each group."""
    frames = sources.open_videos(config)
    sought, real = [], VideoReader.frames_from

    def frames_from(self, key):
        sought.append(key)
        return real(self, key)

    monkeypatch.setattr(VideoReader, "frames_from", frames_from)
    for number in frames.order(np.random.default_rng(3)):
        frames.color(int(number))
    assert len(sought) == len(frames.index.groups) < len(frames)


def test_long_groups_are_read_in_parts(config, monkeypatch):
    whole = sources.open_videos(config)
    monkeypatch.setattr(video_frames, "_TOGETHER", 1)
    parts = sources.open_videos(config)
    for number in range(len(whole)):
        np.testing.assert_array_equal(parts.color(number), whole.color(number))


def test_interleave():
    assert video_frames.interleave([[1, 2, 3], [4], [5, 6], [7, 8]], 2).tolist() == [
        *(1, 4, 2, 3, 5, 7, 6, 8)
    ]
    assert video_frames.interleave([[1], [2]], 5).tolist() == [1, 2]


# --- batches -------------------------------------------------------------------------------------


def batches(config, count, **options):
    dataset = pipeline.make_dataset(config, **options)
    return [{key: value.numpy() for key, value in batch.items()} for batch in dataset.take(count)]


def test_batches_depend_on_seed_and_step_alone(config):
    whole = batches(config, 6)
    for step, batch in enumerate(batches(config, 2, start_step=4), 4):
        for key, value in batch.items():
            np.testing.assert_array_equal(value, whole[step][key])
    (other,) = batches(dataclasses.replace(config, seed=1), 1)
    assert (other["anime"] != whole[0]["anime"]).any()
    gray = whole[0]["anime_gray"][..., 0]
    mean = (whole[0]["anime"] * (0.299, 0.587, 0.114)).sum(-1)
    np.testing.assert_allclose(gray, mean, atol=0.02)  # the same window of the same frame


def test_shards_concatenate_to_the_global_batch(config):
    parts = [batches(config, 3, start_step=1, shard=(index, 2)) for index in range(2)]
    for one, other, both in zip(*parts, batches(config, 3, start_step=1), strict=True):
        for key, value in both.items():
            np.testing.assert_array_equal(np.concatenate([one[key], other[key]]), value)


def test_every_epoch_visits_every_frame_once(config):
    source = pipeline.SampleSource(config)
    count = len(source.streams["anime"])
    assert count == 16 + 15
    epochs = {
        (stream, epoch): [source.index(stream, epoch * count + number) for number in range(count)]
        for stream in ("anime", "smooth")
        for epoch in range(2)
    }
    assert all(sorted(order) == list(range(count)) for order in epochs.values())
    assert len(set(map(tuple, epochs.values()))) == 4


# --- the check, and what is refused --------------------------------------------------------------


def test_the_check_knows_films(config, folder):
    report = check.check_dataset(config, progress=False)
    assert report.problems == () and report.smooth_missing == 0
    style = report.folders["style"]
    assert (style.count, style.widths, style.heights) == (16 + 15, (57, 57), (32, 32))
    pictures = moving(1, 96) + moving(2, 100)
    expected = np.mean(pictures, axis=(0, 1, 2))[::-1]
    np.testing.assert_allclose(style.mean_bgr, expected, atol=5)
    assert check.style_mean_bgr(config) == style.mean_bgr
    assert "a.mp4: 128x72, 24 frames/s" in str(report) and "16 frames, one every 0.25 s" in str(
        report
    )
    assert str(folder / "films") in str(report)


def refusal(config):
    report = check.check_dataset(config, progress=False)
    assert "style" not in report.folders
    with pytest.raises(InputError) as caught:
        sources.open_videos(config)
    assert report.problems == (str(caught.value),)
    return str(caught.value)


def test_what_is_no_film_is_refused_before_any_is_looked_at(folder, tmp_path, monkeypatch):
    films.write_film(tmp_path / "a.mp4", moving(1, 30))
    junk = tmp_path / "z.mp4"
    junk.write_bytes(b"no film " * 100)
    with monkeypatch.context() as patch:
        patch.setattr(video_index, "_Look", None)
        assert refusal(config_of(tmp_path, folder)).startswith(f"{junk}: expected a video")
        assert "found nothing at" in refusal(config_of(tmp_path / "none", folder))
        junk.unlink()
        too_late = config_of(tmp_path, folder, video_start=9)
        assert refusal(too_late).startswith("video_start: expected less than the 0h00m01.250 of")
        too_early = config_of(tmp_path, folder, video_end=-2)
        assert refusal(too_early).startswith("video_end: expected a time after")


def test_films_without_usable_frames_are_refused(folder, tmp_path):
    path = films.write_film(tmp_path / "a.mp4", [BLACK] * 30)
    assert refusal(config_of(path, folder)) == (
        f"video: expected usable frames in {path}, found only black, flat or damaged ones"
    )


def test_films_that_cannot_be_sought_are_refused(folder, tmp_path, monkeypatch):
    path = films.write_film(tmp_path / "a.mp4", moving(1, 30))
    monkeypatch.setattr(VideoReader, "key", lambda self, time: None)
    assert "tools/extract_frames.py" in refusal(config_of(path, folder))


def test_a_film_that_changes_later_is_named(tmp_path):
    path = films.write_film(tmp_path / "a.mp4", moving(1, 96), 24)
    frames = sources.open_videos(config_of(path))
    films.write_film(path, moving(1, 12), 24)
    last = frames.index.groups[-1][0]
    with pytest.raises(InputError, match=r"a\.mp4 changed since training began"):
        frames.color(last)


def test_a_replaced_film_is_looked_at_anew(tmp_path):
    path = films.write_film(tmp_path / "a.mp4", moving(1, 96), 24)
    before = video_index.look(config_of(path))
    assert video_index.look(config_of(path)) is before
    films.write_film(path, moving(1, 48), 24)
    assert len(video_index.look(config_of(path)).places) == 8 == len(before.places) // 2


@pytest.mark.parametrize(
    ("options", "text"),
    (
        ({"source": "film"}, "source: expected one of images, video, tfrecord, received 'film'"),
        ({"video": None}, "video: expected a path for the source video, received None"),
        ({"data_dir": ""}, "data_dir: expected a folder's name"),
        (
            {"source": "images", "style": "s"},
            "source: expected video for video=",
        ),
        ({"tfrecords": "t"}, "source: expected tfrecord for tfrecords=t, received video"),
        ({"video_every": 0}, "video_every: expected a number above 0, received 0"),
        ({"video_start": -1}, "video_start: expected seconds of at least 0, received -1"),
        ({"video_end": 1, "video_start": 2}, r"video_end: expected seconds after video_start=2"),
    ),
)
def test_bad_options_are_named(options, text):
    with pytest.raises(InputError, match=text):
        dataclasses.replace(config_of("film.mkv"), **options)


def test_a_place_s_time(config):
    index = sources.open_videos(config).index
    assert {type(place.offset) for place in index.places} == {Fraction}
    assert {place.video for place in index.places} == {0, 1}
