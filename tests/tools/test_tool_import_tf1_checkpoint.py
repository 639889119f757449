"""The converter of published checkpoints, end to end."""

import functools

import numpy as np
import pytest
from commands import ROOT, run_tool
from tf1_files import write_checkpoint
from toys import assign_seeded

import animegan_tf
from animegan_tf.networks import tf1, weights

convert = functools.partial(run_tool, "import_tf1_checkpoint", folder=ROOT)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    model = animegan_tf.build_generator("v2")
    assign_seeded(model)
    values = {name: variable.numpy() for name, variable in tf1.variables(model).items()}
    prefix = tmp_path_factory.mktemp("tf1") / "Hayao-99.ckpt"
    write_checkpoint(prefix, {**values, "beta1_power": np.float32(0.5)})
    return model, prefix


def test_converts_and_names_the_arch(checkpoint, tmp_path):
    model, prefix = checkpoint
    output = tmp_path / "hayao.weights.h5"
    done = convert(f"--checkpoint={prefix}", f"--output={output}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"v2: 2,143,552 parameters in {output}\n"
    for old, new in zip(
        model.get_weights(), weights.load_generator(output).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)
    # The published data file has 8,574,208 bytes; ours adds little to the numbers.
    assert 8_574_208 <= output.stat().st_size < 9_000_000


@pytest.mark.parametrize(
    ("arguments", "text"),
    (
        (("--output=a.weights.h5",), "checkpoint: expected --checkpoint=..., received nothing"),
        (("--checkpoint=none", "--output=a.weights.h5"), "there is no none.index"),
        (("--checkpoint=none", "--output=README.md"), "output: 'README.md' exists"),
        (("--checkpoint=none", "--output=a.h5"), "output: expected a name ending in .weights.h5"),
    ),
)
def test_mistakes_are_one_line(arguments, text):
    done = convert(*arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert text in done.stderr
