"""Photos to anime-style pictures: `Stylizer` for arrays, `stylize_paths` for files and folders.

Films among the files are done by `animegan_tf.video`.

Pictures are uint8 RGB (height, width, 3); see `animegan_tf.images`. TensorFlow is imported when a
`Stylizer` is made, not before. Source: spec of the published stylising (Chen, AnimeGANv2, 2020);
`sizing="photo"` differs from it in that the result keeps the photo's size.
"""

import dataclasses
import os
import signal
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from animegan_tf import images, styles
from animegan_tf.errors import InputError

SIZINGS = ("photo", "published")

# The network was trained on 256x256, and smaller pictures come out as blotches.
_MIN_SIDE = 256
# Enlarging to that stops here, which only a picture over 16 times longer than wide meets.
_MAX_ENLARGED_PIXELS = 2**20
# In units of the network's multiple: its innermost reflection padding, 1, needs a side of 2.
_MIN_PADDED_MULTIPLES = 2


class Stylizer:
    """A network with the sizes, values and brightness around it: `stylizer(photo) -> result`.

    checkpoint: a run directory, a `.weights.h5` file or a TensorFlow 1 checkpoint (see
        `animegan_tf.weights.load_generator`), or a model of `build_generator`.
    style: instead of it, the name of a style, one of `animegan_tf.styles.names()`. With neither,
        the style that ships with this project.
    styles_dir, mirror, accept_license: for a published style that has not been fetched yet, see
        `animegan_tf.styles.obtain`. It is fetched if `accept_license` is true.
    sizing: "photo" gives a result of the photo's size: padded by reflection to what the network
        needs, cut away afterwards. A photo with a side below 256 is enlarged for the network, its
        result shrunk. "published" resizes as the published code does (`images.published_size`) and
        leaves the result at that size.
    match_brightness: scale the result to the photo's mean brightness, as published.
    max_side: shrink a photo whose longer side is over this first; the result then has that size.

    Raises `InputError` for a mistake in these, before TensorFlow is loaded where that is possible,
    and `OSError` when a style cannot be fetched or kept.
    """

    def __init__(
        self,
        checkpoint=None,
        *,
        style=None,
        styles_dir=None,
        mirror=None,
        accept_license=False,
        sizing="photo",
        match_brightness=True,
        max_side=None,
    ):
        check_options(checkpoint, style=style, sizing=sizing, max_side=max_side)
        checkpoint = styles.resolve(
            checkpoint,
            style,
            styles_dir=styles_dir,
            mirror=mirror,
            accept_license=accept_license,
        )
        import tensorflow as tf

        from animegan_tf.networks import size_multiple

        if isinstance(checkpoint, (str, os.PathLike)):
            from animegan_tf.weights import load_generator

            model = load_generator(checkpoint)
        else:
            model = checkpoint
        self.model = model
        self.multiple = size_multiple(model)
        self.sizing = sizing
        self.match_brightness = match_brightness
        self.max_side = max_side
        self._out_of_memory = tf.errors.ResourceExhaustedError
        # Sizes are left open: photos of many sizes would otherwise be traced one by one.
        self._run = tf.function(
            lambda batch: model(batch, training=False),
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)],
            autograph=False,
        )

    def __call__(self, photo):
        """uint8 RGB (H, W, 3) to uint8 RGB; of the same size but for `max_side` and "published".

        Raises `InputError` for another kind of array, or a network that answers with NaN, and
        `MemoryError` when the picture is too large for the device.
        """
        images.check_rgb("photo", photo)
        photo = images.limit_side(photo, self.max_side)
        result = self.finish(self._network(self.prepare(photo)), photo)
        return images.match_brightness(result, photo) if self.match_brightness else result

    def prepare(self, photo):
        """What the network is given for a photo within `max_side`: float32 (1, H', W', 3)."""
        if self.sizing == "published":
            return images.preprocess_published(photo)
        padded = images.pad_to_multiple(
            images.resize(photo, *self._inner_size(photo)),
            self.multiple,
            at_least=_MIN_PADDED_MULTIPLES * self.multiple,
        )
        return images.to_network(padded)[None]

    def finish(self, output, photo):
        """The network's answer (1, H', W', 3) to a prepared `photo` as uint8 RGB of its size."""
        if self.sizing == "published":
            return images.to_uint8(output[0])
        height, width = self._inner_size(photo)
        return images.resize(images.to_uint8(output[0, :height, :width]), *photo.shape[:2])

    def _inner_size(self, photo):
        return images.enlarged_size(*photo.shape[:2], _MIN_SIDE, _MAX_ENLARGED_PIXELS)

    @property
    def network(self):
        """What turns float32 (N, H, W, 3) of `prepare` into answers of the same shape."""
        return self._network

    def _network(self, batch):
        try:
            result = self._run(batch).numpy()
        except self._out_of_memory as error:
            height, width = batch.shape[1:3]
            raise MemoryError(
                f"{width}x{height} is too large for this device's memory; max_side limits the size"
            ) from error
        if not np.isfinite(result).all():
            raise InputError("checkpoint: its network answers with values that are not finite")
        return result


