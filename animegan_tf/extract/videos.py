"""The videos that frames are extracted from. No TensorFlow."""

import collections
import dataclasses
import pathlib
import time
import unicodedata

import tqdm

from animegan_tf.errors import InputError
from animegan_tf.extract import scan as frame_scan
from animegan_tf.extract.scan import Scan
from animegan_tf.video.reader import VideoInfo, VideoReader
from animegan_tf.video.timecode import timecode

_LONGEST_NAME = 150  # bytes; file systems allow 255 for the whole name
_NOT_IN_NAMES = '<>:"/\\|?*'


@dataclasses.dataclass
class Video:
    """A video.

    Attributes:
        path: the file.
        name: prefix of the names of its images; unique among the videos.
        info: the `VideoInfo`.
        begin, end: seconds of the part to read; None is the end of the video.
        scan: the result of scanning it, or None before.
    """

    path: pathlib.Path
    name: str
    info: VideoInfo
    begin: float
    end: float | None
    scan: Scan | None = None

    @property
    def identity(self):
        """File name and size in bytes, which identify the video after it was moved."""
        return [self.path.name, self.path.stat().st_size]

    def picture_size(self):
        """(height, width) without bars."""
        return self.scan.bars.size_without(self.info)

    def scaled_size(self, short_side):
        """(height, width) without bars, scaled to a short side of `short_side`."""
        return scaled_size(*self.picture_size(), short_side)

    def crops(self, options):
        """The maximum number of images per frame."""
        height, width = self.scaled_size(options.short_side)
        return min(options.crops, (height // options.size) * (width // options.size))


def scaled_size(height, width, short_side):
    """(height, width) scaled to a short side of `short_side`."""
    scale = short_side / min(height, width)
    return max(short_side, round(height * scale)), max(short_side, round(width * scale))


def open_videos(paths, options):
    """Open the `Video`s; raises `InputError` for files that are not videos or are too short."""
    names = video_names(paths)
    videos = []
    for path in paths:
        with VideoReader(path, options.deinterlace) as reader:
            info = reader.info
        name = "start" if options.start >= options.skip_opening else "skip_opening"
        part = video_part(info, options.begin, options.end, name, "end")
        videos.append(Video(path, names[path], info, *part))
    return videos


def video_part(info, begin, end, begin_name, end_name):
    """(begin, end) in seconds of the requested part of a video; resolves an end below 0.

    Raises `InputError` with the names of the arguments if the part is empty.
    """
    length, path = info.duration, info.path
    if length is not None and begin >= length:
        raise InputError(
            f"{begin_name}: expected less than the {timecode(length)} of {path}, received "
            f"{timecode(begin)}"
        )
    if end is None or end >= 0:
        return begin, end
    if length is None:
        raise InputError(
            f"{end_name}: expected 0 or more for {path}, whose length is unknown, received {end:g}"
        )
    if length + end <= begin:
        raise InputError(
            f"{end_name}: expected a time after {timecode(begin)} within the {timecode(length)} of "
            f"{path}, received {end:g}"
        )
    return begin, length + end


def video_names(paths):
    """{path: unique name prefix of its images}, of characters that all file systems allow."""
    names = {path: _portable(path.stem) for path in paths}
    uses = collections.Counter(name.casefold() for name in names.values())
    taken = set()
    for path, name in names.items():
        if uses[name.casefold()] > 1:  # for example film.avi and film.mkv
            name = _portable(path.name)
        unique, number = name, 1
        while unique.casefold() in taken:
            number += 1
            unique = f"{name}-{number}"
        taken.add(unique.casefold())
        names[path] = unique
    return names


def _portable(name):
    name = "".join(
        "_" if char in _NOT_IN_NAMES or char.isspace() or not char.isprintable() else char
        for char in unicodedata.normalize("NFC", name)
    )
    name = name.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
    return name.strip("._") or "film"


def scan_videos(videos, options, record, progress):
    """Set each video's `scan`, from the `Record` or by scanning the video.

    Returns (number of scanned frames, seconds): 0 frames if all scans were in the record.
    """
    frames, seconds = 0, 0.0
    for video in videos:
        key = [
            frame_scan.VERSION, *video.identity, video.begin, video.end, options.per_shot,
            options.every, options.deinterlace,
        ]  # fmt: skip
        stored = record.load_scan(key)
        if stored is not None:
            video.scan = Scan.from_json(stored)
            continue
        began = time.monotonic()
        video.scan = _scan(video, options, progress)
        seconds += time.monotonic() - began
        frames += video.scan.frames
        record.save_scan(key, video.scan)
    return frames, seconds


def _scan(video, options, progress):
    end = video.info.duration if video.end is None else video.end
    total = None if end is None else max(0, round(end - video.begin))
    bar = tqdm.tqdm(desc=f"scanning {video.name}", total=total, unit="s", disable=not progress)
    with bar, VideoReader(video.path, options.deinterlace) as reader:

        def on_frame(now):
            passed = int(now - video.begin)
            if passed > bar.n:
                bar.update(passed - bar.n)

        return frame_scan.scan(
            reader, video.begin, video.end, options.per_shot, options.every, on_frame
        )
