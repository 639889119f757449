"""Edge smoothing: anime pictures whose outlines are blurred, the discriminator's counterexamples.

Source: "Edge smoothing" of the AnimeGAN method (Chen, Liu and Chen, 2019), after CartoonGAN.
Pictures are uint8 (H, W, 3); imports no TensorFlow.
"""

import collections
import os
import pathlib

import cv2
import numpy as np

from animegan_tf import files, images, storage
from animegan_tf.errors import InputError
from animegan_tf.validation import check_whole

# OpenCV's getGaussianKernel(5, 0).
_GAUSSIAN = np.array([1, 4, 6, 4, 1], np.float32) / 16
_CANNY_THRESHOLDS = (100, 200)
_DILATION = np.ones((5, 5), np.uint8)


def smooth_edges(image, size=256, gray=None):
    """Blur a picture around its edges.

    Args:
        image: uint8 (H, W, 3), BGR. With `gray` given the order of the channels does not matter.
        size: side of the square result, resized as the published tool does; None keeps H and W.
        gray: uint8 (H, W), what the edges are found in; None makes it from `image`. The published
            tool finds them in the gray picture as decoded from the file (`files.decode_gray`),
            whose rounding differs by 1 here and there and moves a few edges.

    Returns:
        uint8 (size, size, 3) or (H, W, 3), channels ordered as in `image`.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise InputError(f"image: expected uint8 (H, W, 3), received {image.dtype} {image.shape}")
    if gray is None:
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    elif gray.dtype != np.uint8 or gray.shape != image.shape[:2]:
        raise InputError(
            f"gray: expected uint8 {image.shape[:2]}, received {gray.dtype} {gray.shape}"
        )
    if size is not None:
        check_whole("size", size, 8)
        # Each is resized by itself: the gray of the resized picture is another one.
        image = cv2.resize(image, (size, size))
        gray = cv2.resize(gray, (size, size))
    edges = cv2.dilate(cv2.Canny(gray, *_CANNY_THRESHOLDS), _DILATION)
    # Exact in float32 whatever the order of the sums: products of a byte and n/256 need 16 bits.
    blurred = cv2.sepFilter2D(
        image, cv2.CV_32F, _GAUSSIAN, _GAUSSIAN, borderType=cv2.BORDER_REFLECT_101
    )
    # astype truncates, as the published tool does.
    return np.where(edges[..., None] > 0, blurred.astype(np.uint8), image)


def smooth_names(sources):
    """File name of the smoothed counterpart of each source path: {path: name}.

    It is the stem with `.png`; sources that would share it keep their whole name in front.
    """
    names = {path: f"{path.stem}.png" for path in sources}
    while True:
        # Folded, for file systems that do not tell upper case from lower case.
        uses = collections.Counter(name.casefold() for name in names.values())
        clashing = {
            path: f"{path.name}.png"
            for path, name in names.items()
            if uses[name.casefold()] > 1 and name != f"{path.name}.png"
        }
        if not clashing:
            return names
        names.update(clashing)


def missing_smooth(source, destination):
    """Sources in the folder `source` without a counterpart in `destination`: {path: name}.

    A counterpart may have any picture suffix, so that published data sets count as complete.
    """
    names = smooth_names(files.list_images(source))
    present = files.list_images(destination) if pathlib.Path(destination).is_dir() else []
    stems = {path.stem for path in present}
    return {path: name for path, name in names.items() if pathlib.Path(name).stem not in stems}


def smooth_folder(source, destination, size=256, progress=True, workers=None, overwrite=False):
    """Write the smoothed counterpart of every picture of one folder into another, as PNG.

    Those that exist already are left alone unless `overwrite`. Each file appears whole or not at
    all, so a killed run is continued by starting it again.

    Returns:
        The number of pictures written. Files that cannot be read do not stop the others; an
        `InputError` names them at the end.
    """
    source, destination = pathlib.Path(source), pathlib.Path(destination)
    if size is not None:
        check_whole("size", size, 8)
    names = smooth_names(files.list_images(source))
    if not names:
        raise InputError(f"source: expected pictures in {source}, found none")
    if destination.resolve() == source.resolve():
        raise InputError(f"destination: expected a folder of its own, received {destination}")
    if not overwrite:
        names = missing_smooth(source, destination)
    destination.mkdir(parents=True, exist_ok=True)
    _write_all(names, destination, size, progress, workers)
    return len(names)


def ensure_smooth(config, progress=True):
    """Make `<style>/smooth` of a `DataConfig` where it is missing or incomplete.

    With `crop="none"` the pictures get `image_size`, otherwise they keep the size of their frames.
    They are made in a folder beside it and moved when all are there, so that a killed run leaves no
    half-full `smooth`; the next run takes up what it had made. A process waits while another one
    makes them for the same style.

    Returns:
        The number of pictures that were missing; 0 when another process has made them.
    """
    if not missing_smooth(config.style_dir, config.smooth_dir):
        if not files.list_images(config.style_dir):
            raise InputError(f"style: expected anime frames in {config.style_dir}, found none")
        return 0
    waiting = f"waiting for another process, which smooths the frames of {config.style_dir}"
    with storage.locked(config.smooth_dir.with_name(".smooth.lock"), waiting):
        return _make_missing(config, progress)


def _make_missing(config, progress):
    # Another process may have made them before this one got the lock.
    missing = missing_smooth(config.style_dir, config.smooth_dir)
    if not missing:
        return 0
    size = config.image_size if config.crop == "none" else None
    # The name holds the size: what a run with another size left behind is not taken up.
    aside = config.smooth_dir.with_name(f".smooth-{size or 'full'}")
    aside.mkdir(exist_ok=True)
    made = {path.name for path in files.list_images(aside)}
    wanted = {path: name for path, name in missing.items() if name not in made}
    _write_all(wanted, aside, size, progress, None)
    _move_pictures(aside, config.smooth_dir, set(missing.values()))
    return len(missing)


def _move_pictures(aside, folder, names):
    """Move the files `names` from `aside` to `folder`; at once when the folder is new."""
    for path in files.list_images(aside):
        if path.name not in names:  # its frame was deleted since a run that was cut short
            path.unlink()
    if not folder.exists():
        storage.move(aside, folder)
        return
    for name in names:  # completes what is there; cut short, the next run sees what is missing
        os.replace(aside / name, folder / name)
    aside.rmdir()


def _write_all(names, destination, size, progress, workers):
    """Smooth each path of {path: name} into `destination`; unreadable ones are named at the end."""

    def smooth(path):
        try:
            data = path.read_bytes()
            color, gray = files.decode_color(data, path), files.decode_gray(data, path)
        except InputError as error:
            return str(error)
        images.write_photo(destination / names[path], smooth_edges(color, size, gray))
        return None

    results = files.map_in_threads(smooth, list(names), "smoothing edges", progress, workers)
    errors = [error for error in results if error]
    if errors:
        raise InputError(
            f"{len(errors)} of {len(names)} pictures were not smoothed: " + "; ".join(errors[:5])
        )
