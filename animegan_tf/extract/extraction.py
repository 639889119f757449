"""Extraction of distinct, usable training images from videos into a folder.

`extract` reads a video twice: `scan` measures all frames; then `writer` seeks the frames that
`selection` has chosen from all videos, crops and writes them. `record` stores what was written, so
that an interrupted run can continue. Images are uint8 RGB; times are seconds from the first frame
of a video. Memory holds a few frames, and some numbers per sampled frame. No TensorFlow.
"""

import collections
import dataclasses
import math
import pathlib

from animegan_tf import contact_sheet
from animegan_tf.errors import InputError
from animegan_tf.extract import selection
from animegan_tf.extract.options import FrameOptions
from animegan_tf.extract.record import Record
from animegan_tf.extract.videos import open_videos, scan_videos
from animegan_tf.extract.writer import Chosen, Writer
from animegan_tf.video.timecode import list_videos, timecode

# Reasons for dropping a measured frame, besides those of `scan` and `quality`.
BLURRED, DUPLICATE, FLAT_CROPS = "blurred", "near-duplicates", "with flat crops only"
NOT_NEEDED, LOST = "not needed", "not found again"


@dataclasses.dataclass(frozen=True)
class FrameReport:
    """The outcome of `extract`; `str()` returns a summary.

    Attributes:
        pictures, new: number of listed images in the folder, and of those written by this run.
        frames, shots, samples: number of decoded frames, of shots, and of measured frames.
        kept: number of frames from which images were written.
        dropped: {reason: number of measured frames}; with `kept` they sum to `samples`.
        speed: scanned frames per second, or None if all videos had been scanned before.
        problems: sentences about errors in the videos.
        notes: sentences about possible mistakes.
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
            f"kept: {self.kept} frames; {self.pictures} images, {self.new} of them new",
            *(f"note: {note}" for note in self.notes),
            f"list: {self.csv}, contact sheet: {self.sheet}",
            *(f"problem: {problem}" for problem in self.problems),
        ]
        return "\n".join(lines)


def extract(video, output, options=None, allow_change=(), progress=True) -> FrameReport:
    """Extract training images from a video or a folder of videos; the same call continues a run.

    Existing images are never overwritten.

    Args:
        video: path of a video, or of a folder of videos.
        output: folder for the images; `record` describes the files beside it.
        options: `FrameOptions`.
        allow_change: names of options (and "video") that may differ from those of earlier runs with
            this folder. Existing images then count, and no similar ones are added.
        progress: show progress bars.

    Raises `InputError` before any work for files that are not videos and for options that do not
    fit.
    """
    options = options or FrameOptions()
    record = Record(output)
    videos = open_videos(list_videos(video), options)
    settings = {"video": [video.identity for video in videos], **dataclasses.asdict(options)}
    unknown = sorted(set(allow_change) - set(settings))
    if unknown:
        raise InputError(
            f"allow_change: expected some of {', '.join(settings)}, received {', '.join(unknown)}"
        )
    run = record.begin(settings, allow_change)
    scanned, seconds = scan_videos(videos, options, record, progress)
    chosen, dropped = _select(videos, options, record.rows, run)
    writer = Writer(output, options, record, run)
    earlier = sum(int(row["run"]) < run for row in record.rows)
    count = max(0, options.count - earlier) if options.count else math.inf
    dropped[NOT_NEEDED] = writer.write(chosen, count, progress)
    dropped[FLAT_CROPS], dropped[LOST] = writer.all_flat, sum(writer.lost.values())
    present = _finish(record, writer.folder)
    report = FrameReport(
        pictures=present,
        new=writer.new,
        frames=sum(video.scan.frames for video in videos),
        shots=sum(video.scan.shots for video in videos),
        samples=sum(video.scan.samples for video in videos),
        kept=writer.kept,
        dropped={reason: count for reason, count in dropped.items() if count},
        speed=scanned / seconds if scanned else None,
        problems=tuple(_problems(videos, writer)),
        notes=tuple(_notes(videos, options, record, present)),
        csv=record.csv,
        sheet=record.sheet,
    )
    record.runs[run - 1] = {"settings": settings, **_summary(videos, report)}
    record.save_runs()
    return report


def _select(videos, options, rows, run):
    """The `Chosen` frames in the order of preference, and {reason: number of dropped frames}."""
    dropped = collections.Counter()
    found = []  # (number of the video, candidate, relative sharpness)
    for number, video in enumerate(videos):
        dropped.update(video.scan.dropped)
        for candidate in video.scan.candidates:
            relative = candidate.sharpness / (video.scan.typical_sharpness or 1)
            if relative < options.min_sharpness:
                dropped[BLURRED] += 1
            else:
                found.append((number, candidate, relative))
    taken = sorted({int(row["hash"], 16) for row in rows if int(row["run"]) < run})
    hashes = [candidate.hash for _, candidate, _ in found]
    quality = [relative for _, _, relative in found]
    kept = selection.distinct(hashes, quality, options.min_distance, taken)
    dropped[DUPLICATE] += len(found) - len(kept)
    if not kept:
        return [], dropped
    numbers, candidates, quality = zip(*(found[index] for index in kept), strict=True)
    nearest = selection.nearest([candidate.hash for candidate in candidates])
    order = selection.by_spread(numbers, [candidate.time for candidate in candidates], quality)
    chosen = [Chosen(videos[numbers[i]], candidates[i], nearest[i]) for i in order]
    return chosen, dropped


def _finish(record, folder):
    """Sort the list and draw the contact sheet; returns the number of listed images that exist."""
    record.sort()
    rows = [row for row in record.rows if (folder / row["file"]).exists()]
    contact_sheet.write(
        record.sheet,
        [folder / row["file"] for row in rows],
        [row["timecode"] for row in rows],
    )
    return len(rows)


# --- the report ----------------------------------------------------------------------------------


def _problems(videos, writer):
    for video in videos:
        yield from (f"{video.path.name}: {problem}" for problem in video.scan.problems)
        if not video.scan.frames:
            yield f"{video.path.name}: no frame after {timecode(video.begin)} could be decoded"
        if writer.lost[video.name]:
            yield f"{video.path.name}: {writer.lost[video.name]} frame(s) were not found again"


def _notes(videos, options, record, present):
    for video in videos:
        bars = dataclasses.asdict(video.scan.bars)
        if video.scan.bars:
            cut = ", ".join(f"{pixels} px {side}" for side, pixels in bars.items() if pixels)
            yield f"{video.path.name}: black bars removed: {cut}"
        if video.info.hdr:
            yield f"{video.path.name}: its high dynamic range is mapped to that of SDR"
        height, width = video.picture_size()
        if min(height, width) < options.short_side:
            yield f"{video.path.name}: enlarged from {width}x{height}"
        fitting = video.crops(options)
        if fitting < options.crops:
            yield (
                f"{video.path.name}: {fitting} of {options.crops} crops fit into a frame; a larger "
                "--short_side allows more"
            )
    deleted = len(record.rows) - present
    if deleted:
        yield f"{deleted} of the listed images were deleted later, and are not written again"
    if len(record.rows) < options.count:
        yield (
            f"{options.count} images were requested, but only {len(record.rows)} distinct ones "
            "were found; other videos, a higher --per_shot, or a lower --every or --min_distance "
            "may give more"
        )


def _summary(videos, report):
    """The summary of a run for the record."""
    return {
        "films": [
            {
                "name": video.name,
                "film": str(video.info),
                "frames": video.scan.frames,
                "shots": video.scan.shots,
                "bars": dataclasses.asdict(video.scan.bars),
                "typical_sharpness": video.scan.typical_sharpness,
                "problems": list(video.scan.problems),
            }
            for video in videos
        ],
        "frames": report.frames,
        "samples": report.samples,
        "kept": report.kept,
        "dropped": report.dropped,
        "pictures": report.pictures,
    }
