"""Films for FFmpeg: a name is that of a local file, and so is what a film refers to."""

import pathlib

import av

from animegan_tf import memory
from animegan_tf.errors import InputError


def open_input(path):
    """PyAV's container for the file at `path`.

    Nothing is fetched, whatever the name or the file says, and frames that do not fit into memory
    are not decoded. Raises what PyAV does, and `InputError` for what is no regular file.
    """
    if pathlib.Path(path).exists() and not pathlib.Path(path).is_file():
        found = "a folder" if pathlib.Path(path).is_dir() else "a device or pipe"
        raise InputError(f"video: expected a film, found {found} at {path}")
    # Without "file:" FFmpeg takes what is before a colon for a protocol.
    options = {"protocol_whitelist": "file", **decoder_options()}
    try:
        return av.open(f"file:{path}", options=options, metadata_errors="replace")
    except TypeError:  # from PyAV 19 on it takes tags that are no UTF-8 as they are
        return av.open(f"file:{path}", options=options)


def open_output(path, kind, **options):
    """PyAV's container for writing the file at `path`, of FFmpeg's format `kind`."""
    return av.open(f"file:{path}", "w", format=kind, **options)


def decoder_options():
    """What FFmpeg's decoders are told: no frame of twice the size that `check_size` allows.

    FFmpeg counts some rows and columns more than there are.
    """
    return {"max_pixels": str(min(2**31 - 1, 2 * memory.most_pixels()))}


def check_size(path, height, width):
    """Raise `InputError` for frames that there is no memory for, which may have no size here."""
    most = memory.most_pixels()
    if not 0 < height * width <= most:
        frames = f"frames of {width}x{height}, " if height * width else "frames without a size, or "
        raise InputError(f"{path}: {frames}more than the {most:,} pixels that there is memory for")
