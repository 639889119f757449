"""Listing videos, and times as text. Imports neither PyAV nor TensorFlow."""

import pathlib
import re

from animegan_tf.errors import InputError

VIDEO_SUFFIXES = (
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".insv", ".m2t",
    ".m2ts", ".m2v", ".m4v", ".mkv", ".mod", ".mov", ".mp4", ".mpeg", ".mpg", ".mpv", ".mts",
    ".mxf", ".nut", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".tod", ".ts", ".vob", ".webm", ".wmv",
    ".y4m",
)  # fmt: skip
DEINTERLACE = ("auto", "on", "off", "telecine")


def timecode(time) -> str:
    """Seconds as `0h12m03.480`, which sorts by name (up to ten hours) and is a valid file name."""
    milliseconds = round(time * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m{rest // 1000:02}.{rest % 1000:03}"


def parse_time(name, text) -> float:
    """Parse `83`, `83.5`, `1:23.5` or `0:01:23.5` as seconds; a leading minus is allowed.

    Raises `InputError` with `name` for anything else.
    """
    match = re.fullmatch(r"(-?)(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)", str(text).strip())
    if not match or (match[3] and float(match[4]) >= 60) or (match[2] and int(match[3]) >= 60):
        raise InputError(f"{name}: expected seconds or h:mm:ss, received {text!r}")
    seconds = float(match[4]) + 60 * int(match[3] or 0) + 3600 * int(match[2] or 0)
    return -seconds if match[1] else seconds


def list_videos(path) -> list[pathlib.Path]:
    """The video at `path`, or the videos directly in that folder, sorted by name.

    Raises `InputError` if the path does not exist or the folder has no videos.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(f"video: expected a video or a folder of videos, found nothing at {path}")
    if not path.is_dir():
        return [path]
    videos = [
        entry
        for entry in path.iterdir()
        if entry.suffix.lower() in VIDEO_SUFFIXES and not entry.name.startswith(".")
    ]
    if not videos:
        raise InputError(
            f"video: expected videos ({', '.join(VIDEO_SUFFIXES)}) in the folder {path}, found none"
        )
    return sorted(videos, key=lambda video: video.name)
