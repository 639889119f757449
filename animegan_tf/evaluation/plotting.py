"""Charts in rows, with captions, drawn by Matplotlib, the extra `plots`. No TensorFlow."""

import importlib.util
import textwrap

import numpy as np

from animegan_tf.errors import InputError

PANEL_WIDTH, _PANEL_HEIGHT, _HEADER, _DPI = 500, 330, 60, 100
_CAPTION_COLUMNS = 82
# Values all above 0 that span more than this factor get a log scale.
_LOG_FROM = 30


def check():
    """Raise `InputError` when Matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            "plots: expected matplotlib (pip install 'animegan_tf[plots]'), found it not installed"
        )


def figure(title, subtitle, captions, columns=3):
    """A `matplotlib.figure.Figure` with an empty chart for each of {title: caption}."""
    if not captions:
        raise InputError("panels: expected at least one, received none")
    check()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    columns = min(columns, len(captions))
    rows = -(-len(captions) // columns)
    size = columns * PANEL_WIDTH / _DPI, (_HEADER + rows * _PANEL_HEIGHT) / _DPI
    sheet = Figure(size, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(sheet)
    sheet.suptitle(plain(f"{title}\n{subtitle}"), x=0.01, ha="left", fontsize=10)
    for number, (name, caption) in enumerate(captions.items(), 1):
        axes = sheet.add_subplot(rows, columns, number)
        axes.set_title(plain(name), fontsize=10, loc="left")
        wrapped = plain(textwrap.fill(caption, _CAPTION_COLUMNS))
        axes.set_xlabel(wrapped, fontsize=7.5, loc="left")
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        axes.margins(x=0.02, y=0.06)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return sheet


def plain(text):
    """Escape dollar signs, which Matplotlib takes for formulas."""
    return text.replace("$", r"\$")


def fit(axes, shown, log=True):
    """Fit the y axis to the values `shown`, instead of all values of its lines.

    With `log` it gets a log scale if the values span more than a factor of 30.
    """
    axes.ignore_existing_data_limits = True
    axes.update_datalim(np.stack([shown, shown], 1), updatex=False)
    least = min(np.min(line.get_ydata()) for line in axes.lines)
    log = log and least > 0 and np.max(shown) > _LOG_FROM * np.min(shown)
    axes.set_yscale("log" if log else "linear")
    axes.autoscale_view(scalex=False)


def pixels(sheet):
    """A drawn figure: uint8 RGB (H, W, 3)."""
    sheet.canvas.draw()
    return np.asarray(sheet.canvas.buffer_rgba())[..., :3].copy()
