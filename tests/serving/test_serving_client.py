"""`animegan_tf.serving.client` with servers that work; each test for REST and gRPC where it can."""

import base64
import json

import cv2
import numpy as np
import pytest
import tensorflow as tf
from exif import exif_block, jpeg_with_exif, png_with_exif
from pictures import noise, ramps
from serving_toy import asked_to_predict, call, negatives
from tensorflow_serving.apis import predict_pb2

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.stylize import guided
from animegan_tf.stylize.guided import Delivery

pytestmark = pytest.mark.usefixtures("quick_tries")


# --- what works ----------------------------------------------------------------------------------


@pytest.mark.parametrize("signature", ["image_bytes", "serving_default"])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_folder(any_server, noise_photos, tmp_path, signature, batch):
    report = call(any_server, noise_photos, tmp_path / "out", signature=signature, batch=batch)
    assert [path.name for path in report.written] == ["0.png", "1.png", "2.png"]
    assert report.failed == report.skipped == ()
    negatives(report, noise_photos)
    assert asked_to_predict(any_server) == {1: 3, 2: 2, 5: 1}[batch]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "1.png", "2.png"]


def test_the_model_is_asked_for_before_any_photo(rest_server, noise_photos, tmp_path):
    call(rest_server, noise_photos / "0.png", tmp_path, version=1)
    assert rest_server.asked == [
        "GET /v1/models/animegan/versions/1",
        "GET /v1/models/animegan/versions/1/metadata",
        "POST /v1/models/animegan/versions/1:predict",
    ]


def test_the_documented_request(rest_server, noise_photos, tmp_path):
    call(rest_server, noise_photos / "0.png", tmp_path)
    data = (noise_photos / "0.png").read_bytes()
    assert json.loads(rest_server.bodies[-1]) == {
        "signature_name": "image_bytes",
        "instances": [{"b64": base64.b64encode(data).decode()}],
    }


def test_pixels_of_several_sizes_go_by_size(any_server, tmp_path):
    photos = tmp_path / "photos"
    for number, height in enumerate((6, 6, 8, 8, 8, 6)):
        images.write_photo(photos / f"{number}.png", noise(height, 9, seed=number))
    report = call(any_server, photos, tmp_path / "out", signature="serving_default", batch=2)
    assert len(report.written) == 6
    negatives(report, photos)
    assert asked_to_predict(any_server) == 4


def test_files_of_several_sizes_go_together(any_server, noise_photos, tmp_path):
    images.write_photo(noise_photos / "large.png", noise(20, 30))
    report = call(any_server, noise_photos, tmp_path / "out", batch=4)
    assert len(report.written) == 4
    negatives(report, noise_photos)
    assert asked_to_predict(any_server) == 1


@pytest.mark.parametrize("signature", ["image_bytes", "serving_default"])
def test_a_large_photo_is_sent_small_and_comes_back_large(rest_server, tmp_path, signature):
    photo = ramps(512, 640)
    images.write_photo(tmp_path / "a.png", photo)
    delivery = Delivery(draw_side=256, strength=0.5)
    options = {"signature": signature, "delivery": delivery}
    (path,) = call(rest_server, tmp_path / "a.png", tmp_path / "out", **options).written
    small = images.resize(photo, 256, 320)
    expected = guided.blend(photo, guided.enlarge(photo, small, 255 - small), 0.5)
    np.testing.assert_array_equal(images.read_photo(path).rgb, expected)
    if signature == "image_bytes":
        (sent,) = json.loads(rest_server.bodies[-1])["instances"]
        sent = images.decode_photo(base64.b64decode(sent["b64"]), "what was sent").rgb
        np.testing.assert_array_equal(sent, small)


def test_jpeg_in_jpeg_out(any_server, tmp_path):
    images.write_photo(tmp_path / "a.jpg", ramps(40, 60))
    (path,) = call(any_server, tmp_path / "a.jpg", tmp_path / "out").written
    assert path.name == "a.jpg"
    assert path.read_bytes().startswith(b"\xff\xd8")
    photo, result = images.read_photo(tmp_path / "a.jpg").rgb, images.read_photo(path).rgb
    assert np.abs(result.astype(int) - (255 - photo.astype(int))).max() < 12


def test_the_server_s_own_file_is_kept_where_its_format_is_right(
    rest_server, noise_photos, tmp_path
):
    (path,) = call(rest_server, noise_photos / "0.png", tmp_path).written
    pixels = 255 - images.read_photo(noise_photos / "0.png").rgb
    assert path.read_bytes() == tf.io.encode_png(pixels).numpy()


