"""Photos: from a stream of sources through a pool of workers into outputs and the log."""

import dataclasses
import posixpath

from animegan_tf.cluster import log as logs
from animegan_tf.cluster import places
from animegan_tf.cluster.worker import Photo
from animegan_tf.images import formats
from animegan_tf.stylize import jobs

# Failures that are shown; the log has all.
_SHOWN = 20


@dataclasses.dataclass
class Summary:
    """Counts of a run: outputs that were written or `kept`, `failed` sources, and repeated ones."""

    written: int = 0
    kept: int = 0
    failed: int = 0
    repeated: int = 0


class Batch:
    """One run over photos.

    Attributes:
        summary: the `Summary`.
        films: the videos among the sources, [`Source`].
    """

    def __init__(self, output, log, options, compare=False, overwrite=False, bar=None):
        """output: folder or store's URI. log: the `log.Log`. options: the `PhotoOptions`."""
        self._output, self._log, self._options = output, log, options
        self._compare, self._overwrite, self._bar = compare, overwrite, bar
        self.summary, self.films = Summary(), []

    def run(self, sources, pool, done, stopped):
        """Process the photos of the `sources`.

        done: the `log.Names` of outputs that exist. stopped: see `Pool.run`.
        """
        for task, row, error in pool.run("photo", self._tasks(sources, done), stopped):
            row = row or {"source": task.source, "result": task.name}
            self.note({**row, "error": error or row.get("error")})

    def note(self, row):
        """Add a row to the log and to the summary."""
        self._log.add(row)
        if row.get("error"):
            self.summary.failed += 1
            if self.summary.failed <= _SHOWN:
                jobs.show_failure(row["source"], row["error"])
            if self.summary.failed == _SHOWN:
                jobs.show(row["source"], "further failures are only in the log")
        elif row.get("seconds") is None:
            self.summary.kept += 1
        else:
            self.summary.written += 1
        if self._bar is not None:
            self._bar.update()

    def _tasks(self, sources, done):
        """Yield a `Photo` for each photo that is not done, once."""
        seen, outputs = logs.Names(), logs.Names()
        for source in sources:
            if not source.error and source.is_film and not self._is_still(source):
                self.films.append(source)
                continue
            name = output_name(source.name, self._options, self._compare)
            error = source.error
            if not error and not seen.add(source.path):
                self.summary.repeated += 1
                continue
            if not error and not outputs.add(name):
                error = f"expected one source for each output, {name} is another's"
            output = places.join(self._output, name)
            if not error and output == source.path:
                error = "expected another folder: photos are never replaced"
            if error:
                self.note({"source": source.path, "result": name, "error": error})
            elif logs.plain(name) in done:
                self.summary.kept += 1
            else:
                yield Photo(source.path, output, name, self._overwrite)

    @staticmethod
    def _is_still(source):
        """Whether a GIF is a photo."""
        if not source.name.lower().endswith(".gif") or places.scheme_of(source.path):
            return False
        return not formats.is_animated(source.path)


def output_name(name, options, compare=False):
    """The name of the output of the photo `name`: with its format's suffix added if that differs.

    So no two photos of a folder have the same output, which nobody could check for a stream.
    """
    stem, suffix = posixpath.splitext(name)
    kinds = formats.DEEP if options.bits == 16 else tuple(formats.WRITTEN)
    kind = options.format or formats.kind_of_suffix(suffix)
    suffixes = formats.WRITTEN[kind if kind in kinds else "png"]
    stem = f"{stem}_compare" if compare else stem
    return stem + suffix + ("" if suffix.lower() in suffixes else suffixes[0])
