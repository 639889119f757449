"""Edge smoothing: the published tool's pictures, a plain loop, folders that are cut short."""

import concurrent.futures
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import places
import pytest
from benchmarks.tasks import smooth_plainly
from places import ROOT

from animegan_tf import files, images, recipe, storage
from animegan_tf.data import smoothing
from animegan_tf.data.config import DataConfig
from animegan_tf.errors import InputError
from animegan_tf.train import distribution
from animegan_tf.train import plan as training

GOLDEN = np.load(places.GOLDEN / "data_a.npz")
PICTURES = ("cartoon_0.png", "cartoon_1.png", "cartoon_2.png")


def png(bgr):
    return cv2.imencode(".png", bgr)[1].tobytes()


@pytest.mark.parametrize("name", PICTURES)
def test_golden_edge_smooth(name):
    image = GOLDEN[f"input/{name}"]
    gray = files.decode_gray(png(image), name)
    smoothed = smoothing.smooth_edges(image, 256, gray)
    expected = GOLDEN[f"edge_smooth_256/{name}"]
    assert (expected != cv2.resize(image, (256, 256))).any(
        -1
    ).mean() > 0.01  # something is smoothed
    np.testing.assert_array_equal(smoothed, expected)


def test_equals_a_plain_loop_up_to_the_border():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (24, 30, 3), dtype=np.uint8)
    image[:, :12] = 250  # a flat part, so that some pixels are left alone
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    expected = smooth_plainly(image, gray)
    assert (expected[0] != image[0]).any() and (expected[-1] != image[-1]).any()
    assert (expected[:, :8] == image[:, :8]).all()
    np.testing.assert_array_equal(smoothing.smooth_edges(image, None), expected)
    np.testing.assert_array_equal(smoothing.smooth_edges(image, None, gray), expected)


def test_channel_order_does_not_matter_when_gray_is_given():
    image = GOLDEN["input/cartoon_0.png"]
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    straight = smoothing.smooth_edges(image, 64, gray)
    swapped = smoothing.smooth_edges(image[..., ::-1], 64, gray)
    np.testing.assert_array_equal(swapped[..., ::-1], straight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": np.zeros((9, 9, 3), np.float32)}, r"image: expected uint8 \(H, W, 3\).*float32"),
        ({"image": np.zeros((9, 9), np.uint8)}, r"image: expected uint8 \(H, W, 3\).*\(9, 9\)"),
        ({"image": np.zeros((9, 9, 3), np.uint8), "size": 0}, "size: expected .*received 0"),
        (
            {"image": np.zeros((9, 9, 3), np.uint8), "gray": np.zeros((9, 8), np.uint8)},
            r"gray: expected uint8 \(9, 9\), received uint8 \(9, 8\)",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        smoothing.smooth_edges(**arguments)


def save(path, bgr):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, bgr)[1].tobytes())


