"""Photos and videos of the API and the page: processed in the drawing thread, and their files.

A `Studio` has one model per style. Each video has its own folder in the studio's temporary folder;
`sweep` deletes old folders.
"""

import contextlib
import copy
import dataclasses
import logging
import pathlib
import secrets
import shutil
import tempfile
import threading
import time
from concurrent.futures import Future

from animegan_tf import images, styles
from animegan_tf.errors import InputError, printable
from animegan_tf.images import formats
from animegan_tf.stylize.options import result_suffix
from animegan_tf.video.timecode import VIDEO_SUFFIXES
from animegan_tf.web.choices import check_style
from animegan_tf.web.drawing import Busy, Drawing

_LOG = logging.getLogger(__name__)
_LONGEST_NAME = 100
# Maximum number of videos whose files are kept, which bounds the disk space.
_MOST_FILMS = 100


@dataclasses.dataclass(frozen=True)
class Output:
    """The output for a photo: the bytes of its file, its name and kind (of `formats.WRITTEN`).

    damaged: whether a part of the photo's file could not be read.
    """

    data: bytes
    name: str
    kind: str
    damaged: bool


class Cancelled(Exception):
    """The visitor or the server stopped the video."""


@dataclasses.dataclass
class Film:
    """A video; `state` is "waiting", "drawing", "done", "failed" or "cancelled".

    frames, expected: numbers of finished frames, and of all frames if known. error: the reason of a
    failure. output: the file, once finished. ended: `time.monotonic()`.
    """

    id: str
    name: str
    source: pathlib.Path
    future: Future | None = None
    state: str = "waiting"
    frames: int = 0
    expected: int | None = None
    error: str | None = None
    notes: tuple = ()
    output: pathlib.Path | None = None
    ended: float | None = None
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)

    @property
    def output_name(self):
        """The name of the output for the visitor."""
        return f"{pathlib.Path(self.name).stem}_anime{self.output.suffix}"


def safe_name(name, default):
    """The last part of a name sent by a visitor, printable and shortened; or `default`."""
    name = printable((name or "").replace("\\", "/").rpartition("/")[2].replace("\n", " ")).strip()
    stem, dot, suffix = name.rpartition(".")
    return f"{stem[:_LONGEST_NAME]}{dot}{suffix[:10]}" if stem.strip(".") else default


