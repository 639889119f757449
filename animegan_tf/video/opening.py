"""Opening files with PyAV: only local files, also those that a file refers to."""

import pathlib

import av

from animegan_tf import memory
from animegan_tf.errors import InputError


def open_input(path):
    """PyAV's container for the file at `path`.

    FFmpeg opens no network addresses and decodes no frames that do not fit into memory. Raises
    PyAV's exceptions, and `InputError` if the path is not a regular file.
    """
    if pathlib.Path(path).exists() and not pathlib.Path(path).is_file():
        found = "a folder" if pathlib.Path(path).is_dir() else "a device or pipe"
        raise InputError(f"video: expected a video, found {found} at {path}")
    # Without "file:" FFmpeg interprets the part before a colon as a protocol.
    options = {"protocol_whitelist": "file", **decoder_options()}
    try:
        return av.open(f"file:{path}", options=options, metadata_errors="replace")
    except TypeError:  # PyAV 19 has no such argument and accepts all tags
        return av.open(f"file:{path}", options=options)


def open_output(path, kind, **options):
    """PyAV's container for writing the file at `path`, of FFmpeg's format `kind`."""
    return av.open(f"file:{path}", "w", format=kind, **options)


def decoder_options():
    """Options of FFmpeg's decoders: twice the pixels that `check_size` allows.

    FFmpeg adds some rows and columns to a frame.
    """
    return {"max_pixels": str(min(2**31 - 1, 2 * memory.most_pixels()))}


def check_size(path, height, width):
    """Raise `InputError` for frames without a size, and for those that do not fit into memory."""
    most = memory.most_pixels()
    if not 0 < height * width <= most:
        frames = f"frames of {width}x{height}, " if height * width else "frames without a size, or "
        raise InputError(f"{path}: {frames}more than the {most:,} pixels that there is memory for")
