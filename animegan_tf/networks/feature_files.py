"""VGG weights on disk, read without trusting them: `vgg19.npy`, Keras' `.h5`, and plain `.npz`.

The published `vgg16.npy` and `vgg19.npy` are pickles, {"conv1_1": [kernel HWIO, bias], ...} in a
.npy. Classes of this module replace the few names that such a file calls; others are refused.
`.npz` holds the arrays "conv1_1/kernel" and "conv1_1/bias". Shapes are compared before numbers are
read. Needs no TensorFlow.
"""

import math
import mmap
import pickle
import pickletools
import re
import types
import zipfile
from pathlib import Path

import numpy as np

from animegan_tf import storage
from animegan_tf.errors import InputError

BLOCKS = {"vgg19": (2, 2, 4, 4), "vgg16": (2, 2, 3, 3)}
FILTERS = (64, 128, 256, 512)
_LEAVES = ("kernel", "bias")


def conv_names(depth):
    """The names of the convolutions that features of `depth` need, e.g. "conv1_1"."""
    return [
        f"conv{block}_{conv}"
        for block, count in enumerate(BLOCKS[depth], 1)
        for conv in range(1, count + 1)
    ]


def _layer_shapes():
    """{"conv1_1": (kernel's shape, bias's shape), ...} of VGG19, which has VGG16's and more."""
    shapes, fan_in = {}, 3
    for name in conv_names("vgg19"):
        fan_out = FILTERS[int(name[4]) - 1]
        shapes[name] = ((3, 3, fan_in, fan_out), (fan_out,))
        fan_in = fan_out
    return shapes


SHAPES = _layer_shapes()


def read(weights):
    """The file's layers as {"conv1_1": [kernel, bias], ...}, float arrays.

    An array of another shape than expected may be replaced by an object with only its `shape`.
    Raises `InputError` for other files.
    """
    path = Path(weights)
    if not path.is_file():
        raise InputError(
            f"features: expected 'imagenet', a .npy, .npz or a Keras .h5 file, received "
            f"{str(path)!r}, which is not a file"
        )
    kinds = {
        ".npy": (_read_npy, "a pickled dict of VGG layers"),
        ".npz": (_read_npz, "a readable .npz file"),
        ".h5": (_read_h5, "a readable HDF5 file"),
        ".hdf5": (_read_h5, "a readable HDF5 file"),
    }
    if path.suffix not in kinds:
        raise InputError(f"features: expected a .npy, .npz or .h5 file, received {str(path)!r}")
    reader, kind = kinds[path.suffix]
    try:
        return reader(path)
    except Exception as error:  # the readers raise all kinds for damaged files
        reason = str(error)[:200] or type(error).__name__
        raise InputError(f"features: {str(path)!r} is not {kind}: {reason}") from error


def write_npz(weights, output):
    """Write the layers of the file `weights` that features need to `output`, a plain `.npz`.

    Returns their names. Raises `InputError` unless those of VGG16 at least are there and fit.
    """
    if Path(output).suffix != ".npz":
        raise InputError(f"output: expected a name ending in .npz, received {str(output)!r}")
    values = read(weights)
    check_fit(values, weights, "vgg19" if "conv3_4" in values else "vgg16")
    names = [name for name in SHAPES if name in values]
    arrays = {
        f"{name}/{leaf}": np.asarray(value, np.float32)
        for name in names
        for leaf, value in zip(_LEAVES, values[name], strict=True)
    }
    with storage.aside(output, ".npz") as temporary:
        np.savez(temporary, **arrays)
    return names


def check_fit(values, source, depth):
    """Raise `InputError` naming every layer of `depth` that `values` lacks or has misshapen."""
    # Every layer of VGG16 is in a VGG19 file under the same name, and would give other features.
    vgg19 = depth == "vgg16" and "conv3_4" in values
    problems = ["it is a VGG19 (it has conv3_4)"] if vgg19 else []
    for name in conv_names(depth):
        expected = list(SHAPES[name])
        if name not in values:
            problems.append(f"it lacks {name}")
            continue
        received = [getattr(value, "shape", None) for value in values[name]]
        if received != expected:
            problems.append(f"{name} has shapes {received} where {expected} are expected")
    if problems:
        raise InputError(f"features: {str(source)!r} does not fit {depth}: " + "; ".join(problems))


def _header(file):
    """The shape, whether columns come first, and the dtype that a .npy in `file` states."""
    version = np.lib.format.read_magic(file)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    try:
        return reader(file)
    except Exception as error:  # among others what Python's own tokenizer raises
        raise ValueError("its header is damaged") from error


def _read_npy(path):
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        shape, _, dtype = _header(data)
        if shape != () or dtype.kind != "O":
            raise ValueError(f"an array of {dtype} with shape {shape}")
        start = data.tell()
        for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
            # The unpickler allocates as many places as the largest number of a memo.
            memo = argument if operation.name in ("PUT", "LONG_BINPUT") else 0
            if max(count, memo) > _MOST_OPERATIONS:
                raise ValueError("it is longer than a weights file")
        data.seek(start)
        values = _objects(_Unpickler(data, encoding="latin1").load())
    if not isinstance(values, dict):
        raise ValueError(f"it holds a {type(values).__name__}, not a dict")
    if not all(isinstance(name, str) for name in values):
        raise ValueError("its layers have no names")
    return {name: _pair(name, _objects(value)) for name, value in values.items()}


