"""Selection of distinct, evenly spread candidate frames. Pure functions.

Arguments are arrays of one length, indexed by candidate.
"""

import heapq
import math

import numpy as np

from animegan_tf.extract import quality as frame_quality
from animegan_tf.extract.options import HASH_BITS


def distinct(hashes, quality, least, taken=()):
    """Ascending indices of candidates whose hashes all differ from one another in `least` bits.

    Of similar candidates, in all videos, the one with the highest quality is kept.

    Args:
        hashes: ints, from `quality.perceptual_hash`.
        quality: numbers.
        least: minimum number of different bits; 0 keeps all candidates.
        taken: hashes of frames that were kept before; similar candidates are dropped.
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
    """The number of different bits from each hash to the most similar other one, or 64."""
    hashes = np.asarray(hashes, np.uint64)
    result = []
    for index, value in enumerate(hashes):
        bits = frame_quality.distances(value, np.delete(hashes, index))
        result.append(int(bits.min()) if bits.size else HASH_BITS)
    return result


def by_spread(films, times, quality):
    """All indices, ordered so that the first k are spread evenly over the videos, for any k.

    Computed backwards: repeatedly remove the candidate of lower quality of the two that are closest
    in time. The reverse order of removal is the result.

    Args:
        films: index of each candidate's video, ascending.
        times: seconds, ascending within a video.
        quality: numbers.
    """
    count = len(films)
    before = list(range(-1, count - 1))
    after = list(range(1, count + 1))
    removed = [False] * count
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
        if removed[index] or after[index] != other:  # no longer neighbours
            continue
        if other < count and quality[index] < quality[other]:
            victim = index
        else:
            victim = other if other < count else index
        removed[victim] = True
        order.append(victim)
        if after[victim] < count:
            before[after[victim]] = before[victim]
        if before[victim] >= 0:
            after[before[victim]] = after[victim]
        push(before[victim])
        if victim == other:
            push(index)
    return order[::-1]
