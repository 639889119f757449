"""Folders of pictures and their decoding; imports no TensorFlow.

Pictures are uint8, RGB unless a name says BGR, (height, width, 3); gray ones are (height, width).
Files are read as bytes, since OpenCV's own file functions fail on non-ASCII names on
some systems. Reading obeys the EXIF orientation; 16-bit files become 8-bit, alpha is dropped.
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

    Hidden files and folders are left out. The order is that of the names' characters, so that it is
    the same on every system. Raises `InputError` when there is no such folder.
    """
    return split_images(folder, subfolders)[0]


def split_images(folder, subfolders=False) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """`list_images`, and the other files that are not hidden, among them broken links."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise InputError(f"expected a folder of pictures at {folder}, found {found}")
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
    """Decode the bytes of a picture file to uint8 RGB (H, W, 3).

    Raises `InputError` with `name` when they cannot be decoded, also when the file is cut short.
    """
    return cv2.cvtColor(_decode(data, name, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def decode_gray(data: bytes, name) -> np.ndarray:
    """Decode the bytes of a picture file to uint8 gray (H, W), as `cv2.IMREAD_GRAYSCALE` does.

    This is not the gray of the decoded colour picture: the JPEG decoder hands out the stored luma,
    the PNG decoder rounds in its own way. Raises `InputError` like `decode_color`.
    """
    return _decode(data, name, cv2.IMREAD_GRAYSCALE)


def _decode(data, name, mode):
    """`cv2.imdecode` with one kind of failure."""
    picture = None
    try:
        if images.size_of(data, f"cannot decode {name}") is not None:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error as error:  # for instance more pixels than OpenCV allows
        raise InputError(f"cannot decode {name}: {error.err or error}") from error
    if picture is None:
        raise InputError(f"cannot decode {name}: not a picture, or damaged ({len(data)} bytes)")
    return picture


def map_in_threads(function, items, label, progress, workers=None):
    """List of `function(item)` in the order of `items`, computed in threads.

    OpenCV releases Python's lock, so threads use all cores. The first exception is raised and
    cancels what has not begun. With `progress` a bar named `label` shows on standard error.
    """
    if workers is not None:
        check_whole("workers", workers, 1)
    workers = workers or memory.cores()
    with concurrent.futures.ThreadPoolExecutor(workers) as executor:
        results = executor.map(function, items)
        bar = tqdm.tqdm(results, label, total=len(items), unit="file", disable=not progress)
        return list(bar)
