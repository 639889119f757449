import time

import numpy as np
import pytest
import tensorflow as tf
from films import write_film
from pictures import noise, ramps
from sound_films import shifting
from toys import toy_generator, two_norms

import animegan_tf
from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.networks import tflite
from animegan_tf.stylize import stable
from animegan_tf.stylize.engines import fastest
from animegan_tf.stylize.engines.fastest import FastestNetwork
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.stable import StableNetwork, stable_litert
from animegan_tf.stylize.stylizer import Stylizer


class Clock:
    """Time that passes only in `Network`."""

    now = 0.0


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(Clock, "now", 0.0)
    monkeypatch.setattr(time, "perf_counter", lambda: Clock.now)


class Network:
    def __init__(self, seconds, size=None):
        self.seconds, self.memory, self.calls = seconds, 0, 0
        if size:
            self.size = size

    def __call__(self, batch, rates):
        del rates
        Clock.now += self.seconds * len(batch)
        self.calls += 1
        self.memory += len(batch)
        return batch


FRAME = np.zeros((1, 8, 8, 3), np.float32)


def run(keras_seconds, litert_seconds, count=5, **options):
    keras, litert = Network(keras_seconds), Network(litert_seconds, (8, 8))
    made = []

    def make(*size):
        Clock.now += 100
        made.append(size)
        return litert

    network = FastestNetwork(lambda: keras, make, on_gpu=lambda: False, **options)
    for _ in range(count):
        network(FRAME, [1.0])
    return network, keras, litert, made


def test_the_faster_one_goes_on_and_nothing_is_remembered_twice():
    network, keras, litert, made = run(0.5, 0.2, frames=1000)
    assert made == [(8, 8)]
    assert network.memory == 5
    assert keras.calls == 2 + 3
    assert litert.calls == 1 + 3 + 3
    assert network.note == "using LiteRT: a frame takes 0.2 s with LiteRT, 0.5 s with Keras"


def test_keras_where_it_is_faster():
    network, keras, litert, _ = run(0.2, 0.5, frames=1000)
    assert network.memory == 5
    assert (keras.calls, litert.calls) == (5 + 3, 1 + 3)
    assert network.note.startswith("using Keras: ")


@pytest.mark.parametrize("options", [{"frames": 100}, {"engine": "keras"}])
def test_short_films_and_those_who_say_so_stay_with_keras(options):
    network, keras, _, made = run(0.5, 0.2, **options)
    assert (made, keras.calls, network.note) == ([], 5, None)


def test_a_gpu_stays_with_keras():
    keras = Network(1.0)
    network = FastestNetwork(lambda: keras, None, on_gpu=lambda: True)
    for _ in range(4):
        network(FRAME, [1.0])
    assert keras.calls == 4


def test_litert_at_once():
    _, keras, litert, _ = run(0.1, 0.5, engine="litert", frames=10)
    assert (keras.calls, litert.calls) == (0, 5)


def test_only_frames_are_timed_and_nothing_grows():
    """The network's own time is without conversion and comparison; a camera never ends."""
    network, *_ = run(0.5, 0.2, count=0)
    for _ in range(100):
        network(FRAME, [1.0])
    assert network.watch.seconds == pytest.approx(2 * 0.5 + 98 * 0.2)
    assert not any(isinstance(value, (list, dict)) for value in vars(network).values())


def test_a_film_that_changes_to_litert(tmp_path, monkeypatch):
    """It does frames one after the other, so no sizes are measured on; converting is not its own
    time."""

    class LiteRT(Network):
        one_by_one = True

        def __init__(self, model, height, width):
            super().__init__(0.5, (height, width))
            Clock.now += 100

        def __call__(self, batch, rates):
            Clock.now += self.seconds * len(batch)
            return batch

    call = StableNetwork.__call__

    def slow(self, batch, rates):
        Clock.now += len(batch)
        return call(self, batch, rates)

    monkeypatch.setattr(stable, "stable_litert", LiteRT)
    monkeypatch.setattr(StableNetwork, "__call__", slow)
    monkeypatch.setattr(fastest, "_WORTH_SECONDS", 0)
    monkeypatch.setattr(fastest, "_gpu_in_tensorflow", lambda: False)
    film = write_film(tmp_path / "a.mkv", shifting(30), codec="ffv1")
    for engine, seconds in (("keras", 29.0), ("litert", 14.5), ("auto", 15.0)):
        stylizer = Stylizer(toy_generator("lite"))
        report = animegan_tf.stylize_video(
            film, tmp_path / f"{engine}.mkv", stylizer, engine=engine
        )
        assert (report.frames, report.batch) == (30, 1)
        assert report.network_seconds == pytest.approx(seconds)


class Cache:
    def __init__(self, network=None):
        self.network = network

    def kept_for_frames(self, height, width):
        return self.network if (height, width) == (8, 8) else None

    def keep_for_frames(self, network):
        self.network = network


def test_what_was_faster_is_kept_for_the_next_film():
    cache = Cache()
    _, _, litert, _ = run(0.5, 0.2, frames=1000, cache=cache)
    assert cache.network is litert
    litert.memory = 0
    network, keras, other, made = run(0.5, 0.2, frames=1000, cache=cache)
    assert (keras.calls, other.calls, made, network.memory) == (0, 0, [], 5)


def test_what_was_slower_is_not_kept():
    cache = Cache()
    run(0.2, 0.5, frames=1000, cache=cache)
    assert cache.network is None


def test_a_memory_from_before_the_first_frame():
    """As a resumed film has it; no network is made for it."""
    keras = Network(0.1)
    network = FastestNetwork(lambda: keras, None, engine="keras")
    network.memory = 7
    assert (network.memory, keras.memory) == (7, 0)
    network(FRAME, [1.0])
    assert network.memory == 8


