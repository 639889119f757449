"""Line charts with captions, drawn with OpenCV. No TensorFlow.

A chart is some `Panel`s on a white sheet: a title, curves over shared or own x, and below them what
to make of them. Pictures are uint8 RGB (height, width, 3). Text is ASCII, as OpenCV draws no more.
"""

import dataclasses
import math

import cv2
import numpy as np

from animegan_tf.errors import InputError

PANEL_WIDTH, _PLOT_HEIGHT, _CAPTION_LINE, _GAP = 500, 200, 16, 20
_LEFT, _RIGHT, _TITLE_HEIGHT, _TICK_HEIGHT, _HEADER = 62, 12, 28, 22, 62

WHITE, INK, GRAY, FAINT = (255, 255, 255), (35, 35, 40), (110, 110, 118), (226, 226, 230)
_REFERENCE = (200, 90, 40)
# Of the curves by their number: the line, and the values behind it.
_COLORS = ((28, 98, 180), (205, 60, 60), (120, 120, 120), (30, 140, 80))
_PALE = ((192, 212, 236), (240, 205, 205), (218, 218, 218), (196, 226, 208))
_BANDS = ((255, 255, 255), (243, 246, 236))
_REGULAR, _BOLD = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX

_BAND_NAME = 17

# Coordinates are drawn in sixteenths of a pixel, and kept where OpenCV does not overflow.
_SHIFT, _FARTHEST = 4, 1e5
# Values all above 0 that span more than this factor, but for the outermost 1%, get a log scale.
_LOG_FROM = 30
# Percentiles between which values must be on the scale, when a line shows where they are on the
# whole; the share of each curve, at its beginning, that may lie beyond: it would flatten the rest.
_OUTERMOST, _UNSETTLED = (1, 99), 0.05
# Values that differ relatively by less do so by rounding.
_SAME = 1e-9
# A linear scale begins at 0 when this share of its top is above its bottom.
_FROM_ZERO = 0.6


@dataclasses.dataclass(frozen=True)
class Curve:
    """Values over x. With `line` given the values are drawn faintly behind it, else with dots.

    `name` goes into the panel's legend; curves of one name have one colour.
    """

    x: np.ndarray
    y: np.ndarray
    line: np.ndarray | None = None
    name: str = ""

    @property
    def settled(self):
        """The values (and those of the line) that the scale must reach to."""
        if self.line is None:
            return np.asarray(self.y, float), np.asarray(self.y, float)
        first = int(len(self.y) * _UNSETTLED)
        values = np.percentile(self.y[first:], _OUTERMOST)
        return np.asarray(self.y[first:], float), np.append(values, self.line[first:])