def _objects(value):
    """The contents of an array of objects; other values as they are."""
    return value.objects() if isinstance(value, _Array) else value


def _pair(name, parts):
    parts = parts if isinstance(parts, list | tuple) else []
    shapes = SHAPES.get(name, ())
    return [
        part.numbers() if isinstance(part, _Array) and part.shape in shapes else part
        for part in parts
    ]


class _Dtype:
    """Replaces `numpy.dtype`: its `name`, such as "f4" or "O8", and byte `order`."""

    def __init__(self, name, *_):
        if not isinstance(name, str) or name not in ("f2", "f4", "f8", "O", "O4", "O8"):
            raise ValueError(f"a dtype {name!r} is not part of a weights file")
        self.name, self.order = name, "="

    def __setstate__(self, state):
        order, *rest = state[1:5]
        if order not in ("<", ">", "=", "|") or rest != [None, None, None]:
            raise ValueError("a dtype with fields is not part of a weights file")
        self.order = order.replace("|", "=")


class _Array:
    """Replaces `numpy.ndarray`; the numbers are only read if its `shape` is the expected one."""

    def __init__(self, kind, shape, code):
        if (kind, shape) != (_Array, (0,)) or code not in ("b", b"b"):
            raise ValueError("only arrays are part of a weights file")
        self.shape = None

    def __setstate__(self, state):
        _, shape, self._dtype, self._columns_first, self._data = state
        sides = all(type(side) is int and side >= 0 for side in shape)
        if not isinstance(self._dtype, _Dtype) or not isinstance(shape, tuple) or not sides:
            raise ValueError("an array of unknown shape or dtype")
        length = len(self._data)
        if self._dtype.name.startswith("O"):
            if not isinstance(self._data, list) or length != math.prod(shape) or len(shape) > 1:
                raise ValueError("an array of objects that is no list of them")
        elif length != math.prod(shape) * int(self._dtype.name[1]):
            raise ValueError(f"an array of shape {shape} with other than its bytes")
        self.shape = shape

    def objects(self):
        """The list, or the single object, of an array of objects."""
        if self.shape is None or not self._dtype.name.startswith("O"):
            raise ValueError("it holds an array of numbers, not a dict")
        return self._data if self.shape else self._data[0]

    def numbers(self):
        """The NumPy array."""
        # Byte strings of Python 2 are read as text.
        data = self._data.encode("latin1") if isinstance(self._data, str) else self._data
        numbers = np.frombuffer(data, self._dtype.order + self._dtype.name)
        return numbers.reshape(self.shape, order="F" if self._columns_first else "C")


class _Encode:
    """Replaces `_codecs.encode`, by which protocol 2 stores bytes; the text is not copied."""

    __slots__ = ()

    def __call__(self, text, encoding):
        if not isinstance(text, str) or encoding != "latin1":
            raise ValueError(f"encoding {encoding!r} is not part of a weights file")
        return text


# A VGG19 with all its layers has about a thousand.
_MOST_OPERATIONS = 10_000
# NumPy 1 and 2 name different private modules.
_NAMES = {
    "numpy.ndarray": _Array,
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "_codecs.encode": _Encode(),
}


class _Unpickler(pickle.Unpickler):
    """Calls only the replacements of `_NAMES`."""

    def find_class(self, module, name):
        """The replacement of a name in the file. Raises `ValueError` for unknown names."""
        if f"{module}.{name}" not in _NAMES:
            raise ValueError(f"{module}.{name} is not part of a weights file")
        return _NAMES[f"{module}.{name}"]


def _read_npz(path):
    with zipfile.ZipFile(path) as archive:
        held = set(archive.namelist())
        return {
            name: [
                _read_member(archive, f"{name}/{leaf}.npy", shape)
                for leaf, shape in zip(_LEAVES, shapes, strict=True)
            ]
            for name, shapes in SHAPES.items()
            if f"{name}/kernel.npy" in held
        }


def _read_member(archive, name, expected):
    with archive.open(name) as file:
        shape, columns_first, dtype = _header(file)
        if shape != expected:
            return types.SimpleNamespace(shape=shape)
        if dtype.kind != "f":
            raise ValueError(f"{name}: expected floats, received {dtype}")
        data = file.read(math.prod(shape) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if columns_first else "C")


def _read_h5(path):
    import h5py

    values = {}

    def visit(name, item):
        found = re.search(r"(?:^|/)block(\d+)_conv(\d)", name)
        conv = found and f"conv{found[1]}_{found[2]}"
        if isinstance(item, h5py.Dataset) and conv in SHAPES:
            value = types.SimpleNamespace(shape=item.shape)
            if item.shape in SHAPES[conv]:
                # Chunks, with their filters, may claim any size, and other files are not this one.
                if item.dtype.kind != "f" or item.chunks or item.external or item.is_virtual:
                    raise ValueError(f"{name}: expected floats in one piece in the file itself")
                value = np.asarray(item)
            values.setdefault(conv, {})[len(item.shape or ())] = value

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return {name: [found.get(4), found.get(1)] for name, found in values.items()}
