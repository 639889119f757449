import json
import os
import shutil
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from pictures import ramps
from toys import toy_generator

import animegan_tf
from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.export import check, convert, files, isolated, metadata, tflite
from animegan_tf.networks import metadata as own_metadata
from animegan_tf.networks.generator import properties


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        noisy = ramps(40, 48 + 8 * number) // 2 + rng.integers(0, 99, (40, 48 + 8 * number, 3))
        images.write_photo(folder / f"{number}.png", noisy.astype(np.uint8))
    return folder


def run(path, photo):
    runner = Interpreter(str(path)).get_signature_runner("stylize")
    return runner(images=photo)["images"]


@pytest.mark.parametrize("quantize", convert.MODES)
def test_every_mode(toy, tmp_path, photos, quantize, checked_here):
    output = tmp_path / "made" / "anime.tflite"
    calibration = photos if quantize in convert.INTEGER_BITS else None
    report = tflite.export_tflite(
        toy, output, quantize=quantize, size=(24, 32), calibration=calibration, photos=photos
    )
    assert report == json.loads(files.report_path(output).read_text("utf-8"))
    assert report["photos"] == 3
    assert report["bytes"] == output.stat().st_size
    assert report["psnr_db"]["lowest"] >= tflite.BOUNDS[quantize]
    assert 0.9 < report["ssim"]["lowest"] <= 1
    if quantize != "int16x8":  # XNNPACK has no kernels for it
        assert (report["partitions"], report["outside"]) == (1, {})
    assert sorted(p.name for p in output.parent.iterdir()) == ["anime.report.json", "anime.tflite"]

    photo = check.fit_network(images.read_photo(photos / "0.png").rgb, (24, 32), 8)
    answer = run(output, photo)
    assert check.psnr(answer, toy(photo).numpy()) >= tflite.BOUNDS[quantize]
    assert answer.dtype == np.float32


@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_any_size(toy, tmp_path, photos, quantize, checked_here):
    """Ranges could not be measured at the 1x1 that the converter leaves as a first size."""
    calibration = photos if quantize == "int8" else None
    output = tmp_path / "any.tflite"
    report = tflite.export_tflite(
        toy, output, quantize=quantize, size=None, calibration=calibration, photos=photos
    )
    assert (report["size"], report["partitions"], report["outside"]) == ("dynamic", 1, {})
    details = Interpreter(str(output)).get_input_details()[0]
    assert details["shape_signature"].tolist() == [1, -1, -1, 3]
    assert details["shape"].tolist() == [1, 256, 256, 3]


@pytest.mark.parametrize("io", ["uint8", "int8"])
def test_integer_input_and_output(toy, tmp_path, photos, io, checked_here):
    """Photos of few levels: the integers are levels nevertheless."""
    output, size = tmp_path / "a.tflite", (24, 32)
    report = tflite.export_tflite(
        toy, output, quantize="int8", size=size, calibration=photos, photos=photos, io=io
    )
    assert (report["io"], report["partitions"]) == (io, 1)
    assert report["psnr_db"]["lowest"] >= tflite.BOUNDS["int8"]
    interpreter = Interpreter(str(output))
    for detail in (interpreter.get_input_details()[0], interpreter.get_output_details()[0]):
        scale, zero = detail["quantization"]
        assert np.dtype(detail["dtype"]) == io
        assert (scale, zero) == (pytest.approx(1 / 127.5), 127 if io == "uint8" else -1)
    photo = check.fit_network(images.read_photo(photos / "0.png").rgb, size, 8)
    answer = files.decoded(run(output, files.encoded(photo, io)), io)
    assert check.psnr(answer, toy(photo).numpy()) >= tflite.BOUNDS["int8"]
    standard = own_metadata.entry(output.read_bytes(), metadata.STANDARD)
    assert (b"levels 0 to 255" if io == "uint8" else b"levels minus 128") in standard


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "size"), [("v2", None), ("lite", (32, 48)), ("v1", None)])
def test_real_networks_run_in_one_delegate(arch, size, tmp_path, photos, checked_here):
    model = animegan_tf.build_generator(arch)
    report = tflite.export_tflite(model, tmp_path / "a.tflite", size=size, photos=photos)
    assert (report["partitions"], report["outside"]) == (1, {})
    assert report["psnr_db"]["lowest"] > 90
    assert not {"MIRROR_PAD", "VAR_HANDLE", "READ_VARIABLE"} & set(report["operators"])


