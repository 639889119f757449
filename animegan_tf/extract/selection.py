"""Which of a film's candidate frames to keep: distinct ones, evenly spread. Pure functions.

Candidates are given as arrays of one length: an index names a candidate.
"""

import heapq
import math

import numpy as np

from animegan_tf.extract import quality as frame_quality
from animegan_tf.extract.options import HASH_BITS


def distinct(hashes, quality, least, taken=()):
    """Indices, ascending, of candidates whose hashes differ in at least `least` bits, all of them.

    Of alike candidates the one of the highest quality is kept, wherever in the films they are.

    Args:
        hashes: ints, by `frame_quality.perceptual_hash`.
        quality: numbers.
        least: bits; 0 keeps every candidate.
        taken: hashes of frames that were kept before: what is like them is not kept.
    """
    kept = np.zeros(len(taken) + len(hashes), np.uint64)
    kept[: len(taken)] = taken
    count, indices = len(taken), []
    for index in sorted(range(len(hashes)), key=lambda index: (-quality[index], index)):
        if (frame_quality.distances(hashes[index], kept[:count]) >= least).all():
            kept[count] = hashes[index]
            count += 1
            indices.append(index)
    return sorted(indices)


def nearest(hashes):
    """For each hash, in how many bits the most similar other one differs; 64 for a single one."""
    hashes = np.asarray(hashes, np.uint64)
    result = []
    for index, one in enumerate(hashes):
        others = frame_quality.distances(one, np.delete(hashes, index))
        result.append(int(others.min()) if others.size else HASH_BITS)
    return result


def by_spread(films, times, quality):
    """All indices, ordered so that the first k are spread evenly over the films, for every k.

    Found backwards: while any are left, of the two that are closest in time the one of lower
    quality goes. Those that go last come first.

    Args:
        films: number of each candidate's film, ascending.
        times: seconds, ascending within a film.
        quality: numbers.
    """
    count = len(films)
    before = list(range(-1, count - 1))
    after = list(range(1, count + 1))
    gone = [False] * count
    heap = []

    def gap(index):
        other = after[index]
        same_film = other < count and films[index] == films[other]
        return float(times[other] - times[index]) if same_film else math.inf

    def push(index):
        if index >= 0:
            heapq.heappush(heap, (gap(index), index, after[index]))

    for index in range(count):
        push(index)
    order = []
    while heap:
        _, index, other = heapq.heappop(heap)
        if gone[index] or after[index] != other:  # no longer neighbours
            continue
        if other < count and quality[index] < quality[other]:
            victim = index
        else:
            victim = other if other < count else index
        gone[victim] = True
        order.append(victim)
        if after[victim] < count:
            before[after[victim]] = before[victim]
        if before[victim] >= 0:
            after[before[victim]] = after[victim]
        push(before[victim])
        if victim == other:
            push(index)
    return order[::-1]
