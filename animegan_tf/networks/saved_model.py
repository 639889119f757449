"""SavedModels on disk: written, and checked before TensorFlow loads them.

A SavedModel is a program: its operators can read and write files and open connections, some as soon
as it is loaded.
"""

import re
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from animegan_tf.errors import InputError
from animegan_tf.networks import checkpoint_index

# Stateful operators, in TensorFlow's terms, that access nothing outside of the graph.
_HARMLESS = frozenset((
    "Assert", "AssignVariableOp", "Case", "DisableCopyOnRead", "If", "Placeholder",
    "ReadVariableOp", "StatefulPartitionedCall", "VarHandleOp", "VarIsInitializedOp", "While",
))  # fmt: skip
# Other operators that read files or take file names.
_READS = re.compile("File|Dataset|Snapshot|Proto|VocabRemapping|TPU|Risc|PyFunc|Remote|Rpc")


def save(module, folder, signatures, options=None):
    """`tf.saved_model.save`; raises `OSError` where that fails, such as on a full disk."""
    try:
        tf.saved_model.save(module, str(folder), signatures=signatures, options=options)
    except tf.errors.OpError as error:
        reason = error.message.rpartition("; ")[2]
        raise OSError(f"{Path(folder).parent} cannot be written: {reason}") from error


def check(folder):
    """Raise `InputError` if the SavedModel in `folder` has operators that do more than compute.

    Its variables are checked like those of other checkpoints.
    """
    folder = Path(folder)
    try:
        if (folder / "saved_model.cpb").exists():  # TensorFlow would read that one
            raise ValueError("it is split into several files")
        data = (folder / "saved_model.pb").read_bytes()
        graphs = saved_model_pb2.SavedModel.FromString(data).meta_graphs
        if len(graphs) != 1 or not graphs[0].HasField("object_graph_def"):
            raise ValueError("it is not of TensorFlow 2")
        refused = _refused(graphs[0])
    except Exception as error:  # protobuf's exceptions depend on its version
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"checkpoint: {folder} is not a readable SavedModel: {reason}") from error
    if refused:
        raise InputError(
            f"checkpoint: expected a SavedModel that only computes, {folder} has operators that "
            f"may reach files or the network, and was not loaded: {', '.join(refused)}"
        )
    variables = folder / "variables" / "variables"
    if variables.with_suffix(".index").exists():
        checkpoint_index.check(variables)


def _refused(graph):
    """The names of refused operators in the functions that loading or a call may run."""
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    # Not those that save and restore variables, which TensorFlow 2 does not run.
    waiting, seen, refused = list(graph.object_graph_def.concrete_functions), set(), set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in functions[name].node_def:
            waiting += [node.op, *_called(node)]
            if node.op not in functions and not _is_harmless(node.op):
                refused.add(node.op)
    return sorted(refused)


def _called(node):
    """The names of functions in the attributes of a node."""
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)


def _is_harmless(name):
    operator = op_def_registry.get(name)
    if operator is None:
        return False
    return name in _HARMLESS or not (operator.is_stateful or _READS.search(name))