@dataclasses.dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes:
        title: above it.
        caption: below it, wrapped.
        curves: a `Curve` or more, all with finite values.
        bands: stretches of x to tell apart, (from, to, name) each.
        references: horizontal lines, (value, name) each; the scale reaches to them.
        log: whether the scale is logarithmic; None decides by the values.
    """

    title: str
    caption: str
    curves: tuple[Curve, ...]
    bands: tuple[tuple[float, float, str], ...] = ()
    references: tuple[tuple[float, str], ...] = ()
    log: bool | None = None


def draw(title, subtitle, panels, columns=3):
    """The panels in rows below a title and a line of text: uint8 RGB (H, W, 3)."""
    if not panels:
        raise InputError("panels: expected at least one, received none")
    columns = min(columns, len(panels))
    captions = [wrap(panel.caption, PANEL_WIDTH - _LEFT - _RIGHT, 0.4) for panel in panels]
    lines = max(len(caption) for caption in captions)
    height = _TITLE_HEIGHT + _PLOT_HEIGHT + _TICK_HEIGHT + lines * _CAPTION_LINE + _GAP
    rows = -(-len(panels) // columns)
    sheet = np.full((_HEADER + rows * height, columns * PANEL_WIDTH, 3), 255, np.uint8)
    write(sheet, title, 16, 28, 0.65, bold=True)
    write(sheet, subtitle, 16, 50, 0.45, GRAY)
    for index, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        top, left = _HEADER + index // columns * height, index % columns * PANEL_WIDTH
        _draw_panel(sheet[top : top + height, left : left + PANEL_WIDTH], panel, caption)
    return sheet


def _draw_panel(sheet, panel, caption):
    write(sheet, panel.title, _LEFT, 19, 0.5, bold=True)
    plot = sheet[_TITLE_HEIGHT : _TITLE_HEIGHT + _PLOT_HEIGHT, _LEFT : PANEL_WIDTH - _RIGHT]
    scales = _Scales(panel, *plot.shape[:2])
    _draw_bands(plot, panel, scales)
    _draw_ticks(sheet, plot, scales)
    names = list(dict.fromkeys(curve.name for curve in panel.curves))
    for curve in panel.curves:
        _draw_curve(plot, curve, scales, names.index(curve.name) % len(_COLORS))
    _write_bands(plot, panel, scales)
    for value, name in panel.references:
        at = round(float(scales.rows(value)))
        cv2.line(plot, (0, at), (plot.shape[1], at), _REFERENCE, 1)
        above = at > 16
        write(plot, name, 4, at - 4 if above else at + 13, 0.36, _REFERENCE)
    _write_legend(sheet, names, scales.log)
    top = _TITLE_HEIGHT + _PLOT_HEIGHT + _TICK_HEIGHT
    for number, line in enumerate(caption):
        write(sheet, line, _LEFT, top + 14 + number * _CAPTION_LINE, 0.4, GRAY)


def _write_legend(sheet, names, log):
    """The curves' names in their colours, from the right, above the plot."""
    entries = [(name, _COLORS[number % len(_COLORS)]) for number, name in enumerate(names) if name]
    x = PANEL_WIDTH - _RIGHT
    for text, color in reversed([*entries, *([("log scale", GRAY)] if log else [])]):
        x -= text_width(text, 0.38)
        write(sheet, text, x, 19, 0.38, color)
        x -= 10


class _Scales:
    """Where values are in a plot of `height` x `width` pixels."""

    def __init__(self, panel, height, width):
        x = np.concatenate([np.asarray(curve.x, float) for curve in panel.curves])
        settled = [curve.settled for curve in panel.curves]
        references = [value for value, _ in panel.references]
        shown = np.concatenate([*(reached for _, reached in settled), references])
        self.left, self.right = x.min(), x.max()
        if self.left == self.right:
            self.left, self.right = self.left - 0.5, self.right + 0.5
        elif any(curve.line is None for curve in panel.curves):  # room for the outermost dots
            margin = 0.02 * (self.right - self.left)
            self.left, self.right = self.left - margin, self.right + margin
        self.log = panel.log
        if self.log is None:
            everything = [curve.y for curve in panel.curves]
            self.log = min(map(np.min, everything)) > 0 and _suits_log(
                np.concatenate([*(values for values, _ in settled), references])
            )
        self.bottom, self.top = _limits(shown.min(), shown.max(), self.log)
        # The names of the bands stand above the values.
        self._headroom = _BAND_NAME if panel.bands else 0
        self._height, self._width = height - 1 - self._headroom, width

    def columns(self, x):
        return (np.asarray(x, float) - self.left) / (self.right - self.left) * (self._width - 1)

    def rows(self, y):
        bottom, top, y = self.bottom, self.top, np.asarray(y, float)
        if self.log:
            bottom, top, y = math.log(bottom), math.log(top), np.log(np.maximum(y, 1e-300))
        return self._headroom + self._height * (1 - (y - bottom) / (top - bottom))

    def points(self, x, y):
        """For OpenCV: int32 (n, 1, 2), in sixteenths of a pixel."""
        points = np.stack([self.columns(x), self.rows(y)], -1) * 2**_SHIFT
        return np.rint(np.clip(points, -_FARTHEST, _FARTHEST)).astype(np.int32)[:, None]


def _suits_log(values):
    low, high = np.percentile(values, (1, 99))
    return bool(values.min() > 0 and high > _LOG_FROM * low)


def _limits(low, high, log):
    """Bottom and top of a scale for values from `low` to `high`."""
    if log:
        margin = max((high / low) ** 0.06, 1.05)
        return low / margin, high * margin
    if high - low <= _SAME * max(abs(low), abs(high)):
        margin = abs(low) / 2 or 1.0
        return low - margin, high + margin
    margin = 0.06 * (high - low)
    if low >= 0 and high - low > _FROM_ZERO * high:
        return 0.0, high + margin
    return low - margin, high + margin


