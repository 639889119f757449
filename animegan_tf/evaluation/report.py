"""What `evaluation` measured, for people and programs: table, JSON, CSV, pictures. No TensorFlow.

A `Row` is a generator, or one of the two things to compare with: the photos unchanged, the style
pictures.
"""

import csv
import dataclasses
import io
import json

import cv2
import numpy as np

from animegan_tf import contact_sheet, plotting, storage
from animegan_tf.errors import InputError
from animegan_tf.evaluation import evaluator
from animegan_tf.images import even_choice

_CELL, _HEADER, _GAP = 256, 26, 4
_MOST_COLUMNS = 10

LEGEND = """\
content    feature distance to the photo; 0 is the photo itself, untouched
style      Gram distance to the style pictures; lower is nearer to their texture
artifacts  high-frequency energy in flat regions relative to the photo's; over 1: patterns, noise
to style   the same relative to the style pictures'
colour     mean shift of each photo's mean colour in CIELAB; about 2 can just be seen
L a b      the shift that all photos share: lighter, redder (less green), yellower (less blue)
flicker    of a film relative to its own; 1 adds none, a washed-out result has less than 1
kernel     distance of all results to the style pictures (--kid); lower is more like them"""

# Title and caption of the charts over the epochs.
_PANELS = {
    "content": (
        "content distance",
        "To the photo, in features. Rises as the style takes hold; where it climbs without style "
        "distance falling, only detail is lost.",
    ),
    "style": (
        "style distance",
        "To the gray style pictures, in Gram matrices. Should fall below the photos'; an epoch "
        "after it has levelled off is a candidate.",
    ),
    "artifacts": (
        "artifact index",
        "High-frequency energy in flat regions, relative to the photos'. Should be at or below 1; "
        "prefer epochs where it is low.",
    ),
    "artifacts_to_style": (
        "artifact index to style",
        "The same relative to the flat regions of the style pictures: 1 is as clean as they are.",
    ),
    "color": (
        "colour shift",
        "How far each photo's mean colour moves, in CIELAB. Some is style; above 10 the photo's "
        "colours are lost.",
    ),
    "flicker": (
        "flicker",
        "Of a film's frames, relative to the film's own; over 1 the result flickers. A washed-out "
        "result has less than 1.",
    ),
    "kernel": (
        "kernel distance",
        "Of all results to the style pictures, in VGG features; lower is more like them.",
    ),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A generator's name, its `evaluator.Measures`, and the epoch it is of, if that is known."""

    label: str
    measures: evaluator.Measures
    epoch: float | None = None


def table(rows):
    """The rows as lines of text."""
    width = max(len(row.label) for row in rows)
    lines = [
        f"{'':{width}}  {'content':>8} {'style':>8} {'artifacts':>9} {'to style':>8} "
        f"{'colour':>6} {'L':>6} {'a':>6} {'b':>6} {'flicker':>7} {'images/s':>8} {'kernel':>7}"
    ]
    for row in rows:
        one = row.measures
        lab = one.lab or (None, None, None)
        lines.append(
            f"{row.label:{width}}  {_number(one.content, 8, '.3f')} {_number(one.style, 8, '.3f')} "
            f"{_number(one.artifacts, 9, '.2f')} {_number(one.artifacts_to_style, 8, '.2f')} "
            f"{_number(one.color, 6, '.1f')} "
            + " ".join(_number(value, 6, "+.1f") for value in lab)
            + f" {_number(one.flicker, 7, '.2f')} {_number(one.images_per_second, 8, '.2f')} "
            + _number(one.kernel, 7, ".3f")
        )
    return "\n".join(line.rstrip() for line in lines)


def _number(value, width, form):
    return f"{'-' if value is None else format(value, form):>{width}}"


def write_json(path, rows, settings):
    """Write the rows, and what they were measured on (`settings`, JSON values)."""
    listed = [
        {"label": row.label, "epoch": row.epoch, **dataclasses.asdict(row.measures)} for row in rows
    ]
    storage.write_text(path, json.dumps({"settings": settings, "rows": listed}, indent=1) + "\n")


def write_csv(path, rows):
    """Write the rows, a line each; what was not measured is empty."""
    names = [field.name for field in dataclasses.fields(evaluator.Measures) if field.name != "lab"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label", "epoch", *names, "shift_L", "shift_a", "shift_b"])
    for row in rows:
        values = [row.epoch, *(getattr(row.measures, name) for name in names)]
        values += row.measures.lab or (None, None, None)
        writer.writerow([row.label, *("" if value is None else f"{value:.6g}" for value in values)])
    storage.write_text(path, text.getvalue())


def draw_grid(photos, columns):
    """Photos and results side by side, a row for each photo: uint8 RGB.

    columns: (label, results) of each generator, results in the order of `photos`. Of many columns
    some are taken at even steps, the first and the last among them.
    """
    if not photos:
        raise InputError("photos: expected at least one, received none")
    columns = [("photo", photos), *even_choice(columns, _MOST_COLUMNS - 1)]
    rows = []
    for index in range(len(photos)):
        height, width = photos[index].shape[:2]
        scale = _CELL / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        cells = [
            _cell(cv2.resize(pictures[index], size, None, 0, 0, method)) for _, pictures in columns
        ]
        rows.append(np.concatenate(cells, axis=1))
    sheet = np.concatenate([np.full((_HEADER, *rows[0].shape[1:]), 255, np.uint8), *rows])
    for number, (label, _) in enumerate(columns):
        contact_sheet.put_text(sheet, _shortened(label), number * (_CELL + _GAP) + 4, 17, 0.42)
    return sheet


def _cell(picture):
    """A picture in the middle of the columns' width, with the gap to the next one."""
    height, width = picture.shape[:2]
    cell = np.full((height + _GAP, _CELL + _GAP, 3), 255, np.uint8)
    left = (_CELL - width) // 2
    cell[:height, left : left + width] = picture
    return cell


def _shortened(label):
    """The end of a label, as much as fits above a column."""
    shown = label
    while contact_sheet.text_width(shown, 0.42) > _CELL - 8:
        label = label[1:]
        shown = f"...{label}"
    return shown


def draw_epochs(title, rows, references):
    """The measures of the rows that have an epoch over their epochs: uint8 RGB, a panel for each.

    references: `Row`s whose values are drawn as lines across.
    """
    rows = sorted((row for row in rows if row.epoch is not None), key=lambda row: row.epoch)
    panels = []
    for name, (heading, caption) in _PANELS.items():
        values = [(row.epoch, getattr(row.measures, name)) for row in rows]
        values = [(epoch, value) for epoch, value in values if value is not None]
        if not values:
            continue
        x, y = np.array(values, float).T
        known = ((getattr(row.measures, name), row.label) for row in references)
        lines = tuple((value, label) for value, label in known if value)
        panels.append(
            plotting.Panel(heading, caption, (plotting.Curve(x, y),), references=lines, log=False)
        )
    return plotting.draw(title, "Over the epochs of the run.", panels)
