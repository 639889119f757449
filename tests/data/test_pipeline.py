"""The batches: values, order, windows, resuming, shards and memory."""

import dataclasses
import subprocess
import sys

import cv2
import numpy as np
import places
import pytest
import tensorflow as tf
from places import ROOT

from animegan_tf import files, images
from animegan_tf.data import pipeline
from animegan_tf.data.config import DataConfig
from animegan_tf.data.pictures import EncodedPictures
from animegan_tf.errors import InputError

GOLDEN = np.load(places.GOLDEN / "data_a.npz")
KEYS = ("photo", "anime", "anime_gray", "smooth_gray")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """7 photos, 5 frames, 4 smoothed ones of several sizes: noise, so that no two crops agree."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name, count in (("train_photo", 7), ("ghost/style", 5), ("ghost/smooth", 4)):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            shape = (40 + 3 * index, 60 - 2 * index, 3)
            suffix = (".png", ".jpg")[index % 2]
            picture = rng.integers(0, 256, shape, dtype=np.uint8)
            images.write_photo(folder / name / f"{index}{suffix}", picture)
    return folder


@pytest.fixture
def config(data):
    return DataConfig(data, "ghost", image_size=32, batch_size=4, crop="random", hflip=True, seed=3)


def batches(config, count, **options):
    dataset = pipeline.make_dataset(config, **options)
    return [{key: value.numpy() for key, value in batch.items()} for batch in dataset.take(count)]


def assert_same(got, expected):
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert tuple(one) == tuple(other) == KEYS
        for key in KEYS:
            np.testing.assert_array_equal(one[key], other[key])


@pytest.mark.parametrize("name", ["cartoon_0.png", "cartoon_1.png", "cartoon_2.png"])
def test_golden_loader_gray(name):
    image = GOLDEN[f"input/{name}"]
    gray = files.decode_gray(cv2.imencode(".png", image)[1].tobytes(), name)
    np.testing.assert_allclose(gray / 127.5 - 1, GOLDEN[f"loader_gray/{name}"], atol=1e-6)
    # The gray of the colour picture is another one: off by 1 of 255 somewhere.
    converted = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) / 127.5 - 1
    assert abs(converted - GOLDEN[f"loader_gray/{name}"]).max() > 0.007


def test_golden_loader_gray_through_the_dataset(tmp_path):
    image = GOLDEN["input/cartoon_1.png"]
    for name in ("train_photo", "ghost/style", "ghost/smooth"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    (batch,) = batches(DataConfig(tmp_path, "ghost", batch_size=1), 1)
    for key in ("anime_gray", "smooth_gray"):
        assert batch[key].shape == (1, 256, 256, 3)
        for channel in range(3):
            np.testing.assert_allclose(
                batch[key][0, ..., channel], GOLDEN["loader_gray/cartoon_1.png"], atol=1e-6
            )
    for key in ("photo", "anime"):
        np.testing.assert_allclose(batch[key][0], image[..., ::-1] / 127.5 - 1, atol=1e-6)


def test_dataset_equals_the_samples_computed_eagerly(config):
    config = dataclasses.replace(config, scale=(0.7, 1.6))
    source = pipeline.SampleSource(config)
    for step, batch in enumerate(batches(config, 3)):
        for row in range(4):
            sample = source.sample(4 * step + row)
            for key, picture in zip(KEYS, sample, strict=True):
                assert picture.dtype == np.uint8
                if key.endswith("gray"):
                    picture = np.repeat(picture[..., None], 3, -1)
                np.testing.assert_allclose(batch[key][row], picture / 127.5 - 1, atol=1e-6)


def test_shapes_are_static_and_values_in_range(config):
    spec = pipeline.make_dataset(config).element_spec
    assert tuple(spec) == KEYS
    assert {tuple(value.shape) for value in spec.values()} == {(4, 32, 32, 3)}
    assert {value.dtype for value in spec.values()} == {tf.float32}
    (batch,) = batches(config, 1)
    for value in batch.values():
        assert -1 <= value.min() < -0.8 and 0.8 < value.max() <= 1


def test_the_same_seed_repeats_and_another_does_not(config):
    first = batches(config, 4)
    assert_same(batches(config, 4), first)
    (other,) = batches(dataclasses.replace(config, seed=4), 1)
    for key in KEYS:
        assert (other[key] != first[0][key]).any()


def test_start_step_continues_the_sequence(config):
    whole = batches(config, 7)
    assert_same(batches(config, 3, start_step=4), whole[4:])
    assert (whole[0]["photo"] != whole[4]["photo"]).any()


@pytest.mark.parametrize("count", [2, 4])
def test_shards_concatenate_to_the_global_batch(config, count):
    shards = [batches(config, 3, start_step=1, shard=(index, count)) for index in range(count)]
    assert shards[0][0]["photo"].shape[0] == 4 // count
    joined = [
        {key: np.concatenate([part[key] for part in parts]) for key in KEYS}
        for parts in zip(*shards, strict=True)
    ]
    assert_same(joined, batches(config, 3, start_step=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shard": (0, 3)}, "batch_size: expected a multiple of the 3 workers, received 4"),
        ({"shard": (2, 2)}, r"0 <= index < count of .*, received \(2, 2\)"),
        ({"start_step": -1}, "start_step: expected a whole number of at least 0"),
    ],
)
def test_bad_arguments_are_named(config, options, message):
    with pytest.raises(InputError, match=message):
        pipeline.make_dataset(config, **options)


def test_every_epoch_visits_every_file_once_in_its_own_order(config):
    source = pipeline.SampleSource(config)
    assert {stream: len(pictures) for stream, pictures in source.streams.items()} == {
        "photo": 7,
        "anime": 5,
        "smooth": 4,
    }
    for stream, pictures in source.streams.items():
        count = len(pictures)
        epochs = [
            [source.index(stream, epoch * count + index) for index in range(count)]
            for epoch in range(5)
        ]
        for visited in epochs:
            assert sorted(visited) == list(range(count))
        assert len({tuple(visited) for visited in epochs}) > 1


def test_streams_are_shuffled_independently(config):
    source = pipeline.SampleSource(config)
    source.streams = {stream: EncodedPictures(range(100)) for stream in source.streams}
    orders = [[source.index(stream, index) for index in range(100)] for stream in source.streams]
    for one in range(3):
        for other in range(one):
            agreeing = sum(a == b for a, b in zip(orders[one], orders[other], strict=True))
            assert agreeing < 12  # 1 by chance on the average, 100 when they share the seed


def test_gray_is_the_same_crop_of_the_same_picture(config):
    for scale, most in (((1.0, 1.0), 1), ((0.8, 1.2), 40)):  # enlarging clips the three channels
        source = pipeline.SampleSource(dataclasses.replace(config, scale=scale))
        # PNG alone: JPEG's chroma makes the gray of noise too unlike its colour picture.
        paths = source.streams["anime"].items
        source.streams["anime"] = EncodedPictures([p for p in paths if p.suffix == ".png"])
        for number in range(12):
            _, anime, gray, smooth = source.sample(number)
            difference = abs(cv2.cvtColor(anime, cv2.COLOR_RGB2GRAY).astype(int) - gray)
            assert difference.max() <= most and difference.mean() < 1
            assert abs(gray.astype(int) - smooth).mean() > 20


def test_without_resizing_each_crop_is_a_window_of_its_file(config):
    source = pipeline.SampleSource(config)
    windows, mirrored = set(), 0
    for number in range(40):
        path = source.streams["photo"].items[source.index("photo", number)]
        picture = files.decode_color(path.read_bytes(), path)
        crop = source.sample(number)[0]
        places = [
            (row, col, flip)
            for flip, part in enumerate((crop, crop[:, ::-1]))
            for row, col in np.argwhere((picture == part[0, 0]).all(-1))
            if (picture[row : row + 32, col : col + 32].shape == part.shape)
            and (picture[row : row + 32, col : col + 32] == part).all()
        ]
        assert len(places) == 1
        windows.add(places[0])
        mirrored += places[0][2]
    assert len(windows) > 30
    assert 8 <= mirrored <= 32  # 20 of 40 on the average


def window(seed=0, height=100, width=60, **options):
    config = DataConfig("data", "ghost", image_size=32, **{"crop": "random", **options})
    return pipeline.choose_window(config, np.random.default_rng(seed), height, width)


def test_windows_reach_every_border_and_no_further():
    drawn = [window(seed, 40, 34) for seed in range(200)]
    assert {one.top for one in drawn} == set(range(9))
    assert {one.left for one in drawn} == set(range(3))
    assert {(one.side, one.mirrored) for one in drawn} == {(32, False)}
    assert window(crop="center", height=100, width=61) == (34, 14, 32, False)
    assert window(crop="none", height=32, width=32) == (0, 0, 32, False)


def test_scale_draws_the_side_and_the_picture_bounds_it():
    sides = [window(seed, scale=(0.8, 2.0)).side for seed in range(300)]
    assert (min(sides), max(sides)) == (16, 40)
    assert {window(seed, scale=(0.1, 0.2)).side for seed in range(9)} == {60}
    assert window(height=20, width=24) == (0, window(height=20, width=24).left, 20, False)


def test_options_do_not_change_what_they_do_not_name():
    for seed in range(20):
        assert window(seed, hflip=True)[:3] == window(seed)[:3]
        assert window(seed, scale=(1, 1.0001))[:3] == window(seed)[:3]


def test_turned_hues_keep_lightness_and_gray():
    rng = np.random.default_rng(0)
    picture = rng.integers(90, 150, (8, 8, 3), np.uint8)
    luma = np.array([0.299, 0.587, 0.114])
    for degrees in (-170, -60, 25, 90, 180):
        turned = pipeline.turn_hue(picture, degrees)
        np.testing.assert_allclose(turned @ luma, picture @ luma, atol=1)
        back = pipeline.turn_hue(turned, -degrees).astype(int)
        np.testing.assert_allclose(back, picture, atol=2)
    # Half a turn: the differences from the luma, turned over in U and V.
    red = np.full((1, 1, 3), (160, 110, 110), np.uint8)
    np.testing.assert_allclose(
        pipeline.turn_hue(red, 180)[0, 0], 2 * (red[0, 0] @ luma) - red[0, 0], atol=1
    )
    gray = np.arange(0, 250, 10, dtype=np.uint8)[None, :, None].repeat(3, 2)
    np.testing.assert_array_equal(pipeline.turn_hue(gray, 77), gray)


def test_hue_turns_photos_and_nothing_else(config):
    plain = pipeline.SampleSource(config)
    turned = pipeline.SampleSource(dataclasses.replace(config, hue=60))
    again = pipeline.SampleSource(dataclasses.replace(config, hue=60))
    for number in range(4):
        before, after = plain.sample(number), turned.sample(number)
        assert np.abs(after[0].astype(int) - before[0]).mean() > 1
        np.testing.assert_array_equal(after[0], again.sample(number)[0])
        for one, other in zip(before[1:], after[1:], strict=True):
            np.testing.assert_array_equal(one, other)


def test_cut_resizes_the_window_alone():
    picture = np.zeros((50, 50, 3), np.uint8)
    picture[10:30, 20:40] = 200  # the window: nothing of the black around it may bleed in
    for size in (10, 20, 33):
        crop = pipeline.cut(picture, pipeline.Window(10, 20, 20, False), size)
        assert crop.shape == (size, size, 3) and (crop == 200).all()
    ramp = np.tile(np.arange(40, dtype=np.uint8), (40, 1))
    quarters = pipeline.cut(ramp, pipeline.Window(0, 0, 40, True), 10)
    np.testing.assert_allclose(quarters[0], np.arange(37.5, 0, -4), atol=0.5)  # means of four


def test_color_shift_is_bgr_on_the_colour_anime_and_not_clipped(config):
    (plain,) = batches(config, 1)
    (moved,) = batches(dataclasses.replace(config, color_shift=(-30.0, 5.0, 60.0)), 1)
    shift = moved["anime"] - plain["anime"]
    np.testing.assert_allclose(
        shift, np.broadcast_to(np.array([60, 5, -30]) / 127.5, shift.shape), atol=1e-5
    )
    assert moved["anime"].max() > 1.3 and moved["anime"].min() < -1.1
    for key in ("photo", "anime_gray", "smooth_gray"):
        np.testing.assert_array_equal(moved[key], plain[key])


@pytest.mark.parametrize("cache_gb", [0.0, 30e-6, 1.0])  # nothing, some, all of the pictures
def test_memory_changes_no_value_and_spares_decoding(config, monkeypatch, cache_gb):
    expected = batches(dataclasses.replace(config, cache_gb=0.5), 12)
    decoded = []
    real = files.decode_color
    monkeypatch.setattr(
        files, "decode_color", lambda data, name: decoded.append(name) or real(data, name)
    )
    source = pipeline.SampleSource(dataclasses.replace(config, cache_gb=cache_gb))
    for number in range(48):
        photo = source.sample(number)[0]
        got = photo.astype(np.float32) / np.float32(127.5) - 1
        np.testing.assert_allclose(got, expected[number // 4]["photo"][number % 4], atol=1e-6)
    everything, once = 2 * 48, 7 + 5
    assert len(decoded) <= everything
    assert {0.0: len(decoded) == everything, 1.0: len(decoded) == once}.get(
        cache_gb, once < len(decoded) < everything
    )


def test_memory_stays_within_its_bound(config):
    source = pipeline.SampleSource(dataclasses.replace(config, cache_gb=30e-6))
    for number in range(20):
        source.sample(number)
    held = source._cache._pictures.values()
    assert 15_000 < sum(picture.nbytes for picture in held) <= 30_000


def test_another_size_without_a_crop_names_the_file(config):
    config = dataclasses.replace(config, crop="none")
    message = r"\.(png|jpg) is \d+x\d+: with crop='none' it must be 32x32"
    with pytest.raises(InputError, match=message):
        pipeline.SampleSource(config).sample(0)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        batches(config, 1)


def test_folders_without_pictures_are_named(tmp_path):
    config = DataConfig(tmp_path, "ghost")
    with pytest.raises(InputError, match=r"folder of images at .*train_photo"):
        pipeline.make_dataset(config)
    for folder in (config.photo_dir, config.style_dir, config.smooth_path):
        folder.mkdir(parents=True)
    images.write_photo(config.photo_dir / "a.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"no images in .*style: expected those of the anime"):
        pipeline.make_dataset(config)


def test_distribution_keeps_every_row(config):
    dataset = pipeline.make_dataset(config)
    # With several workers another policy would skip batches on top of `shard`.
    policy = dataset.options().experimental_distribute.auto_shard_policy
    assert policy == tf.data.experimental.AutoShardPolicy.OFF
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    got = next(iter(strategy.experimental_distribute_dataset(dataset)))
    (expected,) = batches(config, 1)
    np.testing.assert_array_equal(got["photo"].numpy(), expected["photo"])


def test_a_living_iterator_does_not_spoil_the_exit(config):
    code = f"""
import cv2
import numpy as np
from animegan_tf.data import pipeline

quick = pipeline.SampleSource.sample

def slow(self, number):  # so that threads are inside OpenCV when the script ends
    cv2.GaussianBlur(np.zeros((500, 500, 3), np.uint8), (0, 0), 5)
    return quick(self, number)

pipeline.SampleSource.sample = slow
folder = {str(config.data_dir)!r}
config = pipeline.DataConfig(folder, "ghost", image_size=32, batch_size=50, crop="random")
batches = iter(pipeline.make_dataset(config))
print(next(batches)["photo"].shape)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "(50, 32, 32, 3)\n"), done.stderr
