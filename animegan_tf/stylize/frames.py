"""Processing of video frames: pre-processing, inference in batches, post-processing.

Frames pass `prepare`, `infer` and `finish` in order; each of the three may run in a thread of its
own. The network is an `engines.base.FrameNetwork`.
"""

import dataclasses

import numpy as np

from animegan_tf import images
from animegan_tf.stylize import flicker
from animegan_tf.stylize.flicker import decoded, encoded
from animegan_tf.stylize.threads import Stopwatch

# Maximum number of pixels of a batch with several frames.
_BATCH_PIXELS = 2**21


@dataclasses.dataclass
class Prepared:
    """A pre-processed frame.

    Attributes:
        photo: uint8 RGB, shrunk to `max_side`.
        held: `photo`, with less noise if the video is stabilised.
        drawn: `held` at the size at which it is processed.
        batch: the network's input, float32 (1, H, W, 3); None for a plain function.
        rate: weight of the frame's statistics in the moving averages.
        state: the stylizer's state after the frame, or None if it is not stored.
    """

    photo: np.ndarray
    held: np.ndarray
    drawn: np.ndarray
    batch: np.ndarray | None
    rate: float
    state: dict | None


class FrameStylizer:
    """A stylizer for the frames of a video in order.

    Attributes:
        batches: whether the network accepts batches of several frames.
        stabilize: whether flicker is reduced.
        watch: the `Stopwatch` of the network, or of the plain function.
    """

    def __init__(self, stylizer, stabilize=True, engine="auto", frames=None):
        """stylizer: a `Stylizer`, or a function from uint8 RGB to uint8 RGB. engine: one of
        `animegan_tf.stylize.options.ENGINES`. frames: their number, None for endless.
        """
        self._stylizer = stylizer
        self.batches = hasattr(stylizer, "prepare")
        # Exports give no access to the statistics of their norms.
        self.stabilize = stabilize and self.batches and stylizer.engine.stabilizes
        self._max_side = stylizer.max_side if self.batches else None
        self._network = None
        if self.batches:
            self._network = stylizer.engine.frames(self.stabilize, frames, engine)
        self.watch = self._network.watch if self.batches else Stopwatch()
        self._shots, self._still = flicker.Shots(), flicker.Still()
        self._brightness = flicker.Brightness()

    @property
    def note(self):
        """What runs the network, or None."""
        return self._network.note if self.batches else None

    def identity(self):
        """The identity of the stylizer and its options, as JSON values."""
        engine = getattr(self._stylizer, "engine", None)
        if engine is None:
            return getattr(self._stylizer, "__name__", type(self._stylizer).__name__)
        options = [getattr(self._stylizer, name) for name in ("sizing", "match_brightness")]
        delivery = dataclasses.astuple(self._stylizer.delivery)
        return [engine.identity(), *options, self._max_side, *delivery]

    def largest_batch(self, prepared):
        """The maximum batch size for frames of this size."""
        if not self.batches or self._network.one_by_one:
            return 1
        return max(1, _BATCH_PIXELS // (prepared.batch.shape[1] * prepared.batch.shape[2]))

    def limited(self, rgb):
        """A frame shrunk to `max_side`."""
        return images.limit_side(rgb, self._max_side)

    def prepare(self, rgb, time, keep_state=False):
        """The `Prepared` of a frame, uint8 RGB, at `time` in seconds."""
        photo = self.limited(rgb)
        held, rate, state = photo, 1.0, {} if keep_state else None
        if self.stabilize:
            # At full size: guided upsampling would add the noise of the full-size frame.
            rate = self._shots.rate(photo, time)
            held = self._still.hold(photo, rate)
            state = {"shots": self._shots.state()} if keep_state else None
        if not self.batches:
            return Prepared(photo, held, held, None, rate, state)
        drawn = self._stylizer.shrink(held)
        return Prepared(photo, held, drawn, self._stylizer.prepare(drawn), rate, state)

    def infer(self, prepared):
        """The outputs (1, H, W, 3) for a list of `Prepared`, or those of a plain function.

        Only the last frame may have a state.
        """
        if not self.batches:
            with self.watch:
                return [self._stylizer(frame.photo) for frame in prepared]
        batch = np.concatenate([frame.batch for frame in prepared])
        rates = [frame.rate for frame in prepared]
        outputs = self._stylizer.network(batch, lambda batch: self._network(batch, rates))
        last = prepared[-1]
        if last.state is not None and self.stabilize:
            memory = self._network.memory
            last.state["memory"] = {name: encoded(value) for name, value in memory.items()}
        return [outputs[index : index + 1] for index in range(len(prepared))]

    def finish(self, prepared, output, compare=False):
        """Post-process an output to uint8 RGB; `compare`: beside the frame."""
        result = self._finished(prepared, output) if self.batches else output
        if not compare:
            return result
        return images.side_by_side(images.resize(prepared.photo, *result.shape[:2]), result)

    def _finished(self, prepared, output):
        result = self._stylizer.finish(output, prepared.drawn)
        if self._stylizer.match_brightness:
            result = self._match(result, prepared)
        if prepared.state is not None:
            prepared.state["brightness"] = self._brightness.logarithm
        return self._stylizer.delivery.finish(prepared.held, prepared.drawn, result)

    def __call__(self, rgb, time, compare=False):
        """All three steps for one frame."""
        prepared = self.prepare(rgb, time)
        return self.finish(prepared, self.infer([prepared])[0], compare)

    def _match(self, result, prepared):
        if prepared.rate >= 1:  # exactly: nothing of the shot before, not even its rounding
            self._brightness = flicker.Brightness()
        scale = images.brightness_scale(result, prepared.photo)
        if self.stabilize and scale:
            scale = self._brightness.scale(scale, prepared.rate)
        return result if scale is None else images.scale_levels(result, scale)

    def restart(self, shots):
        """Begin at a frame whose rate is 1; `shots` is the `flicker.Shots.state` before it."""
        self._still = flicker.Still()
        self._shots.restore(shots)

    def warm_up(self, rgb, time):
        """Process an earlier frame, to restore parts that are not in the state."""
        if self.stabilize:
            photo = self.limited(rgb)
            self._still.hold(photo, self._shots.rate(photo, time))

    def restore(self, state):
        """Continue after the frame that stored `state`."""
        if self.stabilize and state:
            self._shots.restore(state["shots"])
            self._brightness.logarithm = state["brightness"]
            self._network.memory = {
                name: decoded(text, np.float32, (1, -1)) for name, text in state["memory"].items()
            }
