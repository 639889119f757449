"""Films in folders, and times as people write them. Imports neither PyAV nor TensorFlow."""

import pathlib
import re

from animegan_tf.errors import InputError

VIDEO_SUFFIXES = (
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".insv", ".m2t",
    ".m2ts", ".m2v", ".m4v", ".mkv", ".mod", ".mov", ".mp4", ".mpeg", ".mpg", ".mpv", ".mts",
    ".mxf", ".nut", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".tod", ".ts", ".vob", ".webm", ".wmv",
    ".y4m",
)  # fmt: skip
DEINTERLACE = ("auto", "on", "off")


def timecode(time) -> str:
    """Seconds as `0h12m03.480`: sorts by name within ten hours, allowed in every file system."""
    milliseconds = round(time * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m{rest // 1000:02}.{rest % 1000:03}"


def parse_time(name, text) -> float:
    """Seconds of `83`, `83.5`, `1:23.5`, `0:01:23.5`; a minus in front is kept.

    Raises `InputError` with `name` for anything else.
    """
    match = re.fullmatch(r"(-?)(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)", str(text).strip())
    if not match or (match[3] and float(match[4]) >= 60) or (match[2] and int(match[3]) >= 60):
        raise InputError(f"{name}: expected seconds or h:mm:ss, received {text!r}")
    seconds = float(match[4]) + 60 * int(match[3] or 0) + 3600 * int(match[2] or 0)
    return -seconds if match[1] else seconds


def list_videos(path) -> list[pathlib.Path]:
    """The film at `path`, or those directly in that folder, sorted by name.

    Raises `InputError` when there is nothing, or no film in the folder.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(f"video: expected a film or a folder of films, found nothing at {path}")
    if not path.is_dir():
        return [path]
    films = [
        entry
        for entry in path.iterdir()
        if entry.suffix.lower() in VIDEO_SUFFIXES and not entry.name.startswith(".")
    ]
    if not films:
        raise InputError(
            f"video: expected films ({', '.join(VIDEO_SUFFIXES)}) in the folder {path}, found none"
        )
    return sorted(films, key=lambda film: film.name)