class Studio:
    """Processes photos and videos within the limits of checked `ServeOptions`.

    make: a function from the name of a style to a `Stylizer`. metrics: the server's `Metrics`.
    """

    def __init__(self, options, make, metrics):
        self.options, self.metrics = options, metrics
        self._make, self._stylizers = make, {}
        self.drawing = Drawing(options.queue, options.film_queue, options.timeout)
        self.films = {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="animegan-web-"))
        # So that the first visitor need not wait for the network.
        self._loading = self.drawing.film(lambda: self._stylizer(options.styles[0]))
        metrics.watch(
            self.drawing, lambda: sum(film.state == "drawing" for film in self.films.values())
        )

    @property
    def ready(self):
        """Whether the default style is loaded; raises the exception if that failed."""
        return self._loading.done() and self._loading.result() is not None

    def _stylizer(self, name):
        """The style's model, loaded on first use. Runs in the drawing thread."""
        if name not in self._stylizers:
            self._stylizers[name] = self._make(name)
        return self._stylizers[name]

    def _stylizer_for(self, choice):
        """The style's model with the visitor's options."""
        stylizer = copy.copy(self._stylizer(check_style(choice, self.options.styles)))
        stylizer.delivery, stylizer.max_side = choice.delivery(), choice.max_side
        return stylizer

    # --- photos ---

    def photo(self, data, name, choice):
        """A `Future` of the `Output` for the bytes of a photo's file, and its `PhotoChoice`.

        Raises `InputError` for a file that is not a photo or too large, and `Busy`; the future
        raises `InputError` for a photo that is completely damaged.
        """
        from animegan_tf.stylize import batch
        from animegan_tf.stylize.options import PhotoOptions

        name = safe_name(name, "photo")
        check_style(choice, self.options.styles)
        size = images.size_of(data, name)
        if size is None:
            raise InputError(f"{name}: expected a photo, received another file")
        choice.check_size(name, *size, self.options.max_megapixels)
        own = formats.kind_of(data[: formats.HEAD])
        kind = choice.format or (own if own in formats.WRITTEN else "png")
        photo = PhotoOptions(kind, strip_metadata=choice.strip_metadata)

        def work():
            with self.metrics.photo_seconds.time():
                stylizer = self._stylizer_for(choice)
                result, whole = batch.stylize_bytes(stylizer, data, name, kind, photo=photo)
            suffix = formats.WRITTEN[kind][0]
            return Output(result, f"{pathlib.Path(name).stem}_anime{suffix}", kind, not whole)

        return self.drawing.photo(work)

    # --- films ---

    def film(self, write, name, choice):
        """A new `Film` in the queue.

        write: a function that writes the video's file to a path. choice: its `FilmChoice`. Raises
        `InputError` for a file that is not a video, too large or too long, and `Busy`.
        """
        name = safe_name(name, "film")
        check_style(choice, self.options.styles)
        self.check_room()
        film = Film(secrets.token_urlsafe(16), name, self.folder)
        folder = self.folder / film.id
        folder.mkdir()
        suffix = pathlib.Path(name).suffix.lower()
        film.source = folder / f"film{suffix if suffix in VIDEO_SUFFIXES else '.mp4'}"
        try:
            write(film.source)
            video = self._checked_video(film, choice)
            film.future = self.drawing.film(lambda: self._draw(film, choice, video))
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, InputError):
                raise InputError(self._without_paths(film, error)) from error
            raise
        self.films[film.id] = film
        return film

    def check_room(self):
        """Raise `Busy` if no more videos are accepted."""
        self.drawing.check_room("film")
        if len(self.films) >= _MOST_FILMS:
            raise Busy(f"{_MOST_FILMS} videos", 600)

    def _checked_video(self, film, choice):
        from animegan_tf.video.codecs import is_video
        from animegan_tf.video.source import open_source

        video = choice.video(self.options.max_film_seconds)
        if _is_text(film.source) or not is_video(film.source):
            raise InputError(f"{film.name}: expected a video, received another file")
        with open_source(film.source) as source:
            facts = source.facts
            choice.check_size(film.name, facts.height, facts.width, self.options.max_megapixels)
            part = min(facts.duration or 0, choice.end or float("inf")) - choice.start
            if part > self.options.max_film_seconds:
                raise InputError(
                    f"{film.name}: expected at most {self.options.max_film_seconds:g} seconds, "
                    f"received {part:.1f}; start and end choose a part"
                )
            film.expected = source.expected_frames(video.start, video.end)
        return video

    def _draw(self, film, choice, video):
        """Process a video. Runs in the drawing thread."""
        from animegan_tf.stylize import film as films

        def between(done, expected):
            if film.stop.is_set():
                raise Cancelled
            self.metrics.frames.inc(done - film.frames)
            film.frames, film.expected = done, expected
            self.drawing.draw_photos()

        film.state = "drawing"
        output = film.source.with_name(f"anime{result_suffix(film.source, video)}")
        try:
            if film.stop.is_set():
                raise Cancelled
            options = {"start": video.start, "end": video.end}
            stylizer = self._stylizer_for(choice)
            report = films.stylize_video(film.source, output, stylizer, progress=between, **options)
            sentences = (*report.notes, *report.problems)
            film.notes = tuple(self._without_paths(film, sentence) for sentence in sentences)
            self.metrics.frames.inc(max(0, report.frames - film.frames))
            film.frames, film.output, film.state = report.frames, output, "done"
        except Cancelled:
            film.state = "cancelled"
        except InputError as error:
            film.error, film.state = self._without_paths(film, error), "failed"
        except MemoryError:
            film.error, film.state = "the video is too large for the server's memory", "failed"
        except Exception:
            _LOG.exception("a video could not be processed")
            film.error, film.state = "an internal error; see the server's log", "failed"
        finally:
            film.ended = time.monotonic()
            film.source.unlink(missing_ok=True)

    def _without_paths(self, film, text):
        """A sentence for visitors: with the video's own name, without the server's folders."""
        text = str(text).replace(str(film.source), film.name)
        return text.replace(f"{self.folder / film.id}/", "").replace(str(self.folder), "")

    def cancel(self, film):
        """Stop a video, or delete the files of a finished one."""
        film.stop.set()
        if film.future.cancel():
            film.state, film.ended = "cancelled", time.monotonic()
        if film.ended is not None:
            self._delete(film)

    def _delete(self, film):
        self.films.pop(film.id, None)
        shutil.rmtree(self.folder / film.id, ignore_errors=True)

    # --- files ---

    def sweep(self):
        """Delete videos that ended more than `keep_seconds` ago."""
        oldest = time.monotonic() - self.options.keep_seconds
        for film in list(self.films.values()):
            if film.ended is not None and film.ended < oldest:
                self._delete(film)

    def close(self):
        """Finish waiting photos, stop all videos, and delete all files."""
        for film in self.films.values():
            film.stop.set()
        self.drawing.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_text(path):
    """Whether the file is text, such as a playlist, for which FFmpeg would open other files.

    Binary formats start with control characters, except for YUV4MPEG2, which has raw frames.
    """
    with open(path, "rb") as file:
        head = file.read(512)
    controls = set(range(32)) - set(b"\t\n\r")
    return not controls & set(head) and not head.startswith(b"YUV4MPEG2 ")


def default_make(name, checkpoint=None, quietly=contextlib.nullcontext):
    """The `Stylizer` of a checkpoint, or of a style that is already downloaded.

    quietly: as for `Stylizer`.
    """
    from animegan_tf.stylize.stylizer import Stylizer

    with quietly():
        return Stylizer(checkpoint or styles.locate(name), quietly=quietly)
