"""The journal of an interrupted video: a file with a line per finished segment."""

import fractions
import json
import pathlib

from animegan_tf import storage

_VERSION = 1

# Raised by other and by damaged files.
_NOT_OURS = (
    *(ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError),
    ZeroDivisionError,
)


def _is_segment(segment):
    frames = segment["frames"]
    whole = isinstance(frames, list) and isinstance(segment["state"], dict)
    return whole and all(
        len(frame) == 2 and all(type(number) is int for number in frame) for frame in frames
    )


def partial_path(output, suffix, number=1):
    """The path of a partial file of the video `output`, for example clip.mp4.partial.mkv.

    It contains the full name, so that clip.mp4, clip.mkv and clip.gif have different ones.
    """
    output = pathlib.Path(output)
    return output.with_name(f"{output.name}.partial{'' if number == 1 else f'-{number}'}.{suffix}")


def record_path(output):
    """The path of the journal of the video `output`."""
    return partial_path(output, "jsonl")


def unfinished(output):
    """Whether the video `output` was started and not completed."""
    return record_path(output).exists()


class Journal:
    """The journal of an unfinished video.

    Attributes:
        path: the file.
        job: source and options; only a run with the same ones can continue.
        film: name of the partial video beside the journal.
        stopped: whether that file was closed properly when the run was stopped.
        segments: the segments when the journal was loaded or created (`add` only writes to the
            file), dicts with "frames" (pairs of timestamp and duration), and "exact_times" of the
            source and "state" of the stylizer after the segment.
    """

    def __init__(self, path, job, film):
        self.path, self.job, self.film = pathlib.Path(path), job, film
        self.stopped, self.segments = False, []

    @classmethod
    def load(cls, path):
        """Read a file; None if there is none, or none to continue from."""
        try:
            lines = pathlib.Path(path).read_text("utf-8").splitlines()
            header = json.loads(lines[0])
            journal = cls(path, header["job"], header["film"])
            journal.stopped = bool(header["stopped"])
            if header["version"] != _VERSION or not journal._is_sound():
                return None
        except (OSError, *_NOT_OURS):
            return None
        for line in lines[1:]:
            try:
                segment = json.loads(line)
                if not _is_segment(segment):
                    break
            except _NOT_OURS:  # cut short by a kill
                break
            journal.segments.append(segment)
        return journal

    def _is_sound(self):
        """Whether the header is valid; `film` must be the output or a partial file, as it may be
        removed.
        """
        output = self.path.name.removesuffix(".partial.jsonl")
        number, _, suffix = self.film.removeprefix(f"{output}.partial").rpartition(".")
        is_partial = self.film.startswith(f"{output}.partial") and number in ("", "-2")
        if not (self.film == output or (is_partial and suffix.isalnum())):
            return False
        # The other values are compared with those of this run.
        size, base = self.job.get("size", [1, 1]), self.job.get("base", "0")
        fractions.Fraction(base)
        return isinstance(base, str) and len(size) == 2 and all(type(n) is int for n in size)

    @property
    def film_path(self):
        """The path of the partial video."""
        return self.path.with_name(self.film)

    def write(self):
        """Write the whole file."""
        header = {
            "version": _VERSION, "job": self.job, "film": self.film, "stopped": self.stopped,
        }  # fmt: skip
        lines = [json.dumps(line) for line in (header, *self.segments)]
        storage.write_text(self.path, "\n".join(lines) + "\n")

    def add(self, segment):
        """Append a segment to the file."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(segment) + "\n")

    def whole(self, packets):
        """The segments that are complete in a video with this many readable packets."""
        count, kept = 0, []
        for segment in self.segments:
            count += len(segment["frames"])
            # A file that was not closed may end with an incomplete packet.
            if count > packets or (count == packets and not self.stopped):
                break
            kept.append(segment)
        return kept