def _draw_bands(plot, panel, scales):
    plot[:] = _BANDS[0]
    for number, (start, end, _) in enumerate(panel.bands):
        first, last = (round(float(at)) for at in scales.columns((start, end)))
        first, last = max(first, 0), min(last, plot.shape[1])
        if last <= first:
            continue
        plot[:, first:last] = _BANDS[number % 2]
        if first:
            cv2.line(plot, (first, 0), (first, plot.shape[0]), GRAY, 1)


def _write_bands(plot, panel, scales):
    for start, end, name in panel.bands:
        first, last = (round(float(at)) for at in scales.columns((start, end)))
        first, last = max(first, 0), min(last, plot.shape[1])
        width = text_width(name, 0.36)
        if width + 8 <= last - first:
            plot[3:_BAND_NAME, first + 3 : first + width + 7] = WHITE
            write(plot, name, first + 5, 13, 0.36, GRAY)


def _draw_ticks(sheet, plot, scales):
    height, width = plot.shape[:2]
    values = _log_ticks if scales.log else _ticks
    for value in values(scales.bottom, scales.top):
        at = round(float(scales.rows(value)))
        cv2.line(plot, (0, at), (width, at), FAINT, 1)
        label = f"{value:.6g}"
        x = _LEFT - 6 - text_width(label, 0.38)
        write(sheet, label, x, _TITLE_HEIGHT + at + 4, 0.38, GRAY)
    for value in _ticks(scales.left, scales.right):
        if value != int(value):
            continue
        at = round(float(scales.columns(value)))
        cv2.line(plot, (at, height - 4), (at, height), GRAY, 1)
        label = f"{int(value)}"
        x = min(_LEFT + at - text_width(label, 0.38) // 2, PANEL_WIDTH - text_width(label, 0.38))
        write(sheet, label, x, _TITLE_HEIGHT + height + 15, 0.38, GRAY)
    cv2.rectangle(plot, (0, 0), (width - 1, height - 1), GRAY, 1)


def _ticks(low, high, wanted=5):
    """Round numbers between two others."""
    step = 10 ** math.floor(math.log10((high - low) / wanted))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= wanted + 1)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low, high):
    """Powers of ten between two numbers, with their multiples where there are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        ticks = [factor * 10.0**decade for decade in decades for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 4:
            break
    return ticks[:: -(-len(ticks) // 8)] if ticks else []


def _draw_curve(plot, curve, scales, number):
    color = _COLORS[number]
    points = scales.points(curve.x, curve.y)
    if curve.line is None:
        cv2.polylines(plot, [points], False, color, 2, cv2.LINE_AA, _SHIFT)
        for (x, y), *_ in points.tolist():
            cv2.circle(plot, (x, y), 3 << _SHIFT, color, -1, cv2.LINE_AA, _SHIFT)
        return
    cv2.polylines(plot, [points], False, _PALE[number], 1, cv2.LINE_AA, _SHIFT)
    smooth = scales.points(curve.x, curve.line)
    cv2.polylines(plot, [smooth], False, color, 2, cv2.LINE_AA, _SHIFT)


# --- text ----------------------------------------------------------------------------------------


def write(sheet, text, x, y, size, color=INK, bold=False):
    """Write one line into a picture, its baseline at (x, y)."""
    font = _BOLD if bold else _REGULAR
    text = text.encode("ascii", "replace").decode()
    canvas = np.ascontiguousarray(sheet)  # OpenCV does not draw into every view
    cv2.putText(canvas, text, (int(x), int(y)), font, size, color, 1, cv2.LINE_AA)
    if canvas is not sheet:
        sheet[:] = canvas


def text_width(text, size, bold=False):
    """Pixels that a line of text takes."""
    return cv2.getTextSize(text, _BOLD if bold else _REGULAR, size, 1)[0][0]


def wrap(text, width, size):
    """`text` as lines that are no wider than `width` pixels, unless a single word is."""
    lines = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
