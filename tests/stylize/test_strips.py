import keras
import numpy as np
import pytest
import tensorflow as tf
from pictures import network, noise
from toys import assign_seeded, toy_generator

from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.networks import build_generator
from animegan_tf.stylize import engines
from animegan_tf.stylize.batch import stylize_paths
from animegan_tf.stylize.engines import strip_plan, strips
from animegan_tf.stylize.stylizer import Stylizer

GIB = 2**30


@pytest.fixture(scope="module")
def generators():
    made = {arch: build_generator(arch) for arch in ("v2", "lite", "v1")}
    for model in made.values():
        assign_seeded(model)
    return made


@pytest.fixture(scope="module")
def lite(generators):
    return generators["lite"]


@pytest.fixture
def free(monkeypatch):
    """Set what `memory.available` says."""

    def pretend(gigabytes):
        read = None if gigabytes is None else int(gigabytes * memory.GIGABYTE)
        monkeypatch.setattr(memory, "available", lambda: read)

    return pretend


def picture(height, width, count=1):
    values = np.random.default_rng(height).uniform(-1, 1, (count, height, width, 3))
    return values.astype(np.float32)


# --- the same picture ----------------------------------------------------------------------------


# Instance norms of a few hundred samples amplify the rounding: v1's own by as much.
@pytest.mark.parametrize(("arch", "atol"), [("v2", 3e-5), ("lite", 3e-5), ("v1", 1.5e-4)])
@pytest.mark.parametrize("size", [(40, 24), (16, 72)])
def test_equals_the_whole_picture(generators, arch, atol, size, monkeypatch):
    model, batch = generators[arch], picture(*size, count=2)
    expected = model(batch, training=False).numpy()
    assert expected.std() > 0.3
    monkeypatch.setattr(strip_plan, "BLOCK_BYTES", 30_000)  # a few for each picture
    # Single rows, strips that the sizes are no multiples of, and one strip.
    for strip_bytes in (0, 20_000, 2**25):
        answer = strips.StripEngine(model, strip_bytes)(batch)
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, expected, atol=atol)


# Instance norms of four samples: rounding shows.
@pytest.mark.parametrize(("arch", "atol"), [("v2", 1e-4), ("lite", 1e-4), ("v1", 0.09)])
def test_the_smallest_pictures(generators, arch, atol):
    model = generators[arch]
    side = 2 * strips.StripEngine(model).multiple
    batch = picture(side, side)
    expected = model(batch, training=False).numpy()
    np.testing.assert_allclose(strips.StripEngine(model, 0)(batch), expected, atol=atol)


def test_weights_are_those_at_the_time_of_the_call(lite):
    model = keras.models.clone_model(lite)
    engine, batch = strips.StripEngine(model), picture(16, 16)
    engine(batch)
    model.set_weights(lite.get_weights())
    np.testing.assert_allclose(engine(batch), lite(batch, training=False), atol=1e-3)


@pytest.mark.parametrize("per_channel", [True, False])
def test_statistics_far_from_zero(per_channel):
    """Means of 1000 and more with deviations of 1, as strips of unequal heights."""
    generator = np.random.default_rng(3)
    values = generator.normal([1000, 1003, 998], [1, 0.5, 2], (1, 301, 200, 3))
    values = values.astype(np.float32)
    found = strip_plan.Statistics()
    for first, last in ((0, 64), (64, 65), (65, 200), (200, 301)):
        found.add(tf.constant(values[:, first:last]))
    exact = values.astype(np.float64)
    axes = (1, 2) if per_channel else (1, 2, 3)
    mean, variance = found.moments(per_channel)
    np.testing.assert_allclose(mean, exact.mean(axes, keepdims=True), rtol=1e-7)
    np.testing.assert_allclose(variance, exact.var(axes, keepdims=True), rtol=1e-5)


# --- memory --------------------------------------------------------------------------------------


def test_what_is_kept_at_once(generators):
    """Bytes for each pixel: 64, 32 and 64 channels of full size; v1's skip is half a 256 more."""
    for arch, expected in (("v2", 256), ("lite", 128), ("v1", 384)):
        plan = strip_plan.Plan(generators[arch], 3000, 4000)
        assert plan.most_kept() == expected * 3000 * 4000


def test_no_more_is_kept_than_was_said(generators, monkeypatch):
    """Counted while it runs; strips of one row, which are what comes on top."""
    held, most = {}, []

    class Counted(strip_plan.Kept):
        def _count(self):
            held[id(self)] = sum(block.nbytes for block in self._blocks.values())
            most.append(sum(held.values()))

        def write(self, start, strip):
            super().write(start, strip)
            self._count()

        def forget(self, row):
            super().forget(row)
            self._count()

    monkeypatch.setattr(strip_plan, "BLOCK_BYTES", 1)
    monkeypatch.setattr(strip_plan, "Kept", Counted)
    for model in generators.values():
        held.clear()
        most.clear()
        said = strip_plan.Plan(model, 32, 16).most_kept()
        strips.StripEngine(model, 0)(picture(32, 16))
        assert 0.9 * said < max(most) < 1.25 * said
        assert sum(held.values()) == 0  # all is freed at the end


