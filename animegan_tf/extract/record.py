"""The record of an extraction, with which an interrupted run continues.

The files beside the folder of images, here `style`, are

    style_frames.csv    a row per image: video, time, shot, crop, and the reason for keeping it
    style_frames.json   a list of runs: settings, videos, number of dropped frames by reason
    style_frames.png    the contact sheet
    .style_frames/      cached scans of the videos; may be deleted

An image is written before its row, and the other files are replaced atomically, so that nothing is
lost if the program is killed. A listed image that does not exist was deleted on purpose; it is not
written again.
"""

import csv
import dataclasses
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
        rows: the rows of the CSV file, dicts of strings by `COLUMNS`.
        runs: dicts with at least `settings`, a dict of JSON values.
        csv, json, sheet: paths.
    """

    def __init__(self, output):
        """Read existing files; raises `InputError` if they have another format."""
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
        complete, _, truncated = self.csv.read_text("utf-8").rpartition("\n")
        if truncated:  # the disk was full
            storage.write_text(self.csv, complete + "\n" if complete else "")
        reader = csv.DictReader(io.StringIO(complete))
        rows = list(reader)
        if complete and (tuple(reader.fieldnames) != COLUMNS or any(None in row for row in rows)):
            raise InputError(
                f"output: expected the columns {','.join(COLUMNS)} in {self.csv}, received "
                f"{','.join(reader.fieldnames)}; move that file away to start again"
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
            "something else; move that file away to start again"
        )

    # --- runs ---

    def begin(self, settings, allowed=()):
        """The number, from 1, of the run with these settings; adds a new run if there is none.

        Raises `InputError` for a new run whose settings differ from those of the last run in
        something that is not in `allowed`.
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
                    f"output: {str(self._folder)!r} was created with other settings ({details}); "
                    f"use another folder, or --allow_change={','.join(changed)} to add to this one"
                )
        self.runs.append({"settings": settings})
        self.save_runs()
        return len(self.runs)

    def save_runs(self):
        """Write `runs`."""
        storage.write_text(self.json, json.dumps(self.runs, indent=1, ensure_ascii=False) + "\n")

    # --- images ---

    def add(self, rows):
        """Append rows for images that have been written; values are converted to strings."""
        rows = [{name: str(row[name]) for name in COLUMNS} for row in rows]
        text = _to_csv(rows, header=not self.csv.exists() or not self.csv.stat().st_size)
        self.csv.parent.mkdir(parents=True, exist_ok=True)
        with self.csv.open("a", encoding="utf-8", newline="") as file:
            file.write(text)
        self.rows += rows

    def sort(self):
        """Sort the rows by video and time."""
        self.rows.sort(key=lambda row: (row["film"], float(row["seconds"]), int(row["crop"])))
        storage.write_text(self.csv, _to_csv(self.rows, header=True))

    # --- cached scans ---

    def load_scan(self, key):
        """The fields of the scan that `save_scan` stored under this key, or None."""
        path = self._scan_path(key)
        try:
            stored = json.loads(path.read_text("utf-8"))
            return stored["scan"] if stored["key"] == key else None
        except (OSError, ValueError, TypeError, KeyError):  # the video is scanned again
            return None

    def save_scan(self, key, scan):
        """Store a `Scan` under a key, a JSON list of the video and the settings."""
        stored = {"key": key, "scan": dataclasses.asdict(scan)}
        storage.write_text(self._scan_path(key), json.dumps(stored, default=str))  # of Fractions

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
    """A setting as text for messages."""
    if isinstance(value, list):  # videos: [name, size]
        return ",".join(str(item[0] if isinstance(item, list) else item) for item in value)
    return "none" if value is None else str(value)
