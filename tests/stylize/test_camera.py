import itertools
import signal
import threading
import time

import cv2
import numpy as np
import pytest
from sound_films import look

from animegan_tf.errors import InputError
from animegan_tf.stylize import camera
from animegan_tf.stylize.frames import FrameStylizer
from animegan_tf.stylize.options import VideoOptions


class Capture:
    """Stands for a camera: gray frames that get lighter, each some milliseconds after the other."""

    def __init__(self, count, seconds=0.004):
        self.count, self.seconds, self.read_frames, self.released = count, seconds, 0, False

    def isOpened(self):
        return True

    def read(self):
        time.sleep(self.seconds)
        if self.read_frames == self.count:
            return False, None
        self.read_frames += 1
        return True, np.full((48, 64, 3), (self.read_frames, 100, 0), np.uint8)  # BGR

    def release(self):
        self.released = True


@pytest.fixture
def opened(monkeypatch):
    """`cv2.VideoCapture` gives this capture; returns what it was asked for."""
    asked = []

    def put(capture):
        monkeypatch.setattr(cv2, "VideoCapture", lambda what: asked.append(what) or capture)
        return asked

    return put


@pytest.fixture
def no_display(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(camera.sys, "platform", "linux")


def make():
    return lambda rgb: 255 - rgb


def test_the_newest_frame_is_shown():
    """A slow stylizer passes frames over instead of falling behind."""
    capture, shown = Capture(60), []

    def slow(rgb):
        time.sleep(0.02)
        return rgb

    def show(rgb):
        shown.append((int(rgb[0, 0, 2]), capture.read_frames))
        return True

    line = camera.loop(capture, FrameStylizer(slow), show, None)
    assert 5 < len(shown) < 40
    assert all(now - number <= 12 for number, now in shown)  # none is much older than the camera's
    assert [number for number, _ in shown] == sorted({number for number, _ in shown})
    assert line.startswith(f"{len(shown)} frames, ")


def test_a_key_ends_it():
    shown = []

    def show(rgb):
        shown.append(rgb)
        return len(shown) < 3

    camera.loop(Capture(1000), FrameStylizer(make()), show, None, compare=True)
    assert len(shown) == 3
    assert shown[0].shape == (48, 128, 3)
    np.testing.assert_array_equal(shown[0][:, 64:], 255 - shown[0][:, :64])
    assert threading.active_count() < 20


class Stalled(Capture):
    """Gives its frames, and then does not return from `read`."""

    def __init__(self, count):
        super().__init__(count)
        self.goes_on = threading.Event()

    def read(self):
        if self.read_frames == self.count:
            assert self.goes_on.wait(60)
            assert not self.released  # nobody else does while it reads
        return super().read()


@pytest.mark.parametrize("count", [0, 3])
def test_a_stream_that_stalls_is_left_by_a_signal(tmp_path, opened, no_display, count):
    pressed, stylised = [], threading.Semaphore(0)

    def press():
        pressed.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    class Paced(Stalled):
        """Waits until its last frame was stylised, however slow the machine is."""

        def read(self):
            if self.read_frames:
                assert stylised.acquire(timeout=60)
            if self.read_frames == self.count:
                threading.Timer(1, press).start()
            return super().read()

    def negative(rgb):
        stylised.release()
        return 255 - rgb

    capture = Paced(count)
    opened(capture)
    line = camera.run("rtsp://host/stream", lambda: negative, tmp_path, VideoOptions(crf=30))
    assert time.monotonic() - pressed[0] < 2
    assert line.startswith(f"{count} frames")
    assert len(list(tmp_path.iterdir())) == bool(count)
    assert not capture.released
    capture.goes_on.set()
    for _ in range(1000):
        if capture.released:
            break
        time.sleep(0.01)
    assert capture.released


def test_a_stream_that_stalls_is_left_by_a_key():
    capture, shown = Stalled(2), []

    def show(rgb):
        shown.append(rgb)
        return len(shown) < 6

    camera.loop(capture, FrameStylizer(make()), show, None)
    assert len(shown) == 6
    assert shown[5] is shown[4]
    capture.goes_on.set()


def test_a_stream_that_does_not_answer(monkeypatch, tmp_path, no_display):
    """Opening it is left by Ctrl-C too."""
    answers = threading.Event()
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: answers.wait(60))
    # Tests that run in the background are started with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.5, signal.raise_signal, (signal.SIGINT,)).start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            camera.run("rtsp://host/stream", make, tmp_path, VideoOptions())
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 3
    answers.set()


def test_a_recording_has_the_times_of_the_frames(tmp_path, opened, no_display):
    capture = Capture(20, seconds=0.01)
    asked = opened(capture)
    line = camera.run("0", make, tmp_path / "out", VideoOptions(codec="h264", crf=10))
    assert asked == [0]
    assert capture.released
    (path,) = (tmp_path / "out").iterdir()
    assert path.suffix == ".mp4"
    assert line.endswith(f"recorded in {path}")
    found = look(path)
    assert 5 < len(found.times) <= 20
    steps = [float(b - a) for a, b in itertools.pairwise(found.times)]
    assert found.times[0] == 0
    assert min(steps) >= 0.005
    np.testing.assert_allclose(found.pictures[0][0, 0], (255, 155, 253), atol=4)


def test_the_address_of_a_stream(tmp_path, opened, no_display):
    asked = opened(Capture(3))
    camera.run("rtsp://host/stream", make, tmp_path, VideoOptions(container="mkv"))
    assert asked == ["rtsp://host/stream"]
    assert [path.suffix for path in tmp_path.iterdir()] == [".mkv"]


def test_neither_display_nor_recording(no_display):
    def not_needed():
        raise AssertionError("the network was loaded")

    with pytest.raises(InputError, match=r"camera: expected a display, .* --output=FOLDER records"):
        camera.run("0", not_needed, None, VideoOptions())


def test_no_camera(tmp_path, opened, no_display):
    class Nothing(Capture):
        def isOpened(self):
            return False

    opened(Nothing(0))
    with pytest.raises(InputError, match="camera: expected a camera or stream, found none at 7"):
        camera.run("7", make, tmp_path / "out", VideoOptions())
    assert not (tmp_path / "out").exists()


def test_a_window_that_cannot_be_opened(monkeypatch, opened):
    def fails(*_):
        raise cv2.error("no window system")

    opened(Capture(5))
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(cv2, "imshow", fails)
    with pytest.raises(InputError, match="camera: this OpenCV cannot show a window"):
        camera.run("0", make, None, VideoOptions())
