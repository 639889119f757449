"""What makes a film frame worth keeping: tests, sharpness, perceptual hash, black bars, crops.

Pictures are uint8, gray (height, width); 0 is black, 255 white. The thresholds suit pictures whose
short side is some 256 pixels. Pure functions; no TensorFlow.
"""

import dataclasses

import cv2
import numpy as np

BLACK, WHITE, FADED, FLAT, BARRED = "black", "white", "faded", "flat", "barred"

# Levels of 0..255. What is darker than this all along is black: bars, of analogue films too.
_BLACK_LEVEL = 24
_DARK, _BRIGHT = 40, 225
# A picture whose levels, but for the outermost 1%, span less is faded.
_FADED_SPAN = 40
# Credits, titles, plain backgrounds: levels this close to one another cover most of the picture.
_SAME_LEVEL = 6
_FLAT_SHARE, _FLAT_SHARE_OF_BLACK_OR_WHITE = 0.8, 0.7
# Share of the strongest edges that tell how sharp a picture is.
_STRONGEST = 0.05
# Bars of a frame must be this wide on two opposite sides; no bar may take more of a side.
_FRAME_BAR, _LARGEST_BAR = 0.04, 0.4
# Share of the line beside a frame's bar that is not black: less, and it is a moon in the night.
_STRAIGHT_EDGE = 0.5
# A line is part of the film's bar when black in this share of the frames that are not all dark.
_ALWAYS_BLACK, _NOT_ALL_DARK = 0.97, 60
# Pixels cut besides a bar: its edge is blurred by scaling and compression.
_BAR_EDGE = 2
_LINE_BLOCKS = 64
_CROP_STEPS = 16
_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


def flaw(gray):
    """What is wrong with a picture (one of this module's names), or None."""
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
    """Whether two opposite sides are black, with straight edges: a picture of another shape."""
    bright = gray > _BLACK_LEVEL
    for lines in (bright, bright.T):
        picture = np.flatnonzero(lines.any(axis=1))
        if not picture.size:
            return False
        first, last = picture[0], picture[-1]
        if min(first, len(lines) - 1 - last) < _FRAME_BAR * len(lines) or last - first < 4:
            continue
        if min(lines[first + 2].mean(), lines[last - 2].mean()) >= _STRAIGHT_EDGE:
            return True
    return False


def sharpness(gray):
    """How sharp the strongest edges are: 0 blurred, about 0.4 to 0.7 sharp, whatever is shown.

    It is the share of their contrast that a 3x3 box filter takes away: a blurred edge loses little
    (Crete and others, "The blur effect", 2007, here of the strongest edges alone).
    """
    edges = _edges(gray)
    below = np.searchsorted(np.cumsum(_histogram(edges)), (1 - _STRONGEST) * edges.size)
    strongest = cv2.inRange(edges, max(int(below), 1), 255)
    total = cv2.mean(edges, strongest)[0]
    if not total:
        return 0.0
    left = cv2.mean(_edges(cv2.blur(gray, (3, 3))), strongest)[0]
    return max(0.0, 1 - left / total)


def _histogram(gray):
    """How many pixels have each of the 256 levels."""
    return cv2.calcHist([gray], [0], None, [256], [0, 256]).ravel()


def _edges(gray):
    """The larger difference to the left and the upper neighbour: (height - 1, width - 1)."""
    here = gray[1:, 1:]
    return cv2.max(cv2.absdiff(here, gray[1:, :-1]), cv2.absdiff(here, gray[:-1, 1:]))


# --- likeness ------------------------------------------------------------------------------------


def perceptual_hash(gray):
    """64 bits as an int: which of the lowest frequencies are stronger than their median.

    Alike pictures differ in few bits, unlike ones in about half of them.
    """
    small = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = cv2.dct(small)[:8, :8].ravel()
    bits = lowest > np.median(lowest[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def distances(one, others):
    """In how many bits the hash `one` differs from each of `others`, a uint64 array."""
    different = np.asarray(others, np.uint64) ^ np.uint64(one)
    return _ONES[different.view(np.uint8).reshape(-1, 8)].sum(axis=1, dtype=np.int64)


# --- bars ----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Bars:
    """Pixels to cut from each side of a film's picture."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __bool__(self):
        return any(dataclasses.astuple(self))

    def cut(self, picture, height, width):
        """`picture` without the bars; it shows a film of height x width, maybe at another size."""
        rows, columns = picture.shape[:2]
        top, bottom = (-(-bar * rows // height) for bar in (self.top, self.bottom))
        left, right = (-(-bar * columns // width) for bar in (self.left, self.right))
        return picture[top : rows - bottom, left : columns - right]


def find_bars(grays):
    """The `Bars` of a film, from pictures of one size taken all over it.

    A line of pixels belongs to a bar only if it is black in nearly all pictures, those apart that
    are dark altogether: a dark scene makes no bars. Few pictures (less than 4 that count): none.
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
    """Width of the bars at both ends, from which lines were black in each picture."""
    picture = np.flatnonzero(np.mean(black, axis=0) < _ALWAYS_BLACK)
    length = len(black[0])
    if not picture.size:
        return 0, 0
    widths = (picture[0], length - 1 - picture[-1])
    if max(widths) > _LARGEST_BAR * length:
        return 0, 0
    return tuple(int(width) + _BAR_EDGE if width else 0 for width in widths)


def _brightest_of_lines(gray):
    """The brightest of the blocks of each row, and of each column; blocks hide single specks."""
    height, width = gray.shape
    blocks = min(_LINE_BLOCKS, width), min(_LINE_BLOCKS, height)
    of_rows = cv2.resize(gray, (blocks[0], height), interpolation=cv2.INTER_AREA).max(axis=1)
    of_columns = cv2.resize(gray, (width, blocks[1]), interpolation=cv2.INTER_AREA).max(axis=0)
    return of_rows, of_columns


# --- crops ---------------------------------------------------------------------------------------


def place_crops(gray, size, count):
    """Where to cut up to `count` squares that do not overlap: [(top, left)], most detailed first.

    They are spread over the picture as far apart as they go; where only one fits beside another,
    it goes where there is most detail. Both sides of `gray` must be at least `size`.
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
    """For each of the squares that fit in a row, the offsets it may have."""
    fitting, slack = length // size, length - size
    if fitting > 1:
        return [[round(index * slack / (fitting - 1))] for index in range(fitting)]
    steps = _CROP_STEPS if slack else 0
    return [sorted({round(index * slack / max(steps, 1)) for index in range(steps + 1)})]
