"""Opening files with PyAV: only local files, also those that a file refers to; their streams."""

import pathlib

import av

from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.images import formats

# The first bytes of playlists and scripts, which FFmpeg recognises with any suffix.
_SCRIPTS = (b"ffconcat", b"#EXTM3U", b"v=0", b"<?xml", b"<MPD", b";FFMETADATA")


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


def _names_others(path):
    """Whether the file is a playlist or script, for which FFmpeg would open other files."""
    start = formats.head_of(path).removeprefix(b"\xef\xbb\xbf")
    return start.lstrip().startswith(_SCRIPTS)


def open_video(path):
    """PyAV's container for the video at `path`, which the caller closes.

    Raises `InputError` if it is not a video or cannot be read; `OSError` is for outputs.
    """
    try:
        if _names_others(path):
            raise InputError(f"{path}: expected a video, received a playlist or script")
        return open_input(path)
    except av.error.FileNotFoundError:
        raise InputError(f"video: expected a video, found nothing at {path}") from None
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise InputError(f"{path}: {error.strerror}") from error
        raise InputError(
            f"{path}: expected a video, received something else or an unreadable one "
            f"({error.strerror})"
        ) from error


def image_streams(container):
    """The video streams of PyAV's container, without covers and the still image of an AVIF."""
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    return [
        stream for stream in streams if stream.frames != 1 or stream.duration is not None
    ] or streams


def shown(streams):
    """The default stream of several video streams; the largest of several default ones."""
    default = av.stream.Disposition.default

    def rank(stream):
        return bool(stream.disposition & default), stream.width * stream.height

    return max((stream for stream in streams if stream.codec_context is not None), key=rank)


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
