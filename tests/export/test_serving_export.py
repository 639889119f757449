"""What `animegan_tf.export` writes, served, and called by the project's own client."""

import numpy as np
import pytest
from pictures import noise, ramps
from serving_stub import ServedModel, serving_grpc, serving_rest
from serving_toy import call

from animegan_tf import images
from animegan_tf.stylize.stylizer import Stylizer

pytestmark = pytest.mark.usefixtures("quick_tries")


@pytest.fixture(scope="module")
def served_export(toy_saved_model):
    return ServedModel(toy_saved_model[0])


@pytest.mark.parametrize("signature", ["image_bytes", "serving_default"])
@pytest.mark.parametrize("serve", [serving_rest, serving_grpc])
def test_photos(served_export, toy, tmp_path, signature, serve):
    photos = {"a.png": noise(64, 64), "b.png": ramps(260, 258), "c.png": noise(15, 40)}
    photos["d.png"] = ramps(500, 500)
    for name, photo in photos.items():
        images.write_photo(tmp_path / "photos" / name, photo)
    with serve(served_export) as server:
        report = call(server, tmp_path / "photos", tmp_path / "out", signature=signature)
    assert [path.name for path in report.written] == ["a.png", "b.png"]
    expected = Stylizer(toy, match_brightness=False)(photos["b.png"])
    answer = images.read_photo(tmp_path / "out" / "b.png").rgb
    assert np.abs(answer.astype(int) - expected).max() <= 1
    reasons = {path.name: reason for path, reason in report.failed}
    assert "sides of at least 16" in reasons["c.png"]
    assert "at most 200000 pixels" in reasons["d.png"]
