"""What was extracted into a folder, so that a run that was stopped goes on where it was.

Beside the folder of pictures, here `style`, stand

    style_frames.csv    a line per picture: film, time, shot, crop, and why it was kept
    style_frames.json   a list of runs: settings, films, how many frames were dropped for what
    style_frames.png    the contact sheet
    .style_frames/      what was found in each film; may be deleted, is then found again

A picture is in place before its line is written, and other files are replaced at once, so that
nothing is lost whenever the program is killed. A picture that is listed and not there was deleted
on purpose, and stays away.
"""

import csv
import hashlib
import io
import json
import os
import pathlib

from animegan_tf import storage
from animegan_tf.errors import InputError

COLUMNS = (
    "file", "film", "timecode", "seconds", "shot", "shot_start", "shot_end", "crop", "left", "top",
    "sharpness", "nearest_bits", "why", "hash", "run",
)  # fmt: skip


class Record:
    """The files beside the folder `output`.

    Attributes:
        rows: the lines of the csv file, dicts of strings by `COLUMNS`.
        runs: dicts with at least `settings`, a dict of JSON values.
        csv, json, sheet: paths.
    """

    def __init__(self, output):
        """Read what is there; raises `InputError` when it was not written by this module."""
        folder = pathlib.Path(os.path.abspath(output))
        if folder.exists() and not folder.is_dir():
            raise InputError(f"output: expected a folder, found a file at {output}")
        self.csv, self.json, self.sheet = (
            folder.with_name(f"{folder.name}_frames{suffix}")
            for suffix in (".csv", ".json", ".png")
        )
        self._scans = folder.with_name(f".{folder.name}_frames")
        self._folder = folder
        self.rows, self.runs = self._read_rows(), self._read_runs()

    def _read_rows(self):
        if not self.csv.exists():
            return []
        whole, _, torn = self.csv.read_text("utf-8").rpartition("\n")
        if torn:  # the disk was full
            storage.write_text(self.csv, whole + "\n" if whole else "")
        lines = csv.DictReader(io.StringIO(whole))
        rows = list(lines)
        if whole and (tuple(lines.fieldnames) != COLUMNS or any(None in row for row in rows)):
            raise InputError(
                f"output: expected the columns {','.join(COLUMNS)} in {self.csv}, received "
                f"{','.join(lines.fieldnames)}; move that file away to begin anew"
            )
        return rows

    def _read_runs(self):
        if not self.json.exists():
            return []
        try:
            runs = json.loads(self.json.read_text("utf-8"))
            if isinstance(runs, list) and all(isinstance(run["settings"], dict) for run in runs):
                return runs
        except (ValueError, TypeError, KeyError):
            pass
        raise InputError(
            f"output: expected a list of runs with their settings in {self.json}, received "
            "something else; move that file away to begin anew"
        )

    # --- runs ---

    def begin(self, settings, allowed=()):
        """The number, from 1, of the run with these settings: of one that was begun, or a new one.

        A new one beside others is refused with an `InputError`, unless the settings that differ
        from the last one's are in `allowed`.
        """
        settings = json.loads(json.dumps(settings))
        for number, run in enumerate(self.runs, 1):
            if run["settings"] == settings:
                return number
        if self.runs:
            before = self.runs[-1]["settings"]
            changed = sorted(
                name
                for name in {**before, **settings}
                if before.get(name) != settings.get(name) and name not in allowed
            )
            if changed:
                details = "; ".join(
                    f"{name} {_brief(before.get(name))} then, {_brief(settings.get(name))} now"
                    for name in changed
                )
                raise InputError(
                    f"output: {str(self._folder)!r} was filled with other settings ({details}); "
                    f"use another folder, or --allow_change={','.join(changed)} to add to this one"
                )
        self.runs.append({"settings": settings})
        self.save_runs()
        return len(self.runs)

    def save_runs(self):
        """Write `runs`."""
        storage.write_text(self.json, json.dumps(self.runs, indent=1, ensure_ascii=False) + "\n")

    # --- pictures ---

    def add(self, rows):
        """Append lines for pictures that are in place; numbers may be what prints as such."""
        rows = [{name: str(row[name]) for name in COLUMNS} for row in rows]
        text = _to_csv(rows, header=not self.csv.exists() or not self.csv.stat().st_size)
        self.csv.parent.mkdir(parents=True, exist_ok=True)
        with self.csv.open("a", encoding="utf-8", newline="") as file:
            file.write(text)
        self.rows += rows

    def sort(self):
        """Bring the lines into the order of the films and times."""
        self.rows.sort(key=lambda row: (row["film"], float(row["seconds"]), int(row["crop"])))
        storage.write_text(self.csv, _to_csv(self.rows, header=True))

    # --- what was found in films ---

    def load_scan(self, key):
        """What `save_scan` wrote for this key, or None."""
        path = self._scan_path(key)
        try:
            stored = json.loads(path.read_text("utf-8"))
            return stored["scan"] if stored["key"] == key else None
        except (OSError, ValueError, TypeError, KeyError):  # found again then
            return None

    def save_scan(self, key, scan):
        """Keep JSON values under a key, a JSON list that names the film and the settings."""
        storage.write_text(self._scan_path(key), json.dumps({"key": key, "scan": scan}))

    def _scan_path(self, key):
        name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]
        return self._scans / f"{name}.json"


def _to_csv(rows, header):
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _brief(value):
    """A setting as a message shows it."""
    if isinstance(value, list):  # films: [name, bytes]
        return ",".join(str(item[0] if isinstance(item, list) else item) for item in value)
    return "none" if value is None else str(value)
