"""Line charts with captions, drawn by Matplotlib, the extra `plots`. No TensorFlow."""

import dataclasses
import importlib.util
import textwrap

import numpy as np

from animegan_tf.errors import InputError

PANEL_WIDTH, _PANEL_HEIGHT, _HEADER, _DPI = 500, 330, 60, 100
_CAPTION_COLUMNS = 82
_REFERENCE, _GRAY = "tab:orange", "0.4"

# Values all above 0 that span more than this factor get a log scale.
_LOG_FROM = 30
# A band that takes less of the width has no room for its name.
_NAMED = 0.2


@dataclasses.dataclass(frozen=True)
class Curve:
    """Values over x: drawn with dots, or faintly behind `line` if it is not None.

    `name` goes into the panel's legend; curves of one name have one colour.
    """

    x: np.ndarray
    y: np.ndarray
    line: np.ndarray | None = None
    name: str = ""

    @property
    def extent(self):
        """The values that the y axis must show: those of a smoothed curve without its steep first
        twentieth, which would flatten the rest, and without outliers."""
        if self.line is None:
            return self.y
        first = len(self.y) // 20
        return np.append(np.percentile(self.y[first:], (1, 99)), self.line[first:])


@dataclasses.dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes:
        title: shown above the chart.
        caption: shown below it, wrapped.
        curves: one or more `Curve`s with finite values.
        bands: parts of the x axis, (start, end, name) each, on different backgrounds.
        references: horizontal lines, (value, name) each; the y axis includes them.
        log: use a log scale if the values span more than `_LOG_FROM`.
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
    """Draw the panels in rows below a title and a line of text: uint8 RGB (H, W, 3)."""
    canvas = figure(title, subtitle, panels, columns).canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def figure(title, subtitle, panels, columns=3):
    """The same as a `matplotlib.figure.Figure` on an Agg canvas."""
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
    axes.margins(x=0.02, y=0.06)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _scale(axes, panel)
    _draw_bands(axes, panel.bands)
    if any(names):
        lines, labels = axes.get_legend_handles_labels()
        one_each = dict(zip(labels, lines, strict=True))
        axes.legend(one_each.values(), one_each, fontsize=7, loc="upper right")


def _plain(text):
    """Escape dollar signs, which Matplotlib takes for formulas."""
    return text.replace("$", r"\$")


def _draw_bands(axes, bands):
    left, right = axes.get_xlim()
    for number, (start, end, name) in enumerate(bands):
        axes.axvspan(start, end, color="0.96" if number % 2 else "1", zorder=-1)
        if min(end, right) - max(start, left) > _NAMED * (right - left):
            at = {"transform": axes.get_xaxis_transform(), "va": "top", "fontsize": 7}
            axes.text(max(start, left), 0.98, f" {name}", color=_GRAY, **at)
    axes.set_xlim(left, right)


def _scale(axes, panel):
    """Fit the y axis to `Curve.extent` and the references instead of all values."""
    shown = np.concatenate(
        [*(curve.extent for curve in panel.curves), [value for value, _ in panel.references]]
    )
    axes.ignore_existing_data_limits = True
    axes.update_datalim(np.stack([shown, shown], 1), updatex=False)
    least = min(shown.min(), *(curve.y.min() for curve in panel.curves))
    log = panel.log and least > 0 and shown.max() > _LOG_FROM * shown.min()
    axes.set_yscale("log" if log else "linear")
    axes.autoscale_view(scalex=False)
