"""The graph of a generator as nodes that compute strips of rows; see `strips`.

A node is the output of a layer for one image, a float32 tensor (1, H, W, C). Ranges of rows are
half-open: (start, stop).
"""

import math

import numpy as np

# Maximum number of weights of a convolution that may be recomputed to save memory.
_SMALL_KERNEL = 20_000
# Above the largest allocation that glibc makes from its heap, 32 MiB.
BLOCK_BYTES = 33 * 2**20
_SAMPLE_BYTES = 4


class Plan:
    """The nodes of a model for an input of `height` x `width`, and their order of computation.

    passes: the nodes that are computed completely, once, from top to bottom. The other nodes are
    recomputed for the rows that a pass reads.
    """

    def __init__(self, model, height, width):
        self.photo = _Photo((1, height, width, 3))
        nodes = {id(model.input): self.photo}
        for layer in model.layers:
            if id(layer.output) in nodes:
                continue
            inputs = layer.input if isinstance(layer.input, list) else [layer.input]
            kind = _KINDS[type(layer).__name__]
            nodes[id(layer.output)] = kind(layer, [nodes[id(tensor)] for tensor in inputs])
        self.output = nodes[id(model.output)]
        every = list(nodes.values())
        measured = {node.sources[0] for node in every if isinstance(node, _Norm)}
        readers = {node: sum(node in other.sources for other in every) for node in every}
        for node in measured:
            node.statistics = Statistics()
        shared = {node for node in every if isinstance(node, _Pointwise) and len(node.sources) > 1}
        shared = {node for node in shared if readers[node] > 1}
        for node in measured | shared:
            node.kept = Kept(node.shape)
        self.passes = [n for n in every if n in measured or n in shared or n is self.output]
        self._find_last_passes()
        self._compute_again()

    def _compute_again(self):
        """Recompute small convolutions instead of storing their output if that lowers peak memory.

        These are the full-size skip of the lite generator and v1's last separable convolution: half
        of their stored tensors.
        """
        for node in self.passes:
            if isinstance(node, _Convolution) and node.kept:
                if math.prod(node.layer.kernel.shape) > _SMALL_KERNEL:
                    continue
                before, kept = self.most_kept(), node.kept
                node.kept = None
                self._find_last_passes()
                if self.most_kept() >= before:
                    node.kept = kept
                    self._find_last_passes()

    def _find_last_passes(self):
        self._last = {}
        for node in self.passes:
            for read in node.read_rows(0, 1):
                self._last[read] = node

    def strips(self, node, strip_bytes):
        """Compute `node` from top to bottom; yields the first row and the values of each strip."""
        over = [read for read in node.read_rows(0, 1) if self._last[read] is node]
        rows = self._rows(node, strip_bytes)
        for start in range(0, node.height, rows):
            stop = min(start + rows, node.height)
            strip = node.compute(start, stop)
            if node.statistics:
                node.statistics.add(strip)
            if node.kept:
                node.kept.write(start, strip)
            yield start, strip
            del strip
            still = {} if stop == node.height else node.read_rows(stop, stop + 1)
            for read in over:
                if read.kept:
                    read.kept.forget(still.get(read, read.height))

    def _rows(self, node, strip_bytes):
        widest = max(other.bytes for other in node.cone()) / node.height
        return min(node.height, max(1, int(strip_bytes / widest)))

    def most_at_work(self, strip_bytes):
        """Peak bytes of the tensors from which a strip is computed."""
        most = 0
        for node in self.passes:
            rows = self._rows(node, strip_bytes)
            start = (node.height - rows) // 2
            most = max(most, node.bytes_through(start, start + rows))
        return most

    def most_kept(self):
        """Peak bytes of the stored tensors."""
        kept, most = set(), 0
        for node in self.passes:
            over = {read for read in kept if self._last[read] is node}
            stays = sum(read.bytes for read in kept - over)
            new = node.bytes if node.kept or node is self.output else 0
            # The new tensor grows while its inputs are freed.
            most = max(most, stays + max(new, sum(read.bytes for read in over)))
            kept = (kept - over) | ({node} if node.kept else set())
        return most


