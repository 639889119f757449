"""Charts of the scalars of a training run. No TensorFlow.

A line of `scalars.jsonl` is a JSON object with `step`, `epoch`, `phase`, the loss terms
(unweighted, except the totals `init`, `d` and `g`) and diagnostics such as gradient norms. All
numbers are drawn; those without a caption come last.
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np

from animegan_tf.errors import InputError
from animegan_tf.evaluation import plotting
from animegan_tf.networks.weights import SCALARS

PHASE_NAMES = {
    "initialize": "initialisation",
    "discriminate": "discriminator only",
    "adversarial": "adversarial phase",
}
_NOT_TERMS = ("step", "epoch", "phase")
# The window of the moving average: this fraction of the run, but at most that fraction of a phase.
_SMOOTHED_OVER, _SMOOTHED_OVER_PHASE = 1 / 25, 1 / 10
# A phase over less of the width has no space for its name.
_NAMED = 0.2

# Description of each term and of its expected curve, in the order of the panels.
CAPTIONS = {
    "init": "Weighted total of the initialisation phase. Falls fast, then slowly; still falling at "
    "its end is fine.",
    "pixel": "Mean absolute difference of the pixels, in [-1, 1], in the initialisation. Should "
    "fall well below 0.1.",
    "content": "Feature distance between output and photo. Falls in the initialisation; later a "
    "slow rise, often above the end of the first phase, is normal: style costs detail. A steep "
    "rise is not: increase content_weight.",
    "style": "Distance of the texture (Gram matrices) to the gray anime frames. Should fall in the "
    "first adversarial epochs, then level off. It is noisy, since each step has other frames.",
    "color": "Distance between output and photo in YUV. Should stay low and constant; a rise means "
    "that colours drift: increase color_weight.",
    "tv": "Total variation of the output. Falls as areas become flat; a later rise may be noise or "
    "patterns: check the samples.",
    "adversarial": "The generator's adversarial loss, unweighted. lsgan: near 1 it never fools the "
    "discriminator, near 0 always. It should stay between both.",
    "d": "The discriminator's weighted total. Falls at first, then should stay level. Near 0 the "
    "discriminator has won and gives no useful gradient: lower its learning rate.",
    "g": "The generator's weighted total. Stays level, since both networks compete; its terms say "
    "more.",
    "d output": "The discriminator's mean output. The target of lsgan is 1 for real frames, 0 for "
    "the others. Real should stay above the rest; at exactly 1 and 0 the discriminator has won.",
    "generator_gradient_norm": "Gradient norm of the generator's total, before Adam. Level, with "
    "single spikes; unlimited growth means that training diverges.",
    "discriminator_gradient_norm": "Gradient norm of the discriminator's total, before Adam. "
    "Level, with single spikes. Near 0 it no longer learns.",
    "learning rate": "According to the recipe: constant, or falling by a half cosine.",
    "seconds": "Seconds per step. Constant after the first steps, which compile; a rise means slow "
    "data loading or a shared machine.",
    "images_per_second": "Training photos per second, the inverse of the seconds per step.",
    "memory_gb": "Peak memory so far. Rises in the first steps; a constant rise is a leak.",
}
_UNKNOWN = "Recorded by the run; no description available."

# Terms that share a panel: {title: {term: label}}.
_TOGETHER = {
    "d output": {
        "d_real": "real",
        "d_generated": "generated",
        "d_gray": "gray",
        "d_smooth": "smooth",
    },
    "learning rate": {
        "generator_learning_rate": "generator",
        "discriminator_learning_rate": "discriminator",
        "init_learning_rate": "initialisation",
    },
}


def read_scalars(path):
    """The lines of a run as dicts in the order of steps, and the number of unreadable lines.

    `path` is a run directory or its `.jsonl` file. The last line of a running run may be truncated.
    For a duplicate step the later line is used. Raises `InputError` if there is no such file or no
    line with a step.
    """
    path = Path(path)
    file = path / SCALARS if path.is_dir() else path
    if not file.is_file():
        raise InputError(
            f"run: expected a run directory with {SCALARS}, or such a file, found "
            f"{'none in' if path.is_dir() else 'nothing at'} {path}"
        )
    steps, unreadable = {}, 0
    for text in file.read_text("utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
            steps[int(line["step"])] = line
        except (ValueError, TypeError, KeyError):
            unreadable += bool(text.strip())
    if not steps:
        raise InputError(f"run: expected lines with a step in {file}, found none")
    return [steps[step] for step in sorted(steps)], unreadable


def terms(lines):
    """The names of the numbers in lines of a run, in the order of their first appearance."""
    names = {
        name: None
        for line in lines
        for name, value in line.items()
        if name not in _NOT_TERMS and _is_number(value)
    }
    return list(names)


def _panels(lines):
    """{title: {term: label}} of the panels for lines of a run; those with a caption come first."""
    names = terms(lines)
    shared = {title: {t: n for t, n in of.items() if t in names} for title, of in _TOGETHER.items()}
    grouped = {term for group in shared.values() for term in group}
    single = {term: {term: ""} for term in names if term not in grouped}
    panels = {**single, **{title: group for title, group in shared.items() if group}}
    known = {title: panels.pop(title) for title in CAPTIONS if title in panels}
    return {**known, **panels}


def _is_number(value):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)


def smooth(values, over):
    """Centred moving average over `over` values.

    At the beginning, where losses fall steeply, the window is smaller but symmetric; at the end it
    is truncated.
    """
    values = np.asarray(values, float)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    reach = np.minimum(over // 2, index)
    first, end = index - reach, np.minimum(index + reach + 1, len(values))
    return (sums[end] - sums[first]) / (end - first)


def phases(lines):
    """The phases of a run: [(first step, last step, phase)]."""
    groups = itertools.groupby(lines, lambda line: line.get("phase", ""))
    steps = ((phase, [line["step"] for line in group]) for phase, group in groups)
    return [(numbers[0], numbers[-1], phase) for phase, numbers in steps]


def draw_run(lines, title):
    """The chart of a run, uint8 RGB: a panel per term, smoothed separately for each phase.

    `lines` come from `read_scalars`. A panel shows the steps that have its term.
    """
    return plotting.pixels(figure(lines, title))


def figure(lines, title):
    """The same as a `matplotlib.figure.Figure`."""
    stretches, panels, last = phases(lines), _panels(lines), lines[-1]
    epoch = f", epoch {last['epoch']}" if "epoch" in last else ""
    subtitle = (
        f"up to step {last['step']}{epoch}, {_name_of(last.get('phase', ''))}. Over the steps: "
        "single values (faint) and their moving average."
    )
    captions = {heading: CAPTIONS.get(heading, _UNKNOWN) for heading in panels}
    sheet = plotting.figure(title, subtitle, captions)
    for axes, group in zip(sheet.axes, panels.values(), strict=True):
        shown = []
        for number, (term, label) in enumerate(group.items()):
            for start, end, _ in stretches:
                drawn = _draw_curve(axes, lines, term, (start, end), f"C{number}", label)
                shown += drawn
                label = None if drawn else label  # in the legend once
        plotting.fit(axes, shown)
        _draw_phases(axes, stretches)
        if any(group.values()):
            axes.legend(fontsize=7, loc="upper right")
    return sheet


def _name_of(phase):
    return PHASE_NAMES.get(phase, phase)


def _draw_curve(axes, lines, term, stretch, color, label):
    """Draw a term in a phase and its moving average; returns values that the y axis must show."""
    first, last = stretch
    values = [
        (line["step"], line[term])
        for line in lines
        if first <= line["step"] <= last and _is_number(line.get(term))
    ]
    if not values:
        return []
    x, y = np.array(values, float).T
    average = smooth(y, round(min(len(lines) * _SMOOTHED_OVER, len(y) * _SMOOTHED_OVER_PHASE)))
    axes.plot(x, y, color=color, alpha=0.3, linewidth=0.8)
    axes.plot(x, average, color=color, label=label)
    # Neither outliers nor the steep first twentieth, which would flatten the rest.
    start = len(y) // 20
    return [*np.percentile(y[start:], (1, 99)), *average[start:]]


def _draw_phases(axes, stretches):
    """Shade the phases, each up to the start of the next, and name those with enough space."""
    left, right = axes.get_xlim()
    ends = [*(start for start, _, _ in stretches[1:]), stretches[-1][1]]
    for number, ((start, _, phase), end) in enumerate(zip(stretches, ends, strict=True)):
        axes.axvspan(start, end, color="0.96" if number % 2 else "1", zorder=-1)
        if min(end, right) - max(start, left) > _NAMED * (right - left):
            at = {"transform": axes.get_xaxis_transform(), "va": "top", "fontsize": 7}
            axes.text(max(start, left), 0.98, f" {_name_of(phase)}", color="0.4", **at)
    axes.set_xlim(left, right)
