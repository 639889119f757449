"""A `networks.description` in ncnn, for pictures of one size. Needs ncnn."""

import struct
import tempfile
from pathlib import Path

import numpy as np

from animegan_tf.networks.description import INPUT, convolution_kernel

_MAGIC = 7767517
# Kinds of padding and resizing, and the start of raw float32 weights.
_REFLECT, _REPLICATE, _NEAREST, _BILINEAR, _RAW = 2, 1, 1, 2, struct.pack("<I", 0)


class Network:
    """The files of ncnn: `param` (text) and `bin` (bytes); a method per kind of layer."""

    def __init__(self, nodes, weights, height, width):
        self._weights, self._lines, self._blobs, self._bytes = weights, [], 1, []
        self._sizes = {INPUT: (height, width)}
        uses = [name for node in nodes for name in node["inputs"]]
        self._waiting, self._uses = {}, {name: uses.count(name) for name in uses}
        self._add("Input", "in0", [], INPUT)
        for node in nodes:
            sources = [self._waiting[name].pop() for name in node["inputs"]]
            self._size = self._sizes[node["inputs"][0]]
            kind = "sum" if node["op"] == "Add" else node["op"].lower()
            getattr(self, f"_{kind}")(node, sources)
            self._sizes[node["name"]] = self._size
        self.output = nodes[-1]["name"]
        self.param = f"{_MAGIC}\n{len(self._lines)} {self._blobs}\n" + "\n".join(self._lines) + "\n"
        self.bin = b"".join(self._bytes)

    def _add(self, kind, name, sources, output, **options):
        """A layer; an output that is read twice is split, as ncnn wants it."""
        values = " ".join(f"{key.strip('_')}={value}" for key, value in options.items())
        words = [kind, name, len(sources), 1, *sources, output]
        self._lines.append(f"{' '.join(map(str, words))} {values}".strip())
        count = self._uses.get(output, 0)
        self._waiting[output] = [output]
        if count > 1:
            parts = [f"{output}_{number}" for number in range(count)]
            words = ["Split", f"split_{output}", 1, count, output, *parts]
            self._lines.append(" ".join(map(str, words)))
            self._waiting[output], self._blobs = parts, self._blobs + count
        self._blobs += kind != "Input"

    def _numbers(self, values):
        self._bytes.append(np.ascontiguousarray(values, np.float32).tobytes())

    def _conv2d(self, node, sources):
        kernel, groups = convolution_kernel(node, self._weights)
        bias, stride = self._weights.get(f"{node['name']}/bias"), node["strides"][0]
        filters, _, rows, columns = kernel.shape
        options = {"_0": filters, "_1": columns, "_11": rows, "_3": stride}
        options |= {"_5": int(bias is not None), "_6": kernel.size}
        kind = "Convolution"
        if groups > 1:
            kind, options["_7"] = "ConvolutionDepthWise", groups
        self._bytes.append(_RAW)
        self._numbers(kernel)
        if bias is not None:
            self._numbers(bias)
        height, width = self._size
        self._size = (height - rows) // stride + 1, (width - columns) // stride + 1
        self._add(kind, node["name"], sources, node["name"], **options)

    _depthwiseconv2d = _conv2d

    def _reflectionpad2d(self, node, sources):
        (top, bottom), (left, right) = node["padding"]
        options = {"_0": top, "_1": bottom, "_2": left, "_3": right, "_4": _REFLECT}
        self._size = self._size[0] + top + bottom, self._size[1] + left + right
        self._add("Padding", node["name"], sources, node["name"], **options)

    def _layernorm2d(self, node, sources):
        gamma, beta = (self._weights[f"{node['name']}/{name}"] for name in ("gamma", "beta"))
        groups = gamma.size if node["per_channel"] else 1
        options = {"_0": groups, "_1": gamma.size, "_2": node["epsilon"]}
        self._numbers(gamma)
        self._numbers(beta)
        self._add("GroupNorm", node["name"], sources, node["name"], **options)

    def _leakyrelu(self, node, sources):
        self._add("ReLU", node["name"], sources, node["name"], _0=node["slope"])

    def _legacyupsampling2d(self, node, sources):
        # With the last row and column repeated, aligned corners are half a sample apart.
        name, (height, width) = node["name"], (2 * side for side in self._size)
        wide = {"_0": _BILINEAR, "_3": height + 1, "_4": width + 1, "_6": 1}
        self._add("Padding", f"{name}.pad", sources, f"{name}.pad", _1=1, _3=1, _4=_REPLICATE)
        self._add("Interp", f"{name}.wide", [f"{name}.pad"], f"{name}.wide", **wide)
        self._add("Crop", name, [f"{name}.wide"], name, _3=width, _4=height, _5=-233)
        self._size = height, width

    def _legacyhalving2d(self, node, sources):
        self._size = tuple(side // 2 for side in self._size)
        options = {"_0": _NEAREST, "_3": self._size[0], "_4": self._size[1]}
        self._add("Interp", node["name"], sources, node["name"], **options)

    def _sum(self, node, sources):
        self._add("BinaryOp", node["name"], sources, node["name"], _0=0)

    def _activation(self, node, sources):
        self._add("TanH", node["name"], sources, node["name"])


class Ncnn:
    """A function of float32 RGB in [-1, 1], (N, H, W, 3), of one size, to the same."""

    def __init__(self, nodes, weights, height, width, threads):
        import ncnn

        network = Network(nodes, weights, height, width)
        self._ncnn, self._net, self._output = ncnn, ncnn.Net(), network.output
        self._net.opt.num_threads = threads
        self._net.load_param_mem(network.param)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "network.bin")
            path.write_bytes(network.bin)
            self._net.load_model(str(path))

    def __call__(self, images):
        return np.stack([self._one(image) for image in images])

    def _one(self, image):
        planes = np.ascontiguousarray(image.transpose(2, 0, 1))
        extractor = self._net.create_extractor()
        extractor.input(INPUT, self._ncnn.Mat(planes))
        return np.array(extractor.extract(self._output)[1]).transpose(1, 2, 0)