class _Node:
    """A layer's output. To compute rows, it requests the rows that it needs from its sources."""

    def __init__(self, layer, sources):
        self.layer = layer
        self.sources = sources
        shapes = [source.shape for source in sources]
        self.shape = tuple(layer.compute_output_shape(shapes if len(shapes) > 1 else shapes[0]))
        self.kept = None
        self.statistics = None

    @property
    def height(self):
        return self.shape[1]

    @property
    def bytes(self):
        return math.prod(self.shape) * _SAMPLE_BYTES

    def needs(self, start, stop):
        """The range of the sources' rows for the rows `start` to `stop`."""
        return start, stop

    def compute(self, start, stop):
        """Compute the rows, a tensor (1, stop - start, W, C)."""
        return self.layer(self.read(start, stop))

    def read(self, start, stop):
        values = [source.rows(*self.needs(start, stop)) for source in self.sources]
        return values if len(values) > 1 else values[0]

    def rows(self, start, stop):
        """The stored rows, or those of `compute`."""
        return self.kept.rows(start, stop) if self.kept else self.compute(start, stop)

    def read_rows(self, start, stop):
        """{stored node that `compute` reads: first row}."""
        found = {}
        for source in self.sources:
            first, last = self.needs(start, stop)
            below = {source: first} if source.kept else source.read_rows(first, last)
            for node, row in below.items():
                found[node] = min(row, found.get(node, row))
        return found

    def bytes_through(self, start, stop):
        """Bytes of the rows `start` to `stop` and of all rows that they are computed from."""
        own = (stop - start) * self.bytes // self.height
        first, last = self.needs(start, stop)
        for source in self.sources:
            read = (last - first) * source.bytes // source.height
            own += read if source.kept else source.bytes_through(first, last)
        return own

    def cone(self):
        """All nodes that `compute` computes, including this one."""
        found = {self}
        for source in self.sources:
            found |= {source} if source.kept else source.cone()
        return found


class _Photo(_Node):
    """The input: `values`, float32 (1, H, W, 3)."""

    def __init__(self, shape):
        self.shape = shape
        self.sources = []
        self.statistics = None
        self.values = None
        self.kept = self

    def rows(self, start, stop):
        import tensorflow as tf

        return tf.constant(self.values[:, start:stop])

    def forget(self, row):
        """The array belongs to the caller."""


class _Pointwise(_Node):
    """Activations and sums."""


class _Norm(_Node):
    def compute(self, start, stop):
        mean, variance = self.sources[0].statistics.moments(self.layer.per_channel)
        return self.layer.normalize(self.read(start, stop), mean, variance)


class _Convolution(_Node):
    """A convolution without padding."""

    def needs(self, start, stop):
        stride, kernel = self.layer.strides[0], self.layer.kernel_size[0]
        return start * stride, (stop - 1) * stride + kernel


class _Pad(_Node):
    """Pads columns in each strip, and rows at the border of the image."""

    def _span(self, start, stop):
        top = self.layer.padding[0][0]
        return start - top, stop - top

    def needs(self, start, stop):
        first, last = self._span(start, stop)
        return max(0, first), min(self.sources[0].height, last)

    def compute(self, start, stop):
        import tensorflow as tf

        first, last = self._span(start, stop)
        rows = (max(0, -first), max(0, last - self.sources[0].height))
        pads = ((0, 0), rows, self.layer.padding[1], (0, 0))
        return tf.pad(self.read(start, stop), pads, mode="REFLECT")


class _Upsampling(_Node):
    def needs(self, start, stop):
        # An odd row is the mean of two rows; after the last row there is none.
        return start // 2, min(self.sources[0].height, stop // 2 + 1)

    def compute(self, start, stop):
        skipped = start % 2
        return self.layer(self.read(start, stop))[:, skipped : skipped + stop - start]


class _Halving(_Node):
    def needs(self, start, stop):
        return 2 * start, 2 * stop - 1


