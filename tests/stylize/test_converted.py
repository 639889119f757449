"""Networks converted for LiteRT and OpenVINO compute what Keras does, for photos and frames."""

import numpy as np
import pytest
from pictures import noise, ramps
from toys import toy_generator, two_norms

import animegan_tf
from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.stylize import stable
from animegan_tf.stylize.engines import base, runtimes
from animegan_tf.stylize.engines import converted as converted_module
from animegan_tf.stylize.engines.converted import NOT_READABLE, ConvertedEngine
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.stable import StableNetwork, converted
from animegan_tf.stylize.stylizer import Stylizer

RUNTIMES = ("litert", "openvino")


@pytest.fixture(autouse=True, params=RUNTIMES)
def runtime(request):
    if request.param == "openvino":
        pytest.importorskip("openvino")
    return request.param


@pytest.fixture
def model(runtime):
    """A small network; OpenVINO is for the layers of the real ones."""
    return toy_generator("lite") if runtime == "litert" else animegan_tf.build_generator("lite")


@pytest.mark.parametrize("kind", ("v2", "instance", "small"))
def test_frames_as_keras_computes_them(runtime, kind, model):
    """Both kinds of norms, rates between, cuts, and several sizes."""
    if runtime == "litert" and kind != "small":
        # `tests/export/test_shipped_styles.py` has real ones.
        model = two_norms(per_channel=kind == "instance")
    elif kind != "small":
        arch, norm = ("v2", "layer") if kind == "v2" else ("lite", "instance")
        model = animegan_tf.build_generator(arch, norm)
    keras = StableNetwork(model)
    own = ConvertedEngine(converted(model, runtime), runtime).frames()
    rng = np.random.default_rng(0)
    for rates, size in (([1.0], (32, 48)), ([0.3], (32, 48)), ([0.2, 0.5], (48, 32))):
        batch = rng.uniform(-1, 1, (len(rates), *size, 3)).astype(np.float32)
        np.testing.assert_allclose(own(batch, rates), keras(batch, rates), atol=1e-4)
        assert own.memory.keys() == keras.memory.keys()
        for name, values in keras.memory.items():
            np.testing.assert_allclose(own.memory[name], values, rtol=1e-3, atol=1e-4)
    batch = batch[:1]  # from where the other one is
    own.memory = keras.memory
    np.testing.assert_allclose(own(batch, [0.1]), keras(batch, [0.1]), atol=1e-4)
    photos = rng.uniform(-1, 1, (2, 32, 40, 3)).astype(np.float32)
    engine = ConvertedEngine(converted(model, runtime), runtime)
    np.testing.assert_allclose(engine(photos), model(photos), atol=1e-4)
    assert engine.identity() == base.weights_digest(model)


def test_outputs_that_are_not_finite(runtime, model):
    frames = ConvertedEngine(converted(model, runtime), runtime).frames()
    with pytest.raises(InputError, match="not finite"):
        frames(np.full((1, 32, 32, 3), np.nan, np.float32), [1.0])
    assert frames.memory is None


@pytest.mark.parametrize("content", (b"", b"no network", b'{"xml": 3}\nabc', b"[1]\n"))
def test_other_files(runtime, content):
    with pytest.raises(NOT_READABLE):
        ConvertedEngine(content, runtime)


def test_images_too_large_for_it(runtime, model, monkeypatch):
    needed = converted_module._BYTES_PER_PIXEL[runtime]["lite"] * 256 * 264
    stylizer = Stylizer(model, engine=runtime)
    monkeypatch.setattr(memory, "available", lambda: needed - 1)
    message = f"engine: {runtime} needs 0.1 GB for 264x256, but 0.1 GB are available; keras needs"
    for stabilize in (True, False):
        frames = FrameStylizer(stylizer, stabilize)
        with pytest.raises(InputError, match=message):
            frames.infer([frames.prepare(noise(256, 264), 0)])
    with pytest.raises(InputError, match=message):
        stylizer(noise(256, 264))
    monkeypatch.setattr(memory, "available", lambda: needed)
    assert stylizer(noise(256, 264)).shape == (256, 264, 3)
    # Another of that size takes no more.
    monkeypatch.setattr(memory, "available", lambda: 0)
    assert stylizer(noise(256, 264)).shape == (256, 264, 3)
    with pytest.raises(InputError, match=rf"engine: {runtime} needs 0\.1 GB for 280x256"):
        stylizer(noise(256, 280))


@pytest.mark.parametrize("stabilize", (True, False))
def test_photos_and_frames_of_a_model(runtime, stabilize, model):
    results = []
    for engine in ("keras", runtime):
        stylizer = Stylizer(model, engine=engine)
        frames, outputs = FrameStylizer(stylizer, stabilize), [stylizer(noise(256, 300))[:, :264]]
        for number in range(3):
            photo = ramps(256, 264) // 2 + noise(256, 264, seed=number) // 9
            outputs.append(frames(photo, number / 9))
        results.append(np.array(outputs).astype(int))
    assert np.abs(results[0] - results[1]).max() <= 2
    frames = FrameStylizer(Stylizer(model), stabilize, runtime)
    assert np.abs(frames(noise(256, 264), 0).astype(int) - noise(256, 264)).mean() > 1


def test_a_model_is_converted_once(runtime, model, monkeypatch):
    made, real = [], stable.converted

    def count(*arguments):
        made.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(stable, "converted", count)
    stylizer = Stylizer(model, engine=runtime)
    for stabilize in (True, False):
        FrameStylizer(stylizer, stabilize, runtime)(noise(256, 264), 0)
    stylizer(noise(256, 264))
    assert len(made) == 1


def test_bfloat16(runtime):
    model = animegan_tf.build_generator("lite")
    photo = ramps(256, 264)
    exact = Stylizer(model, engine="keras")(photo).astype(int)
    if runtime == "litert":
        with pytest.raises(InputError, match="float32 or auto for the engine litert"):
            Stylizer(model, engine=runtime, precision="bfloat16")
        return
    if not runtimes.has_bfloat16():
        with pytest.raises(InputError, match="float32 or auto for this processor"):
            Stylizer(model, engine=runtime, precision="bfloat16")
        return
    for engine in ("openvino", "keras"):
        reduced = Stylizer(model, engine=engine, precision="bfloat16")(photo)
        difference = np.abs(reduced - exact)
        assert difference.any()
        assert difference.mean() < 3


def test_processors_with_bfloat16(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("flags\t\t: fpu avx512f avx512_bf16\n")
    assert runtimes.has_bfloat16(path)
    path.write_text("flags\t\t: fpu avx2\n")
    assert not runtimes.has_bfloat16(path)
    assert not runtimes.has_bfloat16(tmp_path / "none")
