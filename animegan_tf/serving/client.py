"""Photos and folders of photos stylised by a server: TensorFlow Serving with an exported model.

`call_server` is to a server what `animegan_tf.stylize_paths` is to a network of one's own. The
model has the signatures of this project's SavedModel export: `image_bytes`, encoded images to
encoded images, and `serving_default`, uint8 RGB `images` (N, H, W, 3) to the same. REST needs
no TensorFlow here; gRPC needs the extra `serving`.
"""

import contextlib
import sys
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from tqdm import tqdm

from animegan_tf import images, storage
from animegan_tf.errors import InputError
from animegan_tf.serving.protocol import (
    ModelMissing,
    ServingError,
    Unavailable,
    parse_address,
    retried,
)
from animegan_tf.stylize import jobs as photo_jobs
from animegan_tf.stylize.guided import Delivery
from animegan_tf.stylize.jobs import Report

# Each signature's one input and output have one name and one type.
SIGNATURES = {
    "image_bytes": ("image_bytes", "DT_STRING"),
    "serving_default": ("images", "DT_UINT8"),
}

# A protocol buffer cannot be longer.
_MOST_MB = 2047
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG"


@dataclass(frozen=True)
class ServingConfig:
    """How a server is called.

    server: http://HOST:PORT, https://HOST:PORT or grpc://HOST:PORT.
    model, version: the name it serves the model under; None is the newest version.
    signature: "image_bytes" sends files, "serving_default" pixels (as text, if over REST).
    timeout: seconds for a request and its answer.
    retries: how often a server that cannot be reached or is not ready is tried again, with pauses
        of 0.5, 1, 2, 4, 8, 8... seconds.
    batch: photos per request; `serving_default` puts only photos of one size together.
    max_message_mb: the longest gRPC message, in MB of 2**20 bytes. gRPC itself stops answers at 4;
        the server takes up to 2047.
    delivery: what of a large photo is sent, and what becomes of the answer.
    """

    server: str
    model: str = "animegan"
    version: int | None = None
    signature: str = "image_bytes"
    timeout: float = 60.0
    retries: int = 3
    batch: int = 1
    max_message_mb: int = 256
    delivery: Delivery = field(default_factory=Delivery)

    def check(self):
        """Raise `InputError` for what cannot be right; otherwise return the server's `Address`."""
        address = parse_address(self.server)
        self.delivery.check()
        if not self.model:
            raise InputError("model: expected the name of a served model, received nothing")
        if self.signature not in SIGNATURES:
            names = ", ".join(SIGNATURES)
            raise InputError(f"signature: expected one of {names}, received {self.signature!r}")
        if not 0 < self.timeout < float("inf"):
            raise InputError(f"timeout: expected seconds above 0, received {self.timeout!r}")
        lowest = {"version": 0, "retries": 0, "batch": 1, "max_message_mb": 1}
        for name, least in lowest.items():
            value = getattr(self, name)
            if value is None and name == "version":
                continue
            if not isinstance(value, int) or value < least:
                raise InputError(
                    f"{name}: expected a whole number of at least {least}, received {value!r}"
                )
        if self.max_message_mb > _MOST_MB:
            raise InputError(
                f"max_message_mb: expected at most {_MOST_MB}, received {self.max_message_mb}"
            )
        return address