_KINDS = {
    "Activation": _Pointwise,
    "Add": _Pointwise,
    "Conv2D": _Convolution,
    "DepthwiseConv2D": _Convolution,
    "LayerNorm2D": _Norm,
    "LeakyReLU": _Pointwise,
    "LegacyHalving2D": _Halving,
    "LegacyUpsampling2D": _Upsampling,
    "ReflectionPad2D": _Pad,
}


def supports(layer):
    """Whether `layer` can be computed in strips."""
    plain = getattr(layer, "padding", None) != "same" and (
        getattr(layer, "dilation_rate", 1) in (1, (1, 1))
    )
    return plain and type(layer).__name__ in (*_KINDS, "InputLayer")


class Kept:
    """The stored rows of a tensor (1, H, W, C) that will still be read.

    They are stored in blocks that are large enough to be allocated from, and returned to, the
    operating system. TensorFlow's own strips, freed in another order, would fragment the heap and
    need twice the memory.
    """

    def __init__(self, shape):
        _, self._height, *self._row = shape
        self._block_rows = -(-BLOCK_BYTES // (math.prod(self._row) * _SAMPLE_BYTES))
        self._blocks = {}

    def write(self, start, strip):
        """Store a strip (1, h, W, C) as the rows from `start`."""
        values = strip.numpy()[0]
        for number, low, high in self._spans(start, start + len(values)):
            if number not in self._blocks:
                rows = min(self._block_rows, self._height - number * self._block_rows)
                self._blocks[number] = np.empty((rows, *self._row), np.float32)
            first = number * self._block_rows
            self._blocks[number][low - first : high - first] = values[low - start : high - start]

    def rows(self, start, stop):
        """A tensor of these rows."""
        import tensorflow as tf

        parts = []
        for number, low, high in self._spans(start, stop):
            first = number * self._block_rows
            parts.append(self._blocks[number][low - first : high - first])
        return tf.convert_to_tensor((np.concatenate(parts) if len(parts) > 1 else parts[0])[None])

    def _spans(self, start, stop):
        """Each block with some of these rows, and their range."""
        for number in range(start // self._block_rows, -(-stop // self._block_rows)):
            first = number * self._block_rows
            yield number, max(start, first), min(stop, first + self._block_rows)

    def forget(self, row):
        """Free the blocks that end above `row`."""
        gone = row // self._block_rows if row < self._height else math.inf
        self._blocks = {number: block for number, block in self._blocks.items() if number >= gone}


class Statistics:
    """Mean and variance of a tensor from strips (1, h, W, C), per channel and of all channels.

    The statistics of the strips are merged in float64: Chan, Golub and LeVeque, Updating formulae
    and a pairwise algorithm for computing sample variances, 1979.
    """

    def __init__(self):
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, strip):
        count = strip.shape[1] * strip.shape[2]
        mean, squares = _strip_moments(strip)
        apart = mean - self.mean
        total = self.count + count
        self.squares = self.squares + squares + apart**2 * (self.count * count / total)
        self.mean = self.mean + apart * (count / total)
        self.count = total

    def moments(self, per_channel):
        """Mean and variance, float32, (1, 1, 1, C) or (1, 1, 1, 1)."""
        mean, variance = self.mean, self.squares / self.count
        if not per_channel:
            variance = np.mean(variance, keepdims=True) + np.var(mean, keepdims=True)
            mean = np.mean(mean, keepdims=True)
        return (part.astype(np.float32).reshape(1, 1, 1, -1) for part in (mean, variance))


def _strip_moments(strip):
    """The mean of each channel, and the sum of squared deviations from it: float64 (C,).

    Sums along a row are float32, sums of rows float64.
    """
    import tensorflow as tf

    values = tf.cast(strip, tf.float32)
    mean = np.mean(tf.reduce_mean(values, 2).numpy()[0], 0, dtype=np.float64)
    pivot = mean.astype(np.float32)
    apart = tf.reduce_sum(tf.math.squared_difference(values, pivot), 2).numpy()[0]
    count = values.shape[1] * values.shape[2]
    squares = np.sum(apart, 0, dtype=np.float64) - count * (mean - pivot) ** 2
    return mean, squares
