"""Photos and folders of photos stylised by TensorFlow Serving with an exported model.

`call_server` corresponds to `animegan_tf.stylize_paths`. The model has the signatures of this
project's SavedModel export: `image_bytes`, encoded images to encoded images, and `serving_default`,
uint8 RGB `images` (N, H, W, 3) to the same. The REST client needs no TensorFlow; gRPC needs the
extra `serving`.
"""

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from tqdm import tqdm

from animegan_tf import images, memory, storage
from animegan_tf.errors import InputError
from animegan_tf.images import formats
from animegan_tf.serving.protocol import (
    Address,
    Connection,
    ModelMissing,
    ServingError,
    Unavailable,
    parse_address,
    retried,
)
from animegan_tf.stylize import jobs as photo_jobs
from animegan_tf.stylize.guided import Delivery
from animegan_tf.stylize.jobs import Report
from animegan_tf.validation import check_choice, check_seconds, check_whole

# (name, type) of the input of each signature, which are also those of its output.
SIGNATURES = {
    "image_bytes": ("image_bytes", "DT_STRING"),
    "serving_default": ("images", "DT_UINT8"),
}

# Formats in which images are sent and received.
_SENT = ("jpeg", "png")
# The limit of a protocol buffer.
_MOST_MB = 2047


@dataclass(frozen=True)
class ServingConfig:
    """The configuration of a client.

    server: http://HOST:PORT, https://HOST:PORT or grpc://HOST:PORT.
    model, version: the name it serves the model under; None is the newest version.
    signature: "image_bytes" sends files, "serving_default" pixels (as text, if over REST).
    timeout: seconds for a request and its response.
    retries: how often a server that cannot be reached or is not ready is tried again, with pauses
        of 0.5, 1, 2, 4, 8, 8... seconds.
    batch: photos per request; `serving_default` puts only photos of one size together.
    max_message_mb: the longest response, and over gRPC the longest message, in MB of 2**20 bytes.
        gRPC itself stops responses at 4; the server takes up to 2047.
    delivery: how large photos are shrunk for the server, and results blended and enlarged.
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

    def check(self) -> Address:
        """Raise `InputError` for invalid values; otherwise return the server's `Address`."""
        address = parse_address(self.server)
        self.delivery.check()
        if not self.model:
            raise InputError("model: expected the name of a served model, received nothing")
        check_choice("signature", self.signature, SIGNATURES)
        check_seconds("timeout", self.timeout, above=0)
        if self.version is not None:
            check_whole("version", self.version, 0)
        check_whole("retries", self.retries, 0)
        check_whole("batch", self.batch, 1)
        check_whole("max_message_mb", self.max_message_mb, 1, _MOST_MB)
        return address


