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

from animegan_tf import plotting
from animegan_tf.errors import InputError
from animegan_tf.networks.weights import SCALARS

PHASE_NAMES = {
    "initialize": "initialisation",
    "discriminate": "discriminator only",
    "adversarial": "adversarial phase",
}
_NOT_TERMS = ("step", "epoch", "phase")
# The window of the moving average: this fraction of the run, but at most that fraction of a phase.
_SMOOTHED_OVER, _SMOOTHED_OVER_PHASE = 1 / 25, 1 / 10

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
    stretches = phases(lines)
    # A band ends where the next phase starts.
    ends = [start for start, _, _ in stretches[1:]] + [stretches[-1][1]]
    bands = tuple(
        (start, end, PHASE_NAMES.get(phase, phase))
        for (start, _, phase), end in zip(stretches, ends, strict=True)
    )
    panels = []
    for heading, group in _panels(lines).items():
        curves = itertools.chain(*(_curves(lines, *item, stretches) for item in group.items()))
        caption = CAPTIONS.get(heading, _UNKNOWN)
        panels.append(plotting.Panel(heading, caption, tuple(curves), bands=bands))
    last = lines[-1]
    epoch = f", epoch {last['epoch']}" if "epoch" in last else ""
    phase = PHASE_NAMES.get(last.get("phase", ""), last.get("phase", ""))
    subtitle = (
        f"up to step {last['step']}{epoch}, {phase}. Over the steps: single values (faint) and "
        "their moving average."
    )
    return plotting.draw(title, subtitle, panels)


def _curves(lines, term, name, stretches):
    """A `plotting.Curve` of a term for each phase that has it."""
    curves = []
    for start, end, _ in stretches:
        values = [
            (line["step"], line[term])
            for line in lines
            if start <= line["step"] <= end and _is_number(line.get(term))
        ]
        if values:
            x, y = np.array(values, float).T
            over = round(min(len(lines) * _SMOOTHED_OVER, len(y) * _SMOOTHED_OVER_PHASE))
            curves.append(plotting.Curve(x, y, smooth(y, over), name))
    return curves
