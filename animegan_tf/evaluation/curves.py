"""The curves of a training run: its JSON lines read, smoothed and drawn. No TensorFlow.

A line of `scalars.jsonl` is an object with `step`, `epoch`, `phase` and numbers by the names of the
loss terms (unweighted but for the totals `init`, `d` and `g`) and of measures such as gradient
norms. Every number is drawn; those that this module does not know come last.
"""

import json
import math
from pathlib import Path

import numpy as np

from animegan_tf import plotting
from animegan_tf.errors import InputError
from animegan_tf.networks.weights import SCALARS

PHASE_NAMES = {
    "initialize": "initialisation",
    "discriminate": "discriminator alone",
    "adversarial": "adversarial phase",
}
_NOT_TERMS = ("step", "epoch", "phase")
# The line is the mean over this share of a run's values, but of no more than that of its phase.
_SMOOTHED_OVER, _SMOOTHED_OVER_PHASE = 1 / 25, 1 / 10

# What a term is and what its curve should look like, in the order of the panels.
CAPTIONS = {
    "init": "Weighted total of the initialisation phase. Falls fast, then slowly; still falling at "
    "its end is fine.",
    "pixel": "Initialisation aid: mean difference of the pixels, in [-1, 1]. Should fall well "
    "below 0.1.",
    "content": "Distance of result and photo in features. Falls in the initialisation; afterwards "
    "a slow rise, often above where the first phase ended, is normal: style costs detail. A steep "
    "rise is not: raise content_weight.",
    "style": "Distance of the texture (Gram matrices) to the gray anime frames. Should fall in the "
    "first adversarial epochs, then level off. It jumps from step to step with the frames drawn.",
    "color": "Distance of result and photo in YUV. Should stay low and level; a rise means that "
    "colours drift: raise color_weight.",
    "tv": "Total variation of the result: how busy it is. Falls as areas become flat; a rise after "
    "that may be noise or patterns: look at the samples.",
    "adversarial": "What the generator pays for being told apart, unweighted. lsgan: near 1 it "
    "never fools the discriminator, near 0 always. It should hover between, not stick to an end.",
    "d": "The discriminator's weighted total. Falls at first, then should hover. Collapsed to "
    "about 0, it has won and teaches nothing more: lower its learning rate.",
    "g": "The generator's weighted total. Hovers, as it is a contest; its terms say more.",
    "d output": "The discriminator's mean output; lsgan wants 1 for real frames, 0 for the others. "
    "Real should stay above the rest, without all reaching 1 and 0: then it has won.",
    "generator_gradient_norm": "Of the generator's total, before Adam. Level, with single spikes; "
    "growing without end means that training diverges.",
    "discriminator_gradient_norm": "Of the discriminator's total, before Adam. Level, with single "
    "spikes. Near 0 it no longer learns.",
    "learning rate": "As the recipe says: level, or falling by a half cosine.",
    "seconds": "Seconds for each step. Level, but for the first steps, which compile; rising means "
    "that the data come too slowly or the machine is shared.",
    "images_per_second": "Photos trained on per second, the same from the other side.",
    "memory_gb": "The most memory taken so far. Rises in the first steps; rising for ever is a "
    "leak.",
}
_UNKNOWN = "Recorded by the run; this tool knows no more of it."

# What is drawn on one panel: {title: {term: its name there}}.
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
    """The lines of a run as dicts in the order of their steps, and how many were unreadable.

    `path` is a run directory or its `.jsonl` file. The last line of a run that goes on may be cut
    short. Of a step that is there twice the later line counts. Raises `InputError` when there is no
    such file or no line of it is a step's.
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
    found = {
        name: None
        for line in lines
        for name, value in line.items()
        if name not in _NOT_TERMS and _is_number(value)
    }
    return list(found)


def _panels(lines):
    """{title: {term: its name}} of the panels for lines of a run; known ones come first."""
    found = terms(lines)
    shared = {title: {t: n for t, n in of.items() if t in found} for title, of in _TOGETHER.items()}
    grouped = {term for group in shared.values() for term in group}
    single = {term: {term: ""} for term in found if term not in grouped}
    panels = {**single, **{title: group for title, group in shared.items() if group}}
    known = {title: panels.pop(title) for title in CAPTIONS if title in panels}
    return {**known, **panels}


def _is_number(value):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)


def smooth(values, over):
    """The mean of the `over` values around each; at the beginning, where they fall steeply, of as
    many before as after it, at the end of as many as there are.
    """
    values = np.asarray(values, float)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    reach = np.minimum(over // 2, at)
    first, end = at - reach, np.minimum(at + reach + 1, len(values))
    return (sums[end] - sums[first]) / (end - first)


def phases(lines):
    """The stretches of one phase each: [(first step, last step, phase)]."""
    found = []
    for line in lines:
        step, phase = line["step"], line.get("phase", "")
        if found and found[-1][2] == phase:
            found[-1][1] = step
        else:
            found.append([step, step, phase])
    return [tuple(one) for one in found]


def draw_run(lines, title):
    """The chart of a run, uint8 RGB: a panel for each term, smoothed phase by phase.

    `lines` come from `read_scalars`. A panel reaches over the steps that have its term.
    """
    stretches = phases(lines)
    bands = tuple(
        (start, following, PHASE_NAMES.get(phase, phase))
        for (start, _, phase), following in zip(stretches, _following(stretches), strict=True)
    )
    panels = []
    for heading, group in _panels(lines).items():
        curves = [
            curve for term, name in group.items() for curve in _curves(lines, term, name, stretches)
        ]
        panels.append(
            plotting.Panel(heading, CAPTIONS.get(heading, _UNKNOWN), tuple(curves), bands=bands)
        )
    last = lines[-1]
    epoch = f", epoch {last['epoch']}" if "epoch" in last else ""
    phase = PHASE_NAMES.get(last.get("phase", ""), last.get("phase", ""))
    subtitle = (
        f"up to step {last['step']}{epoch}, {phase}. Over the steps: each value faintly, "
        "and the mean around it."
    )
    return plotting.draw(title, subtitle, panels)


def _curves(lines, term, name, stretches):
    """A `plotting.Curve` of a term for each stretch that has it."""
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


def _following(stretches):
    """Where each stretch ends: where the next begins; the last with its own end."""
    return [start for start, _, _ in stretches[1:]] + [stretches[-1][1]]
