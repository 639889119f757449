"""Cuts training pictures from chosen frames and writes them. No TensorFlow."""

import collections
import dataclasses
import math
import pathlib

import cv2
import tqdm

from animegan_tf import images
from animegan_tf.extract import quality
from animegan_tf.extract import scan as frame_scan
from animegan_tf.extract.films import Film
from animegan_tf.extract.scan import Candidate
from animegan_tf.video.reader import VideoReader
from animegan_tf.video.timecode import timecode

# A frame found again must look as it did, or seeking in this film is not to be trusted.
_SAME_FRAME_BITS = 16
_BEGINS = {
    "start": "the first shot",
    "cut": "a shot after a cut",
    "blend": "a shot after a dissolve or fade",
}


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A frame that may be kept; `nearest`: in how many bits the most similar other one differs."""

    film: Film
    candidate: Candidate
    nearest: int


class Writer:
    """Writes the pictures of chosen frames that a `Record` does not list yet.

    Attributes:
        folder: where to.
        new: number of pictures written.
        kept: number of frames that gave pictures, also of those listed before.
        all_flat: number of frames of which every crop was flat.
        lost: {film's name: number of frames that were not found again}.
    """

    def __init__(self, folder, options, record, run):
        self.folder = pathlib.Path(folder)
        self.new, self.kept, self.all_flat, self.lost = 0, 0, 0, collections.Counter()
        self._options, self._record, self._run = options, record, run
        self._listed = collections.Counter(
            (row["film"], row["timecode"]) for row in record.rows if int(row["run"]) == run
        )

    def write(self, chosen, wanted=math.inf, progress=False):
        """Go through `Chosen` frames in the order of preference until there are enough pictures.

        A frame can give fewer pictures than expected: then more frames are taken.

        Returns:
            The number of frames that were not needed.
        """
        waiting, pictures = collections.deque(chosen), 0
        while waiting and pictures < wanted:
            batch, planned = [], pictures
            while waiting and planned < wanted:
                one = waiting.popleft()
                quota = min(one.film.crops(self._options), wanted - planned)
                batch.append((one, quota))
                planned += quota
            pictures += self._write_batch(batch, progress)
        return len(waiting)

    def _write_batch(self, batch, progress):
        """Write frames film by film, in the order of time; returns the number of pictures."""
        by_film = collections.defaultdict(list)
        for one, quota in batch:
            by_film[one.film.name].append((one, quota))
        pictures = 0
        bar = tqdm.tqdm(desc="cutting", total=len(batch), unit="frame", disable=not progress)
        with bar:
            for entries in by_film.values():
                for count in self._write_film(entries):
                    self.kept += bool(count)
                    pictures += count
                    bar.update()
        return pictures

    def _write_film(self, entries):
        """Yield the number of pictures of each frame that was found."""
        missing = {}
        for one, quota in entries:
            listed = self._listed[one.film.name, timecode(one.candidate.time)]
            if listed:
                yield listed
            else:
                missing[one.candidate.time] = (one, quota)
        if not missing:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        film = entries[0][0].film
        hashes = {time: one.candidate.hash for time, (one, _) in missing.items()}
        with VideoReader(film.path, self._options.deinterlace) as reader:
            for frame in find_again(reader, film.scan, hashes):
                yield self._write_frame(frame, *missing.pop(frame.time))
        self.lost[film.name] += len(missing)

    def _write_frame(self, frame, chosen, quota):
        """Cut and write one frame; returns the number of pictures."""
        film, size = chosen.film, self._options.size
        picture = film.scan.bars.cut(frame.rgb(), film.info.height, film.info.width)
        picture = images.resize(picture, *film.scaled_size(self._options.short_side))
        places = self._places(picture)[:quota]
        if not places:
            self.all_flat += 1
            return 0
        rows = []
        for crop, (top, left) in enumerate(sorted(places)):
            stem = f"{film.name}_{timecode(chosen.candidate.time)}_c{crop}"
            path = self.folder / f"{stem}.{self._options.format}"
            if not path.exists():
                images.write_photo(path, picture[top : top + size, left : left + size])
                self.new += 1
            rows.append(self._row(path.name, chosen, crop, top, left))
        self._record.add(rows)
        return len(rows)

    def _places(self, picture):
        """Where to cut crops that are not flat: [(top, left)], most detailed first."""
        size, gray = self._options.size, cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        fitting = (gray.shape[0] // size) * (gray.shape[1] // size)
        return [
            (top, left)
            for top, left in quality.place_crops(gray, size, fitting)
            if quality.flaw(gray[top : top + size, left : left + size])
            in (None, quality.BARRED)  # of the frame, where it is a flaw, it is known
        ]

    def _row(self, name, chosen, crop, top, left):
        one = chosen.candidate
        part = f"part {one.part} of {one.parts} of {_BEGINS[one.begins]}"
        return {
            "file": name,
            "film": chosen.film.name,
            "timecode": timecode(one.time),
            "seconds": f"{float(one.time):.6f}",
            "shot": one.shot,
            "shot_start": one.shot_start,
            "shot_end": one.shot_end,
            "crop": crop,
            "left": left,
            "top": top,
            "sharpness": one.sharpness,
            "nearest_bits": chosen.nearest,
            "why": f"sharpest of {one.sampled} in {part}",
            "hash": f"{one.hash:016x}",
            "run": self._run,
        }


def find_again(reader, scan, hashes):
    """Yield the frames at the times of {time: hash}, in order, as `scan` found them.

    A frame that looks different shows that seeking leads astray in this film, which is then read
    from its beginning.
    """
    reader.clean_times = scan.clean_times
    remaining, astray = sorted(hashes), True
    while remaining and astray:
        astray = False
        for frame in reader.frames_at(remaining, scan.keyframes):
            if reader.clean_times and not _looks_like(frame, reader, scan, hashes[frame.time]):
                astray = True
                break
            yield frame
            remaining = [time for time in remaining if time > frame.time]
        reader.clean_times = False


def _looks_like(frame, reader, scan, before):
    gray = frame_scan.sample_picture(frame, reader.info, scan.bars)
    bits = quality.distances(quality.perceptual_hash(gray), [before])[0]
    return bits <= _SAME_FRAME_BITS
