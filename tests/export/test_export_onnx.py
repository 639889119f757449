"""ONNX and OpenVINO exports: compared with Keras, at any size, in each type and layout."""

import json
import sys

import numpy as np
import pytest
from pictures import ramps
from toys import layered_generator, with_drawn_norms

import animegan_tf
from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.export import check, files, onnx

pytest.importorskip("onnxruntime")
graphs = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def toy():
    return layered_generator()


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for number in range(2):
        images.write_photo(folder / f"{number}.png", ramps(37 + number, 50 + 11 * number))
    return folder


def run(kind, path, batch):
    outputs, _ = check.run_alone(kind, path, {"": [batch]})
    return outputs[""][0]


@pytest.mark.usefixtures("checked_here")
@pytest.mark.parametrize("layout", onnx.LAYOUTS)
@pytest.mark.parametrize("io", onnx.IO_TYPES)
@pytest.mark.parametrize("size", [None, (24, 32)])
@pytest.mark.parametrize("kind", onnx.SUFFIXES)
def test_types_layouts_and_sizes(toy, tmp_path, photos, kind, size, io, layout):
    pytest.importorskip(kind)
    output = tmp_path / "made" / f"anime{onnx.SUFFIXES[kind]}"
    export = getattr(animegan_tf.export, f"export_{kind}")
    report = export(toy, output, size=size, io=io, layout=layout, photos=photos)
    assert report == json.loads((tmp_path / "made" / "anime.report.json").read_text("utf-8"))
    names = {output.name, "anime.report.json"} | ({"anime.bin"} if kind == "openvino" else set())
    assert {path.name for path in output.parent.iterdir()} == names
    assert report["photos"] == 2
    assert report["psnr_db"]["lowest"] >= (90 if io == "float32" else 60)

    photo = images.to_network(ramps(*(size or (19, 45))))[None]
    made = run(kind, output, files.encoded(photo, io, layout))
    expected = files.encoded(check.expected(toy, photo), io, layout)
    assert made.dtype == expected.dtype and made.shape == expected.shape
    np.testing.assert_allclose(made.astype(float), expected, atol=1e-5 if io == "float32" else 1)
    if size is None:
        two = files.encoded(np.concatenate([photo, photo[:, ::-1]]), io, layout)
        assert run(kind, output, two).shape == (2, *expected.shape[1:])


@pytest.mark.slow
@pytest.mark.usefixtures("checked_here")
@pytest.mark.parametrize("arch", ["v2", "lite", "v1"])
def test_real_networks(arch, tmp_path, photos):
    """At sizes that are not multiples of 4 or 8."""
    model = with_drawn_norms(animegan_tf.build_generator(arch))
    report = onnx.export_onnx(model, tmp_path / "a.onnx", photos=photos)
    assert report["psnr_db"]["lowest"] > 90


def test_metadata(toy, tmp_path, photos):
    """In a process of its own."""
    labels = {"name": "Ours", "author": "Somebody", "license_text": "CC0"}
    onnx.export_onnx(toy, tmp_path / "a.onnx", photos=photos, **labels)
    stored = {p.key: p.value for p in graphs.load(tmp_path / "a.onnx").metadata_props}
    assert stored == {
        "style": "Ours",
        "author": "Somebody",
        "license": "CC0",
        "version": animegan_tf.__version__,
        "arch": "lite",
        "multiple": "8",
        "norm": "layer",
        "match_brightness": "true",
    }


@pytest.mark.usefixtures("checked_here")
def test_an_existing_export_stays_unless_it_is_replaced(toy, tmp_path, photos, monkeypatch):
    output = tmp_path / "a.onnx"
    output.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists"):
        onnx.export_onnx(toy, output, photos=photos)
    with monkeypatch.context() as patch, pytest.raises(check.ExportError, match="at least 250 dB"):
        patch.setitem(onnx.BOUNDS, "float32", 250)
        onnx.export_onnx(toy, output, photos=photos, overwrite=True)
    assert output.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "photos"]
    onnx.export_onnx(toy, output, photos=photos, overwrite=True)
    assert output.stat().st_size > 1000


@pytest.mark.parametrize("kind", onnx.SUFFIXES)
def test_missing_packages_are_named(tmp_path, monkeypatch, kind):
    for package in onnx._PACKAGES[kind]:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            message = rf"format: {kind} needs packages .*{package}.*animegan_tf\[{kind}\]"
            with pytest.raises(InputError, match=message):
                onnx.check_options(tmp_path / f"a{onnx.SUFFIXES[kind]}", kind)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"io": "int8"}, "io: expected one of float32, uint8"),
        ({"layout": "chwn"}, "layout: expected one of nhwc, nchw"),
        ({"output": "a.tflite"}, "output: expected a file name ending in .onnx"),
        ({"size": (24, 30)}, "size: expected a width of at least 16 that is a multiple of 8"),
    ],
)
def test_mistakes(toy, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        onnx.export_onnx(toy, options.pop("output", "a.onnx"), **options)
    assert list(tmp_path.iterdir()) == []