def test_folder_equals_the_golden_pictures_and_skips_what_exists(tmp_path):
    source, target = tmp_path / "style é漢", tmp_path / "smooth"
    for name in PICTURES:
        save(source / name, GOLDEN[f"input/{name}"])
    assert smoothing.smooth_folder(source, target, progress=False, workers=2) == 3
    assert sorted(path.name for path in target.iterdir()) == list(PICTURES)
    for name in PICTURES:
        made = cv2.imdecode(np.frombuffer((target / name).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(made, GOLDEN[f"edge_smooth_256/{name}"])

    (target / PICTURES[0]).unlink()
    (target / PICTURES[1]).write_bytes(b"mine")
    assert smoothing.smooth_folder(source, target, progress=False) == 1
    assert (target / PICTURES[1]).read_bytes() == b"mine"
    assert smoothing.smooth_folder(source, target, progress=False, overwrite=True) == 3
    assert (target / PICTURES[1]).read_bytes() != b"mine"


def test_names_never_collide():
    sources = [pathlib.Path(name) for name in ("a.jpg", "a.png", "a.jpg.png", "b.jpg", "B.webp")]
    names = [smoothing.smooth_names(sources)[path] for path in sources]
    assert names == ["a.jpg.png", "a.png.png", "a.jpg.png.png", "b.jpg.png", "B.webp.png"]
    assert list(smoothing.smooth_names([pathlib.Path("c.jpg")]).values()) == ["c.png"]


def test_subfolders_are_smoothed_into_subfolders(tmp_path):
    config = DataConfig(tmp_path, "s", image_size=32, smooth_dir=str(tmp_path / "run" / "smooth"))
    for name in ("ep1/0.png", "ep2/0.png", "0.png"):
        save(config.style_dir / name, np.full((32, 32, 3), 10, np.uint8))
    assert smoothing.ensure_smooth(config, progress=False) == 3
    save(config.style_dir / "ep3" / "0.png", np.full((32, 32, 3), 10, np.uint8))
    assert smoothing.ensure_smooth(config, progress=False) == 1
    assert smoothing.ensure_smooth(config, progress=False) == 0
    made = sorted(path.relative_to(config.smooth_path).as_posix() for path in _all(config))
    assert made == ["0.png", "ep1/0.png", "ep2/0.png", "ep3/0.png"]
    assert not (tmp_path / "s" / "smooth").exists()


def _all(config):
    return files.list_images(config.smooth_path, subfolders=True)


def test_same_stem_gives_two_pictures(tmp_path):
    save(tmp_path / "style" / "a.jpg", np.full((32, 32, 3), 10, np.uint8))
    save(tmp_path / "style" / "a.png", np.full((32, 32, 3), 200, np.uint8))
    assert smoothing.smooth_folder(tmp_path / "style", tmp_path / "out", 32, progress=False) == 2
    made = files.list_images(tmp_path / "out")
    assert [files.decode_gray(path.read_bytes(), path)[0, 0] for path in made] == [10, 200]


def test_unreadable_files_are_named_after_the_others_are_done(tmp_path):
    save(tmp_path / "style" / "good.png", GOLDEN["input/cartoon_1.png"])
    (tmp_path / "style" / "bad.png").write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"1 of 2 images.*bad\.png: not an image"):
        smoothing.smooth_folder(tmp_path / "style", tmp_path / "out", progress=False)
    assert [path.name for path in files.list_images(tmp_path / "out")] == ["good.png"]


def test_folder_refuses_its_own_source_and_an_empty_one(tmp_path):
    (tmp_path / "style").mkdir()
    with pytest.raises(InputError, match=r"source: expected images in .*style"):
        smoothing.smooth_folder(tmp_path / "style", tmp_path / "out")
    with pytest.raises(InputError, match=r"folder of images at .*nowhere, found nothing"):
        smoothing.smooth_folder(tmp_path / "nowhere", tmp_path / "out")
    save(tmp_path / "style" / "a.png", GOLDEN["input/cartoon_1.png"])
    with pytest.raises(InputError, match="destination: expected another folder"):
        smoothing.smooth_folder(tmp_path / "style", tmp_path / "out" / ".." / "style")


def make_style(tmp_path, count=3):
    for index in range(count):
        save(tmp_path / "ghost" / "style" / f"{index}.jpg", GOLDEN["input/cartoon_2.png"])


@pytest.mark.parametrize(("crop", "shape"), [("none", (64, 64)), ("random", (200, 333))])
def test_ensure_smooth_sizes(tmp_path, crop, shape):
    make_style(tmp_path, 1)
    config = DataConfig(tmp_path, "ghost", image_size=64, crop=crop)
    assert smoothing.ensure_smooth(config, progress=False) == 1
    made = config.smooth_path / "0.png"
    assert files.decode_color(made.read_bytes(), made).shape == (*shape, 3)
    assert smoothing.ensure_smooth(config, progress=False) == 0
    left = sorted(path.name for path in (tmp_path / "ghost").iterdir())
    assert left == [".smooth.lock", "smooth", "style"]


def test_ensure_smooth_completes_and_keeps_what_is_there(tmp_path):
    make_style(tmp_path)
    config = DataConfig(tmp_path, "ghost", image_size=64)
    save(config.smooth_path / "1.jpg", np.zeros((64, 64, 3), np.uint8))  # another tool's, complete
    assert smoothing.ensure_smooth(config, progress=False) == 2
    assert [path.name for path in files.list_images(config.smooth_path)] == [
        "0.png",
        "1.jpg",
        "2.png",
    ]
    assert smoothing.ensure_smooth(config, progress=False) == 0


def test_a_killed_run_is_taken_up(tmp_path, monkeypatch):
    make_style(tmp_path)
    config = DataConfig(tmp_path, "ghost", image_size=64)
    written, real_write = [], images.write_photo

    def write_two(path, picture):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path.name)
        real_write(path, picture)

    monkeypatch.setattr(images, "write_photo", write_two)
    monkeypatch.setattr(smoothing.files.memory, "cores", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        smoothing.ensure_smooth(config, progress=False)
    again = []
    monkeypatch.setattr(
        images, "write_photo", lambda path, picture: again.append(path) or real_write(path, picture)
    )
    assert smoothing.ensure_smooth(config, progress=False) == 1
    assert len(again) == 1
    made = {path.name for path in files.list_images(config.smooth_path)}
    assert made == {"0.png", "1.png", "2.png"}


def test_a_second_process_waits_for_the_first(tmp_path, capsys):
    make_style(tmp_path)
    config = DataConfig(tmp_path, "ghost", image_size=64)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with storage.locked(config.smooth_path.with_name(".smooth.lock")):
            second = pool.submit(smoothing.ensure_smooth, config, progress=False)
            said = ""
            while not second.done() and "waiting for another process" not in said:
                said += capsys.readouterr().err
            assert not second.done()
            assert smoothing.smooth_folder(config.style_dir, config.smooth_path, 64, False) == 3
        assert second.result(60) == 0
    left = sorted(path.name for path in (tmp_path / "ghost").iterdir())
    assert left == [".smooth.lock", "smooth", "style"]


def test_workers_wait_for_the_chief_without_decoding(tmp_path, monkeypatch):
    make_style(tmp_path)
    data = DataConfig(tmp_path, "ghost", image_size=64)
    smoothing.smooth_folder(data.style_dir, tmp_path / "aside", 64, progress=False)
    plan = training.Plan(training.RunConfig("run", recipe("lite"), data), None, 1)
    decoded, waits = [], []
    for name in ("decode_color", "decode_gray"):
        monkeypatch.setattr(files, name, lambda data, path: decoded.append(path))

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            (tmp_path / "aside").rename(data.smooth_path)

    monkeypatch.setattr(training.time, "sleep", sleep)
    training.prepare(plan, distribution.Worker(1, 2, False))
    assert (waits, decoded) == ([2, 2], [])


def test_ensure_smooth_needs_frames(tmp_path):
    with pytest.raises(InputError, match=r"folder of images at .*style"):
        smoothing.ensure_smooth(DataConfig(tmp_path, "ghost"))
    (tmp_path / "ghost" / "style").mkdir(parents=True)
    with pytest.raises(InputError, match="style: expected anime frames"):
        smoothing.ensure_smooth(DataConfig(tmp_path, "ghost"))


def test_list_images(tmp_path):
    for name in ("b.PNG", "a.jpeg", "ß.webp", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in files.list_images(tmp_path)] == ["a.jpeg", "b.PNG", "ß.webp"]
    with pytest.raises(InputError, match=r"a\.jpeg, found a file"):
        files.list_images(tmp_path / "a.jpeg")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_damaged_pictures_are_refused(suffix):
    data = cv2.imencode(suffix, GOLDEN["input/cartoon_0.png"])[1].tobytes()
    assert files.decode_color(data, "whole").shape == (300, 420, 3)
    for decode in (files.decode_color, files.decode_gray):
        for broken in (b"", data[: len(data) // 2]):
            message = rf"cannot decode half: not an image, or damaged \({len(broken)} bytes\)"
            with pytest.raises(InputError, match=message):
                decode(broken, "half")


def test_light_modules_load_no_tensorflow():
    code = (
        "import sys; from animegan_tf import files\n"
        "from animegan_tf.data import check, config, smoothing, synthetic\n"
        "print('tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
