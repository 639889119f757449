"""The tasks of the suites data, smoothing, extraction and start-up (see `worker`)."""

import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.worker import Timed

# The photos, frames and smoothed frames that the data suite draws.
_DRAWN_PICTURES = 24


def pipeline(folder, side, batch, batches):
    """Seconds for each of `batches` batches of training data, from files drawn into `folder`."""
    from animegan_tf.data import pipeline as data
    from animegan_tf.data import synthetic

    drawn = synthetic.make_smoke_dataset(folder, side, _DRAWN_PICTURES)
    config = data.DataConfig(str(drawn), synthetic.STYLE, image_size=side, batch_size=batch)
    dataset = data.make_dataset(config)

    def run():
        # A new iterator: one that waited for its turn would have filled its buffers.
        start = time.perf_counter()
        for _ in itertools.islice(dataset, batches):
            pass
        return (time.perf_counter() - start) / batches

    return run


# --- smoothing -----------------------------------------------------------------------------------


def _frame(side):
    from animegan_tf.data import synthetic

    return synthetic.draw_anime(np.random.default_rng(0), side)


def smooth_edges(side):
    """The project's edge smoothing of one drawn frame."""
    from animegan_tf.data import smoothing

    frame = _frame(side)
    return Timed(lambda: smoothing.smooth_edges(frame, None))


def smooth_edges_plainly(side):
    """The same as `smooth_plainly` has it."""
    import cv2

    frame = _frame(side)
    return Timed(lambda: smooth_plainly(frame, cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)))


def smooth_plainly(image, gray):
    """Edge smoothing as a plain loop over the pixels at edges: see `smoothing.smooth_edges`."""
    import cv2

    edges = cv2.dilate(cv2.Canny(gray, 100, 200), np.ones((5, 5), np.uint8))
    kernel = cv2.getGaussianKernel(5, 0) @ cv2.getGaussianKernel(5, 0).T
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), "reflect")
    result = image.copy()
    for row, col in np.argwhere(edges):
        for channel in range(3):
            patch = padded[row : row + 5, col : col + 5, channel]
            result[row, col, channel] = int((patch * kernel).sum())
    return result


# --- films ---------------------------------------------------------------------------------------


def decode(video, seconds):
    """Decode the film's first `seconds`, nothing else; seconds for each frame."""
    import av

    def run():
        start, frames = time.perf_counter(), 0
        with av.open(video) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            first = None
            for frame in container.decode(stream):
                first = frame.time if first is None else first
                if frame.time is not None and frame.time - first >= seconds:
                    break
                frames += 1
        return (time.perf_counter() - start) / frames

    return run


def extract(video, seconds):
    """Extract training pictures from the same part; seconds for each frame that was looked at."""
    from animegan_tf.extract import extraction as frames
    from animegan_tf.extract.options import FrameOptions

    def run():
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            report = frames.extract(
                video, Path(folder, "style"), FrameOptions(end=seconds), progress=False
            )
            return (time.perf_counter() - start) / report.frames

    return run


# --- start-up ------------------------------------------------------------------------------------


def command(arguments):
    """Run Python with `arguments` in a fresh process."""
    return Timed(lambda: _python(arguments) and None)


def first_picture(checkpoint, photo):
    """From a cold start to a first picture, in parts (see `first_picture`)."""
    arguments = [str(Path(__file__).with_name("first_picture.py")), checkpoint, photo]
    return lambda: json.loads(_python(arguments).splitlines()[-1])


def _python(arguments):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise OSError(f"{' '.join(arguments)}: exit status {done.returncode}: {last}")
    return done.stdout
