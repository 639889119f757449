"""Live stylising of a camera or stream, in a window and as a recording.

Frames that arrive during inference are dropped, so that the display has little delay. A recording
has the frames' arrival times as timestamps, and no sound.
"""

import datetime
import os
import pathlib
import sys
import threading
import time
from fractions import Fraction

import cv2
from tqdm import tqdm

from animegan_tf import storage
from animegan_tf.errors import InputError
from animegan_tf.signals import Signals
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.making import SEGMENT
from animegan_tf.stylize.threads import Feeder
from animegan_tf.video.codecs import ANIMATIONS
from animegan_tf.video.encoder import Spec
from animegan_tf.video.source import Colours
from animegan_tf.video.writer import Writer

_TITLE = "animegan_tf (q ends)"
_TICK = Fraction(1, 1000)
_ESCAPE = 27
# Seconds: interval of checks for the end while no frame arrives, and the maximum wait for the
# reader thread, which OpenCV may block for half a minute if a stream stalls.
_PATIENCE, _PARTING = 0.25, 0.5


def run(camera, make, output_dir, options, compare=False, progress=False):
    """Stylise a camera until q is pressed, a signal arrives, or it ends; returns a summary line.

    camera: its number, or the URL of a stream, for OpenCV.
    make: a function that returns the stylizer; called after the camera was opened.
    output_dir: folder for the recording, named by date and time; None for no recording.
    options: `VideoOptions`; codec, crf, container and stabilize are used.

    Raises `InputError` without a camera, and if there is neither a display nor a recording.
    """
    window = has_display()
    if not window and not output_dir:
        raise InputError(
            "camera: expected a display, found none (DISPLAY and WAYLAND_DISPLAY are not set); "
            "--output=FOLDER records the video"
        )
    if options.container in ANIMATIONS:
        raise InputError(f"container: expected a video for a camera, received {options.container}")
    number = int(camera) if str(camera).isdecimal() else str(camera)
    capture = _opened(number)
    try:
        if not capture.isOpened():
            raise InputError(f"camera: expected a camera or stream, found none at {camera}")
        stylizer = FrameStylizer(make(), options.stabilize, options.engine)
        recording = _Recording(output_dir, options) if output_dir else None
        show = _Window().show if window else None
    except BaseException:
        capture.release()
        raise
    with Signals() as signals:
        return loop(
            capture,
            stylizer,
            show,
            recording,
            compare=compare,
            progress=progress,
            stopped=lambda: signals.received is not None,
        )


def _opened(camera):
    """OpenCV's capture of a camera's number or a stream's URL."""
    if isinstance(camera, int):
        return cv2.VideoCapture(camera)
    # In a thread, so that Ctrl-C works while a stream does not respond.
    return next(iter(Feeder(map(cv2.VideoCapture, [camera]), 1)))


def has_display():
    """Whether a window can be shown."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


def loop(capture, stylizer, show, recording, *, compare=False, progress=False, stopped=None):
    """Stylise the newest frame of `capture` repeatedly; returns a summary line.

    capture: like `cv2.VideoCapture`: `read()` returns (success, BGR frame). It is released at the
        end, or when `read` returns.
    show: a function that shows RGB and returns whether to continue, or None. It is called with the
        last output again while no frame arrives.
    recording: an object with `add(rgb, seconds)` and `close()`, or None.
    stopped: a function that returns whether to end.
    """
    newest, count, began, result = _Newest(capture), 0, time.monotonic(), None
    bar = tqdm(unit="frame", disable=None if progress else True)
    try:
        with bar:
            for rgb, at in newest:
                if rgb is not None:
                    result = stylizer(rgb, at - began, compare)
                    count += 1
                    bar.update()
                    if recording is not None:
                        recording.add(result, at)
                if show is not None and result is not None and not show(result):
                    break
                if stopped is not None and stopped():
                    break
    finally:
        newest.stop()
        if recording is not None:
            recording.close()
    rate = count / max(1e-6, time.monotonic() - began)
    where = f", recorded in {recording.path}" if recording is not None and count else ""
    return f"{count} frames, {rate:.3g} frames/s{where}"


class _Newest:
    """Iterates over the newest frames of a capture as (RGB, time); older ones are dropped.

    Yields (None, None) if no frame arrives for a while.
    """

    def __init__(self, capture):
        self._capture, self._frame, self._ended = capture, None, False
        self._changed, self._stopped = threading.Condition(), False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            while not self._stopped:
                success, frame = self._capture.read()
                if not success:
                    break
                with self._changed:
                    self._frame = frame, time.monotonic()
                    self._changed.notify()
        finally:
            # In this thread, since it must not be released during a read.
            self._capture.release()
            with self._changed:
                self._ended = True
                self._changed.notify()

    def __iter__(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frame is not None or self._ended, _PATIENCE)
                newest, self._frame, ended = self._frame, None, self._ended
            if newest is not None:
                yield cv2.cvtColor(newest[0], cv2.COLOR_BGR2RGB), newest[1]
            elif ended:
                return
            else:
                yield None, None

    def stop(self):
        """Stop the thread, unless a read blocks."""
        self._stopped = True
        self._thread.join(_PARTING)


class _Window:
    """OpenCV's window. Raises `InputError` if it cannot be opened."""

    def show(self, rgb):
        try:
            cv2.imshow(_TITLE, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
            key = cv2.waitKey(1) & 0xFF
            return key not in (ord("q"), _ESCAPE)
        except cv2.error as error:
            raise InputError(
                f"camera: this OpenCV cannot show a window ({error.err or error}); "
                "--output=FOLDER without a display records"
            ) from error


class _Recording:
    """A recording of frames at their arrival times."""

    def __init__(self, folder, options):
        container = options.container or "mp4"
        name = f"camera-{datetime.datetime.now():%Y%m%d-%H%M%S}.{container}"
        self.path = pathlib.Path(folder) / name
        self._partial = self.path.with_suffix(f".partial.{container}")
        self._container, self._codec = container, options.codec_for(container)
        self._writer, self._waiting, self._began, self._last = None, None, None, 40

    def add(self, rgb, at):
        """Add a frame that arrived at the time `at`, in seconds of a clock."""
        if self._writer is None:
            self._partial.parent.mkdir(parents=True, exist_ok=True)
            _, codec, crf = self._codec
            spec = Spec(codec, crf, *rgb.shape[:2], Fraction(1), Fraction(25), _TICK, Colours())
            self._writer = Writer(self._partial, self._container, spec)
            self._began = at
        pts = round((at - self._began) / _TICK)
        if self._waiting is not None:
            pts = max(pts, self._waiting[1] + 1)
            self._last = pts - self._waiting[1]
            self._write(self._last)
        self._waiting = rgb, pts

    def _write(self, duration):
        rgb, pts = self._waiting
        self._writer.frame(rgb, pts, duration)
        if self._writer.frames % SEGMENT == 0:
            self._writer.end_segment()

    def close(self):
        """Complete the file, if it was started."""
        if self._writer is None:
            return
        self._write(self._last)
        self._writer.close()
        storage.move(self._partial, self.path)
