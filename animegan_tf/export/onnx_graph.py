"""A generator as an ONNX model, written from its `networks.description`. Needs onnx."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from animegan_tf.networks import description
from animegan_tf.networks.generator import size_multiple

# Old enough for most runtimes, and all operators used here are in it.
_OPSET, _IR_VERSION = 17, 8
_TYPES = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8}
INPUT, OUTPUT = "images", "stylized"


def build(model, size=None, io="float32", layout="nhwc", properties=None):
    """The `onnx.ModelProto` of `model`, a generator of `build_generator`.

    Input `images` and output `stylized` are RGB, float32 in [-1, 1] or, with `io` "uint8", levels;
    (N, H, W, 3), or with `layout` "nchw" (N, 3, H, W). size: (height, width) for a batch of one,
    else any size and batch: sides are padded by reflection to the network's multiple, and the
    output is cropped. properties: {name: text}, stored as the model's metadata properties.
    """
    nodes, weights = description.describe(model)
    graph = _Graph(weights)
    x = INPUT
    if io == "uint8":
        x = graph.operator("Cast", x, to=TensorProto.FLOAT)
        x = graph.operator("Div", x, graph.constant(np.float32(127.5)))
        x = graph.operator("Sub", x, graph.constant(np.float32(1)))
    if layout == "nhwc":
        x = graph.operator("Transpose", x, perm=(0, 3, 1, 2))
    if size is None:
        sides = graph.operator("Shape", x, start=2, end=4)
        x = graph.padded(x, sides, size_multiple(model))
    x = graph.network(nodes, x)
    if size is None:
        x = graph.cropped(x, sides)
    if layout == "nhwc":
        x = graph.operator("Transpose", x, perm=(0, 2, 3, 1))
    if io == "uint8":
        x = graph.operator("Add", x, graph.constant(np.float32(1)))
        x = graph.operator("Mul", x, graph.constant(np.float32(127.5)))
        bounds = (graph.constant(np.float32(value)) for value in (0, 255))
        x = graph.operator("Clip", graph.operator("Round", x), *bounds)
        x = graph.operator("Cast", x, to=TensorProto.UINT8)
    graph.nodes.append(helper.make_node("Identity", [x], [OUTPUT]))
    return _model(graph, size, _TYPES[io], layout, properties or {})


def _model(graph, size, kind, layout, properties):
    batch, height, width = ("N", "H", "W") if size is None else (1, *size)
    shape = (batch, height, width, 3) if layout == "nhwc" else (batch, 3, height, width)
    input_, output = (helper.make_tensor_value_info(n, kind, shape) for n in (INPUT, OUTPUT))
    made = helper.make_model(
        helper.make_graph(graph.nodes, "generator", [input_], [output], graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="animegan_tf",
    )
    helper.set_model_props(made, properties)
    onnx.checker.check_model(made)
    return made


class _Graph:
    """Collects nodes and constants; a method per kind of layer returns the name of its output."""

    def __init__(self, weights):
        self.nodes, self.constants = [], []
        self._weights = weights

    def network(self, nodes, x):
        """Add the nodes of a description with the input `x` (N, 3, H, W)."""
        values = {description.INPUT: x}
        for node in nodes:
            inputs = [values[name] for name in node["inputs"]]
            values[node["name"]] = getattr(self, node["op"].lower())(node, *inputs)
        return values[nodes[-1]["name"]]

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

    def padded(self, x, sides, multiple):
        """`x` (N, 3, H, W), H and W as the tensor `sides`, reflected at the bottom and right."""
        whole = self.constant(np.array([multiple] * 2, np.int64))
        missing = self.operator("Sub", whole, self.operator("Mod", sides, whole))
        missing = self.operator("Mod", missing, whole)
        zeros = self.constant(np.zeros(6, np.int64))
        return self.operator(
            "Pad", x, self.operator("Concat", zeros, missing, axis=0), mode="reflect"
        )

    def cropped(self, x, sides):
        starts, axes = (self.constant(np.array(value, np.int64)) for value in ((0, 0), (2, 3)))
        return self.operator("Slice", x, starts, sides, axes)

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
            # In two steps: ONNX Runtime sums a large image in float32, and a norm over all of it
            # (InstanceNormalization too, as PyTorch exports it) is a hundred times less exact.
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

    def add(self, node, *inputs):
        del node
        return self.operator("Sum", *inputs)

    def activation(self, node, x):
        del node
        return self.operator("Tanh", x)
