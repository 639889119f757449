"""The films that frames are extracted from: opened, named, scanned. No TensorFlow."""

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

_LONGEST_NAME = 150  # bytes, of the 255 that file systems allow
_NOT_IN_NAMES = '<>:"/\\|?*'


@dataclasses.dataclass
class Film:
    """One film.

    Attributes:
        path: its file.
        name: what its pictures' names begin with; unique among the films.
        info: the `VideoInfo`.
        begin, end: seconds of the part to be read; None is the film's end.
        scan: what was found there, once it was looked at.
    """

    path: pathlib.Path
    name: str
    info: VideoInfo
    begin: float
    end: float | None
    scan: Scan | None = None

    @property
    def identity(self):
        """Name and size in bytes, by which the film is known again when it was moved."""
        return [self.path.name, self.path.stat().st_size]

    def picture_size(self):
        """(height, width) without bars."""
        bars = self.scan.bars
        return self.info.height - bars.top - bars.bottom, self.info.width - bars.left - bars.right

    def scaled_size(self, short_side):
        """(height, width) without bars when the short side is made `short_side`."""
        return scaled_size(*self.picture_size(), short_side)

    def crops(self, options):
        """How many pictures one frame gives at most."""
        height, width = self.scaled_size(options.short_side)
        return min(options.crops, (height // options.size) * (width // options.size))


def scaled_size(height, width, short_side):
    """(height, width) when the short side is made `short_side`."""
    scale = short_side / min(height, width)
    return max(short_side, round(height * scale)), max(short_side, round(width * scale))


def open_films(paths, options):
    """The `Film`s of `FrameOptions`; raises `InputError` for what is no film or too short."""
    names = film_names(paths)
    films = []
    for path in paths:
        with VideoReader(path, options.deinterlace) as reader:
            info = reader.info
        name = "start" if options.start >= options.skip_opening else "skip_opening"
        part = film_part(info, options.begin, options.end, name, "end")
        films.append(Film(path, names[path], info, *part))
    return films


def film_part(info, begin, end, begin_name, end_name):
    """(begin, end) in seconds of the part of a film that is asked for; an end below 0 is resolved.

    Raises `InputError` with the names of the arguments when nothing is left of the film.
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
            f"{end_name}: expected something to be left of the {timecode(length)} of {path} from "
            f"{timecode(begin)} on, received {end:g}"
        )
    return begin, length + end


def film_names(paths):
    """{path: name for its pictures}: unique, of characters that every file system allows."""
    names = {path: _portable(path.stem) for path in paths}
    uses = collections.Counter(name.casefold() for name in names.values())
    taken = set()
    for path, name in names.items():
        if uses[name.casefold()] > 1:  # film.avi and film.mkv
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
        "_" if one in _NOT_IN_NAMES or one.isspace() or not one.isprintable() else one
        for one in unicodedata.normalize("NFC", name)
    )
    name = name.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
    return name.strip("._") or "film"


def scan_films(films, options, record, progress):
    """Set each film's `scan`, from the `Record` or by looking at the film.

    Returns (frames looked at, seconds that took): 0 frames when all were in the record.
    """
    frames, seconds = 0, 0.0
    for film in films:
        key = [
            frame_scan.VERSION, *film.identity, film.begin, film.end, options.per_shot,
            options.every, options.deinterlace,
        ]  # fmt: skip
        stored = record.load_scan(key)
        if stored is not None:
            film.scan = Scan.from_json(stored)
            continue
        began = time.monotonic()
        film.scan = _scan(film, options, progress)
        seconds += time.monotonic() - began
        frames += film.scan.frames
        record.save_scan(key, film.scan.to_json())
    return frames, seconds


def _scan(film, options, progress):
    end = film.info.duration if film.end is None else film.end
    total = None if end is None else max(0, round(end - film.begin))
    bar = tqdm.tqdm(desc=f"looking at {film.name}", total=total, unit="s", disable=not progress)
    with bar, VideoReader(film.path, options.deinterlace) as reader:

        def on_frame(now):
            passed = int(now - film.begin)
            if passed > bar.n:
                bar.update(passed - bar.n)

        return frame_scan.scan(
            reader, film.begin, film.end, options.per_shot, options.every, on_frame
        )
