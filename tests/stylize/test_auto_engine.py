"""Keras at first, then the converted network, which is kept for the next time."""

import os
import subprocess
import sys

import av
import films
import numpy as np
import pytest
from pictures import noise
from places import ROOT
from toys import toy_generator

from animegan_tf import images, memory, published, storage
from animegan_tf.errors import InputError
from animegan_tf.networks import weights
from animegan_tf.stylize import engines, stable
from animegan_tf.stylize.engines import auto, runtimes, store
from animegan_tf.stylize.engines.auto import AutoEngine
from animegan_tf.stylize.engines.choice import Choice
from animegan_tf.stylize.engines.store import Store
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.stylizer import Stylizer

PHOTO = noise(256, 264)
_FIDELITY = Choice.fidelity


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A weights file that loads as the toy network; LiteRT is tried after the first photo."""
    monkeypatch.setattr(storage, "user_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(weights, "load_generator", lambda path: toy_generator("lite"))
    monkeypatch.setattr(auto, "installed", lambda name: name != "openvino")
    monkeypatch.setattr(auto, "gpu_in_sight", lambda: False)
    monkeypatch.setattr(Choice, "fidelity", lambda *_: 99.0)
    monkeypatch.setattr(Choice, "pick", lambda self, size, pixels, starts: _next(self, starts))
    path = tmp_path / "toy.weights.h5"
    path.write_bytes(b"toy")
    return path


def _next(choice, starts):
    """What starts first, then LiteRT."""
    choice.picked = getattr(choice, "picked", 0) + 1
    return "litert" if choice.picked > 1 and "litert" in starts else next(iter(starts))


@pytest.fixture
def used(monkeypatch):
    """The names of the engines that are called, in order."""
    made = []
    for engine in (engines.KerasEngine, engines.ConvertedEngine):

        def call(self, batch, engine=engine, real=engine.__call__):
            made.append(engine.__name__)
            return real(self, batch)

        monkeypatch.setattr(engine, "__call__", call)
    return made


def test_keras_first_then_litert(file, used, monkeypatch):
    stylizer = Stylizer(file)
    results = [stylizer(PHOTO).astype(int) for _ in range(3)]
    assert used == ["KerasEngine", "ConvertedEngine", "ConvertedEngine"]
    assert np.abs(results[0] - results[1]).max() <= 1
    np.testing.assert_array_equal(results[1], results[2])

    # The next time it is there from the start, and Keras' network is not loaded.
    monkeypatch.setattr(weights, "load_generator", None)
    assert not engines.needs_tensorflow(file)
    again = Stylizer(file)
    np.testing.assert_array_equal(again(PHOTO), results[2])
    assert used[3:] == ["ConvertedEngine"]
    assert again.engine.multiple == stylizer.engine.multiple


@pytest.mark.parametrize("options", ({"engine": "keras"}, {"strip_memory": 1.0}))
def test_keras_where_it_is_asked_for(file, options):
    for _ in range(2):
        assert isinstance(Stylizer(file, **options).engine, engines.KerasEngine)
    assert engines.needs_tensorflow(file, **options)


def test_photos_too_large_for_litert(file, used, monkeypatch):
    engine = AutoEngine(file)
    batch = images.to_network(PHOTO)[None]
    engine(batch)
    engine(batch)
    # What LiteRT holds for the last picture is room for another; twice that has to be there.
    held = 1500 * batch.shape[1] * batch.shape[2]
    monkeypatch.setattr(memory, "available", lambda: held)
    engine(batch)
    assert used == ["KerasEngine", "ConvertedEngine", "ConvertedEngine"]
    monkeypatch.setattr(engine.keras, "refuse_too_large", lambda *size: used.append(size))
    monkeypatch.setattr(engine.keras, "_strips", lambda *size, count: None)
    released, litert = [], engine._engines["litert"]
    real = litert.release
    monkeypatch.setattr(litert, "release", lambda: released.append(1) or real())
    engine.refuse_too_large(512, 512)
    engine(np.zeros((1, 512, 512, 3), np.float32))
    assert used[3:] == [(512, 512), "KerasEngine"]
    assert released
    monkeypatch.setattr(memory, "available", lambda: 2 * held - 1)
    engine(batch)
    assert used[5:] == ["KerasEngine"]
    monkeypatch.setattr(memory, "available", lambda: 2 * held)
    engine(batch)
    monkeypatch.setattr(memory, "available", lambda: None)
    engine(batch)
    assert used[6:] == ["ConvertedEngine", "ConvertedEngine"]


def test_a_network_that_does_not_fit_has_no_turn(file, used, monkeypatch):
    batch = images.to_network(PHOTO)[None]
    needed = 1500 * batch.shape[1] * batch.shape[2]
    monkeypatch.setattr(memory, "available", lambda: 2 * needed - 1)
    monkeypatch.setattr(engines.KerasEngine, "_strips", lambda self, *size, count: None)
    engine = AutoEngine(file)
    for _ in range(3):
        engine(batch)
    assert used == ["KerasEngine"] * 3


def test_outputs_are_not_compared_with_those_of_a_network_that_does_not_fit(
    file, used, monkeypatch
):
    batch = images.to_network(PHOTO)[None]
    first = AutoEngine(file)
    for _ in range(2):
        first(batch)
    engine = AutoEngine(file)
    assert list(engine._engines) == ["litert"]
    needed = 1500 * batch.shape[1] * batch.shape[2]
    monkeypatch.setattr(memory, "available", lambda: 2 * needed - 1)
    monkeypatch.setattr(engines.KerasEngine, "_strips", lambda self, *size, count: None)
    monkeypatch.setattr(Choice, "fidelity", lambda *_: None)
    used.clear()
    engine(batch)
    assert used == ["KerasEngine"]


def test_litert_that_runs_out_of_memory(file, used, monkeypatch):
    engine = AutoEngine(file)
    batch = images.to_network(PHOTO)[None]
    engine(batch)

    def fail(self, *_):
        raise MemoryError("too large")

    monkeypatch.setattr(runtimes.LiteRT, "__call__", fail)
    np.testing.assert_array_equal(engine(batch), engine.keras(batch))
    assert used == ["KerasEngine", "ConvertedEngine", "KerasEngine", "KerasEngine"]


@pytest.mark.parametrize("damage", (b"", b"no TFLite file", b"x" * 32 + b"no TFLite file"))
def test_a_damaged_file_is_made_anew(file, used, damage):
    kept = Store(file).path("litert")
    storage.write_bytes(kept, damage)
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    assert used == ["KerasEngine", "ConvertedEngine"]
    assert kept.read_bytes() != damage
    Stylizer(file)(PHOTO)
    assert used[2:] == ["ConvertedEngine"]


@pytest.mark.parametrize("kind", ("changed", "another user's", "pipe"))
def test_a_file_that_is_not_what_was_kept_is_made_anew(file, used, monkeypatch, kind):
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    kept = Store(file).path("litert")
    if kind == "changed":
        content = bytearray(kept.read_bytes())
        content[len(content) // 2] ^= 1
        kept.write_bytes(content)
    elif kind == "pipe":
        kept.unlink()
        os.mkfifo(kept)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 12345)
    Stylizer(file)(PHOTO)
    assert used == ["KerasEngine", "ConvertedEngine", "KerasEngine"]


def test_other_weights_are_another_network(file, used):
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    file.write_bytes(b"trained further")
    Stylizer(file)(PHOTO)
    assert used == ["KerasEngine", "ConvertedEngine", "KerasEngine"]


def test_the_last_used_are_kept(file):
    for number in range(store._KEPT + 3):
        file.write_bytes(str(number).encode())
        Store(file).keep("litert", b"made")
        # Files of one moment would be of one age.
        folder = Store(file).path("litert").parent
        for path in folder.iterdir():
            time = path.stat().st_mtime - 10
            os.utime(path, (time, time))
    assert Store(file).load("litert") == b"made"
    assert len(list(folder.iterdir())) == store._KEPT
    file.write_bytes(b"0")
    assert Store(file).load("litert") is None


def test_weights_that_are_replaced_while_they_are_used(file, used):
    """As a training run does: nothing is kept under the name of the new ones."""
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    file.write_bytes(b"trained further")
    stylizer(PHOTO)
    assert used == ["KerasEngine", "ConvertedEngine"]
    assert engines.needs_tensorflow(file)

    Stylizer(file)(PHOTO)
    again = Stylizer(file)
    again(PHOTO)
    again(PHOTO)
    begun = Stylizer(file)
    file.write_bytes(b"and further")
    begun(PHOTO)
    with pytest.raises(InputError, match=r"checkpoint: .* has changed since it was first read"):
        _ = begun.model


def test_a_cache_that_cannot_be_written(file, used, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(storage, "write_bytes", fail)
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    assert used == ["KerasEngine", "ConvertedEngine"]


def test_no_home_folder(file, monkeypatch):
    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(storage, "user_cache", fail)
    stylizer = Stylizer(file)
    np.testing.assert_allclose(stylizer(PHOTO).astype(int), stylizer(PHOTO), atol=1)
    assert engines.needs_tensorflow(file)


def test_a_conversion_that_fails_leaves_keras(file, used, monkeypatch):
    def fail(*_):
        raise RuntimeError("no converter here")

    monkeypatch.setattr(stable, "converted", fail)
    stylizer = Stylizer(file)
    for _ in range(3):
        stylizer(PHOTO)
    assert set(used) == {"KerasEngine"}


@pytest.mark.parametrize(
    ("change", "expected"),
    ((0.0, "ConvertedEngine"), (0.01, "KerasEngine"), (float("nan"), "KerasEngine")),
)
def test_an_engine_with_other_outputs_is_left_out(file, used, monkeypatch, change, expected):
    """Its first output is compared, and not used."""
    monkeypatch.setattr(Choice, "fidelity", _FIDELITY)
    real = runtimes.LiteRT.__call__

    def call(self, *inputs):
        output, after = real(self, *inputs)
        return output + change, after

    monkeypatch.setattr(runtimes.LiteRT, "__call__", call)
    engine = AutoEngine(file)
    batch = images.to_network(PHOTO)[None]
    outputs = [engine(batch) for _ in range(3)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert used == ["KerasEngine", "ConvertedEngine", "KerasEngine", expected]
    assert engine.note() == ("LiteRT" if expected == "ConvertedEngine" else "Keras") + ", float32"


@pytest.mark.parametrize(
    ("decibels", "onednn", "expected"),
    ((45.0, True, True), (45.0, False, True), (44.9, True, False)),
)
def test_bfloat16_only_where_it_cannot_be_seen(file, monkeypatch, decibels, onednn, expected):
    monkeypatch.setattr(auto, "installed", lambda name: True)
    monkeypatch.setattr(auto, "has_bfloat16", lambda: True)
    monkeypatch.setattr(auto.onednn, "is_on", lambda: onednn)
    known = {f"{kind} bfloat16": decibels for kind in ("openvino", "keras")}
    monkeypatch.setattr(Choice, "fidelity", lambda self, size, name: known.get(name, 99.0))
    names = AutoEngine(file, precision="auto")._starts((256, 256))
    assert ("openvino bfloat16" in names) is expected
    assert ("keras bfloat16" in names) is (expected and onednn)
    assert not known.keys() & AutoEngine(file)._starts((256, 256)).keys()
    (file.parent / published.SOURCE).write_text("{}")
    starts = Stylizer(file).engine._starts((256, 256))
    assert {"keras", "litert", "openvino"} == set(starts)


def test_a_gpu_is_left_to_keras(file, used, monkeypatch):
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    monkeypatch.setattr(auto, "gpu_in_sight", lambda: True)
    assert engines.needs_tensorflow(file)
    Stylizer(file)(PHOTO)
    assert used == ["KerasEngine", "ConvertedEngine", "KerasEngine"]


def test_signs_of_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(auto, "_GPU_FILES", (str(tmp_path / "nvidiactl"),))
    monkeypatch.setattr(auto, "_GPU_PACKAGE", "no-such-package")
    assert not auto.gpu_in_sight()
    monkeypatch.setattr(auto, "_GPU_PACKAGE", "numpy")
    assert auto.gpu_in_sight()
    monkeypatch.setattr(auto, "_GPU_PACKAGE", "no-such-package")
    (tmp_path / "nvidiactl").touch()
    assert auto.gpu_in_sight()


@pytest.mark.parametrize("stabilize", (True, False))
def test_frames_change_engines_and_go_on(file, used, monkeypatch, stabilize):
    """The averages are handed over, and what is cached serves the next video, of any size."""
    expected = FrameStylizer(Stylizer(file, engine="keras"), stabilize)
    frames = FrameStylizer(Stylizer(file), stabilize)
    assert frames.identity() == expected.identity()
    for number in range(3):
        photo = noise(256, 264, seed=number)
        difference = np.abs(frames(photo, number).astype(int) - expected(photo, number))
        assert difference.max() <= 2
        assert frames.note == ("LiteRT, float32" if number else "Keras, float32")
    monkeypatch.setattr(weights, "load_generator", None)
    again = FrameStylizer(Stylizer(file), stabilize)
    again(noise(264, 256), 0)
    assert (again.note, again.identity()) == ("LiteRT, float32", expected.identity())


_MISSING = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras", "openvino", "h5py", "tensorboard"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""
_WITHOUT_TENSORFLOW = """
import sys
from animegan_tf.stylize import __main__ as stylize
from animegan_tf.stylize.engines import auto
auto.gpu_in_sight = lambda: False
sys.argv = ["stylize", *sys.argv[1:], "--style=thequestion-lite"]
try:
    stylize.console()
finally:
    print([name for name in ("tensorflow", "keras") if name in sys.modules])
"""


@pytest.mark.parametrize("missing", (False, True))
def test_a_new_installation_needs_no_tensorflow(tmp_path, missing):
    """For photos and videos of a shipped style; also where TensorFlow is not installed."""
    images.write_photo(tmp_path / "photo.png", PHOTO)
    film = films.write_film(tmp_path / "film.mkv", [PHOTO, PHOTO[::-1], PHOTO], codec="ffv1")
    inputs = [tmp_path / "photo.png", film, f"--output={tmp_path / 'out'}"]
    done = subprocess.run(
        [sys.executable, "-c", (_MISSING if missing else "") + _WITHOUT_TENSORFLOW, *inputs],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert "drawn by LiteRT, float32" in done.stderr
    assert "WARNING" not in done.stderr
    keras = Stylizer(style="thequestion-lite", engine="keras")
    output = images.read_photo(tmp_path / "out/photo.png").rgb
    assert np.abs(output.astype(int) - keras(PHOTO)).max() <= 1
    with av.open(str(tmp_path / "out/film.mkv")) as video:
        assert len(list(video.decode(video=0))) == 3
