"""What runs on the nodes: a `Worker` is one Ray actor with one model."""

import dataclasses
import hashlib
import io
import os
import posixpath
import socket
import threading
import time
import warnings

from animegan_tf import storage
from animegan_tf.cluster import places
from animegan_tf.errors import InputError, reason_of
from animegan_tf.images import formats


@dataclasses.dataclass(frozen=True)
class Model:
    """What a worker needs to build its `Stylizer`.

    Attributes:
        checkpoint: a path that every node has, or the name of the file `data`.
        data: the bytes of a single file, which is stored on each node; or None.
        options: the other arguments of `Stylizer`.
    """

    checkpoint: str
    data: bytes | None
    options: dict

    @classmethod
    def of(cls, checkpoint, **options):
        """The model of a checkpoint of this machine; a weights file or .tflite file is sent."""
        from animegan_tf.networks.weights import own_file

        file = checkpoint if os.path.isfile(checkpoint) else own_file(checkpoint)
        if file is None:
            return cls(os.path.abspath(checkpoint), None, options)
        with open(file, "rb") as opened:
            return cls(os.path.basename(file), opened.read(), options)

    def load(self):
        """Build the `Stylizer`. Raises its errors."""
        from animegan_tf.stylize.stylizer import Stylizer

        path = self.checkpoint
        if self.data is not None:
            digest = hashlib.sha256(self.data).hexdigest()
            path = storage.user_cache() / "cluster" / digest / self.checkpoint
            if not path.is_file() or path.read_bytes() != self.data:
                storage.write_bytes(path, self.data)
        return Stylizer(path, **self.options)


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photo to process: its `source`, the path of its `output`, and whether to replace that.

    `name` is the output's name in the log.
    """

    source: str
    output: str
    name: str
    overwrite: bool = False


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a task: a `value`, or why this worker cannot write its output (`full`)."""

    value: object = None
    full: str | None = None


class Worker:
    """Processes photos and segments of videos with one model."""

    def __init__(self, model, threads, photo, compare):
        """model: a `Model`. threads: for the network. photo: the `PhotoOptions`."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # workers may share a GPU
        # Ray sets this to the CPUs of the actor; `memory.cores` obeys it.
        os.environ["OMP_NUM_THREADS"] = os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
        self._model, self._threads, self._photo, self._compare = model, threads, photo, compare
        self._stylizer = self._artist = None
        self._lock, self._swept = threading.Lock(), set()

    def start(self):
        """Load the model; returns the name of this node for the log. Raises `InputError`."""
        import cv2
        import ray

        cv2.setNumThreads(self._threads)
        self._stylizer = self._model.load()
        identity = ray.get_runtime_context().get_node_id()
        self._node = f"{socket.gethostname()}-{identity[:8]}"
        return self._node

    def photo(self, task, again=False):
        """Process a `Photo`; the `Outcome` has the row for the log.

        again: after a lost worker, whose temporary files are removed.
        """
        began = time.monotonic()
        row = {"source": task.source, "result": task.name, "node": self._node}
        try:
            there = None if task.overwrite else places.size(task.output)
            if there:
                return Outcome({**row, "size": there})
            self._sweep(posixpath.dirname(task.output), again)
            data, error = self._drawn(task)
            try:
                places.write(task.output, data)
            except OSError as full:
                return Outcome(row, f"{task.output}: {full.strerror or full}")
            row |= {"size": len(data), "error": error}
        except (InputError, MemoryError, OSError) as error:
            row["error"] = getattr(error, "strerror", None) or str(error)
        except Exception as error:  # one photo must not end the run
            row["error"] = f"{type(error).__name__}: {reason_of(error)}"
        return Outcome({**row, "seconds": time.monotonic() - began})

    def _sweep(self, folder, again):
        """Remove temporary files of killed processes, once for each folder or `again`."""
        if places.scheme_of(folder) is None and (again or folder not in self._swept):
            self._swept.add(folder)
            storage.sweep(folder)

    def _drawn(self, task):
        """(bytes of the output, what is damaged or None)."""
        from animegan_tf.stylize import batch

        data = places.read(task.source)
        if _is_animated(data):
            raise InputError("expected a photo or video, received an animation in a photo's format")
        kind = formats.kind_of_suffix(posixpath.splitext(task.output)[1])
        options = {"compare": self._compare, "photo": self._photo}
        output, whole = batch.stylize_bytes(self, data, task.source, kind, **options)
        return output, None if whole else "damaged; the output has what was read"

    def segment(self, task, again=False):
        """Draw a `segments.Segment`; the `Outcome` has a `segments.Drawn`. Raises `InputError`."""
        from animegan_tf.cluster import films, segments

        del again
        with self._lock:
            try:
                if self._artist is None or self._artist.film != task.film:
                    path = films.local_copy(task.film.path)
                    self._artist = segments.Artist(task.film, path, self._stylizer)
                return Outcome(self._artist.draw(task))
            except OSError as error:
                return Outcome(
                    full=f"{error.filename or task.film.path}: {error.strerror or error}"
                )

    # --- as `batch.stylize_bytes` uses a stylizer: others read and write meanwhile ---

    def __call__(self, photo):
        with self._lock:
            return self._stylizer(photo)

    def stylized(self, photo, bits):
        """See `Stylizer.stylized`."""
        with self._lock:
            return self._stylizer.stylized(photo, bits)


def _is_animated(data):
    from PIL import Image

    if formats.kind_of(data[: formats.HEAD]) not in ("gif", "png", "webp", "avif"):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large images
            with Image.open(io.BytesIO(data)) as image:
                return getattr(image, "is_animated", False)
    except Exception:  # Pillow raises all kinds for damaged files
        return False
