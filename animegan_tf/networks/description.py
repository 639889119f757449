"""A generator as plain data, from which other frameworks build the same network.

A description is a list of nodes, dicts of `name`, `op` (the layer's class), `inputs` (names of
nodes, or `INPUT`) and the attributes of the operation, and a dict of weights {"node/weight": array}
in Keras' layouts. The last node is the output of the network.
"""

import numpy as np

from animegan_tf.errors import InputError

INPUT = "photo"


def describe(model):
    """(nodes, weights) of a functional Keras model with one input.

    Raises `InputError` for layers that are not those of the generators.
    """
    import keras

    names, nodes, weights, tensors = {}, [], {}, []

    def record(layer, inputs, **options):
        output = layer(inputs, **options)
        tensors.append(output)  # keeps it alive, so that its id stays unique
        sources = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        nodes.append(
            {
                "name": layer.name,
                "op": type(layer).__name__,
                "inputs": [names.get(id(tensor), INPUT) for tensor in sources],
                **_attributes(layer),
            }
        )
        for variable in layer.weights:
            weights[f"{layer.name}/{variable.name}"] = np.asarray(variable)
        names[id(output)] = layer.name
        return output

    keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=record)
    return nodes, weights


def _attributes(layer):
    kind = type(layer).__name__
    if kind in ("Conv2D", "DepthwiseConv2D"):
        if layer.padding != "valid" or set(layer.dilation_rate) != {1}:
            raise InputError(
                f"model: expected convolutions without padding or dilation, received {layer.name}"
            )
        return {"strides": list(layer.strides)}
    if kind == "ReflectionPad2D":
        return {"padding": layer.padding}
    if kind == "LayerNorm2D":
        return {"epsilon": layer.epsilon, "per_channel": layer.per_channel}
    if kind == "LeakyReLU":
        return {"slope": float(layer.negative_slope)}
    if kind == "Activation" and layer.activation.__name__ == "tanh":
        return {}
    if kind in ("Add", "LegacyUpsampling2D", "LegacyHalving2D"):
        return {}
    raise InputError(f"model: expected layers of the generators, received {kind} {layer.name}")


def convolution_kernel(node, weights):
    """A convolution's kernel as (out, in / groups, height, width), and its number of groups."""
    kernel = weights[f"{node['name']}/kernel"]
    if node["op"] == "DepthwiseConv2D":
        if kernel.shape[3] != 1:
            raise InputError(f"model: expected a depth multiplier of 1 in {node['name']}")
        return np.ascontiguousarray(kernel.transpose(2, 3, 0, 1)), kernel.shape[2]
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), 1
