"""A `description` as an ONNX model: any size, NHWC in and out, NCHW inside. Needs onnx."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks import description

# Old enough for most runtimes; everything used here is in it.
_OPSET, _IR_VERSION = 17, 8


def build(nodes, weights):
    """The `onnx.ModelProto`: float32 `images` (N, H, W, 3) in [-1, 1] to the same, `stylized`."""
    graph = _Graph(weights)
    values = {description.INPUT: graph.operator("Transpose", "images", perm=(0, 3, 1, 2))}
    for node in nodes:
        given = [values[name] for name in node["inputs"]]
        values[node["name"]] = getattr(graph, node["op"].lower())(node, *given)
    last = values[nodes[-1]["name"]]
    graph.nodes.append(helper.make_node("Transpose", [last], ["stylized"], perm=(0, 2, 3, 1)))
    made, taken = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", "H", "W", 3])
        for name in ("stylized", "images")
    )
    model = helper.make_model(
        helper.make_graph(graph.nodes, "generator", [taken], [made], graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    onnx.checker.check_model(model)
    return model


class _Graph:
    """Collects nodes and constants; a method for each kind of layer gives its output's name."""

    def __init__(self, weights):
        self.nodes, self.constants = [], []
        self._weights = weights

    def operator(self, op, *inputs, **attributes):
        """Add an operator; the name of its output."""
        name = f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def constant(self, value):
        """Add a constant; its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _weight(self, node, name):
        return self._weights.get(f"{node['name']}/{name}")

    def conv2d(self, node, x):
        kernel, groups = description.convolution_kernel(node, self._weights)
        inputs = [x, self.constant(kernel)]
        bias = self._weight(node, "bias")
        if bias is not None:
            inputs.append(self.constant(bias))
        return self.operator("Conv", *inputs, strides=node["strides"], group=groups)

    depthwiseconv2d = conv2d

    def reflectionpad2d(self, node, x):
        (top, bottom), (left, right) = node["padding"]
        pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        return self.operator("Pad", x, self.constant(pads), mode="reflect")

    def layernorm2d(self, node, x):
        def mean(values):
            means = self.operator("ReduceMean", values, axes=(2, 3), keepdims=1)
            if node["per_channel"]:
                return means
            # In two steps: ONNX Runtime adds up a large picture in float32, and a norm over all of
            # it (InstanceNormalization too, as PyTorch exports it) is a hundred times less exact.
            return self.operator("ReduceMean", means, axes=(1,), keepdims=1)

        gamma, beta = (
            self.constant(self._weight(node, name).reshape(1, -1, 1, 1))
            for name in ("gamma", "beta")
        )
        epsilon = self.constant(np.float32(node["epsilon"]))
        centred = self.operator("Sub", x, mean(x))
        variance = mean(self.operator("Mul", centred, centred))
        deviation = self.operator("Sqrt", self.operator("Add", variance, epsilon))
        scale = self.operator("Div", gamma, deviation)
        return self.operator("Add", self.operator("Mul", centred, scale), beta)

    def leakyrelu(self, node, x):
        return self.operator("LeakyRelu", x, alpha=node["slope"])

    def legacyupsampling2d(self, node, x):
        del node
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.operator(
            "Resize",
            x,
            "",
            scales,
            mode="linear",
            coordinate_transformation_mode="asymmetric",
        )

    def legacyhalving2d(self, node, x):
        del node
        bounds = ((0, 0), (2**62, 2**62), (2, 3), (2, 2))
        constants = [self.constant(np.array(value, np.int64)) for value in bounds]
        return self.operator("Slice", x, *constants)

    def add(self, node, *given):
        del node
        return self.operator("Sum", *given)

    def activation(self, node, x):
        del node
        return self.operator("Tanh", x)


def write(folder, output):
    """A task (see `worker`) that writes the ONNX file `output` of the description in `folder`."""

    def work():
        onnx.save(build(*description.load(folder)), output)
        return 0.0

    return work