def test_dynamic_file_runs_at_many_sizes(tmp_path):
    model = animegan_tf.build_generator("lite")
    path = tmp_path / "any.tflite"
    path.write_bytes(convert.convert(model, "none"))
    for height, width in ((16, 16), (64, 40), (24, 32)):
        photo = images.to_network(ramps(height, width))[None]
        answers, measured = check.run_alone("tflite", path, {"stylize": [photo]})
        np.testing.assert_allclose(answers["stylize"][0], model(photo), atol=3e-5)
        assert (measured["partitions"], measured["outside"]) == (1, {})


def test_file_sizes():
    """Weights in 32, 16 and 8 bits, without a second copy."""
    model = animegan_tf.build_generator("lite")
    sizes = {mode: len(convert.convert(model, mode)) for mode in ("none", "float16", "dynamic")}
    parameters = model.count_params()
    assert 4 * parameters < sizes["none"] < 4 * parameters + 100_000
    assert 2 * parameters < sizes["float16"] < 2 * parameters + 100_000
    assert parameters < sizes["dynamic"] < parameters + 130_000


def test_metadata(toy, tmp_path, photos):
    output = tmp_path / "anime.tflite"
    given = {"name": "Ours", "author": "Somebody", "license_text": "CC0"}
    tflite.export_tflite(toy, output, size=(24, 32), photos=photos, **given)
    data = output.read_bytes()
    assert own_metadata.read_own(data) == {**properties(toy), "quantize": "none"}
    standard = own_metadata.entry(data, metadata.STANDARD)
    assert standard[4:8] == b"M001"
    for text in (*given.values(), "stylize", "images"):
        assert text.encode() + b"\0" in standard
    assert own_metadata.entry(data, "nothing") == b""
    assert Interpreter(str(output)).get_signature_list() == {
        "stylize": {"inputs": ["images"], "outputs": ["images"]}
    }


def test_metadata_of_a_file_with_its_weights_behind_it(toy, photos):
    """Quantised files keep their buffers outside the flatbuffer, at offsets that move."""
    calibration = [images.to_network(ramps(24, 32))[None]]
    made = convert.convert(toy, "int8", (24, 32), calibration)
    photo = images.to_network(ramps(24, 32)[::-1])[None]
    described = metadata.add(
        made,
        name="n",
        description="d",
        version="1",
        author="a",
        license_text="l",
        size=(24, 32),
        io="float32",
        own={"multiple": 8},
    )
    answers = [
        Interpreter(model_content=data).get_signature_runner("stylize")(images=photo)["images"]
        for data in (made, described)
    ]
    np.testing.assert_array_equal(*answers)


def test_worse_than_its_bound(toy, tmp_path, photos, monkeypatch):
    monkeypatch.setitem(tflite.BOUNDS, "float16", 190)
    output = tmp_path / "made" / "anime.tflite"
    with pytest.raises(check.ExportError, match="a PSNR of at least 190 dB"):
        tflite.export_tflite(toy, output, quantize="float16", size=(24, 32), photos=photos)
    assert not output.parent.exists()


def test_answers_that_are_not_finite(tmp_path, photos):
    broken = toy_generator("lite")
    broken.set_weights([np.full_like(w, np.nan) for w in broken.get_weights()])
    with pytest.raises(check.ExportError, match="not finite"):
        tflite.export_tflite(broken, tmp_path / "a.tflite", size=(24, 32), photos=photos)
    assert not (tmp_path / "a.tflite").exists()


def test_a_process_that_dies(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"no model")
    with pytest.raises(check.ExportError, match="does not run in a separate process"):
        check.run_alone("tflite", path, {"stylize": [np.zeros((1, 8, 8, 3), np.float32)]})


