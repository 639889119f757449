"""A generator as an OpenVINO model for photos and frames of any size, written and run.

The model is built from `networks.description`: images NHWC, the network itself NCHW. Needs the
package openvino (extra `openvino`); running it needs no TensorFlow.
"""

import json
import tempfile
from pathlib import Path

import numpy as np

from animegan_tf.memory import cores
from animegan_tf.networks import description

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def build(nodes, weights, own):
    """The file (bytes) of a described network: `own` as a line of JSON, the IR and its weights.

    own: the properties that `ConvertedEngine` reads; "averages" are the places of the norms'
    averages in the vector `memory`.
    """
    import openvino

    network = _Network(weights, own["averages"]).model(nodes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.xml")
        openvino.serialize(network, path)
        xml, numbers = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    return b"\n".join([json.dumps({**own, "xml": len(xml)}).encode(), xml + numbers])


class _Network:
    """Builds the model; a method per kind of layer returns its output."""

    def __init__(self, weights, places):
        import openvino
        from openvino import opset13

        self._openvino, self._ops = openvino, opset13
        self._weights, self._places, self._after = weights, places, {}

    def model(self, nodes):
        ops, averages = self._ops, sum(count for _, count in self._places.values())
        images = ops.parameter([1, -1, -1, 3], np.float32, "images")
        self._rate = ops.parameter([1], np.float32, "rate")
        self._memory = ops.parameter([averages], np.float32, "memory")
        values = {description.INPUT: ops.transpose(images, np.int64([0, 3, 1, 2]))}
        for node in nodes:
            inputs = [values[name] for name in node["inputs"]]
            values[node["name"]] = getattr(self, node["op"].lower())(node, *inputs)
        output = ops.transpose(values[nodes[-1]["name"]], np.int64([0, 2, 3, 1]))
        after = ops.concat([self._after[name] for name in self._places], 0)
        return self._openvino.Model([output, after], [images, self._rate, self._memory])

    def conv2d(self, node, x):
        kernel, groups = description.convolution_kernel(node, self._weights)
        no_pads, plain = [0, 0], [1, 1]
        if groups == 1:
            x = self._ops.convolution(x, kernel, node["strides"], no_pads, no_pads, plain)
        else:
            kernel = kernel.reshape(groups, -1, *kernel.shape[1:])
            x = self._ops.group_convolution(x, kernel, node["strides"], no_pads, no_pads, plain)
        bias = self._weights.get(f"{node['name']}/bias")
        return x if bias is None else self._ops.add(x, bias.reshape(1, -1, 1, 1))

    depthwiseconv2d = conv2d

    def reflectionpad2d(self, node, x):
        (top, bottom), (left, right) = node["padding"]
        return self._ops.pad(
            x, np.int64([0, 0, top, left]), np.int64([0, 0, bottom, right]), "reflect"
        )

    def layernorm2d(self, node, x):
        ops, name = self._ops, node["name"]

        def mean(values):
            means = ops.reduce_mean(values, np.int64([2, 3]), keep_dims=True)
            if not node["per_channel"]:
                means = ops.reduce_mean(means, np.int64([1]), keep_dims=True)
            return means

        own = mean(x)
        variance = mean(ops.squared_difference(x, own))
        own, variance = (
            self._blended(f"{name}/{kind}", value)
            for kind, value in (("mean", own), ("variance", variance))
        )
        gamma, beta = (
            self._weights[f"{name}/{kind}"].reshape(1, -1, 1, 1) for kind in ("gamma", "beta")
        )
        deviation = ops.sqrt(ops.add(variance, np.float32(node["epsilon"])))
        scaled = ops.multiply(ops.subtract(x, own), ops.divide(gamma, deviation))
        return ops.add(scaled, beta)

    def _blended(self, name, value):
        """The moving average for the statistics of this image."""
        ops, (start, count) = self._ops, self._places[name]
        before = ops.slice(
            self._memory, np.int64([start]), np.int64([start + count]), np.int64([1])
        )
        before = ops.reshape(before, np.int64([1, count, 1, 1]), False)
        blended = ops.add(before, ops.multiply(self._rate, ops.subtract(value, before)))
        self._after[name] = ops.reshape(blended, np.int64([count]), False)
        return blended

    def leakyrelu(self, node, x):
        return self._ops.prelu(x, np.float32([node["slope"]]))

    def legacyupsampling2d(self, node, x):
        del node
        return self._ops.interpolate(
            x, np.float32([2, 2]), "linear_onnx", "scales", coordinate_transformation_mode=
            "asymmetric", axes=np.int64([2, 3]),
        )  # fmt: skip

    def legacyhalving2d(self, node, x):
        del node
        return self._ops.slice(
            x, np.int64([0, 0]), np.int64([2**31, 2**31]), np.int64([2, 2]), np.int64([2, 3])
        )

    def add(self, node, *inputs):
        del node
        total, *others = inputs
        for value in others:
            total = self._ops.add(total, value)
        return total

    def activation(self, node, x):
        del node
        return self._ops.tanh(x)


class OpenVINO:
    """A runtime (see `runtimes`) for a file of `build`; it is compiled, in about a second."""

    def __init__(self, file, precision="float32"):
        import openvino

        line, _, content = file.partition(b"\n")
        self.own = json.loads(line)
        xml, numbers = content[: self.own["xml"]], content[self.own["xml"] :]
        core = openvino.Core()
        hints = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": cores(),
        }
        self._compiled = core.compile_model(core.read_model(xml, numbers), "CPU", hints)
        self.release()

    def release(self):
        """Free the memory of the last image."""
        self._request, self.held = self._compiled.create_infer_request(), 0

    def __call__(self, images, rate, memory):
        try:
            output, after = self._request.infer([images, rate, memory]).values()
        except RuntimeError as error:
            self.release()
            raise MemoryError(str(error)) from error
        self.held = images.shape[1] * images.shape[2]
        return output, after
