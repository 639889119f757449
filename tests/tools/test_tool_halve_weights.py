"""Weights in float16, end to end."""

import functools

import numpy as np
import pytest
from commands import ROOT, run_tool
from toys import assign_seeded

import animegan_tf
from animegan_tf.export import check, halve
from animegan_tf.networks import weights

halved = functools.partial(run_tool, "halve_weights", folder=ROOT)


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    model = animegan_tf.build_generator("lite")
    assign_seeded(model)
    path = tmp_path_factory.mktemp("style") / "full.weights.h5"
    weights.save_generator(model, path)
    return model, path


def test_half_the_size_and_the_same_picture(lite, tmp_path):
    model, path = lite
    output = tmp_path / "half.weights.h5"
    done = halved(f"--checkpoint={path}", f"--output={output}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{output}: 1.6 MB; on 3 photos at least ")
    # What is not numbers, HDF5's own, is not halved.
    assert 1_396_480 <= output.stat().st_size < 0.6 * path.stat().st_size
    read = weights.load_generator(output)
    for old, new in zip(model.get_weights(), read.get_weights(), strict=True):
        assert new.dtype == np.float32
        np.testing.assert_array_equal(old.astype(np.float16), new)


def test_weights_that_float16_cannot_hold_are_refused(lite, tmp_path):
    model = animegan_tf.build_generator("lite")
    model.set_weights(lite[0].get_weights())
    # A norm follows, which divides the factor out again: without effect in float32.
    first = model.weights[0]
    first.assign(np.asarray(first) * 1e7)
    path, output = tmp_path / "large.weights.h5", tmp_path / "half.weights.h5"
    weights.save_generator(model, path)
    photos = check.read_photos(None, 1)
    with pytest.raises(animegan_tf.InputError, match="within float16's 65504, received one of"):
        halve.halve_weights(path, output, photos)
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    (
        (("--output=a.weights.h5",), "checkpoint: expected --checkpoint=..., received nothing"),
        (("--checkpoint=none.h5", "--output=a.weights.h5"), "there is no file 'none.h5'"),
        (("--checkpoint=none.h5", "--output=README.md"), "output: 'README.md' exists"),
        (
            ("--checkpoint=none.h5", "--output=a.h5"),
            "output: expected a name ending in .weights.h5",
        ),
        (("--checkpoint=a", "--output=b.weights.h5", "--photos=none"), "photos: expected a folder"),
    ),
)
def test_mistakes_are_one_line(arguments, text):
    done = halved(*arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert text in done.stderr
