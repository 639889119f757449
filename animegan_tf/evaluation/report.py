"""Reports of an evaluation: table, JSON, CSV, images. No TensorFlow.

A `Row` is a generator or a reference: the unchanged photos, or the style images.
"""

import csv
import dataclasses
import io
import json

from animegan_tf import contact_sheet, storage
from animegan_tf.errors import InputError
from animegan_tf.evaluation import evaluator, plotting
from animegan_tf.images import even_choice

# Side of the images of the grid in pixels, and its largest number of columns.
_CELL, _MOST_COLUMNS = 256, 10
_REFERENCE = "tab:orange"

LEGEND = """\
content    feature distance to the photo; 0 is the unchanged photo
style      Gram distance to the style images; lower is closer to their texture
artifacts  high-frequency energy in flat regions relative to the photo's; over 1: patterns, noise
to style   the same relative to the style images
colour     mean colour shift of the photos in CIELAB; about 2 is just visible
L a b      mean shift of all photos: lighter, redder (less green), yellower (less blue)
flicker    of a video relative to its source; 1 adds none, a washed-out output has less than 1
kernel     distance of all outputs to the style images (--kid); lower is closer"""

# Title and caption of the charts over the epochs.
_PANELS = {
    "content": (
        "content distance",
        "Feature distance to the photo. Rises as the style gets stronger; a rise without a falling "
        "style distance only loses detail.",
    ),
    "style": (
        "style distance",
        "Gram distance to the gray style images. Should fall below that of the photos; epochs "
        "after it has levelled off are candidates.",
    ),
    "artifacts": (
        "artifact index",
        "High-frequency energy in flat regions relative to the photos. Should be 1 or less; prefer "
        "epochs with low values.",
    ),
    "artifacts_to_style": (
        "artifact index to style",
        "The same relative to the flat regions of the style images: 1 is equally clean.",
    ),
    "color": (
        "colour shift",
        "Mean colour shift of the photos in CIELAB. Some shift is style; above 10 the photo's "
        "colours are lost.",
    ),
    "flicker": (
        "flicker",
        "Flicker of a video relative to its source; over 1 the output flickers. A washed-out "
        "output has less than 1.",
    ),
    "kernel": (
        "kernel distance",
        "Distance of all outputs to the style images in VGG features; lower is closer.",
    ),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A generator's name, its `evaluator.Measures`, and its epoch, if known."""

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
        m = row.measures
        lab = m.lab or (None, None, None)
        lines.append(
            f"{row.label:{width}}  {_number(m.content, 8, '.3f')} {_number(m.style, 8, '.3f')} "
            f"{_number(m.artifacts, 9, '.2f')} {_number(m.artifacts_to_style, 8, '.2f')} "
            f"{_number(m.color, 6, '.1f')} "
            + " ".join(_number(value, 6, "+.1f") for value in lab)
            + f" {_number(m.flicker, 7, '.2f')} {_number(m.images_per_second, 8, '.2f')} "
            + _number(m.kernel, 7, ".3f")
        )
    return "\n".join(line.rstrip() for line in lines)


def _number(value, width, form):
    return f"{'-' if value is None else format(value, form):>{width}}"


def write_json(path, rows, settings):
    """Write the rows and the `settings` of the measurement (JSON values)."""
    listed = [
        {"label": row.label, "epoch": row.epoch, **dataclasses.asdict(row.measures)} for row in rows
    ]
    storage.write_text(path, json.dumps({"settings": settings, "rows": listed}, indent=1) + "\n")


def write_csv(path, rows):
    """Write the rows; missing measures are empty."""
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
    """Photos and outputs side by side, a row per photo: uint8 RGB.

    columns: (label, outputs) of each generator, outputs in the order of `photos`. Of many columns
    some are chosen at equal intervals, including the first and the last.
    """
    if not photos:
        raise InputError("photos: expected at least one, received none")
    columns = [("photo", photos), *even_choice(columns, _MOST_COLUMNS - 1)]
    tiles = [outputs[index] for index in range(len(photos)) for _, outputs in columns]
    labels = [label if len(label) < 36 else f"...{label[-32:]}" for label, _ in columns]
    return contact_sheet.draw(tiles, labels * len(photos), _CELL, len(columns))


def draw_epochs(title, rows, references):
    """A chart of the measures over the epochs, a panel per measure: uint8 RGB.

    references: `Row`s whose values are drawn as horizontal lines.
    """
    rows = sorted((row for row in rows if row.epoch is not None), key=lambda row: row.epoch)
    drawn = {
        name: [row for row in rows if getattr(row.measures, name) is not None] for name in _PANELS
    }
    drawn = {name: group for name, group in drawn.items() if group}
    captions = dict(_PANELS[name] for name in drawn)
    sheet = plotting.figure(title, "Over the epochs of the run.", captions)
    for axes, (name, group) in zip(sheet.axes, drawn.items(), strict=True):
        values = [getattr(row.measures, name) for row in group]
        axes.plot([row.epoch for row in group], values, "o-", markersize=4)
        known = {row.label: getattr(row.measures, name) for row in references}
        known = {label: value for label, value in known.items() if value}
        for label, value in known.items():
            axes.axhline(value, color=_REFERENCE, linewidth=1)
            place = {"xytext": (3, 2), "textcoords": "offset points", "fontsize": 7}
            at = axes.get_yaxis_transform()
            text = plotting.plain(label)
            axes.annotate(text, (0, value), xycoords=at, color=_REFERENCE, **place)
        plotting.fit(axes, [*values, *known.values()], log=False)
    return plotting.pixels(sheet)