def test_smaller_strips_where_memory_is_short(lite):
    least = strips.StripEngine(lite, 0).memory(3000, 4000)
    usual = strips.StripEngine(lite).memory(3000, 4000)
    assert 128 * 12e6 < least < usual < 4 * GIB
    for available in (least, (least + usual) // 2, usual):
        engine = strips.fitted(lite, 3000, 4000, available)
        assert 0.5 * available < engine.memory(3000, 4000) <= available
    assert strips.fitted(lite, 3000, 4000, 64 * GIB).memory(3000, 4000) == usual
    with pytest.raises(InputError, match=r"photo: 4000x3000 needs .* GB even in strips, but 1\.0"):
        strips.fitted(lite, 3000, 4000, memory.GIGABYTE)


def chosen(engine, monkeypatch):
    """The list that "whole" or "strips" goes into for each picture."""
    made, run = [], engine._run
    in_strips = strips.StripEngine.__call__
    monkeypatch.setattr(engine, "_run", lambda batch: made.append("whole") or run(batch))
    monkeypatch.setattr(
        strips.StripEngine,
        "__call__",
        lambda self, batch: made.append("strips") or in_strips(self, batch),
    )
    return made


def test_the_choice_follows_the_free_memory(lite, free, monkeypatch):
    engine = engines.load_engine(lite)
    made, batch = chosen(engine, monkeypatch), picture(64, 48)
    whole = strips.whole_memory(lite, 64, 48) / memory.GIGABYTE
    least = strips.StripEngine(lite, 0).memory(64, 48) / memory.GIGABYTE
    assert least < whole
    for gigabytes in (whole + 0.001, whole - 0.0001, None):
        free(gigabytes)
        np.testing.assert_allclose(engine(batch), lite(batch, training=False), atol=1e-4)
    assert made == ["whole", "strips", "whole"]
    free(whole + 0.001)
    engine(picture(64, 48, count=3))  # three at once do not fit
    assert made[-1] == "strips"
    free(least - 0.001)
    with pytest.raises(InputError, match=r"photo: 48x64 needs 0\.3 GB even in strips"):
        engine(batch)


def test_strips_on_demand(lite, free, monkeypatch):
    free(0)  # which does not matter then
    photo = noise(256, 264)
    stylize = Stylizer(lite, strip_memory=0.5, match_brightness=False)
    made = chosen(stylize.engine, monkeypatch)
    result = stylize(photo)
    free(64)
    plain = Stylizer(lite, match_brightness=False)
    assert np.abs(result.astype(int) - plain(photo)).max() <= 1
    assert made == ["strips"]


def test_a_gpu_says_nothing_of_its_memory(lite, free, monkeypatch):
    free(0)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    engine = engines.load_engine(lite)
    made = chosen(engine, monkeypatch)
    engine(picture(16, 16))
    assert made == ["whole"]


def test_other_networks_are_done_whole(free, monkeypatch):
    free(0)
    for model in (network(), toy_generator("lite")):  # a Lambda layer, padding="same"
        engine = engines.load_engine(model)
        made = chosen(engine, monkeypatch)
        engine(picture(16, 16))
        assert made == ["whole"]
        with pytest.raises(InputError, match="model: expected a generator of build_generator"):
            engines.load_engine(model, strip_memory=1.0)(picture(16, 16))


# --- refusals ------------------------------------------------------------------------------------


def test_too_large_is_refused_before_any_work(lite, free, monkeypatch, tmp_path):
    """100 megapixels; the pixels are never looked at."""
    photo = np.broadcast_to(np.uint8(7), (10_000, 10_000, 3))
    free(3)
    stylize = Stylizer(lite, draw_side=0)
    monkeypatch.setattr(stylize, "prepare", None)
    message = r"photo: 10000x10000 needs 1\d\.\d GB even in strips, but 3\.0 GB .* max_side"
    with pytest.raises(InputError, match=message):
        stylize(photo)
    for options in ({"strip_memory": 2}, {"strip_memory": 2, "sizing": "published"}):
        with pytest.raises(InputError, match=r"needs 1\d\.\d GB .* but 2\.0 GB are available"):
            Stylizer(lite, draw_side=0, **options)(photo)


def test_other_photos_go_on(lite, free, tmp_path):
    from animegan_tf import images

    for name, width in (("a.png", 16_000), ("b.png", 260)):
        images.write_photo(tmp_path / name, noise(256, width))
    free(0.6)
    report = stylize_paths(Stylizer(lite), [tmp_path], tmp_path / "out")
    assert report.written == (tmp_path / "out" / "b.png",)
    ((path, reason),) = report.failed
    assert path.name == "a.png"
    assert "photo: 16000x256 needs" in reason


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), "4"])
def test_other_amounts_are_refused(lite, value):
    with pytest.raises(InputError, match="strip_memory: expected gigabytes above 0"):
        Stylizer(lite, strip_memory=value)


def test_exports_cannot_be_done_in_strips(tmp_path):
    (tmp_path / "a.tflite").touch()
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    for checkpoint in (tmp_path / "a.tflite", tmp_path / "saved"):
        with pytest.raises(InputError, match=r"strip_memory: expected .* not an export, received"):
            Stylizer(checkpoint, strip_memory=4)


def test_photos_in_strips_say_so(lite, tmp_path, capsys):
    from animegan_tf import images

    images.write_photo(tmp_path / "a.png", noise(256, 264))
    stylize = Stylizer(lite, strip_memory=2)
    stylize_paths(stylize, tmp_path / "a.png", tmp_path / "shown", progress=True)
    assert "264x256: in strips, to fit into memory" in capsys.readouterr().err
    stylize_paths(stylize, tmp_path / "a.png", tmp_path / "silent")
    assert capsys.readouterr().err == ""
