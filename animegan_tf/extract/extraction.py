"""From films to a folder of distinct, usable training pictures.

`extract` reads a film twice: `frame_scan` looks at every frame and notes numbers; then the frames
that `frame_selection` chose among all films are sought, cut and written by `frame_writer`. What was
written, and how a stopped run goes on, is `frame_record`'s. Pictures are uint8 RGB; times are
seconds from a film's first frame. Memory holds a few frames and the numbers of each shot, whatever
the films' length. No TensorFlow.
"""

import collections
import dataclasses
import math
import pathlib

from animegan_tf import contact_sheet
from animegan_tf.errors import InputError
from animegan_tf.extract import selection
from animegan_tf.extract.films import open_films, scan_films
from animegan_tf.extract.options import FrameOptions
from animegan_tf.extract.record import Record
from animegan_tf.extract.writer import Chosen, Writer
from animegan_tf.video.timecode import list_videos, timecode

# Why a measured frame is dropped, besides the reasons of `frame_scan` and `frame_quality`.
BLURRED, DUPLICATE, FLAT_CROPS = "blurred", "near-duplicates", "with flat crops only"
NOT_NEEDED, LOST = "not needed", "not found again"


@dataclasses.dataclass(frozen=True)
class FrameReport:
    """What `extract` did; `str()` tells it.

    Attributes:
        pictures, new: listed pictures in the folder; those of them that were written this time.
        frames, shots, samples: frames decoded, shots found, frames measured.
        kept: frames that gave pictures.
        dropped: {reason: number of measured frames}; with `kept` they sum to `samples`.
        speed: frames looked at per second, or None when all films had been looked at before.
        problems: what is wrong with the films, a sentence each.
        notes: what may surprise, a sentence each.
        csv, sheet: paths of the list and of the contact sheet.
    """

    pictures: int
    new: int
    frames: int
    shots: int
    samples: int
    kept: int
    dropped: dict[str, int]
    speed: float | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    csv: pathlib.Path
    sheet: pathlib.Path

    def __str__(self):
        speed = f" ({self.speed:.0f} per second)" if self.speed else ""
        dropped = ", ".join(f"{count} {reason}" for reason, count in self.dropped.items())
        lines = [
            f"{self.frames} frames{speed} in {self.shots} shots, {self.samples} of them measured",
            f"dropped: {dropped or 'none'}",
            f"kept: {self.kept} frames; {self.pictures} pictures, {self.new} of them new",
            *(f"note: {note}" for note in self.notes),
            f"listed in {self.csv}, shown on {self.sheet}",
            *(f"problem: {problem}" for problem in self.problems),
        ]
        return "\n".join(lines)


def extract(video, output, options=None, allow_change=(), progress=True) -> FrameReport:
    """Extract training pictures from a film or a folder of films; run again, it goes on.

    Pictures that exist are never written over.

    Args:
        video: path of a film, or of a folder with films.
        output: folder for the pictures; `frame_record` says what stands beside it.
        options: `FrameOptions`.
        allow_change: names of options (and "video") that may differ from those the folder was
            filled with. The pictures there then count, and none that is like them is added.
        progress: show progress bars.

    Raises `InputError` before any work: something is no film, or the options do not fit.
    """
    options = options or FrameOptions()
    record = Record(output)
    films = open_films(list_videos(video), options)
    settings = {"video": [film.identity for film in films], **dataclasses.asdict(options)}
    unknown = sorted(set(allow_change) - set(settings))
    if unknown:
        raise InputError(
            f"allow_change: expected some of {', '.join(settings)}, received {', '.join(unknown)}"
        )
    run = record.begin(settings, allow_change)
    looked, seconds = scan_films(films, options, record, progress)
    chosen, dropped = _select(films, options, record.rows, run)
    writer = Writer(output, options, record, run)
    earlier = sum(int(row["run"]) < run for row in record.rows)
    wanted = max(0, options.count - earlier) if options.count else math.inf
    dropped[NOT_NEEDED] = writer.write(chosen, wanted, progress)
    dropped[FLAT_CROPS], dropped[LOST] = writer.all_flat, sum(writer.lost.values())
    present = _finish(record, writer.folder)
    report = FrameReport(
        pictures=present,
        new=writer.new,
        frames=sum(film.scan.frames for film in films),
        shots=sum(film.scan.shots for film in films),
        samples=sum(film.scan.samples for film in films),
        kept=writer.kept,
        dropped={reason: count for reason, count in dropped.items() if count},
        speed=looked / seconds if looked else None,
        problems=tuple(_problems(films, writer)),
        notes=tuple(_notes(films, options, record, present)),
        csv=record.csv,
        sheet=record.sheet,
    )
    record.runs[run - 1] = {"settings": settings, **_summary(films, report)}
    record.save_runs()
    return report


