import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf
from pictures import noise, ramps
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

import animegan_tf
from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.export import check, saved_model, serving_files
from animegan_tf.networks.generator import properties
from animegan_tf.stylize.stylizer import Stylizer

pytestmark = pytest.mark.usefixtures("checked_here")


@pytest.fixture(scope="module")
def signatures(toy_saved_model):
    loaded = tf.saved_model.load(str(toy_saved_model[0] / "1"))
    return {"loaded": loaded, **loaded.signatures}


def test_a_full_disk_is_told_in_a_line_and_leftovers_are_removed(toy, tmp_path, monkeypatch):
    leftover = tmp_path / "model" / f".{'0' * 32}.tmp"
    (leftover / "variables").mkdir(parents=True)

    def full(module, folder, **_):
        message = f"{folder}/saved_model.pb.tmp1; No space left on device"
        raise tf.errors.ResourceExhaustedError(None, None, message)

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(OSError, match=r"model cannot be written: No space left on device$"):
        saved_model.export_saved_model(toy, tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []


def test_serving_default_takes_levels_of_any_size(signatures):
    (spec,) = signatures["serving_default"].structured_input_signature[1].values()
    assert (spec.dtype, spec.shape.as_list()) == (tf.uint8, [None, None, None, 3])


def test_folder_and_report(toy, toy_saved_model):
    folder, report = toy_saved_model
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["1", "1.report.json", "batching.config", "models.config"]
    assert json.loads((folder / "1.report.json").read_text("utf-8")) == report
    assert report["signatures"]["raw"]["psnr_db"]["lowest"] > 90
    assert report["signatures"]["serving_default"]["photos"] == 3
    assert set(report["signatures"]) == {"serving_default", "image_bytes", "raw"}
    recorded = json.loads((folder / "1/assets.extra/animegan_tf.json").read_text("utf-8"))
    assert recorded == properties(toy)
    assert 'name: "animegan"' in (folder / "models.config").read_text("utf-8")


@pytest.mark.parametrize("size", [(256, 264), (259, 301), (300, 257)])
def test_serving_default_is_what_stylizer_does(toy, signatures, size):
    photo = noise(*size)
    answer = signatures["serving_default"](images=photo[None])["images"].numpy()
    expected = Stylizer(toy, match_brightness=False)(photo)
    assert answer.dtype == np.uint8
    assert answer.shape == (1, *size, 3)
    difference = np.abs(answer[0].astype(int) - expected)
    assert difference.max() <= 1
    assert difference.mean() < 0.01


def test_small_photos_keep_their_size(toy, signatures):
    photo = ramps(60, 50)
    answer = signatures["serving_default"](images=photo[None])["images"].numpy()[0]
    expected = Stylizer(toy, match_brightness=False)(photo)
    assert answer.shape == photo.shape
    # OpenCV and TensorFlow enlarge 8 bits and floats.
    assert np.abs(answer.astype(int) - expected).mean() < 1


def test_a_batch_is_its_pictures(signatures):
    batch = np.stack([noise(256, 260, seed=seed) for seed in range(2)])
    run = signatures["serving_default"]
    together = run(images=batch)["images"].numpy()
    for photo, answer in zip(batch, together, strict=True):
        alone = run(images=photo[None])["images"].numpy()[0]
        assert np.abs(alone.astype(int) - answer).max() <= 1


def test_image_bytes_of_several_sizes_and_formats(signatures):
    photos = [noise(256, 300), ramps(280, 260)]
    sent = [cv2.imencode(".png", p[..., ::-1])[1].tobytes() for p in photos]
    answers = signatures["image_bytes"](image_bytes=tf.constant(sent))["image_bytes"].numpy()
    for photo, answer in zip(photos, answers, strict=True):
        assert answer.startswith(b"\x89PNG")
        result = cv2.imdecode(np.frombuffer(answer, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        expected = signatures["serving_default"](images=photo[None])["images"].numpy()[0]
        np.testing.assert_array_equal(result, expected)


def test_image_bytes_decodes_jpeg_as_the_stylize_command_does(signatures, tmp_path):
    """TensorFlow's own choice of how is a level off on the mean."""
    path = tmp_path / "photo.jpg"
    jpeg = cv2.imencode(".jpg", noise(280, 260) // 2 + ramps(280, 260) // 2)[1].tobytes()
    path.write_bytes(jpeg)
    (answer,) = signatures["image_bytes"](image_bytes=tf.constant([jpeg]))["image_bytes"].numpy()
    result = cv2.imdecode(np.frombuffer(answer, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    photo = images.read_photo(path).rgb
    expected = signatures["serving_default"](images=photo[None])["images"].numpy()[0]
    np.testing.assert_array_equal(result, expected)


def test_raw(toy, signatures):
    batch = images.to_network(noise(24, 32))[None]
    answer = signatures["raw"](images=batch)["stylized"].numpy()
    np.testing.assert_allclose(answer, toy(batch), atol=1e-6)
    odd = images.to_network(noise(21, 30))[None]
    assert signatures["raw"](images=odd)["stylized"].shape == (1, 21, 30, 3)


def test_raw_opens_in_other_runtimes(toy_saved_model):
    """Which lack some operators, and have the modulo of negative numbers as in C."""
    data = (toy_saved_model[0] / "1" / "saved_model.pb").read_bytes()
    (graph,) = saved_model_pb2.SavedModel.FromString(data).meta_graphs
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    raw = graph.signature_def["raw"]
    assert not set(raw.inputs) & set(raw.outputs)
    caller = raw.outputs["stylized"].name.partition(":")[0]
    (name,) = [n.attr["f"].func.name for n in graph.graph_def.node if n.name == caller]
    waiting, operators = [name], []
    while waiting:
        for node in functions[waiting.pop()].node_def:
            operators.append(node.op)
            waiting += [v.func.name for v in node.attr.values() if v.func.name in functions]
    assert "Conv2D" in operators and "FloorMod" in operators
    assert not {"EnsureShape", "Neg"} & set(operators)


@pytest.mark.parametrize(
    ("signature", "value", "message"),
    [
        ("serving_default", np.zeros((1, 15, 40, 3), np.uint8), "sides of at least 16"),
        ("serving_default", np.zeros((1, 500, 500, 3), np.uint8), "at most 200000 pixels"),
        ("raw", np.zeros((1, 8, 40, 3), np.float32), "sides of at least 16"),
        ("raw", np.zeros((1, 500, 500, 3), np.float32), "at most 200000 pixels"),
        ("image_bytes", np.array([b"no picture"], object), "Unknown image file format"),
        ("image_bytes", np.array([b""], object), "Unknown image file format|empty|Input"),
        ("image_bytes", np.array([b"\x89PNG\r\n\x1a\n cut"], object), "PNG"),
    ],
)
def test_what_a_server_answers_to_mistakes(signatures, signature, value, message):
    key = "image_bytes" if signature == "image_bytes" else "images"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signatures[signature](**{key: tf.constant(value)})


def test_warm_up_requests_are_answered(toy_saved_model, signatures):
    path = toy_saved_model[0] / "1" / "assets.extra" / "tf_serving_warmup_requests"
    seen = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "animegan"
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        signature = signatures[request.model_spec.signature_name]
        (answer,) = signature(**{k: tf.constant(v) for k, v in inputs.items()}).values()
        assert answer.shape[0] == 1
        seen.append(request.model_spec.signature_name)
    assert seen == ["serving_default", "image_bytes", "raw"]


def test_variables_in_files_of_their_own(toy, toy_saved_model, tmp_path):
    report = saved_model.export_saved_model(
        toy,
        tmp_path / "animegan",
        frozen=False,
        input_type="float32",
        encoding="jpeg",
        match_brightness=True,
        warmup=False,
    )
    assert not report["warm_up"]
    assert not (tmp_path / "animegan" / "1" / serving_files.WARM_UP).exists()
    loaded = tf.saved_model.load(str(tmp_path / "animegan" / "1"))
    assert len(loaded.weights) == len(toy.trainable_variables)
    assert loaded.weights[0].name == "generator/G_MODEL/Conv/weights:0"
    run = loaded.signatures["serving_default"]
    photo = noise(256, 256)
    answer = run(images=(photo[None] / 255).astype(np.float32))["images"].numpy()[0]
    expected = Stylizer(toy)(photo)
    # The brightness rule truncates, so a rounding apart can become a level.
    assert np.abs(answer.astype(int) - expected).mean() < 0.05
    for wrong, message in (
        (photo[None].astype(np.float32), "0 to 255 is for uint8"),
        (images.to_network(photo)[None], "signature raw takes -1 to 1"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(images=wrong)


def test_versions_count_up_and_are_not_replaced(toy, toy_saved_model, tmp_path):
    folder = tmp_path / "animegan"
    shutil.copytree(toy_saved_model[0], folder)
    (folder / "models.config").write_text("mine", "utf-8")
    assert saved_model.export_saved_model(toy, folder, warmup=False)["folder"] == "2"
    assert saved_model.export_saved_model(toy, folder, version=7, warmup=False)["folder"] == "7"
    assert (folder / "models.config").read_text("utf-8") == "mine"
    with pytest.raises(InputError, match=r"version: expected a new one, .*7 exists"):
        saved_model.export_saved_model(toy, folder, version=7)


def test_an_export_that_differs_leaves_nothing(toy, tmp_path, monkeypatch):
    other = animegan_tf.build_generator("lite")
    expected = check.expected
    monkeypatch.setattr(check, "expected", lambda _, batch: expected(other, batch))
    with pytest.raises(check.ExportError):
        saved_model.export_saved_model(toy, tmp_path / "animegan")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("7", {}, "output: expected a folder named like the model"),
        ("file", {}, "is a file"),
        ("a", {"version": 0}, "version: expected a whole number of at least 1"),
        ("a", {"input_type": "int8"}, "input_type: expected one of uint8, float32"),
        ("a", {"encoding": "gif"}, "encoding: expected one of png, jpeg"),
        ("a", {"max_megapixels": 0}, "max_megapixels: expected"),
        ("a", {"photos": "nowhere"}, "photos: expected a folder"),
    ],
)
def test_mistakes(toy, tmp_path, output, options, message):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=message):
        saved_model.export_saved_model(toy, tmp_path / output, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
def test_saved_model_cli(toy_saved_model, tmp_path):
    np.save(tmp_path / "photo.npy", noise(256, 256)[None])
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run"]
    chosen = ["--dir", toy_saved_model[0] / "1", "--tag_set=serve", "--signature_def"]
    files = ["--inputs", f"images={tmp_path / 'photo.npy'}", "--outdir", tmp_path]
    subprocess.run([*command, *chosen, "serving_default", *files], capture_output=True, check=True)
    assert np.load(tmp_path / "images.npy").shape == (1, 256, 256, 3)


def test_two_exports_at_once_get_two_numbers(tmp_path):
    """The other one took the number while this one was made."""
    (tmp_path / "models" / "1").mkdir(parents=True)
    (tmp_path / "models" / "1" / "saved_model.pb").touch()
    for name in ("made", "again"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_text(name)
    numbers = iter((1, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved_model, "_next_version", lambda _: next(numbers))
        assert saved_model._put(tmp_path / "made", tmp_path / "models", None) == "2"
    with pytest.raises(InputError, match=r"version: .*2 exists by now"):
        saved_model._put(tmp_path / "again", tmp_path / "models", 2)
    assert (tmp_path / "models" / "2" / "saved_model.pb").read_text() == "made"
