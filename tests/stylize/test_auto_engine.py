"""Photos by Keras at first, then by LiteRT, which is kept for the next time."""

import os
import subprocess
import sys

import films
import numpy as np
import pytest
from pictures import noise
from places import ROOT
from toys import toy_generator

from animegan_tf import images, memory, storage, styles
from animegan_tf.errors import InputError
from animegan_tf.networks import weights
from animegan_tf.stylize import engines
from animegan_tf.stylize.engines import auto
from animegan_tf.stylize.engines.auto import AutoEngine
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.stylizer import Stylizer

PHOTO = noise(256, 264)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A weights file that loads as the toy network; converted after the first photo."""
    monkeypatch.setattr(storage, "user_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(weights, "load_generator", lambda path: toy_generator("lite"))
    monkeypatch.setattr(auto, "_WORTH_SECONDS", 0.0)
    monkeypatch.setattr(auto, "_equal_and_faster", lambda litert, keras: True)
    monkeypatch.setattr(auto, "gpu_in_sight", lambda: False)
    path = tmp_path / "toy.weights.h5"
    path.write_bytes(b"toy")
    return path


@pytest.fixture
def used(monkeypatch):
    """The names of the engines that are called, in order."""
    made = []
    for engine in (engines.KerasEngine, engines.LiteRTEngine):

        def call(self, batch, engine=engine, real=engine.__call__):
            made.append(engine.__name__)
            return real(self, batch)

        monkeypatch.setattr(engine, "__call__", call)
    return made


def test_keras_first_then_litert(file, used, monkeypatch):
    stylizer = Stylizer(file)
    results = [stylizer(PHOTO).astype(int) for _ in range(3)]
    assert used == ["KerasEngine", "LiteRTEngine", "LiteRTEngine"]
    assert np.abs(results[0] - results[1]).max() <= 1
    np.testing.assert_array_equal(results[1], results[2])

    # The next time it is there from the start, and Keras' network is not loaded.
    monkeypatch.setattr(weights, "load_generator", None)
    assert not engines.needs_tensorflow(file)
    again = Stylizer(file)
    np.testing.assert_array_equal(again(PHOTO), results[2])
    assert used[3:] == ["LiteRTEngine"]
    assert again.engine.multiple == stylizer.engine.multiple


def test_no_conversion_for_little_work(file, used, monkeypatch):
    monkeypatch.setattr(auto, "_WORTH_SECONDS", 60.0)
    stylizer = Stylizer(file)
    for _ in range(3):
        stylizer(PHOTO)
    assert set(used) == {"KerasEngine"}
    assert engines.needs_tensorflow(file)


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
    assert used == ["KerasEngine", "LiteRTEngine", "LiteRTEngine"]
    monkeypatch.setattr(engine.keras, "refuse_too_large", lambda *size: used.append(size))
    monkeypatch.setattr(engine.keras, "_strips", lambda *size, count: None)
    released = []
    real = engine._litert.release
    monkeypatch.setattr(engine._litert, "release", lambda: released.append(1) or real())
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
    assert used[6:] == ["LiteRTEngine", "LiteRTEngine"]


def test_litert_that_runs_out_of_memory(file, used, monkeypatch):
    engine = AutoEngine(file)
    batch = images.to_network(PHOTO)[None]
    engine(batch)

    def fail(self, shape):
        raise MemoryError("too large")

    engine._settled, engine._litert = True, auto._load(_made())
    monkeypatch.setattr(engines.LiteRTEngine, "_prepare", fail)
    engine(batch)
    assert used == ["KerasEngine", "LiteRTEngine", "KerasEngine"]


def _made():
    from animegan_tf.networks import metadata, tflite

    made = tflite.convert(toy_generator("lite"))
    return metadata.add_own(made, {"arch": "lite", "multiple": 1})


@pytest.mark.parametrize("damage", (b"", b"no TFLite file", _made()[:2000]))
def test_a_damaged_file_is_made_anew(file, used, damage):
    kept = auto.kept_file(file)
    storage.write_bytes(kept, damage)
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    assert used == ["KerasEngine", "LiteRTEngine"]
    assert kept.read_bytes() != damage
    Stylizer(file)(PHOTO)
    assert used[2:] == ["LiteRTEngine"]


@pytest.mark.parametrize("kind", ("changed", "another user's", "pipe"))
def test_a_file_that_is_not_what_was_kept_is_made_anew(file, used, monkeypatch, kind):
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    kept = auto.kept_file(file)
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
    assert used == ["KerasEngine", "LiteRTEngine", "KerasEngine"]


def test_other_weights_are_another_network(file, used):
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    file.write_bytes(b"trained further")
    Stylizer(file)(PHOTO)
    assert used == ["KerasEngine", "LiteRTEngine", "KerasEngine"]


def test_the_last_used_are_kept(tmp_path):
    folder = tmp_path / "litert"
    for number in range(auto._KEPT + 3):
        auto._keep(folder / f"{number}.tflite", b"made")
        # Files of one moment would be of one age.
        for path in folder.iterdir():
            time = path.stat().st_mtime - 10
            os.utime(path, (time, time))
    names = {int(path.stem) for path in folder.iterdir()}
    assert names == set(range(3, auto._KEPT + 3))


def test_weights_that_are_replaced_while_they_are_used(file, used):
    """As a training run does: nothing is kept under the name of the new ones."""
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    file.write_bytes(b"trained further")
    stylizer(PHOTO)
    assert used == ["KerasEngine", "LiteRTEngine"]
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

    monkeypatch.setattr(auto, "_keep", fail)
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    assert used == ["KerasEngine", "LiteRTEngine"]


def test_no_home_folder(file, monkeypatch):
    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(storage, "user_cache", fail)
    stylizer = Stylizer(file)
    np.testing.assert_allclose(stylizer(PHOTO).astype(int), stylizer(PHOTO), atol=1)
    assert engines.needs_tensorflow(file)


def test_a_conversion_that_fails_leaves_keras(file, used, monkeypatch):
    from animegan_tf.networks import tflite

    def fail(*_):
        raise RuntimeError("no converter here")

    monkeypatch.setattr(tflite, "convert", fail)
    stylizer = Stylizer(file)
    for _ in range(3):
        stylizer(PHOTO)
    assert set(used) == {"KerasEngine"}


@pytest.mark.parametrize(
    ("slower", "change", "expected"),
    ((0.05, 0.0, True), (0.0, 0.0, False), (0.05, 0.01, False), (0.05, float("nan"), False)),
)
def test_only_an_equal_and_faster_network_is_used(slower, change, expected, monkeypatch):
    """On a clock that the engines move themselves."""
    now = [0.0]
    monkeypatch.setattr(auto.time, "perf_counter", lambda: now[0])

    def takes(seconds, change=0.0):
        def call(batch):
            now[0] += seconds
            return batch + change

        return call

    litert, keras = takes(0.02, change), takes(0.01 + slower)
    litert.fits = lambda *size: True
    assert auto._equal_and_faster(litert, keras) is expected


def test_a_gpu_is_left_to_keras(file, used, monkeypatch):
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    monkeypatch.setattr(auto, "gpu_in_sight", lambda: True)
    assert engines.needs_tensorflow(file)
    Stylizer(file)(PHOTO)
    assert used == ["KerasEngine", "LiteRTEngine", "KerasEngine"]


def test_signs_of_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(auto, "_GPU_FILES", (str(tmp_path / "nvidiactl"),))
    monkeypatch.setattr(auto, "_GPU_PACKAGE", "no-such-package")
    assert not auto.gpu_in_sight()
    monkeypatch.setattr(auto, "_GPU_PACKAGE", "numpy")
    assert auto.gpu_in_sight()
    monkeypatch.setattr(auto, "_GPU_PACKAGE", "no-such-package")
    (tmp_path / "nvidiactl").touch()
    assert auto.gpu_in_sight()


def test_frames_stay_with_keras(file, used):
    """A film chooses by measuring its own frames."""
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    frames = FrameStylizer(stylizer, stabilize=False)
    frames.infer([frames.prepare(PHOTO, 0)])
    assert used == ["KerasEngine", "LiteRTEngine", "KerasEngine"]
    assert frames.identity() == FrameStylizer(Stylizer(file, engine="keras")).identity()


def test_frames_as_photos_use_what_is_kept(file, used, monkeypatch):
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    expected = stylizer(PHOTO)
    known = FrameStylizer(Stylizer(file, engine="keras")).identity()
    monkeypatch.setattr(weights, "load_generator", None)
    frames = FrameStylizer(Stylizer(file), stabilize=False, engine="auto")
    prepared = frames.prepare(PHOTO, 0)
    np.testing.assert_array_equal(frames.finish(prepared, *frames.infer([prepared])), expected)
    assert used == ["KerasEngine", "LiteRTEngine", "LiteRTEngine"]
    assert frames.identity() == known


def test_a_film_uses_what_an_earlier_one_kept(file, monkeypatch):
    """Its size alone; with stabilised frames, and without Keras where photos have theirs too."""
    stylizer = Stylizer(file)
    stylizer(PHOTO)
    stylizer(PHOTO)
    shape = stylizer.prepare(PHOTO).shape[1:3]
    first = FrameStylizer(stylizer, engine="litert")
    prepared = [first.prepare(PHOTO, 0)]
    expected = first.infer(prepared)
    stylizer.engine.keep_for_frames(first._network._network)

    monkeypatch.setattr(weights, "load_generator", None)
    again = Stylizer(file)
    assert again.engine.kept_for_frames(shape[0], shape[1] + 8) is None
    frames = FrameStylizer(again, engine="auto")
    np.testing.assert_array_equal(frames.infer([frames.prepare(PHOTO, 0)]), expected)
    assert frames.identity() == first.identity()

    monkeypatch.setattr(memory, "available", lambda: 1500 * shape[0] * shape[1])
    assert again.engine.kept_for_frames(*shape) is None
    monkeypatch.setattr(memory, "available", lambda: None)
    kept = again.engine._file_for_frames(*shape)
    storage.write_bytes(kept, _made())
    assert again.engine.kept_for_frames(*shape) is None


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


def test_the_next_command_needs_no_tensorflow(tmp_path, monkeypatch):
    """With a real network: the first process converts, the second finds it, for films too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(auto, "_WORTH_SECONDS", 0.0)
    monkeypatch.setattr(auto, "gpu_in_sight", lambda: False)
    monkeypatch.setattr(auto, "_equal_and_faster", lambda litert, keras: True)
    stylizer = Stylizer(style="thequestion-lite")
    first, second = stylizer(PHOTO), stylizer(PHOTO)
    assert auto.kept_file(styles.locate("thequestion-lite")).is_file()
    assert np.abs(first.astype(int) - second).max() <= 1
    frames = FrameStylizer(stylizer, engine="litert")
    frames.infer([frames.prepare(PHOTO, 0)])
    stylizer.engine.keep_for_frames(frames._network._network)
    images.write_photo(tmp_path / "photo.png", PHOTO)
    film = films.write_film(tmp_path / "film.mkv", [PHOTO, PHOTO[::-1]], codec="ffv1")
    inputs = [tmp_path / "photo.png", film, f"--output={tmp_path / 'out'}"]
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TENSORFLOW, *inputs],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert "WARNING" not in done.stderr
    np.testing.assert_array_equal(images.read_photo(tmp_path / "out/photo.png").rgb, second)