def test_frames_of_another_size():
    network, keras, litert, _ = run(0.5, 0.2, engine="litert")
    network(np.zeros((1, 16, 8, 3), np.float32), [1.0])
    assert (keras.calls, litert.calls, network.memory) == (1, 5, 6)


@pytest.mark.parametrize("error", [RuntimeError, InputError])
def test_a_network_that_cannot_be_made(error):
    def make(*_):
        raise error("no memory")

    keras = Network(1.0)
    network = FastestNetwork(lambda: keras, make, on_gpu=lambda: False)
    for _ in range(4):
        network(FRAME, [1.0])
    assert keras.calls == 4


@pytest.mark.parametrize("real", [True, False])
def test_litert_does_what_keras_does(real):
    """Both kinds of norms, rates between, and cuts."""
    model = animegan_tf.build_generator("lite") if real else two_norms(per_channel=True)
    keras, litert = StableNetwork(model), stable_litert(model, 16, 24)
    rng = np.random.default_rng(0)
    for rates in ([1.0], [0.3], [0.2, 0.5], [1.0]):
        batch = rng.uniform(-1, 1, (len(rates), 16, 24, 3)).astype(np.float32)
        np.testing.assert_allclose(litert(batch, rates), keras(batch, rates), atol=1e-4)
        assert litert.memory.keys() == keras.memory.keys()
        for name, values in keras.memory.items():
            np.testing.assert_allclose(litert.memory[name], values, rtol=1e-3, atol=1e-4)
    # From where the other one is.
    litert.memory = keras.memory
    batch = rng.uniform(-1, 1, (1, 16, 24, 3)).astype(np.float32)
    np.testing.assert_allclose(litert(batch, [0.1]), keras(batch, [0.1]), atol=1e-4)


def test_answers_that_are_not_finite():
    litert = stable_litert(toy_generator("lite"), 16, 16)
    with pytest.raises(InputError, match="not finite"):
        litert(np.full((1, 16, 16, 3), np.nan, np.float32), [1.0])
    assert all(np.isfinite(values).all() for values in litert.memory.values())


def test_pictures_too_large_for_litert(monkeypatch):
    """It takes more than Keras: 1500 bytes a pixel of lite."""
    stylizer = Stylizer(toy_generator("lite"), engine="litert")
    monkeypatch.setattr(memory, "available", lambda: 1500 * 256 * 264 - 1)
    message = "engine: litert needs 0.1 GB for 264x256, but 0.1 GB are available; keras needs"
    for stabilize in (True, False):
        frames = FrameStylizer(stylizer, stabilize, engine="litert")
        with pytest.raises(InputError, match=message):
            frames.infer([frames.prepare(noise(256, 264), 0)])
    with pytest.raises(InputError, match=message):
        stylizer(noise(256, 264))
    monkeypatch.setattr(memory, "available", lambda: 1500 * 256 * 264)
    assert stylizer(noise(256, 264)).shape == (256, 264, 3)
    # Another of that size takes no more: it is LiteRT itself that holds what is missing now.
    monkeypatch.setattr(memory, "available", lambda: 0)
    assert stylizer(noise(256, 264)).shape == (256, 264, 3)
    with pytest.raises(InputError, match=r"engine: litert needs 0\.1 GB for 280x256"):
        stylizer(noise(256, 280))


@pytest.mark.parametrize("stabilize", [True, False])
def test_frames_by_litert(stabilize):
    stylizer = Stylizer(toy_generator("lite"))
    results = []
    for engine in ("keras", "litert"):
        frames = FrameStylizer(stylizer, stabilize, engine)
        made = []
        for number in range(3):
            prepared = frames.prepare(
                ramps(256, 264) // 2 + noise(256, 264, seed=number) // 9, number / 9
            )
            made.append(frames.finish(prepared, frames.infer([prepared])[0]).astype(int))
        results.append(np.array(made))
    assert np.abs(results[0] - results[1]).max() <= 2


@pytest.fixture
def conversions(monkeypatch):
    """One item for each network that is converted."""
    made, real = [], tflite.convert_function

    def count(*arguments):
        made.append(arguments)
        return real(*arguments)

    for module in (tflite, stable):
        monkeypatch.setattr(module, "convert_function", count)
    return made


def test_a_stabilized_film_is_converted_once(conversions):
    """The network for photos is left out, as there are none."""
    frames = FrameStylizer(Stylizer(toy_generator("lite"), engine="litert"), engine="litert")
    for number in range(2):
        frames.infer([frames.prepare(noise(256, 264, seed=number), number)])
    assert len(conversions) == 1


def test_films_that_are_not_stabilized_share_what_photos_have(conversions):
    stylizer = Stylizer(toy_generator("lite"), engine="litert")
    photo = noise(256, 264)
    for _ in range(2):
        frames = FrameStylizer(stylizer, stabilize=False, engine="litert")
        prepared = frames.prepare(photo, 0)
        result = frames.finish(prepared, frames.infer([prepared])[0])
    np.testing.assert_array_equal(result, stylizer(photo))
    assert len(conversions) == 1


def test_photos_by_litert():
    model = toy_generator("lite")
    photo = noise(256, 300)
    results = [Stylizer(model, engine=engine)(photo).astype(int) for engine in ("keras", "litert")]
    assert np.abs(results[0] - results[1]).max() <= 2
    with pytest.raises(InputError, match="engine: expected one of auto, keras, litert"):
        Stylizer(model, engine="torch")


def test_which_devices():
    assert fastest._gpu_in_tensorflow() == bool(tf.config.list_physical_devices("GPU"))
