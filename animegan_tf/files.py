"""Listing and decoding image files; imports no TensorFlow.

Images are uint8, RGB (height, width, 3) or gray (height, width). Files are read as bytes, since
OpenCV's own file functions fail for non-ASCII names on some systems. The EXIF orientation is
applied; 16-bit images are converted to 8 bits, alpha is dropped.
"""

import concurrent.futures
import pathlib

import cv2
import numpy as np
import tqdm

from animegan_tf import images, memory
from animegan_tf.errors import InputError
from animegan_tf.validation import check_whole

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def list_images(folder, subfolders=False) -> list[pathlib.Path]:
    """The image files directly in `folder`, or also in its subfolders, sorted by name.

    Hidden files and folders are skipped. Names are sorted by their characters, so that the order
    is the same on every system. Raises `InputError` if there is no such folder.
    """
    return split_images(folder, subfolders)[0]


def split_images(folder, subfolders=False) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """`list_images`, and the other files that are not hidden, including broken links."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise InputError(f"expected a folder of images at {folder}, found {found}")
    images, others = [], []
    for path in folder.rglob("*") if subfolders else folder.iterdir():
        if path.is_dir() or any(part[0] == "." for part in path.relative_to(folder).parts):
            continue
        usable = path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
        (images if usable else others).append(path)
    return tuple(
        sorted(paths, key=lambda path: path.relative_to(folder).as_posix())
        for paths in (images, others)
    )


def decode_color(data: bytes, name) -> np.ndarray:
    """Decode the bytes of an image file to uint8 RGB (H, W, 3).

    Raises `InputError` with `name` if they cannot be decoded, for example if they are truncated.
    """
    return cv2.cvtColor(_decode(data, name, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def decode_gray(data: bytes, name) -> np.ndarray:
    """Decode the bytes of an image file to uint8 gray (H, W) with `cv2.IMREAD_GRAYSCALE`.

    This differs from converting the decoded colour image: the JPEG decoder returns the stored luma,
    and the PNG decoder rounds differently. Raises `InputError` like `decode_color`.
    """
    return _decode(data, name, cv2.IMREAD_GRAYSCALE)


def _decode(data, name, mode):
    """`cv2.imdecode` that raises `InputError` for every failure."""
    image = None
    try:
        if images.size_of(data, f"cannot decode {name}") is not None:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error as error:  # for instance more pixels than OpenCV allows
        raise InputError(f"cannot decode {name}: {error.err or error}") from error
    if image is None:
        raise InputError(f"cannot decode {name}: not an image, or damaged ({len(data)} bytes)")
    return image


def map_in_threads(function, items, label, progress, workers=None):
    """List of `function(item)` in the order of `items`, computed in threads.

    OpenCV releases Python's lock, so that threads use all cores. The first exception is raised and
    cancels the remaining calls. `progress` shows a bar named `label` on standard error.
    """
    if workers is not None:
        check_whole("workers", workers, 1)
    workers = workers or memory.cores()
    with concurrent.futures.ThreadPoolExecutor(workers) as executor:
        results = executor.map(function, items)
        bar = tqdm.tqdm(results, label, total=len(items), unit="file", disable=not progress)
        return list(bar)
