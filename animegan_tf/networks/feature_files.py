"""VGG weights on disk, read without trusting them: `vgg19.npy`, Keras' `.h5`, and plain `.npz`.

The published `vgg16.npy` and `vgg19.npy` are pickles, {"conv1_1": [kernel HWIO, bias], ...} in a
.npy. Nothing of a pickle is run here: a small interpreter knows the few operations that such a
file needs, and the three names that it calls. `.npz` holds the arrays "conv1_1/kernel" and
"conv1_1/bias". Shapes are compared before numbers are read. Needs no TensorFlow.
"""

import math
import mmap
import pickletools
import types
import zipfile
from pathlib import Path

import numpy as np

from animegan_tf import storage
from animegan_tf.errors import InputError

BLOCKS = {"vgg19": (2, 2, 4, 4), "vgg16": (2, 2, 3, 3)}
FILTERS = (64, 128, 256, 512)
_LEAVES = ("kernel", "bias")
# What the readers raise for files that are cut, damaged or something else.
_DAMAGE = (
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError),
    *(EOFError, OSError, RuntimeError, NotImplementedError, MemoryError, SyntaxError),
    zipfile.BadZipFile,
)


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

    Where a shape is not the expected one, what stands for the array may have its `shape` alone.
    Raises `InputError` for what is no such file.
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
    except _DAMAGE as error:
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
    problems = []
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
        values = _Pickle(data).load()
    if isinstance(values, _Array):
        values = values.value
    if not isinstance(values, dict):
        raise ValueError(f"it holds a {type(values).__name__}, not a dict")
    return {name: _pair(value) for name, value in values.items()}


def _pair(value):
    if isinstance(value, _Array) and isinstance(value.value, list):
        value = value.value
    if not isinstance(value, list | tuple):
        return []
    return [part.value if isinstance(part, _Array) else None for part in value]


class _Dtype:
    """A dtype in the making: "f4", "O8"; and its order of bytes once it has been told."""

    def __init__(self, name, *_):
        if not isinstance(name, str) or name not in ("f2", "f4", "f8", "O", "O4", "O8"):
            raise ValueError(f"a dtype {name!r} is not part of a weights file")
        self.name, self.order = name, "="

    def build(self, state, spend):
        del spend
        order, *rest = state[1:5]
        if order not in ("<", ">", "=", "|") or rest != [None, None, None]:
            raise ValueError("a dtype with fields is not part of a weights file")
        self.order = order


class _Array:
    """An array in the making; its `value` is a float array, or a list or one object of others."""

    def __init__(self, kind, shape, code):
        if (kind, shape) != (_Array, (0,)) or code not in ("b", b"b"):
            raise ValueError("only arrays are part of a weights file")
        self.value = None

    def build(self, state, spend):
        _, shape, dtype, columns_first, data = state
        sides = all(type(side) is int and side >= 0 for side in shape)
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple) or not sides:
            raise ValueError("an array of unknown shape or dtype")
        if dtype.name.startswith("O"):
            if not isinstance(data, list) or len(data) != math.prod(shape) or len(shape) > 1:
                raise ValueError("an array of objects that is no list of them")
            self.value = data if shape else data[0]
            return
        # Byte strings of Python 2 are read as text.
        data = _encode(data, "latin1", spend=spend) if isinstance(data, str) else data
        kind = np.dtype(dtype.order.replace("|", "=") + dtype.name)
        if not isinstance(data, bytes) or len(data) != math.prod(shape) * kind.itemsize:
            raise ValueError(f"an array of shape {shape} with other than its bytes")
        order = "F" if columns_first else "C"
        self.value = np.frombuffer(data, kind).reshape(shape, order=order)


def _encode(text, encoding, *, spend):
    """`_codecs.encode` as pickles of byte strings call it."""
    if encoding != "latin1":
        raise ValueError(f"encoding {encoding!r} is not part of a weights file")
    spend(len(text))
    return text.encode("latin1")


