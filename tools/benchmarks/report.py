"""What was measured, for people and programs: tables, Markdown, JSON."""

import dataclasses
import json
import re
from pathlib import Path

from animegan_tf import storage
from animegan_tf.errors import InputError

FORMAT = 1
BEGIN, END = "<!-- benchmark: begin -->", "<!-- benchmark: end -->"
_HEADINGS = ("seconds", "fastest to slowest", "per second", "ratio", "peak MB", "difference")


def contents(machine, versions, settings, results, made):
    """Everything as a dict for JSON. results: [(`Case`, [`Row`])]; made: an ISO date and time."""
    return {
        "format": FORMAT,
        "made": made,
        "machine": machine,
        "versions": versions,
        "settings": {k: v for k, v in dataclasses.asdict(settings).items() if k != "generator"},
        "cases": [
            {
                "suite": case.suite,
                "label": case.label,
                "reference": case.reference,
                "items": case.items,
                "unit": case.unit,
                "rows": [dataclasses.asdict(row) for row in rows],
            }
            for case, rows in results
        ],
    }


def write_json(path, content):
    """Write `contents` to `path`, replacing it at once."""
    storage.write_text(path, json.dumps(content, indent=2) + "\n")


def machine_line(machine):
    """The machine in a line."""
    memory, load = machine["memory_megabytes"], machine["load_average"]
    parts = [
        machine["cpu"] or "unknown processor",
        f"{machine['cores']} core(s)",
        *([f"{memory / 1024:.0f} GB"] if memory else []),
        machine["system"],
        *([f"load average {load:.1f} at the start"] if load is not None else []),
    ]
    return ", ".join(parts)


def versions_line(versions):
    """The versions in a line."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _cells(row, case):
    if row.status != "measured":
        return None
    rate = case.items / row.median_seconds if row.median_seconds else 0
    return (
        _seconds(row.median_seconds),
        f"{_seconds(min(row.samples))} to {_seconds(max(row.samples))}",
        f"{rate:.3g}" if rate < 1000 else f"{rate:.0f}",
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.peak_megabytes is None else f"{row.peak_megabytes:.0f}",
        "" if row.difference is None else f"{row.difference:.1g}",
    )


def _seconds(value):
    return f"{value:.3g}" if value < 0.1 else f"{value:.2f}"


def _title(case):
    return f"{case.suite}: {case.label}"


def table(case, rows):
    """The rows of a case as lines of text."""
    width = max(len(row.name) for row in rows)
    lines = [_title(case), f"  {'':{width}}  " + "  ".join(f"{h:>10}" for h in _HEADINGS)]
    widths = [max(10, len(heading)) for heading in _HEADINGS]
    for row in rows:
        cells = _cells(row, case)
        if cells is None:
            shown = f"{row.status}: {row.reason}"
        else:
            shown = "  ".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True))
        lines.append(f"  {row.name:{width}}  {shown}".rstrip())
    lines.append(f"  seconds of a call, medians; ratio: how many times as fast as {case.reference}")
    return "\n".join(lines)


def markdown(content, results):
    """The whole report in Markdown."""
    settings = content["settings"]
    lines = [
        f"Measured {content['made'][:10]}: {machine_line(content['machine'])}.",
        f"Versions: {versions_line(content['versions'])}.",
        f"{settings['repeats']} alternating calls each, {settings['threads']} threads. Seconds are "
        "medians; the ratio, a median over the rounds: how many times as fast as the reference.",
    ]
    for case, rows in results:
        lines += ["", f"**{_title(case)}** (against {case.reference})", ""]
        lines += [f"| | {' | '.join(_HEADINGS)} |", "|---" * (len(_HEADINGS) + 1) + "|"]
        for row in rows:
            cells = _cells(row, case) or (f"{row.status}: {row.reason}", *[""] * 5)
            lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def check_markdown(path):
    """Raise `InputError` unless `path` is free, or a file with a place for the report."""
    path = Path(path)
    if path.exists() and (not path.is_file() or not _place().search(path.read_text("utf-8"))):
        raise InputError(
            f"markdown: expected a new file, or one with the lines {BEGIN} and {END}, between "
            f"which the report goes; received {path}"
        )


def write_markdown(path, text):
    """Write the report `text` to `path`: into the place for it where the file has one."""
    path = Path(path)
    placed = f"{BEGIN}\n{text}{END}"
    if path.exists():
        written = _place().sub(lambda _: placed, path.read_text("utf-8"), count=1)
    else:
        written = f"{placed}\n"
    storage.write_text(path, written)


def _place():
    return re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
