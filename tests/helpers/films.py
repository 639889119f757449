"""Tiny films and pictures for the tests of film reading and frame extraction."""

import csv
import wave
from fractions import Fraction

import av
import cv2
import numpy as np
from av.filter import Graph

from animegan_tf import files
from animegan_tf.extract import extraction
from animegan_tf.extract.options import FrameOptions

# ISO/IEC 14496-12: the matrix of a track header (a b u c d v x y w), w is 2.30, the others 16.16.
_IDENTITY = (1, 0, 0, 0, 1, 0, 0, 0, 1)


def scene(seed, height=72, width=128):
    """A picture like no other seed's: rectangles with sharp edges, uint8 RGB."""
    random = np.random.default_rng(seed)
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = random.integers(40, 216, 3)
    for _ in range(40):
        top, left = random.integers(0, height - 8), random.integers(0, width - 8)
        tall, wide = random.integers(8, height // 2), random.integers(8, width // 2)
        picture[top : top + tall, left : left + wide] = random.integers(0, 256, 3)
    return picture


def blurred(picture, sigma):
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def dissolve(one, other, count):
    """`count` blends between two pictures, neither of them included."""
    shares = [(index + 1) / (count + 1) for index in range(count)]
    return [cv2.addWeighted(one, 1 - share, other, share, 0) for share in shares]


def write_film(
    path,
    pictures,
    rate=24,
    codec="mpeg4",
    times=None,
    time_base=None,
    pixels="yuv420p",
    options=None,
    aspect=None,
    colorspace=None,
    interlaced=False,
    transfer=None,
):
    """Encode pictures, uint8 RGB; `times` are seconds, by default at a constant rate.

    `mpeg4` has key frames every 12 frames (`options`); `ffv1` keeps every pixel's exact value.
    """
    if options is None:
        options = {"g": "12", "qscale": "2", "flags": "+qscale"} if codec == "mpeg4" else {}
    height, width = pictures[0].shape[:2]
    tick = time_base or Fraction(1, rate)
    mark = _interlacer(width, height, pixels, tick) if interlaced else None
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = tick
        if transfer is not None:
            stream.codec_context.color_trc = transfer
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace=colorspace)
            time = Fraction(index, rate) if times is None else Fraction(times[index])
            frame.pts, frame.time_base = round(time / tick), tick
            if mark is not None:
                mark.push(frame)
                frame = mark.pull()
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _interlacer(width, height, pixels, tick):
    """A filter that marks frames as interlaced, top field first."""
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(width=width, height=height, format=pixels, time_base=tick),
        graph.add("setfield", "tff"),
        graph.add("buffersink"),
    ).configure()
    return graph


def set_matrix(path, a, b, c, d):
    """Turn an MP4 film by rewriting the matrix of its track header."""
    data = bytearray(path.read_bytes())
    track = data.index(b"tkhd")
    place = data.index(_matrix(*_IDENTITY), track)
    data[place : place + 36] = _matrix(a, b, 0, c, d, 0, 0, 0, 1)
    path.write_bytes(data)


def _matrix(*numbers):
    scales = [1 << 16, 1 << 16, 1 << 30] * 3
    integers = [round(number * scale) for number, scale in zip(numbers, scales, strict=True)]
    return np.array(integers, ">i4").tobytes()


def write_sound(path):
    """A second of silence, in a file without video."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    return path


def write_song(path):
    """Silence with a cover picture, which is a video stream too."""
    with av.open(str(path), "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic.value
        sound = container.add_stream("aac", rate=8000, layout="mono")
        picture = av.VideoFrame.from_ndarray(scene(1, 64, 64), "rgb24").reformat(format="yuvj420p")
        for packet in [*cover.encode(picture), *cover.encode(None)]:
            packet.pts = packet.dts = 0
            container.mux(packet)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        container.mux([*sound.encode(silence), *sound.encode(None)])
    return path


def write_parts(path, *parts, size=(72, 128), **options):
    """A lossless film of (seed of a scene or picture, seconds) parts at 24 frames a second."""
    pictures = []
    for what, seconds in parts:
        picture = scene(what, *size) if isinstance(what, int) else what
        pictures += [picture] * round(24 * seconds)
    return write_film(path, pictures, codec="ffv1", **options)


def write_four_shots(path):
    """Shots of 1.5, 1, 2 and 1.5 seconds, of the scenes 1 to 4."""
    return write_parts(path, (1, 1.5), (2, 1), (3, 2), (4, 1.5))


# --- extraction from the clips ------------------------------------------------------------

SMALL = {"short_side": 64, "size": 64}


def extract(video, output, allow_change=(), **options):
    return extraction.extract(
        video, output, FrameOptions(**{**SMALL, **options}), allow_change, progress=False
    )


def rows(output):
    path = output.with_name(f"{output.name}_frames.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def state(output):
    """What is on the disk, without the time of anything."""
    pictures = {path.name: path.read_bytes() for path in files.list_images(output)}
    return pictures, rows(output)