def check_options(checkpoint=None, *, style=None, sizing="photo", max_side=None):
    """Raise `InputError` for what `Stylizer` would refuse without looking into the checkpoint."""
    styles.check_choice(checkpoint, style)
    if checkpoint is not None:
        _check_checkpoint(checkpoint)
    if sizing not in SIZINGS:
        raise InputError(f"sizing: expected one of {', '.join(SIZINGS)}, received {sizing!r}")
    if max_side is not None and (not isinstance(max_side, (int, np.integer)) or max_side < 1):
        raise InputError(f"max_side: expected a whole number of at least 1, received {max_side!r}")


def _check_checkpoint(checkpoint):
    kinds = "a run directory, a .weights.h5 file or a TensorFlow 1 checkpoint"
    if isinstance(checkpoint, (str, os.PathLike)) and str(checkpoint):
        # A TensorFlow 1 checkpoint is named by the prefix of its files.
        if not (os.path.exists(checkpoint) or os.path.exists(f"{checkpoint}.index")):
            known = str(checkpoint) in styles.names()
            hint = f" (there is a style of that name: --style={checkpoint})" if known else ""
            raise InputError(f"checkpoint: expected {kinds}, found nothing at {checkpoint}{hint}")
    elif not callable(checkpoint):
        raise InputError(f"checkpoint: expected {kinds}, received {checkpoint!r}")


# --- files and folders ---------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Report:
    """What `stylize_paths` did: results written, results that existed and were left, failures.

    `failed` holds pairs of a photo's path and the reason. A film that was damaged is in `written`
    too, with the frames before the damage; `stopped` is the signal that ended one early, or None.
    """

    written: tuple = ()
    skipped: tuple = ()
    failed: tuple = ()
    stopped: signal.Signals | None = None


@dataclasses.dataclass(frozen=True)
class _Job:
    photo: Path
    result: Path
    film: bool = False


def stylize_paths(
    stylizer,
    inputs,
    output_dir,
    *,
    compare=False,
    overwrite=False,
    recursive=False,
    progress=False,
    video=None,
):
    """Stylise photos, films and folders of them into `output_dir`, and return a `Report`.

    stylizer: a `Stylizer`, or a function without arguments that makes one; it is called when
        everything else has been checked and there is something to do.
    inputs: paths. A folder stands for the photos in it in the order of their names, with
        `recursive` also for those in folders below, whose paths the results keep.
    output_dir: made if missing. A result has its photo's name and format, or PNG for a format that
        is not written; where two photos would give one name, the later gets "-2" and so on.
    compare: write photo and result side by side instead, as NAME_compare.
    overwrite: replace results that exist; they are left and reported as skipped otherwise.
    progress: show a bar, and failures as they happen, on the standard error stream.
    video: `animegan_tf.video.options.VideoOptions` for films, GIF and WebP with several frames.

    A photo that cannot be read or done is reported in `failed` and the rest goes on. Raises
    `InputError` before any work for missing inputs, folders without photos, and results that would
    replace one of the photos; `OSError` when a result cannot be written.
    """
    # Not with the module: a `Stylizer` needs nothing of films.
    from animegan_tf.video import options as films

    video = (video or films.VideoOptions()).check()
    jobs = _plan(_photos(inputs, output_dir, recursive), Path(output_dir), compare, video)
    _refuse_replacing_photos(jobs)
    todo = [job for job in jobs if overwrite or _to_do(job)]
    waiting = {job.result for job in todo}
    skipped = tuple(job.result for job in jobs if job.result not in waiting)
    if not todo:
        return Report(skipped=skipped)
    if not isinstance(stylizer, Stylizer):
        stylizer = stylizer()
    # Not before: a style that cannot be had leaves no empty folder.
    Path(output_dir).mkdir(parents=True, exist_ok=True)

    written, failed, stopped = [], [], None
    shown = progress and not (len(todo) == 1 and todo[0].film)
    for job in tqdm(todo, unit="photo", disable=None if shown else True):
        try:
            if job.film:
                stopped = _film(stylizer, job, video, compare, overwrite, progress, written)
            else:
                picture = _stylized(stylizer, _read(job.photo), compare)
                job.result.parent.mkdir(parents=True, exist_ok=True)
                images.write_photo(job.result, picture.rgb, picture.alpha)
                written.append(job.result)
        except (InputError, MemoryError) as error:
            reason = str(error)
            failed.append((job.photo, reason))
            if progress:
                named = reason if str(job.photo) in reason else f"{job.photo}: {reason}"
                tqdm.write(f"error: {named}", file=sys.stderr)
        if stopped is not None:
            break
    return Report(tuple(written), skipped, tuple(failed), stopped)


