"""Line charts with captions, drawn by Matplotlib, the extra `plots`. No TensorFlow."""

import dataclasses
import importlib.util
import textwrap

import numpy as np

from animegan_tf.errors import InputError

PANEL_WIDTH, _PANEL_HEIGHT, _HEADER, _DPI = 500, 330, 60, 100
_CAPTION_COLUMNS = 82
_REFERENCE, _GRAY = "tab:orange", "0.4"

# Values all above 0 that span more than this factor, but for the outermost 1%, get a log scale.
_LOG_FROM = 30
# Percentiles between which values must be on the scale, when a line shows where they are on the
# whole; the share of each curve, at its beginning, that may lie beyond: it would flatten the rest.
_OUTERMOST, _UNSETTLED = (1, 99), 0.05
# Values that differ relatively by less do so by rounding.
_SAME = 1e-9
# A linear scale begins at 0 when this share of its top is above its bottom.
_FROM_ZERO = 0.6
# A stretch that takes less of the width has no room for its name.
_NAMED = 0.2


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
        """The values, and those that the scale must reach to."""
        if self.line is None:
            return self.y, self.y
        first = int(len(self.y) * _UNSETTLED)
        values = np.percentile(self.y[first:], _OUTERMOST)
        return self.y[first:], np.append(values, self.line[first:])


@dataclasses.dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes:
        title: above it.
        caption: below it, wrapped.
        curves: a `Curve` or more, all with finite values.
        bands: stretches of x to tell apart, (from, to, name) each.
        references: horizontal lines, (value, name) each; the scale reaches to them.
        log: whether the scale is logarithmic where the values suit one.
    """

    title: str
    caption: str
    curves: tuple[Curve, ...]
    bands: tuple[tuple[float, float, str], ...] = ()
    references: tuple[tuple[float, str], ...] = ()
    log: bool = True


def check():
    """Raise `InputError` when Matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            "plots: expected matplotlib (pip install 'animegan_tf[plots]'), found it not installed"
        )


def draw(title, subtitle, panels, columns=3):
    """The panels in rows below a title and a line of text: uint8 RGB (H, W, 3)."""
    canvas = figure(title, subtitle, panels, columns).canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def figure(title, subtitle, panels, columns=3):
    """What `draw` draws, as a `matplotlib.figure.Figure` on an Agg canvas."""
    if not panels:
        raise InputError("panels: expected at least one, received none")
    check()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    size = columns * PANEL_WIDTH / _DPI, (_HEADER + rows * _PANEL_HEIGHT) / _DPI
    sheet = Figure(size, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(sheet)
    sheet.suptitle(_plain(f"{title}\n{subtitle}"), x=0.01, ha="left", fontsize=10)
    for number, panel in enumerate(panels, 1):
        _draw_panel(sheet.add_subplot(rows, columns, number), panel)
    return sheet


def _draw_panel(axes, panel):
    from matplotlib.ticker import MaxNLocator

    axes.set_title(_plain(panel.title), fontsize=10, loc="left")
    axes.set_xlabel(
        _plain(textwrap.fill(panel.caption, _CAPTION_COLUMNS)), fontsize=7.5, loc="left"
    )
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    names = list(dict.fromkeys(curve.name for curve in panel.curves))
    for curve in panel.curves:
        color = f"C{names.index(curve.name)}"
        if curve.line is None:
            axes.plot(curve.x, curve.y, "o-", color=color, markersize=4, label=curve.name)
        else:
            axes.plot(curve.x, curve.y, color=color, alpha=0.3, linewidth=0.8)
            axes.plot(curve.x, curve.line, color=color, label=curve.name)
    for value, name in panel.references:
        axes.axhline(value, color=_REFERENCE, linewidth=1)
        place = {"xytext": (3, 2), "textcoords": "offset points", "fontsize": 7}
        at = axes.get_yaxis_transform()
        axes.annotate(_plain(name), (0, value), xycoords=at, color=_REFERENCE, **place)
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    log = panel.log and _suits_log(panel)
    axes.set_yscale("log" if log else "linear")
    axes.set_ylim(_limits(panel, log))
    _draw_bands(axes, panel.bands)
    if any(names):
        lines, labels = axes.get_legend_handles_labels()
        one_each = dict(zip(labels, lines, strict=True))
        axes.legend(one_each.values(), one_each, fontsize=7, loc="upper right")


def _plain(text):
    """Text in which Matplotlib takes no dollar for a formula."""
    return text.replace("$", r"\$")


def _draw_bands(axes, bands):
    left, right = axes.get_xlim()
    for number, (start, end, name) in enumerate(bands):
        axes.axvspan(start, end, color="0.96" if number % 2 else "1", zorder=-1)
        if min(end, right) - max(start, left) > _NAMED * (right - left):
            at = {"transform": axes.get_xaxis_transform(), "va": "top", "fontsize": 7}
            axes.text(max(start, left), 0.98, f" {name}", color=_GRAY, **at)
    axes.set_xlim(left, right)


def _suits_log(panel):
    references = [value for value, _ in panel.references]
    values = np.concatenate([*(curve.settled[0] for curve in panel.curves), references])
    low, high = np.percentile(values, _OUTERMOST)
    least = min(min(curve.y.min() for curve in panel.curves), values.min())
    return bool(least > 0 and high > _LOG_FROM * low)


def _limits(panel, log):
    """Bottom and top of a panel's scale."""
    references = [value for value, _ in panel.references]
    shown = np.concatenate([*(curve.settled[1] for curve in panel.curves), references])
    low, high = shown.min(), shown.max()
    if log:
        factor = max((high / low) ** 0.06, 1.05)
        return low / factor, high * factor
    if high - low <= _SAME * max(abs(low), abs(high)):
        margin = abs(low) / 2 or 1.0
        return low - margin, high + margin
    margin = 0.06 * (high - low)
    from_zero = low >= 0 and high - low > _FROM_ZERO * high
    return 0.0 if from_zero else low - margin, high + margin