@pytest.mark.parametrize("signature", ["image_bytes", "serving_default"])
@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_photos_are_sent_upright(rest_server, tmp_path, signature, kind, orientation):
    encode = {"jpg": jpeg_with_exif, "png": png_with_exif}[kind]
    data = encode(ramps(16, 32)[:, :, ::-1], exif_block(orientation))
    (tmp_path / f"a.{kind}").write_bytes(data)
    photo = images.read_photo(tmp_path / f"a.{kind}").rgb
    assert photo.shape == ((32, 16, 3) if orientation == 6 else (16, 32, 3))
    (path,) = call(
        rest_server, tmp_path / f"a.{kind}", tmp_path / "out", signature=signature
    ).written
    result = images.read_photo(path).rgb
    assert result.shape == photo.shape
    assert np.abs(result.astype(int) - (255 - photo.astype(int))).max() < 12
    if signature == "image_bytes":
        sent = base64.b64decode(json.loads(rest_server.bodies[-1])["instances"][0]["b64"])
        assert (sent == data) == (orientation == 1)
        assert sent.startswith(b"\x89PNG") or orientation == 1


def test_other_formats_are_sent_as_png(any_server, tmp_path):
    photos = tmp_path / "photos"
    for name in ("a.webp", "b.tif", "c.bmp"):
        images.write_photo(photos / name, ramps(20, 30))
    report = call(any_server, photos, tmp_path / "out")
    assert [path.name for path in report.written] == ["a.webp", "b.tif", "c.bmp"]
    negatives_of = images.read_photo(photos / "b.tif").rgb
    result = images.read_photo(tmp_path / "out" / "b.tif").rgb
    np.testing.assert_array_equal(result, 255 - negatives_of)


@pytest.mark.parametrize("signature", ["image_bytes", "serving_default"])
def test_alpha_is_kept(any_server, tmp_path, signature):
    alpha = noise(6, 9)[:, :, 0]
    images.write_photo(tmp_path / "a.png", noise(6, 9), alpha)
    (path,) = call(any_server, tmp_path / "a.png", tmp_path / "out", signature=signature).written
    result = images.read_photo(path)
    np.testing.assert_array_equal(result.rgb, 255 - noise(6, 9))
    np.testing.assert_array_equal(result.alpha, alpha)


