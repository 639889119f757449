"""Films from other people: no name and no size in them does harm. Their names are files' names."""

import contextlib
import os
import struct
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import cv2
import films
import numpy as np
import pytest
from PIL import Image

from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.stylize.film import stylize_video
from animegan_tf.video import codecs, webp
from animegan_tf.video.reader import VideoReader
from animegan_tf.video.source import open_source


@pytest.fixture
def canary():
    """The address of a server, and the list of what it is asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", asked
        server.shutdown()


def _film(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [films.scene(seed, 32, 48) for seed in range(3)]
    films.write_film(path, pictures)
    return path


@pytest.mark.parametrize("name", ("Show:01.mp4", "http:/{}/latest/x.mp4", "data:a,b.mp4"))
def test_names_with_colons_are_names(tmp_path, monkeypatch, canary, name):
    address, asked = canary
    monkeypatch.chdir(tmp_path)
    name = name.format(address)
    path = _film(tmp_path / "made.mp4")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    path.rename(tmp_path / name)
    for output in ("out:1.mp4", "http:2.gif"):
        assert stylize_video(name, output, lambda rgb: rgb).frames == 3
        assert (tmp_path / output).stat().st_size
    assert asked == []


def test_films_fetch_nothing(tmp_path, canary):
    address, asked = canary
    path = tmp_path / "list.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://{address}/a.ts\n")
    with pytest.raises(InputError, match=r"list\.mp4"):
        VideoReader(path)
    assert asked == []


def _gif(path, width, height):
    """One of one pixel, on a canvas of that size."""
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    path.write_bytes(b"GIF89a" + screen + image * 2 + b";")
    return path


def _webp(path, width, height, picture=(1, 1), claimed=None):
    """An animation of one frame that says it is `claimed`."""
    still = cv2.imencode(".webp", np.zeros((*picture, 3), np.uint8))[1].tobytes()[12:]
    sides = claimed or picture[::-1]
    three = [(side - 1).to_bytes(3, "little") for side in (*sides, width, height)]
    frame = bytes(6) + three[0] + three[1] + bytes(4) + still
    chunks = b"VP8X" + struct.pack("<II", 10, 2) + three[2] + three[3]
    chunks += b"ANMF" + struct.pack("<I", len(frame)) + frame
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks)
    return path


@pytest.mark.parametrize(("suffix", "write"), (("gif", _gif), ("webp", _webp)))
def test_sizes_are_compared_with_memory_before_decoding(tmp_path, monkeypatch, suffix, write):
    monkeypatch.setattr(memory, "available", lambda: 24 * 2000 * 1000)
    with pytest.raises(InputError, match=r"2000x1001, more than .*memory"):
        open_source(write(tmp_path / f"large.{suffix}", 2000, 1001))
    with pytest.raises(InputError, match=r"more than .*memory"):
        open_source(write(tmp_path / f"huge.{suffix}", 30000, 30000))
    with open_source(write(tmp_path / f"small.{suffix}", 2000, 1000)) as source:
        assert (source.facts.height, source.facts.width) == (1000, 2000)


def test_a_frame_of_a_webp_has_the_size_that_it_says(tmp_path):
    """One of another size is refused, not decoded."""
    path = _webp(tmp_path / "a.webp", 64, 64, picture=(900, 900), claimed=(60, 60))
    with pytest.raises(InputError, match="damaged: frame 1 cannot be decoded"):
        next(webp.Animation(path).frames())


def test_a_webp_of_more_pixels_than_pillow_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 // 2 - 1)
    with pytest.raises(InputError, match="damaged: frame 1 cannot be decoded"):
        next(webp.Animation(_webp(tmp_path / "a.webp", 64, 64)).frames())


def test_a_codec_tag_that_is_no_text(tmp_path):
    films.write_film(tmp_path / "a.mp4", [films.scene(0)] * 3)
    path = tmp_path / "a.mp4"
    path.write_bytes(path.read_bytes().replace(b"mp4v", b"mp\xe5v"))
    with contextlib.suppress(InputError), open_source(path) as source:
        list(source.frames())


def test_a_frame_of_a_webp_that_ends_early(tmp_path):
    path = _webp(tmp_path / "a.webp", 64, 64)
    path.write_bytes(path.read_bytes().replace(b"VP8 ", b"ALPH").replace(b"VP8L", b"ALPH"))
    with pytest.raises(InputError, match="damaged: frame 1 cannot be decoded"):
        next(webp.Animation(path).frames())


@pytest.mark.parametrize("suffix", ("gif", "webp", "mp4"))
def test_pipes_and_devices_are_no_films(tmp_path, suffix):
    for make in (os.mkfifo, lambda path: os.symlink("/dev/zero", path)):
        path = tmp_path / f"a.{suffix}"
        make(path)
        assert suffix == "mp4" or not codecs.is_video(path)
        with pytest.raises(InputError, match="device or pipe"):
            open_source(path)
        path.unlink()


def test_a_film_of_which_no_frame_is_decoded_the_second_time(tmp_path, monkeypatch):
    films.write_film(tmp_path / "a.mkv", [films.scene(0)] * 3)
    monkeypatch.setattr(VideoReader, "frames", lambda self, **_: (frame for frame in ()))
    with pytest.raises(InputError, match=r"a\.mkv: none of its video frames can be decoded"):
        open_source(tmp_path / "a.mkv")
