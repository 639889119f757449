"""The command line of exports, end to end, and of stylising with what it wrote."""

import pytest
from commands import call, run_alone

from animegan_tf import images
from animegan_tf.networks.weights import save_generator

EXPORT, STYLIZE = "animegan_tf/export/__main__.py", "animegan_tf/stylize/__main__.py"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    import animegan_tf

    path = tmp_path_factory.mktemp("weights") / "generator.weights.h5"
    save_generator(animegan_tf.build_generator("lite"), path)
    return path


@pytest.fixture
def photos(tmp_path):
    from pictures import ramps

    images.write_photo(tmp_path / "photos" / "a.png", ramps(64, 72))
    return tmp_path / "photos"


@pytest.mark.slow
def test_a_weights_file_to_both_formats_and_to_pictures(weights, photos, tmp_path, checked_here):
    shared = (f"--checkpoint={weights}", f"--photos={photos}")
    flags = ("--format=tflite", "--size=dynamic", "--output=any.tflite", *shared)
    done = run_alone("-m", "animegan_tf.export", *flags, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "any.tflite: 2.8" in done.stdout
    assert "1 delegate partition(s), 0 operators outside" in done.stdout
    served = ("--format=saved_model", "--output=served/anime", *shared)
    done = call(EXPORT, *served, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "served" / "anime" / "1" / "saved_model.pb").is_file()

    results = []
    for number, checkpoint in enumerate(("any.tflite", "served/anime", weights)):
        flags = (f"--output={number}", f"--checkpoint={checkpoint}")
        assert call(STYLIZE, "photos", *flags, folder=tmp_path).returncode == 0
        results.append(images.read_photo(tmp_path / str(number) / "a.png").rgb.astype(int))
    for other in results[1:]:
        assert abs(results[0] - other).max() <= 3


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [("onnx", "a.onnx"), ("openvino", "a.xml")])
def test_a_weights_file_to_other_runtimes(weights, photos, tmp_path, checked_here, kind, name):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime" if kind == "onnx" else kind)
    flags = (f"--format={kind}", f"--output={name}", "--io=uint8", "--layout=nchw")
    done = call(EXPORT, *flags, f"--checkpoint={weights}", f"--photos={photos}", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{name}: ") and "report: a.report.json" in done.stdout


def test_fixed_size_says_so(weights, photos, tmp_path):
    from animegan_tf.export import convert
    from animegan_tf.networks.weights import load_generator

    (tmp_path / "a.tflite").write_bytes(convert.convert(load_generator(weights), "none", (64, 64)))
    flags = ("--checkpoint=a.tflite", "--output=out")
    done = call(STYLIZE, "photos", *flags, folder=tmp_path)
    assert done.returncode == 0
    assert "the model takes 64x64 only" in done.stderr
    assert images.read_photo(tmp_path / "out" / "a.png").rgb.shape == (64, 72, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output=a.tflite"], "--format: expected a value, received nothing"),
        (["--format=tflite"], "--output: expected a value, received nothing"),
        (["--format=tflite", "--output=a"], "output: expected a file name ending in .tflite"),
        (["--format=tflite", "--output=a.tflite", "--size=12"], "size: expected WIDTHxHEIGHT"),
        (["--format=tflite", "--output=a.tflite", "--version=2"], "--version: requires --format=s"),
        (["--format=saved_model", "--output=a", "--size=dynamic"], "--size: requires --format=tfl"),
        (["--format=tflite", "--output=a.tflite", "--layout=nchw"], "requires --format=onnx or op"),
        (["--format=tflite", "--output=a.tflite", "--io=uint8"], "io: uint8 requires --quantize="),
        (["--format=saved_model", "--output=a", "b"], "arguments: expected flags only"),
        (["--format=saved_model", "--output=a", "--style=x"], "style: expected one of"),
    ],
)
def test_mistakes(tmp_path, arguments, message):
    done = call(EXPORT, *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_help_and_styles(tmp_path):
    done = call(EXPORT, "--help", folder=tmp_path)
    assert done.returncode == 0
    for flag in ("--format", "--quantize", "--style", "--[no]accept_license"):
        assert flag in done.stdout
    assert "thequestion-lite" in call(EXPORT, "--list_styles", folder=tmp_path).stdout