def test_gray_16_bit_and_palette_photos(rest_server, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    gray = noise(6, 9)[:, :, 0]
    (photos / "gray.png").write_bytes(cv2.imencode(".png", gray)[1].tobytes())
    deep = gray.astype(np.uint16) * 257
    (photos / "deep.png").write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    report = call(rest_server, photos, tmp_path / "out")
    assert len(report.written) == 2
    negatives(report, photos)


def test_existing_results_are_left(any_server, noise_photos, tmp_path):
    out = tmp_path / "out"
    images.write_photo(out / "1.png", noise(2, 2))
    before = (out / "1.png").read_bytes()
    report = call(any_server, noise_photos, out)
    assert (len(report.written), report.skipped) == (2, (out / "1.png",))
    assert (out / "1.png").read_bytes() == before
    asked = len(any_server.asked)
    assert len(call(any_server, noise_photos, out).skipped) == 3
    assert len(any_server.asked) == asked  # nothing to do, nothing to ask
    report = call(any_server, noise_photos, out, overwrite=True)
    assert len(report.written) == 3
    negatives(report, noise_photos)


def test_photos_are_never_replaced(rest_server, noise_photos):
    with pytest.raises(InputError, match="never replaced"):
        call(rest_server, noise_photos, noise_photos, overwrite=True)
    assert rest_server.asked == []


@pytest.mark.parametrize("signature", ["image_bytes", "serving_default"])
def test_a_photo_over_the_4_mb_of_grpc(grpc_server, tmp_path, signature):
    photo = noise(1100, 1400)  # 4.6 MB, of which PNG can save nothing
    images.write_photo(tmp_path / "a.png", photo)
    options = {"signature": signature, "delivery": Delivery(draw_side=0)}
    (path,) = call(grpc_server, tmp_path / "a.png", tmp_path / "out", **options).written
    np.testing.assert_array_equal(images.read_photo(path).rgb, 255 - photo)
    report = call(grpc_server, tmp_path / "a.png", tmp_path / "less", **options, max_message_mb=4)
    ((_, reason),) = report.failed
    assert "RESOURCE_EXHAUSTED" in reason
    assert "larger than max" in reason
    assert "(max_message_mb is the limit of this client)" in reason


def test_a_large_photo_over_rest(rest_server, tmp_path):
    photo = noise(1100, 1400)
    images.write_photo(tmp_path / "a.png", photo)
    delivery = Delivery(draw_side=0)
    (path,) = call(rest_server, tmp_path / "a.png", tmp_path / "out", delivery=delivery).written
    np.testing.assert_array_equal(images.read_photo(path).rgb, 255 - photo)


# --- photos that fail ----------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 4])
def test_photos_that_fail_are_named_and_the_rest_goes_on(
    any_server, noise_photos, tmp_path, capsys, batch
):
    (noise_photos / "a.jpg").write_bytes(b"no picture")
    images.write_photo(noise_photos / "1small.png", noise(3, 9))
    report = call(any_server, noise_photos, tmp_path / "out", batch=batch, progress=True)
    assert [path.name for path in report.written] == ["0.png", "1.png", "2.png"]
    negatives(report, noise_photos)
    reasons = {path.name: reason for path, reason in report.failed}
    assert set(reasons) == {"a.jpg", "1small.png"}
    assert "expected an image" in reasons["a.jpg"]
    code = "400" if any_server.url.startswith("http") else "INVALID_ARGUMENT"
    assert f"the server returned {code}: " in reasons["1small.png"]
    assert "images: the café" in reasons["1small.png"]  # however TensorFlow escapes the rest
    assert "sides are under 4" in reasons["1small.png"]
    assert "\n" not in reasons["1small.png"]
    errors = capsys.readouterr().err
    assert f"error: {noise_photos / '1small.png'}: {any_server.url}" in errors
    assert errors.startswith(f"5 photos to {any_server.url}: animegan version 2\n")


def test_a_damaged_file_that_only_the_server_cannot_read(any_server, noise_photos, tmp_path):
    data = jpeg_with_exif(noise(64, 64), b"")
    (noise_photos / "cut.jpg").write_bytes(data[: len(data) // 2])
    report = call(any_server, noise_photos, tmp_path / "out")
    assert [path.name for path, _ in report.failed] == ["cut.jpg"]
    assert len(report.written) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b'{"predictions": [{"b64": "AAAA"}]}',
        b'{"predictions": [{"b64": "not base64!"}]}',
        b'{"predictions": ["text"]}',
        b'{"predictions": [[1, 2]]}',
        b'{"predictions": {"b64": ""}}',
        b'{"predictions": []}',
        b'{"predictions": 7}',
        b'{"outputs": [{"b64": "AAAA"}]}',
        b'{"predictions": [{"b64": "AAAA"',
        b"[]",
        b"<html>Please log in</html>",
        b"",
    ],
)
def test_wrong_answers_over_rest(rest_server, noise_photos, tmp_path, answer):
    rest_server.faults.extend([None, None, lambda handler: handler.send(200, answer)])
    report = call(rest_server, noise_photos, tmp_path / "out")
    ((path, reason),) = report.failed
    assert path.name == "0.png"
    assert reason.startswith(rest_server.url)
    assert "expected" in reason
    assert [path.name for path in report.written] == ["1.png", "2.png"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros((1, 6, 8, 3), int).tolist(), r"shape \(1, 6, 9, 3\), received int64 \(1, 6, 8"),
        (np.zeros((1, 6, 9, 3)).tolist(), "whole numbers .* received float64"),
        (np.full((1, 6, 9, 3), 256).tolist(), "values of 0 to 255, received 256 to 256"),
        (np.full((1, 6, 9, 3), -1).tolist(), "values of 0 to 255, received -1 to -1"),
        ([[1, 2], [3]], '"predictions" of rows of numbers'),
    ],
)
def test_wrong_pixels_over_rest(rest_server, noise_photos, tmp_path, answer, message):
    body = json.dumps({"predictions": answer}).encode()
    rest_server.faults.extend([None, None, lambda handler: handler.send(200, body)])
    report = call(
        rest_server, noise_photos / "0.png", tmp_path / "out", signature="serving_default"
    )
    assert report.written == ()
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(report.failed[0][1])


def test_an_answer_of_another_size(rest_server, noise_photos, tmp_path):
    other = base64.b64encode(cv2.imencode(".png", noise(5, 9))[1].tobytes()).decode()
    body = json.dumps({"predictions": [{"b64": other}]}).encode()
    rest_server.faults.extend([None, None, lambda handler: handler.send(200, body)])
    ((_, reason),) = call(rest_server, noise_photos / "0.png", tmp_path / "out").failed
    assert reason == f"{rest_server.url}: expected an image of 9x6, received 9x5"
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "expected an output image_bytes, received nothing"),
        ({"image": [b"x"]}, "expected an output image_bytes, received image"),
        ({"image_bytes": [b"x", b"y"]}, "expected 1 images, received 2"),
        ({"image_bytes": [3]}, "expected 1 images, received 0"),
        ({"image_bytes": [b"x"]}, "expected an image in a format"),
    ],
)
def test_wrong_answers_over_grpc(grpc_server, noise_photos, tmp_path, outputs, message):
    def answer(_):
        response = predict_pb2.PredictResponse()
        for name, values in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
        return response

    grpc_server.faults.extend([None, None, answer])
    report = call(grpc_server, noise_photos, tmp_path / "out")
    ((path, reason),) = report.failed
    assert (path.name, len(report.written)) == ("0.png", 2)
    assert message in reason
