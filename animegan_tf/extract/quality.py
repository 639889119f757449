"""Quality measures of video frames: flaws, sharpness, perceptual hash, black bars, crops.

Images are uint8, gray (height, width); 0 is black, 255 white. The thresholds are for images with a
short side of about 256 pixels. Pure functions; no TensorFlow.
"""

import dataclasses

import cv2
import numpy as np

BLACK, WHITE, FADED, FLAT, BARRED = "black", "white", "faded", "flat", "barred"

# Levels of 0..255. Lines up to this level are black bars, also in noisy analogue video.
_BLACK_LEVEL = 24
_DARK, _BRIGHT = 40, 225
# An image is faded if its levels, without the outermost 1%, span less than this.
_FADED_SPAN = 40
# An image is flat (credits, titles, plain backgrounds) if levels this close cover most of it.
_SAME_LEVEL = 6
_FLAT_SHARE, _FLAT_SHARE_OF_BLACK_OR_WHITE = 0.8, 0.7
# Fraction of the strongest edges that determine the sharpness.
_STRONGEST = 0.05
# Minimum width of bars on two opposite sides of a frame; maximum width of any bar.
_FRAME_BAR, _LARGEST_BAR = 0.04, 0.4
# Minimum non-black fraction of the line beside a bar; less is a bright object in a dark scene.
_STRAIGHT_EDGE = 0.5
# A line belongs to a bar if it is black in this fraction of the frames that are not dark.
_ALWAYS_BLACK, _NOT_ALL_DARK = 0.97, 60
# Extra pixels to cut beside a bar: scaling and compression blur its edge.
_BAR_EDGE = 2
_LINE_BLOCKS = 64
_CROP_STEPS = 16
_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


def flaw(gray):
    """The flaw of an image (one of this module's constants), or None."""
    histogram = _histogram(gray) / gray.size
    cumulative = np.cumsum(histogram)
    darkest, brightest = np.searchsorted(cumulative, (0.01, 0.99))
    if brightest < _DARK:
        return BLACK
    if darkest > _BRIGHT:
        return WHITE
    if brightest - darkest < _FADED_SPAN:
        return FADED
    around = np.convolve(histogram, np.ones(2 * _SAME_LEVEL + 1), "same")
    level = int(around.argmax())
    extreme = level <= _BLACK_LEVEL or level >= 255 - _BLACK_LEVEL
    if around[level] >= (_FLAT_SHARE_OF_BLACK_OR_WHITE if extreme else _FLAT_SHARE):
        return FLAT
    return BARRED if _has_bars(gray) else None


def _has_bars(gray):
    """Whether two opposite sides have black bars with straight edges."""
    bright = gray > _BLACK_LEVEL
    for lines in (bright, bright.T):
        content = np.flatnonzero(lines.any(axis=1))
        if not content.size:
            return False
        first, last = content[0], content[-1]
        if min(first, len(lines) - 1 - last) < _FRAME_BAR * len(lines) or last - first < 4:
            continue
        if min(lines[first + 2].mean(), lines[last - 2].mean()) >= _STRAIGHT_EDGE:
            return True
    return False


def sharpness(gray):
    """Sharpness of the strongest edges: 0 is blurred, about 0.4 to 0.7 sharp, for any content.

    The fraction of their contrast that a 3x3 box filter removes; blurred edges lose little
    (Crete and others, "The blur effect", 2007, here for the strongest edges only).
    """
    edges = _edges(gray)
    below = np.searchsorted(np.cumsum(_histogram(edges)), (1 - _STRONGEST) * edges.size)
    strongest = cv2.inRange(edges, max(int(below), 1), 255)
    total = cv2.mean(edges, strongest)[0]
    if not total:
        return 0.0
    remaining = cv2.mean(_edges(cv2.blur(gray, (3, 3))), strongest)[0]
    return max(0.0, 1 - remaining / total)


def _histogram(gray):
    """The number of pixels of each of the 256 levels."""
    return cv2.calcHist([gray], [0], None, [256], [0, 256]).ravel()


def _edges(gray):
    """The larger of the differences to the left and upper neighbours: (height - 1, width - 1)."""
    here = gray[1:, 1:]
    return cv2.max(cv2.absdiff(here, gray[1:, :-1]), cv2.absdiff(here, gray[:-1, 1:]))


# --- similarity ----------------------------------------------------------------------------------