def call_server(config, inputs, output_dir, *, overwrite=False, recursive=False, progress=False):
    """Have a server stylise photos and folders of photos into `output_dir`; returns a `Report`.

    config: a `ServingConfig`. The other arguments, and which photos and results there are, as in
    `stylize_paths`; results have their photos' size, and alpha channel if there is one.

    The model's state and signatures are asked for before any photo is sent. JPEG and PNG files are
    sent as they are. TensorFlow reads few other formats, and no EXIF orientation: what needs it is
    turned upright and sent as PNG, as is what of a large photo is drawn (`ServingConfig.delivery`).
    A photo that the server refuses, or answers with something else than a picture of the size that
    was sent, is reported in `failed` and the rest goes on; of a batch that fails the photos are
    sent one by one.

    Raises `InputError` before any work, `animegan_tf.serving.protocol.ServingError` (an
    `OSError`) for a server or a model that does not answer (results until then are kept), and
    `OSError` when a result cannot be written.
    """
    address = config.check()
    plan = photo_jobs.plan(inputs, output_dir, overwrite=overwrite, recursive=recursive)
    todo = plan.todo
    if progress:
        for path, reason in plan.failed:
            photo_jobs.show_failure(path, reason)
        for note in plan.notes:
            _show(note)
    if not todo:
        return Report((), plan.skipped, plan.failed, notes=plan.notes)
    connection = _connect(
        address, config.model, config.version, config.timeout, config.max_message_mb
    )
    with contextlib.closing(connection):
        version = _check_model(connection, config, progress)
        if progress:
            many = "1 photo" if len(todo) == 1 else f"{len(todo)} photos"
            _show(f"{many} to {config.server}: {config.model} version {version}")
        # Not before: a server that is not there leaves no empty folder.
        for folder in {job.result.parent for job in todo}:
            folder.mkdir(parents=True, exist_ok=True)
        with tqdm(total=len(todo), unit="photo", disable=None if progress else True) as bar:
            run = _Run(connection, config, progress, bar)
            run.all(todo)
    failed = (*plan.failed, *run.failed)
    return Report(tuple(run.written), plan.skipped, failed, notes=plan.notes)


def _show(line):
    tqdm.write(line, file=sys.stderr)


def _check_model(connection, config, progress):
    """The version that will answer. Raises `ServingError` unless it is there with the signature."""
    call = f"{config.server}: {config.model}"

    def version():
        states = connection.versions()
        ready = [number for number, state in states.items() if state == "AVAILABLE"]
        if config.version is not None:
            ready = [number for number in ready if number == config.version]
        if not ready:
            shown = ", ".join(f"version {n} is {state}" for n, state in sorted(states.items()))
            raise Unavailable(f"{call} cannot answer: {shown or 'no version is loaded'}")
        return max(ready)

    def patiently(question):
        return retried(question, config.retries, _show if progress else None)

    newest = patiently(version)
    found = patiently(connection.signatures)
    signature = found.get(config.signature)
    if signature is None:
        names = ", ".join(sorted(name for name in found if not name.startswith("__")))
        raise ModelMissing(
            f"{call} has no signature {config.signature}; it has {names or 'none at all'}"
        )
    name, dtype = SIGNATURES[config.signature]
    if (signature.inputs, signature.outputs) != ({name: dtype}, {name: dtype}):
        raise ModelMissing(
            f"{call}: expected its signature {config.signature} to take and return {dtype} {name}, "
            f"as exports of this project do; it takes {_named(signature.inputs)} and returns "
            f"{_named(signature.outputs)}"
        )
    return newest


def _named(types):
    return " and ".join(f"{dtype} {name}" for name, dtype in sorted(types.items())) or "nothing"


@dataclass(frozen=True)
class _Prepared:
    """A photo, what is drawn of it, and what is sent for that: the bytes of a file, or `drawn`."""

    job: photo_jobs.Job
    photo: images.Photo
    drawn: np.ndarray
    value: object


