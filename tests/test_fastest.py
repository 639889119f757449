import numpy as np
import pytest
import tensorflow as tf
from conftest import toy_generator
from pictures import noise, ramps
from test_stabilize import toy as two_norms

import animegan_tf
from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.stabilize import StableNetwork
from animegan_tf.stabilize_litert import StableLiteRT
from animegan_tf.stylizer import Stylizer
from animegan_tf.video import fastest
from animegan_tf.video.fastest import FastestNetwork
from animegan_tf.video.frames import FrameStylizer


class Clock:
    """Time that passes only in `Network`."""

    now = 0.0


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(Clock, "now", 0.0)
    monkeypatch.setattr(fastest.time, "perf_counter", lambda: Clock.now)


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
        made.append(size)
        return litert

    network = FastestNetwork(keras, make, on_gpu=lambda: False, **options)
    for _ in range(count):
        network(FRAME, [1.0])
    return network, keras, litert, made


def test_the_faster_one_goes_on_and_nothing_is_remembered_twice():
    network, keras, litert, made = run(0.5, 0.2, frames=1000)
    assert made == [(8, 8)]
    assert network.memory == 5
    assert keras.calls == 2 + 3
    assert litert.calls == 1 + 3 + 3
    assert network.note == "frames are done by LiteRT: 0.2 s each, by Keras 0.5 s"


def test_keras_where_it_is_faster():
    network, keras, litert, _ = run(0.2, 0.5, frames=1000)
    assert network.memory == 5
    assert (keras.calls, litert.calls) == (5 + 3, 1 + 3)
    assert network.note.startswith("frames are done by Keras")


@pytest.mark.parametrize("options", [{"frames": 100}, {"engine": "keras"}])
def test_short_films_and_those_who_say_so_stay_with_keras(options):
    network, keras, _, made = run(0.5, 0.2, **options)
    assert (made, keras.calls, network.note) == ([], 5, None)


def test_a_gpu_stays_with_keras():
    keras = Network(1.0)
    network = FastestNetwork(keras, None, on_gpu=lambda: True)
    for _ in range(4):
        network(FRAME, [1.0])
    assert keras.calls == 4


def test_litert_at_once():
    _, keras, litert, _ = run(0.1, 0.5, engine="litert", frames=10)
    assert (keras.calls, litert.calls) == (0, 5)


def test_frames_of_another_size():
    network, keras, litert, _ = run(0.5, 0.2, engine="litert")
    network(np.zeros((1, 16, 8, 3), np.float32), [1.0])
    assert (keras.calls, litert.calls, network.memory) == (1, 5, 6)


@pytest.mark.parametrize("error", [RuntimeError, InputError])
def test_a_network_that_cannot_be_made(error):
    def make(*_):
        raise error("no memory")

    keras = Network(1.0)
    network = FastestNetwork(keras, make, on_gpu=lambda: False)
    for _ in range(4):
        network(FRAME, [1.0])
    assert keras.calls == 4


@pytest.mark.parametrize("real", [True, False])
def test_litert_does_what_keras_does(real):
    """Both kinds of norms, rates between, and cuts."""
    model = animegan_tf.build_generator("lite") if real else two_norms(per_channel=True)
    keras, litert = StableNetwork(model), StableLiteRT(model, 16, 24)
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
    litert = StableLiteRT(toy_generator("lite"), 16, 16)
    with pytest.raises(InputError, match="not finite"):
        litert(np.full((1, 16, 16, 3), np.nan, np.float32), [1.0])
    assert all(np.isfinite(values).all() for values in litert.memory.values())


def test_pictures_too_large_for_litert(monkeypatch):
    """It takes more than Keras: 1500 bytes a pixel of lite."""
    stylizer = Stylizer(toy_generator("lite"), engine="litert")
    monkeypatch.setattr(memory, "available", lambda: 1500 * 256 * 264 - 1)
    message = "engine: litert takes 0.1 GB for 264x256, and 0.1 GB are there for it; keras takes"
    frames = FrameStylizer(stylizer, engine="litert")
    with pytest.raises(InputError, match=message):
        frames.answer([frames.prepare(noise(256, 264), 0)])
    with pytest.raises(InputError, match=message):
        stylizer(noise(256, 264))
    monkeypatch.setattr(memory, "available", lambda: 1500 * 256 * 264)
    assert stylizer(noise(256, 264)).shape == (256, 264, 3)
    # Another of that size takes no more: it is LiteRT itself that holds what is missing now.
    monkeypatch.setattr(memory, "available", lambda: 0)
    assert stylizer(noise(256, 264)).shape == (256, 264, 3)
    with pytest.raises(InputError, match=r"engine: litert takes 0\.1 GB for 280x256"):
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
            made.append(frames.finish(prepared, frames.answer([prepared])[0]).astype(int))
        results.append(np.array(made))
    assert np.abs(results[0] - results[1]).max() <= 2


def test_photos_by_litert():
    model = toy_generator("lite")
    photo = noise(256, 300)
    results = [Stylizer(model, engine=engine)(photo).astype(int) for engine in ("keras", "litert")]
    assert np.abs(results[0] - results[1]).max() <= 2
    with pytest.raises(InputError, match="engine: expected one of auto, keras, litert"):
        Stylizer(model, engine="torch")


def test_which_devices():
    assert fastest._gpu_in_tensorflow() == bool(tf.config.list_physical_devices("GPU"))
