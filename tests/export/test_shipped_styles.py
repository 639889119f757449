"""The styles in checkpoints/: the files that their READMEs describe, and pictures that are sane."""

import hashlib
import shutil

import huggingface_hub
import numpy as np
import pytest
from places import ROOT

import animegan_tf
from animegan_tf import images, styles
from animegan_tf.networks import weights
from animegan_tf.stylize.engines import base
from animegan_tf.stylize.engines.converted import ConvertedEngine

FOLDERS = sorted(path.parent for path in (ROOT / "checkpoints").glob("*/generator.weights.h5"))


def test_one_is_shipped_and_is_the_default():
    assert styles.default() in [folder.name for folder in FOLDERS]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_file_is_the_one_described(folder):
    digest = hashlib.sha256((folder / "generator.weights.h5").read_bytes()).hexdigest()
    assert digest in (folder / "README.md").read_text("utf-8")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_readme_is_a_model_card(folder):
    card = huggingface_hub.ModelCard.load(folder / "README.md").data
    credited = "CC BY 4.0" in (folder / "README.md").read_text("utf-8")
    assert card.license == ("cc-by-4.0" if credited else "apache-2.0")
    assert (card.library_name, card.pipeline_tag) == ("keras", "image-to-image")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_brightness_is_its_own(folder, tmp_path):
    copy, other = tmp_path / "copy.weights.h5", tmp_path / "other.weights.h5"
    shutil.copy(folder / "generator.weights.h5", copy)
    weights.save_generator(weights.load_generator(folder), other)  # float32
    for checkpoint in (folder, str(folder / "generator.weights.h5"), copy, other):
        assert not animegan_tf.Stylizer(checkpoint).match_brightness
    assert not animegan_tf.Stylizer(style=folder.name).match_brightness
    assert animegan_tf.Stylizer(folder, match_brightness=True).match_brightness


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_picture_is_neither_gray_nor_off(folder):
    photo = images.read_photo(ROOT / "docs" / "images" / "photo.jpg").rgb
    photo = images.limit_side(photo, 512)
    result = animegan_tf.Stylizer(style=folder.name)(photo)
    assert result.shape == photo.shape
    before, after = photo.astype(np.float64), result.astype(np.float64)
    # Levels of 255: brighter, as its references are, without a tint, the picture still there.
    change = after.mean((0, 1)) - before.mean((0, 1))
    assert 10 < change.mean() < 45
    assert np.abs(change - change.mean()).max() < 20
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.85
    spread = [np.ptp(picture, axis=-1).mean() for picture in (before, after)]
    assert spread[1] > 1.2 * spread[0]
    # Clearly another picture.
    assert np.abs(after - before).mean() > 4


@pytest.mark.parametrize(
    "name", [name for name in styles.SHIPPED if styles.SHIPPED[name].converted_from]
)
def test_the_network_beside_the_weights_is_theirs(name, tmp_path):
    file = styles.locate(name)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    network = styles.shipped_network(file, digest)
    assert network.stat().st_size <= 1.01 * file.stat().st_size
    engine = ConvertedEngine(network.read_bytes())
    model = weights.load_generator(file)
    assert engine.identity() == base.weights_digest(model)
    assert engine.arch == styles.SHIPPED[name].arch
    assert (engine.match_brightness, engine.multiple) == (False, 4 if engine.arch == "v2" else 8)
    batch = np.random.default_rng(0).uniform(-1, 1, (1, 64, 96, 3)).astype(np.float32)
    np.testing.assert_allclose(engine(batch), model(batch), atol=1e-4)
    # Not for weights that were changed, or for a folder of the same name elsewhere.
    assert styles.shipped_network(file, "0" * 64) is None
    copy = shutil.copytree(file.parent, tmp_path / name)
    assert styles.shipped_network(copy / file.name, digest) is None


def test_the_slim_requirements_are_those_of_the_package():
    text = (ROOT / "setup.py").read_text("utf-8")
    for line in (ROOT / "requirements-slim.txt").read_text("utf-8").splitlines():
        assert line.startswith("#") or f'"{line}"' in text