def _select(films, options, rows, run):
    """The `Chosen` frames in the order of preference, and {reason: how many were dropped}."""
    dropped = collections.Counter()
    found = []
    for number, film in enumerate(films):
        dropped.update(film.scan.dropped)
        for candidate in film.scan.candidates:
            quality = candidate.sharpness / (film.scan.typical_sharpness or 1)
            if quality < options.min_sharpness:
                dropped[BLURRED] += 1
            else:
                found.append((number, film, candidate, quality))
    taken = sorted({int(row["hash"], 16) for row in rows if int(row["run"]) < run})
    distinct = selection.distinct(
        [candidate.hash for _, _, candidate, _ in found],
        [quality for *_, quality in found],
        options.min_distance,
        taken,
    )
    dropped[DUPLICATE] += len(found) - len(distinct)
    found = [found[index] for index in distinct]
    nearest = selection.nearest([candidate.hash for _, _, candidate, _ in found])
    order = selection.by_spread(
        [number for number, *_ in found],
        [candidate.time for _, _, candidate, _ in found],
        [quality for *_, quality in found],
    )
    return [Chosen(found[index][1], found[index][2], nearest[index]) for index in order], dropped


def _finish(record, folder):
    """Sort the list and draw the contact sheet; returns how many listed pictures are there."""
    record.sort()
    rows = [row for row in record.rows if (folder / row["file"]).exists()]
    contact_sheet.write(
        record.sheet,
        [folder / row["file"] for row in rows],
        [row["timecode"] for row in rows],
    )
    return len(rows)


# --- what to say ---------------------------------------------------------------------------------


def _problems(films, writer):
    for film in films:
        yield from (f"{film.path.name}: {problem}" for problem in film.scan.problems)
        if not film.scan.frames:
            yield f"{film.path.name}: no frame from {timecode(film.begin)} on could be decoded"
        if writer.lost[film.name]:
            yield f"{film.path.name}: {writer.lost[film.name]} frame(s) were not found again"


def _notes(films, options, record, present):
    for film in films:
        bars = dataclasses.asdict(film.scan.bars)
        if film.scan.bars:
            cut = ", ".join(f"{pixels} px {side}" for side, pixels in bars.items() if pixels)
            yield f"{film.path.name}: black bars cut: {cut}"
        if film.info.hdr:
            yield f"{film.path.name}: its high dynamic range is mapped to that of SDR"
        height, width = film.picture_size()
        if min(height, width) < options.short_side:
            yield f"{film.path.name}: enlarged from {width}x{height}"
        fitting = film.crops(options)
        if fitting < options.crops:
            yield (
                f"{film.path.name}: {fitting} of {options.crops} crops fit into a frame; a greater "
                "--short_side makes room for more"
            )
    deleted = len(record.rows) - present
    if deleted:
        yield f"{deleted} of the listed pictures were deleted since, and are not made again"
    if len(record.rows) < options.count:
        yield (
            f"{options.count} pictures were asked for, and there are no more distinct ones than "
            f"{len(record.rows)}; other films, a higher --per_shot, a lower --every or "
            "--min_distance may give more"
        )


def _summary(films, report):
    """What the record keeps of a run."""
    return {
        "films": [
            {
                "name": film.name,
                "film": str(film.info),
                "frames": film.scan.frames,
                "shots": film.scan.shots,
                "bars": dataclasses.asdict(film.scan.bars),
                "typical_sharpness": film.scan.typical_sharpness,
                "problems": list(film.scan.problems),
            }
            for film in films
        ],
        "frames": report.frames,
        "samples": report.samples,
        "kept": report.kept,
        "dropped": report.dropped,
        "pictures": report.pictures,
    }