# A VGG19 with all its layers has about a thousand.
_MOST_OPERATIONS = 10_000
# NumPy 2 keeps it elsewhere than NumPy 1, both in private modules.
_NAMES = {
    "numpy ndarray": _Array,
    "numpy dtype": _Dtype,
    "numpy.core.multiarray _reconstruct": _Array,
    "numpy._core.multiarray _reconstruct": _Array,
    "_codecs encode": _encode,
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_VALUES = (
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
)


class _Pickle:
    """Reads dicts, lists, tuples, texts, numbers and arrays; calls nothing that a file names."""

    def __init__(self, data):
        self._data, self._left = data, len(data)
        self._stack, self._marks, self._memo = [], [], {}

    def load(self):
        """The object of the pickle that `data` goes on with, `_Array` for arrays."""
        for count, (operation, argument, _) in enumerate(pickletools.genops(self._data)):
            if count > _MOST_OPERATIONS:
                raise ValueError("it is longer than a weights file")
            self._do(operation.name, argument)
        return self._stack.pop()

    def _spend(self, count):
        """No file is made into more bytes than it has, however often it names them."""
        self._left -= count
        if self._left < 0:
            raise ValueError("it takes more memory than a weights file")

    def _since_mark(self):
        at = self._marks.pop()
        taken, self._stack[at:] = self._stack[at:], []
        return taken

    def _do(self, name, argument):
        stack = self._stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if argument is None else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            stack.append([] if name == "EMPTY_LIST" else {})
        elif name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
            parts = self._since_mark() if name == "TUPLE" else self._last(int(name[-1]))
            stack.append(tuple(parts))
        elif name in ("APPEND", "APPENDS"):
            parts = self._since_mark() if name == "APPENDS" else self._last(1)
            self._top(list).extend(parts)
        elif name in ("SETITEM", "SETITEMS"):
            parts = self._since_mark() if name == "SETITEMS" else self._last(2)
            self._top(dict).update(self._named(parts))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            named = argument if name == "GLOBAL" else " ".join(self._last(2))
            if named not in _NAMES:
                raise ValueError(f"{named.replace(' ', '.')} is not part of a weights file")
            stack.append(_NAMES[named])
        elif name in ("REDUCE", "BUILD"):
            self._make(name)
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise ValueError(f"the operation {name} is not part of a weights file")

    def _last(self, count):
        if len(self._stack) < count:
            raise ValueError("it is damaged")
        taken, self._stack[-count:] = self._stack[-count:], []
        return taken

    def _top(self, kind):
        if not isinstance(self._stack[-1], kind):
            raise ValueError("it is damaged")
        return self._stack[-1]

    def _named(self, parts):
        names = parts[::2]
        if not all(isinstance(name, str) for name in names):
            raise ValueError("its layers have no names")
        return zip(names, parts[1::2], strict=True)

    def _make(self, name):
        argument = self._last(1)[0]
        if not isinstance(argument, tuple):
            raise ValueError("it is damaged")
        if name == "BUILD":
            self._top((_Array, _Dtype)).build(argument, self._spend)
            return
        made = self._last(1)[0]
        if made is _encode:
            self._stack.append(_encode(*argument, spend=self._spend))
        elif made in (_Array, _Dtype):
            self._stack.append(made(*argument))
        else:
            raise ValueError("it calls what is no function")


def _stated(shape):
    """Stands for an array of another shape, which is not read."""
    return types.SimpleNamespace(shape=shape)


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
            return _stated(shape)
        if dtype.kind != "f":
            raise ValueError(f"{name}: expected floats, received {dtype}")
        data = file.read(math.prod(shape) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if columns_first else "C")


def _read_h5(path):
    import h5py

    values = {}

    def visit(name, item):
        conv = _conv_of(name)
        if isinstance(item, h5py.Dataset) and conv in SHAPES:
            value = _stated(item.shape)
            if item.shape in SHAPES[conv]:
                # Chunks, with their filters, may claim any size, and other files are not this one.
                if item.dtype.kind != "f" or item.chunks or item.external or item.is_virtual:
                    raise ValueError(f"{name}: expected floats in one piece in the file itself")
                value = np.asarray(item)
            values.setdefault(conv, {})[len(item.shape or ())] = value

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return {name: [found.get(4), found.get(1)] for name, found in values.items()}


def _conv_of(name):
    """ "conv1_2" for what HDF5 names ".../block1_conv2/...", else None."""
    for part in name.split("/"):
        if part.startswith("block") and "_conv" in part:
            block, conv = part.removeprefix("block").split("_conv", 1)
            return f"conv{block}_{conv[:1]}"
    return None