def _to_do(job):
    from animegan_tf.video.journal import unfinished

    return not os.path.lexists(job.result) or (job.film and unfinished(job.result))


def _film(stylizer, job, options, compare, overwrite, progress, written):
    """Do a film; returns the signal that stopped it, or None. Raises `InputError` for damage."""
    from animegan_tf.video import film

    options = dataclasses.replace(options, container=options.container_for(job.photo))
    report = film.run(
        job.photo, job.result, lambda: stylizer, options, compare, overwrite, progress
    )
    if report.path is not None:
        written.append(report.path)
    if progress:
        for line in (*report.notes, str(report)):
            tqdm.write(f"{job.photo}: {line}", file=sys.stderr)
    if report.problems:
        what = "; ".join(report.problems)
        raise InputError(f"{job.photo}: {what}; {job.result} has the {report.frames} frames read")
    return report.stopped


def _read(path):
    """Like `read_photo`, all failures as `InputError`: an unreadable photo does not end the run."""
    try:
        return images.read_photo(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _stylized(stylizer, photo, compare):
    """The `Photo` to write: the result with the photo's alpha, or both side by side."""
    rgb = stylizer(photo.rgb)
    size = rgb.shape[:2]
    alpha = None if photo.alpha is None else images.resize(photo.alpha, *size)
    if compare:
        rgb = images.side_by_side(images.resize(photo.rgb, *size), rgb)
        alpha = None if alpha is None else images.side_by_side(alpha, alpha)
    return images.Photo(rgb, alpha)


def _photos(inputs, output_dir, recursive):
    """Pairs of each photo's path and its path below the given folder; each photo once."""
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    if not inputs:
        raise InputError("photos: expected at least one photo or folder, received none")
    if not str(output_dir or ""):
        raise InputError("output: expected a folder for the results, received nothing")
    if os.path.exists(output_dir) and not os.path.isdir(output_dir):
        raise InputError(f"output: expected a folder for the results, {output_dir} is a file")
    found = {}
    for given in map(Path, inputs):
        if given.is_dir():
            inside = _photos_in(given, output_dir, recursive)
            if not inside:
                below = " or below it" if recursive else "; recursive looks into folders below it"
                raise InputError(f"photos: expected photos in {given}, found none in it{below}")
        elif given.exists():
            inside = [given]
        else:
            raise InputError(f"photos: expected a photo or folder, found nothing at {given}")
        base = given if given.is_dir() else given.parent
        for path in inside:
            found.setdefault(path.resolve(), (path, path.relative_to(base)))
    return list(found.values())


def _photos_in(folder, output_dir, recursive):
    """The photos in `folder`, sorted; hidden files and an `output_dir` below are left out."""
    from animegan_tf.video.options import VIDEO_SUFFIXES

    output = Path(output_dir).resolve()
    suffixes = {*images.PHOTO_SUFFIXES, *VIDEO_SUFFIXES}
    photos = []
    for parent, folders, files in os.walk(folder):
        # The results of an earlier run into a folder below are no photos.
        below = [Path(parent, name) for name in sorted(folders) if not name.startswith(".")]
        folders[:] = [path.name for path in below if recursive and path.resolve() != output]
        photos += [
            Path(parent, name)
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        ]
    return photos


def _plan(photos, output_dir, compare, video):
    """A `_Job` for each photo or film, no two with the same result."""
    from animegan_tf.video import options as films

    moving = {path: films.is_video(path) for path, _ in photos}
    suffixes = {
        path: films.result_suffix(path, video) if moving[path] else images.result_suffix(path)
        for path, _ in photos
    }
    results, taken = {}, set()
    # Photos that keep their suffix choose first: a.png gives a.png whatever a.gif is beside it.
    for path, relative in sorted(photos, key=lambda pair: suffixes[pair[0]] != pair[0].suffix):
        stem = relative.stem + ("_compare" if compare else "")
        name, count = stem + suffixes[path], 1
        # Some file systems take A.jpg and a.jpg for one.
        while str(relative.with_name(name)).casefold() in taken:
            count += 1
            name = f"{stem}-{count}{suffixes[path]}"
        taken.add(str(relative.with_name(name)).casefold())
        results[path] = output_dir / relative.with_name(name)
    return [_Job(path, results[path], moving[path]) for path, _ in photos]


def _refuse_replacing_photos(jobs):
    """Compare the files themselves: the same one may be reached by links and other names."""
    photos = {_identity(job.photo) for job in jobs}
    for job in jobs:
        if job.result.exists() and _identity(job.result) in photos:
            raise InputError(
                f"output: {job.result} is one of the photos, and photos are never replaced; "
                "choose another folder"
            )


def _identity(path):
    status = path.stat()
    return status.st_dev, status.st_ino
