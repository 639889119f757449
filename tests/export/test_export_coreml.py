"""`--format=coreml`: the package, and what its program computes, evaluated by TensorFlow."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from commands import call
from pictures import ramps
from toys import layered_generator

from animegan_tf import export, images
from animegan_tf.errors import InputError
from animegan_tf.export import check, coreml

tools = pytest.importorskip("coremltools")
PAD = {"valid": "VALID", "same": "SAME", "custom": "VALID"}


@pytest.fixture(scope="module")
def toy():
    return layered_generator()


def conv(x, weight, strides, pad_type, groups, bias=None, **_):
    assert groups == 1
    x, kernel = tf.transpose(x, (0, 2, 3, 1)), tf.transpose(weight, (2, 3, 1, 0))
    x = tf.nn.conv2d(x, kernel, list(strides), PAD[pad_type])
    return tf.transpose(x if bias is None else x + bias, (0, 3, 1, 2))


def slice_by_size(x, begin, size):
    return tf.slice(x, begin, size)


def resize(x, target_size_height, target_size_width, sampling_mode):
    """As TensorFlow 1: positions times a factor, without half pixels."""
    assert sampling_mode == "DEFAULT"
    resized = tf.compat.v1.image.resize_bilinear(
        tf.transpose(x, (0, 2, 3, 1)), (target_size_height, target_size_width)
    )
    return tf.transpose(resized, (0, 3, 1, 2))


OPERATIONS = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "minimum": tf.minimum,
    "maximum": tf.maximum,
    "tanh": lambda x: tf.tanh(x),
    "rsqrt": lambda x, epsilon: tf.math.rsqrt(x + epsilon),
    "leaky_relu": lambda x, alpha: tf.nn.leaky_relu(x, alpha),
    "reduce_mean": lambda x, axes, keep_dims: tf.reduce_mean(x, axes, keep_dims),
    "transpose": lambda x, perm: tf.transpose(x, perm),
    "concat": lambda values, axis, interleave: tf.concat(values, axis),
    "conv": conv,
    "slice_by_size": slice_by_size,
    "resize_bilinear": resize,
}


def evaluated(path, levels):
    """The output of the program of a package for an image (H, W, 3)."""
    from coremltools.converters.mil.frontend.milproto.load import load

    model = tools.models.MLModel(str(path), skip_model_load=True)
    spec = model.get_spec()
    program = load(spec, spec.specificationVersion, file_weights_dir=model.weights_dir)
    values = {"photo": tf.constant(levels.transpose(2, 0, 1)[None], tf.float32)}

    def value(variable):
        if isinstance(variable, (list, tuple)):
            return [value(one) for one in variable]
        return variable.val if variable.val is not None else values[variable.name]

    main = program.functions["main"]
    for operation in main.operations:
        if operation.op_type == "const":
            continue
        inputs = {name: value(variable) for name, variable in operation.inputs.items()}
        values[operation.outputs[0].name] = OPERATIONS[operation.op_type](**inputs)
    return values["stylized"].numpy()[0].transpose(1, 2, 0)


@pytest.mark.slow
def test_the_program_of_the_package_computes_what_the_model_does(toy, tmp_path):
    output = tmp_path / "new" / "a.mlpackage"
    report = export.export_coreml(toy, output, size=(48, 64), license_text="CC0", name="Ours")
    assert report["psnr_db"]["lowest"] > 60 and not report["run_by_core_ml"]
    assert {path.name for path in output.parent.iterdir()} == {"a.mlpackage", "a.report.json"}
    photo = ramps(48, 64)
    made = evaluated(output, photo)
    assert made.min() >= 0 and made.max() <= 255
    expected = check.expected(toy, images.to_network(photo)[None])[0]
    assert check.psnr((made / 127.5 - 1).astype(np.float32), expected) > 90
    spec = tools.models.MLModel(str(output), skip_model_load=True).get_spec()
    assert spec.description.metadata.license == "CC0"
    own = dict(spec.description.metadata.userDefined)
    assert own["style"] == "ours" and own["match_brightness"] == "true"
    with pytest.raises(InputError, match="exists"):
        export.export_coreml(toy, output)
    again = export.export_coreml(toy, output, size=(64, 64), overwrite=True)
    assert again["size"] == "64x64"
    assert {path.name for path in output.parent.iterdir()} == {"a.mlpackage", "a.report.json"}


def test_mistakes(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"ending in \.mlpackage"):
        coreml.check_options(tmp_path / "a.mlmodel")
    with pytest.raises(InputError, match="size: expected WIDTHxHEIGHT for coreml"):
        coreml.check_options(tmp_path / "a.mlpackage", None)
    monkeypatch.setitem(sys.modules, "coremltools", None)
    flags = ("--format=coreml", "--output=a.mlpackage")
    done = call("animegan_tf/export/__main__.py", *flags, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "animegan_tf[coreml]" in done.stderr