class _Run:
    """Sends photos, in batches, and writes what comes back."""

    def __init__(self, connection, config, progress, bar):
        self._connection, self._config = connection, config
        self._progress, self._bar = progress, bar
        self.written, self.failed = [], []

    def all(self, jobs):
        batch = []
        for job in jobs:
            try:
                new = _prepare(job, self._config)
            except InputError as error:
                self._fail(job, error)
                continue
            if batch and not self._goes_with(new, batch[0]):
                self._send(batch, len(jobs))
                batch = []
            batch.append(new)
            if len(batch) == self._config.batch:
                self._send(batch, len(jobs))
                batch = []
        if batch:
            self._send(batch, len(jobs))

    def _goes_with(self, new, other):
        same_size = new.drawn.shape == other.drawn.shape
        return same_size or self._config.signature != "serving_default"

    def _send(self, batch, total):
        try:
            answers = self._ask([one.value for one in batch])
        except ServingError as error:
            if error.ends_run:
                raise self._ended(error, total) from error
            if len(batch) == 1:
                self._fail(batch[0].job, error)
                return
            for one in batch:  # so that the others do not fail for the one that is at fault
                self._send([one], total)
            return
        for one, answer in zip(batch, answers, strict=True):
            try:
                self._write(one, answer)
            except InputError as error:
                self._fail(one.job, error)
            else:
                self.written.append(one.job.result)
                if one.photo.damage:
                    self._fail(one.job, f"damaged ({one.photo.damage}), done as far as it is read")
                else:
                    self._bar.update()

    def _ask(self, values):
        config = self._config
        name, dtype = SIGNATURES[config.signature]
        sent = np.stack(values) if dtype == "DT_UINT8" else values
        answers = retried(
            lambda: self._connection.predict(config.signature, name, sent),
            config.retries,
            _show if self._progress else None,
        )
        if dtype == "DT_UINT8":
            return _pixels(answers, sent.shape, config.server)
        pictures = sum(isinstance(answer, bytes) for answer in answers)
        if len(answers) != len(sent) or pictures != len(sent):
            raise ServingError(
                f"{config.server}: expected {len(sent)} pictures, received {pictures}"
            )
        return answers

    def _write(self, one, answer):
        result, alpha = one.job.result, one.photo.alpha
        received = answer
        if isinstance(answer, bytes):
            received = images.decode_photo(answer, f"{self._config.server}: the answer").rgb
        if received.shape != one.drawn.shape:
            raise InputError(
                f"{self._config.server}: expected a picture of {_size(one.drawn)}, received "
                f"{_size(received)}"
            )
        rgb = self._config.delivery.finish(one.photo.rgb, one.drawn, received)
        as_it_came = rgb is received and alpha is None and isinstance(answer, bytes)
        if as_it_came and _suffix_fits(answer, result):
            storage.write_bytes(result, answer)
        else:
            images.write_photo(result, rgb, alpha, told=one.photo.metadata)

    def _fail(self, job, error):
        self.failed.append((job.photo, str(error)))
        self._bar.update()
        if self._progress:
            photo_jobs.show_failure(job.photo, str(error))

    def _ended(self, error, total):
        done = len(self.written)
        if not done:
            return error
        return type(error)(
            f"{error}; {done} of {total} results were written, and the same command goes on after "
            "them"
        )


def _prepare(job, config):
    """Read a photo and make what is sent for it. Raises `InputError` for one that is none."""
    try:
        data = job.photo.read_bytes()
    except OSError as error:
        raise InputError(f"{job.photo}: {error.strerror or error}") from error
    photo = images.decode_photo(data, job.photo)
    photo = replace(photo, rgb=photo.seen())
    drawn = config.delivery.shrink(photo.rgb)
    if config.signature == "serving_default":
        return _Prepared(job, photo, drawn, drawn)
    whole = drawn is photo.rgb and photo.plain and photo.alpha is None
    if whole and data.startswith((_JPEG, _PNG)):
        return _Prepared(job, photo, drawn, data)
    written, encoded = cv2.imencode(".png", drawn[:, :, ::-1])
    if not written:
        raise InputError(f"{job.photo}: a picture of {_size(drawn)} cannot be sent as PNG")
    return _Prepared(job, photo, drawn, encoded.tobytes())


def _pixels(answers, shape, server):
    """uint8 of `shape` from the numbers that came back."""
    if answers.shape != shape or answers.dtype.kind not in "iu":
        raise ServingError(
            f"{server}: expected whole numbers of shape {shape}, received {answers.dtype} "
            f"{answers.shape}"
        )
    if answers.min() < 0 or answers.max() > 255:
        raise ServingError(
            f"{server}: expected values of 0 to 255, received {answers.min()} to {answers.max()}"
        )
    return answers.astype(np.uint8)


def _suffix_fits(data, path):
    kind = path.suffix.lower()
    return (data.startswith(_JPEG) and kind in images.JPEG_SUFFIXES) or (
        data.startswith(_PNG) and kind == ".png"
    )


def _size(rgb):
    height, width = rgb.shape[:2]
    return f"{width}x{height}"


def _connect(address, model, version, timeout, max_message_mb):
    """A connection to one model; sends nothing yet."""
    if address.scheme == "grpc":
        from animegan_tf.serving.grpc import GrpcConnection

        return GrpcConnection(address.base, model, version, timeout, max_message_mb)
    from animegan_tf.serving.rest import RestConnection

    return RestConnection(address.base, model, version, timeout)
