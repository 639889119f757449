"""What an interrupted film goes on from: a file beside it with a line for each whole segment."""

import fractions
import json
import pathlib

from animegan_tf import storage

_VERSION = 1


# What a file raises that is no record, or damaged.
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
    """The file of this kind while the film at `output` is made, clip.mp4.partial.mkv for instance.

    The whole name is in it: clip.mp4, clip.mkv and clip.gif of one folder share none.
    """
    output = pathlib.Path(output)
    return output.with_name(f"{output.name}.partial{'' if number == 1 else f'-{number}'}.{suffix}")


def record_path(output):
    """Where the record of the film at `output` is kept."""
    return partial_path(output, "jsonl")


def unfinished(output):
    """Whether the film at `output` was begun and not completed."""
    return record_path(output).exists()


class Journal:
    """The record of one film in the making.

    Attributes:
        path: its file.
        job: what the film is made from and how; a run can only go on with the same.
        film: name of the file, beside the record, that has the segments.
        stopped: whether that file was completed when the run was stopped.
        segments: those it was loaded or made with (those that are added are only in the file), a
            dictionary each: "frames", pairs of time stamp and duration; "exact_times" of the
            source and "state" of the stylizer after them.
    """

    def __init__(self, path, job, film):
        self.path, self.job, self.film = pathlib.Path(path), job, film
        self.stopped, self.segments = False, []

    @classmethod
    def load(cls, path):
        """That in the file, None if there is none or nothing to go on from."""
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
            except _NOT_OURS:  # the kill came while it was written
                break
            journal.segments.append(segment)
        return journal

    def _is_sound(self):
        """Whether the job is one, and the film this result or what it is made in: it is removed."""
        output = self.path.name.removesuffix(".partial.jsonl")
        number, _, suffix = self.film.removeprefix(f"{output}.partial").rpartition(".")
        in_the_making = self.film.startswith(f"{output}.partial") and number in ("", "-2")
        if not (self.film == output or (in_the_making and suffix.isalnum())):
            return False
        # Others are compared with this run's.
        size, base = self.job.get("size", [1, 1]), self.job.get("base", "0")
        fractions.Fraction(base)
        return isinstance(base, str) and len(size) == 2 and all(type(n) is int for n in size)

    @property
    def film_path(self):
        """The file that has the segments."""
        return self.path.with_name(self.film)

    def write(self):
        """Write it all, replacing what is there."""
        header = {
            "version": _VERSION, "job": self.job, "film": self.film, "stopped": self.stopped,
        }  # fmt: skip
        lines = [json.dumps(one) for one in (header, *self.segments)]
        storage.write_text(self.path, "\n".join(lines) + "\n")

    def add(self, segment):
        """Add a segment to the end of the file."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(segment) + "\n")

    def whole(self, packets):
        """The segments that are in a file with so many readable packets."""
        count, kept = 0, []
        for segment in self.segments:
            count += len(segment["frames"])
            # A file that was not completed may end within a packet.
            if count > packets or (count == packets and not self.stopped):
                break
            kept.append(segment)
        return kept