def call_server(
    config: ServingConfig,
    inputs: Sequence[str | os.PathLike],
    output_dir: str | os.PathLike,
    *,
    overwrite: bool = False,
    recursive: bool = False,
    progress: bool = False,
) -> Report:
    """Stylise photos and folders of photos into `output_dir` with a server.

    The arguments after `config` are as in `stylize_paths`. Outputs have the size of their photos,
    and their alpha channel.

    The model's state and signatures are checked before any photo is sent. JPEG and PNG files are
    sent unchanged. TensorFlow reads few other formats and ignores the EXIF orientation: such photos
    are rotated and sent as PNG, and so are scaled photos (`ServingConfig.delivery`). If the server
    refuses a photo, or does not return an image of the same size, the photo is listed in `failed`
    and the others continue; the photos of a failed batch are sent one by one.

    Raises `InputError` before any work, `animegan_tf.serving.protocol.ServingError` (an `OSError`)
    if the server or model does not respond (earlier outputs are kept), and `OSError` if an output
    cannot be written.
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
    """The version to call. Raises `ServingError` if it is not available with the signature."""
    call = f"{config.server}: {config.model}"

    def version():
        states = connection.versions()
        ready = [number for number, state in states.items() if state == "AVAILABLE"]
        if config.version is not None:
            ready = [number for number in ready if number == config.version]
        if not ready:
            shown = ", ".join(f"version {n} is {state}" for n, state in sorted(states.items()))
            raise Unavailable(f"{call} is not available: {shown or 'no version is loaded'}")
        return max(ready)

    def with_retries(request):
        return retried(request, config.retries, _show if progress else None)

    newest = with_retries(version)
    signatures = with_retries(connection.signatures)
    signature = signatures.get(config.signature)
    if signature is None:
        names = ", ".join(sorted(name for name in signatures if not name.startswith("__")))
        raise ModelMissing(f"{call} has no signature {config.signature}; it has {names or 'none'}")
    name, dtype = SIGNATURES[config.signature]
    if (signature.inputs, signature.outputs) != ({name: dtype}, {name: dtype}):
        raise ModelMissing(
            f"{call}: expected its signature {config.signature} to take and return {dtype} {name}, "
            f"as in exports of this project; it takes {_named(signature.inputs)} and returns "
            f"{_named(signature.outputs)}"
        )
    return newest


def _named(types):
    return " and ".join(f"{dtype} {name}" for name, dtype in sorted(types.items())) or "nothing"


@dataclass(frozen=True)
class _Prepared:
    """A photo, scaled (`drawn`), and the value to send: the bytes of a file, or `drawn`."""

    job: photo_jobs.Job
    photo: images.Photo
    drawn: np.ndarray
    value: object


class _Run:
    """Sends photos in batches and writes the outputs."""

    def __init__(self, connection: Connection, config, progress, bar):
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
            if batch and not self._fits(new, batch[0]):
                self._send(batch, len(jobs))
                batch = []
            batch.append(new)
            if len(batch) == self._config.batch:
                self._send(batch, len(jobs))
                batch = []
        if batch:
            self._send(batch, len(jobs))

    def _fits(self, new, other):
        same_size = new.drawn.shape == other.drawn.shape
        return same_size or self._config.signature != "serving_default"

    def _send(self, batch, total):
        try:
            outputs = self._predict([prepared.value for prepared in batch])
        except ServingError as error:
            if error.ends_run:
                raise self._ended(error, total) from error
            if len(batch) == 1:
                self._fail(batch[0].job, error)
                return
            for prepared in batch:  # so that only the photos that cause errors fail
                self._send([prepared], total)
            return
        for prepared, output in zip(batch, outputs, strict=True):
            try:
                self._write(prepared, output)
            except InputError as error:
                self._fail(prepared.job, error)
            else:
                self.written.append(prepared.job.result)
                if prepared.photo.damage:
                    self._fail(
                        prepared.job,
                        f"damaged ({prepared.photo.damage}), done as far as it is read",
                    )
                else:
                    self._bar.update()

    def _predict(self, values):
        config = self._config
        name, dtype = SIGNATURES[config.signature]
        inputs = np.stack(values) if dtype == "DT_UINT8" else values
        outputs = retried(
            lambda: self._connection.predict(config.signature, name, inputs),
            config.retries,
            _show if self._progress else None,
        )
        if dtype == "DT_UINT8":
            return _pixels(outputs, inputs.shape, config.server)
        encoded = sum(isinstance(output, bytes) for output in outputs)
        if len(outputs) != len(inputs) or encoded != len(inputs):
            raise ServingError(
                f"{config.server}: expected {len(inputs)} images, received {encoded}"
            )
        return outputs

    def _write(self, prepared, output):
        result, alpha = prepared.job.result, prepared.photo.alpha
        received = output
        if isinstance(output, bytes):
            name = f"{self._config.server}: the output"
            # Before decoding, since a small file may hold a huge image.
            size = images.size_of(output, name)
            if size is not None:
                self._check_size(prepared, size)
            received = images.decode_photo(output, name).rgb
        self._check_size(prepared, received.shape)
        rgb = self._config.delivery.finish(prepared.photo.rgb, prepared.drawn, received)
        unchanged = rgb is received and alpha is None and isinstance(output, bytes)
        kind = formats.kind_of(output[: formats.HEAD]) if unchanged else None
        if kind in _SENT and kind == formats.kind_of_suffix(result.suffix):
            storage.write_bytes(result, output)
        else:
            images.write_photo(result, rgb, alpha, metadata=prepared.photo.metadata)

    def _check_size(self, prepared, shape):
        if shape[:2] != prepared.drawn.shape[:2]:
            raise InputError(
                f"{self._config.server}: expected an image of {_size(prepared.drawn.shape)}, "
                f"received {_size(shape)}"
            )

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
            f"{error}; {done} of {total} results were written; the same command does the others"
        )


def _prepare(job, config):
    """Read a photo and encode it for sending. Raises `InputError` for unreadable files."""
    try:
        data = memory.read_bytes(job.photo)
    except OSError as error:
        raise InputError(f"{job.photo}: {error.strerror or error}") from error
    photo = images.decode_photo(data, job.photo)
    photo = replace(photo, rgb=photo.seen())
    drawn = config.delivery.shrink(photo.rgb)
    if config.signature == "serving_default":
        return _Prepared(job, photo, drawn, drawn)
    whole = drawn is photo.rgb and photo.plain and photo.alpha is None
    if whole and formats.kind_of(data[: formats.HEAD]) in _SENT:
        return _Prepared(job, photo, drawn, data)
    written, encoded = cv2.imencode(".png", drawn[:, :, ::-1])
    if not written:
        raise InputError(f"{job.photo}: an image of {_size(drawn.shape)} cannot be sent as PNG")
    return _Prepared(job, photo, drawn, encoded.tobytes())


def _pixels(outputs, shape, server):
    """Convert integer outputs to uint8. Raises `ServingError` for other shapes or values."""
    if outputs.shape != shape or outputs.dtype.kind not in "iu":
        raise ServingError(
            f"{server}: expected whole numbers of shape {shape}, received {outputs.dtype} "
            f"{outputs.shape}"
        )
    if outputs.min() < 0 or outputs.max() > 255:
        raise ServingError(
            f"{server}: expected values of 0 to 255, received {outputs.min()} to {outputs.max()}"
        )
    return outputs.astype(np.uint8)


def _size(shape):
    height, width = shape[:2]
    return f"{width}x{height}"


def _connect(address, model, version, timeout, max_message_mb) -> Connection:
    """A connection to one model; sends nothing yet."""
    if address.scheme == "grpc":
        from animegan_tf.serving.grpc import GrpcConnection

        return GrpcConnection(address.base, model, version, timeout, max_message_mb)
    from animegan_tf.serving.rest import RestConnection

    return RestConnection(address.base, model, version, timeout, max_message_mb)
