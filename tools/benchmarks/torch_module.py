"""A `networks.description` as a PyTorch module: NHWC in and out. Needs torch."""

import torch
from torch.nn import functional

from animegan_tf.networks.description import INPUT, convolution_kernel


class TorchGenerator(torch.nn.Module):
    """float32 RGB in [-1, 1], (N, H, W, 3), to the same."""

    def __init__(self, nodes, weights):
        super().__init__()
        self._steps = [(node, getattr(self, f"_{node['op'].lower()}")) for node in nodes]
        self._last_use = {name: at for at, node in enumerate(nodes) for name in node["inputs"]}
        self._groups = {}
        for node in nodes:
            if node["op"] in ("Conv2D", "DepthwiseConv2D"):
                kernel, self._groups[node["name"]] = convolution_kernel(node, weights)
                kernel = torch.from_numpy(kernel).contiguous(memory_format=torch.channels_last)
                self._keep(node, "kernel", kernel)
            for name in ("bias", "gamma", "beta"):
                value = weights.get(f"{node['name']}/{name}")
                if value is not None:
                    self._keep(node, name, torch.from_numpy(value))

    def _keep(self, node, name, value):
        # PyTorch forbids dots in names.
        self.register_buffer(f"{node['name']}/{name}".replace(".", "_"), value)

    def _weight(self, node, name):
        return getattr(self, f"{node['name']}/{name}".replace(".", "_"), None)

    def forward(self, photo):
        values = {INPUT: photo.permute(0, 3, 1, 2)}  # channels-last already
        for at, (node, step) in enumerate(self._steps):
            values[node["name"]] = step(node, *(values[name] for name in node["inputs"]))
            for name in node["inputs"]:
                if self._last_use[name] == at:
                    values.pop(name, None)
        return values[self._steps[-1][0]["name"]].permute(0, 2, 3, 1).contiguous()

    def _conv2d(self, node, x):
        return functional.conv2d(
            x,
            self._weight(node, "kernel"),
            self._weight(node, "bias"),
            node["strides"],
            groups=self._groups[node["name"]],
        )

    _depthwiseconv2d = _conv2d

    def _reflectionpad2d(self, node, x):
        (top, bottom), (left, right) = node["padding"]
        return functional.pad(x, (left, right, top, bottom), mode="reflect")

    def _layernorm2d(self, node, x):
        groups = x.shape[1] if node["per_channel"] else 1
        gamma, beta = self._weight(node, "gamma"), self._weight(node, "beta")
        return functional.group_norm(x, groups, gamma, beta, node["epsilon"])

    def _leakyrelu(self, node, x):
        return functional.leaky_relu(x, node["slope"])

    def _legacyupsampling2d(self, node, x):
        del node
        height, width = x.shape[2:]
        # With the last row and column repeated, aligned corners are half a sample apart.
        padded = functional.pad(x, (0, 1, 0, 1), mode="replicate")
        size = (2 * height + 1, 2 * width + 1)
        doubled = functional.interpolate(padded, size, mode="bilinear", align_corners=True)
        return doubled[:, :, : 2 * height, : 2 * width]

    def _legacyhalving2d(self, node, x):
        del node
        return x[:, :, ::2, ::2]

    def _add(self, node, *given):
        del node
        return sum(given)

    def _activation(self, node, x):
        del node
        return torch.tanh(x)