def perceptual_hash(gray):
    """64 bits as an int: whether each of the lowest frequencies is stronger than their median.

    Similar images differ in few bits, unrelated ones in about half of them.
    """
    small = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = cv2.dct(small)[:8, :8].ravel()
    bits = lowest > np.median(lowest[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def distances(value, others):
    """The number of bits in which the hash `value` differs from each of `others` (uint64 array)."""
    different = np.asarray(others, np.uint64) ^ np.uint64(value)
    return _ONES[different.view(np.uint8).reshape(-1, 8)].sum(axis=1, dtype=np.int64)


# --- bars ----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Bars:
    """The widths of black bars on each side of a video, in pixels."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __bool__(self):
        return any(dataclasses.astuple(self))

    def size_without(self, info):
        """(height, width) of the frames of a video without the bars; `info` is its `VideoInfo`."""
        return info.height - self.top - self.bottom, info.width - self.left - self.right

    def cut(self, picture, height, width):
        """`picture` without the bars; it may be a scaled frame of a height x width video."""
        rows, columns = picture.shape[:2]
        top, bottom = (-(-bar * rows // height) for bar in (self.top, self.bottom))
        left, right = (-(-bar * columns // width) for bar in (self.left, self.right))
        return picture[top : rows - bottom, left : columns - right]


def find_bars(grays):
    """The `Bars` of a video, from frames of one size sampled over its whole length.

    A line belongs to a bar only if it is black in nearly all frames that are not completely dark.
    With fewer than 4 such frames there are no bars.
    """
    rows, columns = [], []
    for gray in grays:
        of_rows, of_columns = _brightest_of_lines(gray)
        if of_rows.max() >= _NOT_ALL_DARK:
            rows.append(of_rows <= _BLACK_LEVEL)
            columns.append(of_columns <= _BLACK_LEVEL)
    if len(rows) < 4:
        return Bars()
    return Bars(*_bar_widths(rows), *_bar_widths(columns))


def _bar_widths(black):
    """Width of the bars at both ends; `black` says for each frame which lines are black."""
    content = np.flatnonzero(np.mean(black, axis=0) < _ALWAYS_BLACK)
    length = len(black[0])
    if not content.size:
        return 0, 0
    widths = (content[0], length - 1 - content[-1])
    if max(widths) > _LARGEST_BAR * length:
        return 0, 0
    return tuple(int(width) + _BAR_EDGE if width else 0 for width in widths)


def _brightest_of_lines(gray):
    """The brightest block of each row, and of each column; blocks average out single pixels."""
    height, width = gray.shape
    blocks = min(_LINE_BLOCKS, width), min(_LINE_BLOCKS, height)
    of_rows = cv2.resize(gray, (blocks[0], height), interpolation=cv2.INTER_AREA).max(axis=1)
    of_columns = cv2.resize(gray, (width, blocks[1]), interpolation=cv2.INTER_AREA).max(axis=0)
    return of_rows, of_columns


# --- crops ---------------------------------------------------------------------------------------


def place_crops(gray, size, count):
    """Positions [(top, left)] of up to `count` squares without overlap, most detailed first.

    They are spaced evenly along a side on which several fit; along the other side they are placed
    where there is most detail. Both sides of `gray` must be at least `size`.
    """
    detail = cv2.integral(cv2.copyMakeBorder(_edges(gray), 1, 0, 1, 0, cv2.BORDER_CONSTANT))
    height, width = gray.shape
    centre = ((height - size) / 2, (width - size) / 2)

    def rank(place):
        top, left = place
        inside = (
            int(detail[top + size, left + size])
            - int(detail[top, left + size])
            - int(detail[top + size, left])
            + int(detail[top, left])
        )
        return -inside, abs(top - centre[0]) + abs(left - centre[1]), place

    places = [
        min(((top, left) for top in tops for left in lefts), key=rank)
        for tops in _offsets(height, size)
        for lefts in _offsets(width, size)
    ]
    return sorted(places, key=rank)[:count]


def _offsets(length, size):
    """The possible offsets of each square that fits along a side."""
    fitting, slack = length // size, length - size
    if fitting > 1:
        return [[round(index * slack / (fitting - 1))] for index in range(fitting)]
    steps = _CROP_STEPS if slack else 0
    return [sorted({round(index * slack / max(steps, 1)) for index in range(steps + 1)})]
