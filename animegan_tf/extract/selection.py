"""Selection of distinct, evenly spread candidate frames. Pure functions.

Arguments are arrays of one length, indexed by candidate.
"""

import itertools
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


def by_spread(videos, times, quality):
    """All indices, ordered so that the first k are spread evenly over the videos, for any k.

    Computed backwards: repeatedly remove the candidate of lower quality of the two that are closest
    in time. The reverse order of removal is the result.

    Args:
        videos: index of each candidate's video, ascending.
        times: seconds, ascending within a video.
        quality: numbers.
    """

    def gap(first, second):
        return float(times[second] - times[first]) if videos[first] == videos[second] else math.inf

    left, removed = list(range(len(videos))), []
    # Seconds from each candidate in `left` to the next one.
    gaps = np.array([*itertools.starmap(gap, itertools.pairwise(left)), math.inf])
    while left:
        place = int(gaps[: len(left)].argmin())
        if place + 1 < len(left) and quality[left[place]] >= quality[left[place + 1]]:
            place += 1
        removed.append(left.pop(place))
        gaps = np.delete(gaps, place)
        if place > 0:
            gaps[place - 1] = gap(*left[place - 1 : place + 1]) if place < len(left) else math.inf
    return removed[::-1]