@pytest.fixture
def picture_and_model(toy, tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(convert.convert(toy, "none", (24, 32)))
    return images.to_network(ramps(24, 32))[None], path


def test_packages_installed_for_the_user_are_seen(picture_and_model, tmp_path, monkeypatch):
    """As after `pip install --user`: an interpreter whose packages are all in the user's folder."""
    photo, model = picture_and_model
    home = tmp_path / "home"
    user = sysconfig.get_path("purelib", f"{os.name}_user", {"userbase": str(home)})
    Path(user).mkdir(parents=True)
    Path(user, "all.pth").write_text("\n".join(p for p in sys.path if p.endswith("-packages")))
    monkeypatch.setenv("PYTHONUSERBASE", str(home))
    monkeypatch.setattr(sys, "executable", os.path.realpath(sys.executable))
    answers, _ = check.run_alone("tflite", model, {"stylize": [photo]})
    assert answers["stylize"][0].shape == photo.shape


def test_other_folders_are_not_seen(picture_and_model, tmp_path, monkeypatch):
    """PYTHONPATH, the current folder, and the one that holds the program itself."""
    photo, model = picture_and_model
    Path(tmp_path, "ai_edge_litert.py").write_text("raise SystemExit('not the installed one')")
    program = shutil.copy(isolated.__file__, tmp_path)
    monkeypatch.setattr(check, "_ALONE", program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    answers, _ = check.run_alone("tflite", model, {"stylize": [photo]})
    assert answers["stylize"][0].shape == photo.shape


def test_a_process_that_never_ends(picture_and_model, tmp_path, monkeypatch):
    photo, model = picture_and_model
    program = tmp_path / "waiting.py"
    program.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(check, "_ALONE", program)
    monkeypatch.setattr(check, "_TIMEOUT_SECONDS", 0.5)
    message = "tflite in a separate process had no output after 0.5 seconds and was ended"
    with pytest.raises(check.ExportError, match=message):
        check.run_alone("tflite", model, {"stylize": [photo]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantize": "int4"}, "quantize: expected one of none, float16"),
        ({"quantize": "dynamic", "io": "uint8"}, "io: uint8 requires --quantize=int8, received dy"),
        ({"io": "int16"}, "io: expected one of float32, uint8, int8"),
        ({"output": "a.txt"}, "output: expected a file name ending in .tflite"),
        ({"quantize": "int8"}, "calibration: expected a folder of photos for int8, received none"),
        ({"calibration": "."}, "calibration: expected only with int8 and int16x8"),
        ({"quantize": "int8", "calibration": "nowhere"}, "calibration: expected a folder"),
        ({"size": (24, 30)}, "size: expected a width of at least 16 that is a multiple of 8"),
        ({"photos": "nowhere"}, "photos: expected a folder of photos"),
    ],
)
def test_mistakes(toy, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    output = options.pop("output", "a.tflite")
    with pytest.raises(InputError, match=message):
        tflite.export_tflite(toy, output, **options)
    assert list(tmp_path.iterdir()) == []


def test_existing_file_stays(toy, tmp_path, photos):
    output = tmp_path / "a.tflite"
    output.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists"):
        tflite.export_tflite(toy, output, size=(24, 32), photos=photos)
    assert output.read_bytes() == b"mine"
    tflite.export_tflite(toy, output, size=(24, 32), photos=photos, overwrite=True)
    assert output.stat().st_size > 1000


@pytest.mark.parametrize(
    ("text", "size"), [("256x512", (512, 256)), ("dynamic", None), ("8x8", (8, 8))]
)
def test_sizes(text, size):
    assert files.parse_size(text) == size


@pytest.mark.parametrize("text", ["256", "x", "-8x8", "axb", ""])
def test_sizes_that_are_none(text):
    with pytest.raises(InputError, match="size: expected WIDTHxHEIGHT or dynamic"):
        files.parse_size(text)


def test_psnr_and_ssim():
    flat = np.zeros((1, 20, 20, 3), np.float32)
    assert check.psnr(flat, flat) == 200
    assert check.psnr(flat, flat + 0.02) == pytest.approx(40)  # 10 log10(4 / 0.0004)
    assert check.psnr(flat + 1, flat + 3) == 200  # pictures end at 1
    picture = images.to_network(ramps(40, 40))[None]
    assert check.ssim(picture, picture) == pytest.approx(1)
    assert check.ssim(picture, -picture) < 0.5


def test_ssim_against_tensorflow():
    import tensorflow as tf

    rng = np.random.default_rng(1)
    one = rng.uniform(-1, 1, (1, 40, 48, 3)).astype(np.float32)
    other = np.clip(one + rng.normal(0, 0.2, one.shape), -1, 1).astype(np.float32)
    expected = tf.image.ssim((one + 1) / 2, (other + 1) / 2, 1.0).numpy()[0]
    assert check.ssim(one, other) == pytest.approx(float(expected), abs=1e-4)


def test_operators_outside_a_delegate_are_counted(toy, tmp_path, photos):
    """The 16-bit convolutions of int16x8 are what XNNPACK does not take."""
    ranges = [images.to_network(ramps(24, 32))[None]]
    path = tmp_path / "a.tflite"
    path.write_bytes(convert.convert(toy, "int16x8", (24, 32), ranges))
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    assert isolated._placement(interpreter)["outside"]["CONV_2D"] == 2
