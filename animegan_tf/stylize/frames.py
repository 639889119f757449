"""What happens to one frame: prepared, answered by the network with others, finished.

Frames go through `prepare`, `answer` and `finish` in order, but each of the three may be called by
a thread of its own. The network is one object, `network(batch, rates)`: float32 (N, H, W, 3) in
[-1, 1] and N rates (see `steady.Shots`) to the same shape and range.
"""

import dataclasses

import numpy as np

from animegan_tf import images
from animegan_tf.stylize import flicker
from animegan_tf.stylize.engines.fastest import FastestNetwork
from animegan_tf.stylize.flicker import decoded, encoded
from animegan_tf.stylize.threads import Stopwatch

# Float32 pixels of the network's input that a batch may have; one frame may always have more.
_BATCH_PIXELS = 2**21


@dataclasses.dataclass
class Prepared:
    """A frame on its way.

    Attributes:
        photo: uint8 RGB, shrunk to `max_side`.
        held: `photo` with less noise if the film is stabilised: what the result is made from.
        drawn: `held`, or the smaller picture that is drawn of it.
        batch: what the network is given, float32 (1, H, W, 3); None for a plain function.
        rate: how much of its statistics is new.
        state: what was there after it, if that is kept; else None.
    """

    photo: np.ndarray
    held: np.ndarray
    drawn: np.ndarray
    batch: np.ndarray | None
    rate: float
    state: dict | None


class PlainNetwork:
    """A stylizer's network, for which each frame is a photo of its own."""

    # What a network that is made in its place may leave here; nothing is remembered.
    memory = None

    def __init__(self, stylizer, engine):
        self._stylizer, self._engine = stylizer, engine
        self.one_by_one = engine.on_litert

    def __call__(self, batch, rates):
        del rates
        self._engine.refuse_too_large(*batch.shape[1:3])
        return self._stylizer.network(batch, self._engine)


class FrameStylizer:
    """A stylizer for the frames of one film, in order.

    Attributes:
        batches: whether several frames may be answered at once.
        stabilize: whether results are kept from flickering.
        watch: the `Stopwatch` of the network's work, or that of the function in its place.
    """

    def __init__(self, stylizer, stabilize=True, engine="keras", frames=None):
        """`stylizer`: a `Stylizer`, or a function from uint8 RGB to uint8 RGB. `engine`: one of
        `animegan_tf.stylize.options.ENGINES`. `frames`: how many there will be, None for endless.
        """
        self._stylizer = stylizer
        self.batches = hasattr(stylizer, "prepare")
        # A network of another engine has no statistics that could be averaged.
        self.stabilize = stabilize and self.batches and stylizer.engine.has_model
        self._max_side = stylizer.max_side if self.batches else None
        self._network = self._make_network(engine, frames) if self.batches else None
        self.watch = self._network.watch if self.batches else Stopwatch()
        self._shots, self._still = flicker.Shots(), flicker.Still()
        self._brightness = flicker.Brightness()

    def _make_network(self, engine, frames):
        own = self._stylizer.engine
        # What does photos by LiteRT does such frames too; nothing is converted again.
        by_litert = engine != "keras" and own.on_litert and not self.stabilize
        if by_litert or not own.has_model:
            return FastestNetwork(lambda: PlainNetwork(self._stylizer, own), None, "keras")

        def make_keras():
            if not self.stabilize:
                # What it is now: engines that change would change in the middle of a film.
                return PlainNetwork(self._stylizer, getattr(own, "keras", own))
            from animegan_tf.stylize.stable import StableNetwork

            return StableNetwork(own.model)

        def make_litert(height, width):
            from animegan_tf.stylize.stable_convert import stable_litert

            return stable_litert(own.model, height, width)

        cache = own if hasattr(own, "kept_for_frames") else None
        return FastestNetwork(make_keras, make_litert, engine, frames, cache=cache)

    @property
    def note(self):
        """What is worth saying of how frames were done, or None."""
        return getattr(self._network, "note", None)

    def identity(self):
        """What tells stylizers apart, as something that JSON can hold."""
        engine = getattr(self._stylizer, "engine", None)
        if engine is None:
            return getattr(self._stylizer, "__name__", type(self._stylizer).__name__)
        options = [getattr(self._stylizer, name) for name in ("sizing", "match_brightness")]
        delivery = dataclasses.astuple(self._stylizer.delivery)
        return [engine.identity(), *options, self._max_side, *delivery]

    def largest_batch(self, prepared):
        """How many frames like this one may be answered at once."""
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
            # In all its pixels: noise of those that are not drawn would come back by enlarging.
            rate = self._shots.rate(photo, time)
            held = self._still.hold(photo, rate)
            state = {"shots": self._shots.state()} if keep_state else None
        if not self.batches:
            return Prepared(photo, held, held, None, rate, state)
        drawn = self._stylizer.shrink(held)
        return Prepared(photo, held, drawn, self._stylizer.prepare(drawn), rate, state)

    def answer(self, prepared):
        """The network's answers (1, H, W, 3) to some `Prepared`, of which only the last may keep
        its state. For a plain function, the results."""
        if not self.batches:
            with self.watch:
                return [self._stylizer(one.photo) for one in prepared]
        batch = np.concatenate([one.batch for one in prepared])
        answers = self._network(batch, [one.rate for one in prepared])
        last = prepared[-1]
        if last.state is not None and self.stabilize:
            memory = self._network.memory
            last.state["memory"] = {name: encoded(value) for name, value in memory.items()}
        return [answers[index : index + 1] for index in range(len(prepared))]

    def finish(self, prepared, answer):
        """The result, uint8 RGB."""
        if not self.batches:
            return answer
        result = self._stylizer.finish(answer, prepared.drawn)
        if self._stylizer.match_brightness:
            result = self._match(result, prepared)
        if prepared.state is not None:
            prepared.state["brightness"] = self._brightness.logarithm
        return self._stylizer.delivery.finish(prepared.held, prepared.drawn, result)

    def _match(self, result, prepared):
        scale = images.brightness_scale(result, prepared.photo)
        if self.stabilize and scale:
            scale = self._brightness.scale(scale, prepared.rate)
        return result if scale is None else images.scale_levels(result, scale)

    def warm_up(self, rgb, time):
        """See a frame before those that are still to be done, for what the state does not hold."""
        if self.stabilize:
            photo = self.limited(rgb)
            self._still.hold(photo, self._shots.rate(photo, time))

    def restore(self, state):
        """Go on after the frame that kept `state`."""
        if self.stabilize and state:
            self._shots.restore(state["shots"])
            self._brightness.logarithm = state["brightness"]
            self._network.memory = {
                name: decoded(text, np.float32, (1, -1)) for name, text in state["memory"].items()
            }
