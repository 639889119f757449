"""Crops training images from chosen frames and writes them. No TensorFlow."""

import collections
import dataclasses
import math
import pathlib

import cv2
import tqdm

from animegan_tf import images
from animegan_tf.extract import quality
from animegan_tf.extract import scan as frame_scan
from animegan_tf.extract.scan import Candidate
from animegan_tf.extract.videos import Video
from animegan_tf.video.reader import VideoReader
from animegan_tf.video.timecode import timecode

# Maximum number of different hash bits of a frame in both passes; more means that seeking failed.
_SAME_FRAME_BITS = 16
_BEGINS = {
    "start": "the first shot",
    "cut": "a shot after a cut",
    "blend": "a shot after a dissolve or fade",
}


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A chosen frame; `nearest` is the number of different bits to the most similar other one."""

    video: Video
    candidate: Candidate
    nearest: int


class Writer:
    """Writes the images of chosen frames that a `Record` does not list yet.

    Attributes:
        folder: the output folder.
        new: number of images written.
        kept: number of frames with images, including those listed before.
        all_flat: number of frames whose crops were all flat.
        lost: {name of the video: number of frames that were not found again}.
    """

    def __init__(self, folder, options, record, run):
        self.folder = pathlib.Path(folder)
        self.new, self.kept, self.all_flat, self.lost = 0, 0, 0, collections.Counter()
        self._options, self._record, self._run = options, record, run
        self._listed = collections.Counter(
            (row["film"], row["timecode"]) for row in record.rows if int(row["run"]) == run
        )

    def write(self, chosen, count=math.inf, progress=False):
        """Write `Chosen` frames in the order of preference until there are `count` images.

        If a frame gives fewer images than expected, more frames are used.

        Returns:
            The number of frames that were not needed.
        """
        waiting, written = collections.deque(chosen), 0
        while waiting and written < count:
            batch, planned = [], written
            while waiting and planned < count:
                frame = waiting.popleft()
                quota = min(frame.video.crops(self._options), count - planned)
                batch.append((frame, quota))
                planned += quota
            written += self._write_batch(batch, progress)
        return len(waiting)

    def _write_batch(self, batch, progress):
        """Write frames video by video, in the order of time; returns the number of images."""
        by_video = collections.defaultdict(list)
        for chosen, quota in batch:
            by_video[chosen.video.name].append((chosen, quota))
        total = 0
        bar = tqdm.tqdm(desc="cropping", total=len(batch), unit="frame", disable=not progress)
        with bar:
            for entries in by_video.values():
                for count in self._write_video(entries):
                    self.kept += bool(count)
                    total += count
                    bar.update()
        return total

    def _write_video(self, entries):
        """Yield the number of images of each frame that was found again."""
        missing = {}
        for chosen, quota in entries:
            listed = self._listed[chosen.video.name, timecode(chosen.candidate.time)]
            if listed:
                yield listed
            else:
                missing[chosen.candidate.time] = (chosen, quota)
        if not missing:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        video = entries[0][0].video
        hashes = {time: chosen.candidate.hash for time, (chosen, _) in missing.items()}
        with VideoReader(video.path, self._options.deinterlace) as reader:
            for frame in find_again(reader, video.scan, hashes):
                yield self._write_frame(frame, *missing.pop(frame.time))
        self.lost[video.name] += len(missing)

    def _write_frame(self, frame, chosen, quota):
        """Crop and write one frame; returns the number of images."""
        video, size = chosen.video, self._options.size
        image = video.scan.bars.cut(frame.rgb(), video.info.height, video.info.width)
        image = images.resize(image, *video.scaled_size(self._options.short_side))
        places = self._places(image)[:quota]
        if not places:
            self.all_flat += 1
            return 0
        rows = []
        for crop, (top, left) in enumerate(sorted(places)):
            stem = f"{video.name}_{timecode(chosen.candidate.time)}_c{crop}"
            path = self.folder / f"{stem}.{self._options.format}"
            if not path.exists():
                images.write_photo(path, image[top : top + size, left : left + size])
                self.new += 1
            rows.append(self._row(path.name, chosen, crop, top, left))
        self._record.add(rows)
        return len(rows)

    def _places(self, image):
        """Positions [(top, left)] of crops that are not flat, most detailed first."""
        size, gray = self._options.size, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        fitting = (gray.shape[0] // size) * (gray.shape[1] // size)
        return [
            (top, left)
            for top, left in quality.place_crops(gray, size, fitting)
            if quality.flaw(gray[top : top + size, left : left + size])
            in (None, quality.BARRED)  # bars are a flaw of frames only, not of crops
        ]

    def _row(self, name, chosen, crop, top, left):
        candidate = chosen.candidate
        part = f"part {candidate.part} of {candidate.parts} of {_BEGINS[candidate.begins]}"
        return {
            "file": name,
            "film": chosen.video.name,
            "timecode": timecode(candidate.time),
            "seconds": f"{float(candidate.time):.6f}",
            "shot": candidate.shot,
            "shot_start": candidate.shot_start,
            "shot_end": candidate.shot_end,
            "crop": crop,
            "left": left,
            "top": top,
            "sharpness": candidate.sharpness,
            "nearest_bits": chosen.nearest,
            "why": f"sharpest of {candidate.sampled} in {part}",
            "hash": f"{candidate.hash:016x}",
            "run": self._run,
        }


def find_again(reader, scan, hashes):
    """Yield the frames at the times of {time: hash}, in order.

    A frame with another hash shows that seeking in this video is unreliable; it is then read from
    the beginning.
    """
    reader.clean_times = scan.clean_times
    remaining, failed = sorted(hashes), True
    while remaining and failed:
        failed = False
        for frame in reader.frames_at(remaining, scan.keyframes):
            if reader.clean_times and not _is_same(frame, reader, scan, hashes[frame.time]):
                failed = True
                break
            yield frame
            remaining = [time for time in remaining if time > frame.time]
        reader.clean_times = False


def _is_same(frame, reader, scan, expected):
    gray = frame_scan.sample_picture(frame, reader.info, scan.bars)
    bits = quality.distances(quality.perceptual_hash(gray), [expected])[0]
    return bits <= _SAME_FRAME_BITS
