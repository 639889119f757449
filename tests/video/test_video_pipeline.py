import threading
import time

import pytest

from animegan_tf.stylize.threads import BatchSize, Drain, Feeder


def test_a_feeder_is_only_a_little_ahead():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    feeder = Feeder(items(), 3)
    got = []
    for item in feeder:
        got.append(item)
        time.sleep(0.001)
        assert len(made) <= len(got) + 3 + 2  # queued, being put, being taken
    assert got == list(range(100))
    feeder.stop()


def test_a_feeder_s_error_comes_in_its_place():
    def items():
        yield 1
        raise ValueError("broken")

    feeder = Feeder(items(), 3)
    iterator = iter(feeder)
    assert next(iterator) == 1
    with pytest.raises(ValueError, match="broken"):
        next(iterator)
    feeder.stop()


def test_a_feeder_stops_and_closes_its_iterator():
    closed = []

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.append(threading.current_thread())

    feeder = Feeder(items(), 2)
    assert next(iter(feeder)) == 0
    feeder.stop()
    assert len(closed) == 1
    assert closed[0] is not threading.current_thread()


def test_a_drain_waits_and_hands_over_in_order():
    done = []

    def slow(item):
        time.sleep(0.002)
        done.append(item)

    drain = Drain(slow, 2)
    for number in range(20):
        drain.put(number)
        assert len(done) >= number - 3
    drain.finish()
    assert done == list(range(20))


def test_a_drain_s_error_is_raised_once():
    def broken(item):
        raise OSError("full")

    drain = Drain(broken, 2)
    with pytest.raises(OSError, match="full"):
        for number in range(50):
            drain.put(number)
            time.sleep(0.005)
    with pytest.raises(OSError, match="full"):
        drain.finish()


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({1: 1.0, 2: 1.2, 4: 2.0, 8: 3.6}, 8),  # a device that is faster with more
        ({1: 1.0, 2: 2.0, 4: 4.0, 8: 8.0}, 1),  # a processor
        ({1: 1.0, 2: 1.5, 4: 3.2, 8: 7.0}, 2),
    ],
)
def test_the_fastest_batch(seconds, best):
    sizes, frames = BatchSize(8), 0
    while sizes.best is None:
        size = sizes.now()
        sizes.took(size, 9.0 if frames == 0 else seconds[size])
        frames += size
    assert sizes.now() == best
    assert frames <= 30


def test_batches_within_memory():
    assert BatchSize(1).best == 1
    sizes = BatchSize(2)
    for _ in range(4):
        sizes.took(sizes.now(), 1.0)
    assert sizes.now() == 2
    sizes.limit(1)
    assert sizes.now() == 1


def test_a_limit_while_sizes_are_measured():
    """What was not measured is not chosen."""
    for largest in (1, 2):
        sizes = BatchSize(8)
        while sizes.now() < 4:
            sizes.took(sizes.now(), 1.0)
        sizes.limit(largest)
        assert sizes.now() == sizes.best == largest
    sizes = BatchSize(8)
    sizes.limit(4)
    while sizes.best is None:
        sizes.took(sizes.now(), 1.0)
    assert sizes.best == 4
