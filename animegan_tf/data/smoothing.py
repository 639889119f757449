"""Edge smoothing: anime frames with blurred outlines, negative examples for the discriminator.

Source: "Edge smoothing" of the AnimeGAN method (Chen, Liu and Chen, 2019), after CartoonGAN.
Images are uint8 (H, W, 3); imports no TensorFlow.
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


def smooth_edges(
    image: np.ndarray, size: int | None = 256, gray: np.ndarray | None = None
) -> np.ndarray:
    """Blur an image around its edges.

    Args:
        image: uint8 (H, W, 3), BGR. With `gray` the order of the channels does not matter.
        size: side of the square output, resized as in the published tool; None keeps H and W.
        gray: uint8 (H, W), in which edges are detected; None converts `image`. The published tool
            uses the gray image as decoded from the file (`files.decode_gray`), in which a few
            values and edges differ.

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
        # Both are resized: the gray of the resized colour image would differ.
        image = cv2.resize(image, (size, size))
        gray = cv2.resize(gray, (size, size))
    edges = cv2.dilate(cv2.Canny(gray, *_CANNY_THRESHOLDS), _DILATION)
    # Exact in float32 for any order of summation: products of a byte and n/256 need 16 bits.
    blurred = cv2.sepFilter2D(
        image, cv2.CV_32F, _GAUSSIAN, _GAUSSIAN, borderType=cv2.BORDER_REFLECT_101
    )
    # astype truncates, as the published tool does.
    return np.where(edges[..., None] > 0, blurred.astype(np.uint8), image)


def _relative(item, folder):
    """The name of a path below `folder`, or of a `tfrecords.Record`, with forward slashes."""
    name = item.name if folder is None else item.relative_to(folder).as_posix()
    return pathlib.PurePosixPath(name)


def smooth_names(sources, folder=None):
    """The file name of the smoothed counterpart of each source: {source: name}.

    `sources` are paths below `folder`, or records. The name is the source's, subfolders included,
    with the suffix `.png`; sources that differ in their suffix only keep it before `.png`.
    """
    relative = {path: _relative(path, folder) for path in sources}
    names = {path: str(name.with_suffix(".png")) for path, name in relative.items()}
    while True:
        # Some file systems are case-insensitive.
        uses = collections.Counter(name.casefold() for name in names.values())
        clashing = {
            path: f"{relative[path]}.png"
            for path, name in names.items()
            if uses[name.casefold()] > 1 and name != f"{relative[path]}.png"
        }
        if not clashing:
            return names
        names.update(clashing)


def counterparts(frames, smoothed, frame_dir=None, smooth_dir=None):
    """{frame: its smoothed frame}, of those that have one; paths below the folders, or records.

    A counterpart may have any image suffix, so that published data sets are complete.
    """
    by_stem = {_relative(path, smooth_dir).with_suffix(""): path for path in smoothed}
    stems = {
        path: pathlib.PurePosixPath(name).with_suffix("")
        for path, name in smooth_names(frames, frame_dir).items()
    }
    return {path: by_stem[stem] for path, stem in stems.items() if stem in by_stem}


def missing_smooth(source, destination):
    """The images in `source` without a smoothed counterpart in `destination`: {path: name}."""
    frames = _images_in(source)
    present = []
    if pathlib.Path(destination).is_dir():
        present = _images_in(destination)
    done = counterparts(frames, present, source, destination)
    return {path: name for path, name in smooth_names(frames, source).items() if path not in done}


def smooth_folder(source, destination, size=256, progress=True, workers=None, overwrite=False):
    """Write the smoothed counterpart of each image of one folder into another, as PNG.

    Existing files are kept unless `overwrite` is set. Files are written atomically, so the same
    call continues after an interruption.

    Returns:
        The number of images written. Unreadable files do not stop the others; an `InputError` lists
        them at the end.
    """
    source, destination = pathlib.Path(source), pathlib.Path(destination)
    if size is not None:
        check_whole("size", size, 8)
    names = smooth_names(_images_in(source), source)
    if not names:
        raise InputError(f"source: expected images in {source}, found none")
    if destination.resolve() == source.resolve():
        raise InputError(f"destination: expected another folder than {source}, received the same")
    if not overwrite:
        names = missing_smooth(source, destination)
    _write_all(names, destination, size, progress, workers)
    return len(names)


def ensure_smooth(config, progress=True):
    """Create the missing images in `<style>/smooth` of a `DataConfig`.

    With `crop="none"` their size is `image_size`, otherwise that of their frames. Files are written
    atomically, so the next run continues after an interruption. If another process is smoothing
    the same style, this one waits.

    Returns:
        The number of missing images; 0 if another process has created them.
    """
    if not missing_smooth(config.style_dir, config.smooth_path):
        if not _images_in(config.style_dir):
            raise InputError(f"style: expected anime frames in {config.style_dir}, found none")
        return 0
    waiting = f"waiting for another process that smooths the frames of {config.style_dir}"
    config.smooth_path.parent.mkdir(parents=True, exist_ok=True)
    with storage.locked(config.smooth_path.with_name(".smooth.lock"), waiting):
        # Another process may have created them before this one got the lock.
        missing = missing_smooth(config.style_dir, config.smooth_path)
        size = config.image_size if config.crop == "none" else None
        _write_all(missing, config.smooth_path, size, progress)
        return len(missing)


def cannot_write(config):
    """Whether smoothed frames are missing and the data set is on a read-only disk."""
    if config.source != "images" or not config.style_dir.is_dir():
        return False
    missing = missing_smooth(config.style_dir, config.smooth_path)
    return bool(missing) and not os.access(config.smooth_path.parent, os.W_OK)


def _images_in(folder):
    return files.list_images(folder, subfolders=True)


def _write_all(names, destination, size, progress, workers=None):
    """Smooth all paths of {path: name} into `destination`; lists unreadable ones at the end."""

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
            f"{len(errors)} of {len(names)} images were not smoothed: " + "; ".join(errors[:5])
        )
