import functools
import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from exif import exif_block, jpeg_with_exif, png_chunk, png_with_exif
from pictures import CARTOONS, GOLDEN, noise
from PIL import Image

from animegan_tf import files, images, memory
from animegan_tf.errors import InputError

UPRIGHT = np.array([[10, 60, 110], [160, 200, 240]], np.uint8)
# What a camera stores for UPRIGHT: EXIF gives the sides at which row 0 and column 0 lie.
STORED = {
    1: [[10, 60, 110], [160, 200, 240]],  # top, left
    2: [[110, 60, 10], [240, 200, 160]],  # top, right
    3: [[240, 200, 160], [110, 60, 10]],  # bottom, right
    4: [[160, 200, 240], [10, 60, 110]],  # bottom, left
    5: [[10, 160], [60, 200], [110, 240]],  # left, top
    6: [[110, 240], [60, 200], [10, 160]],  # right, top
    7: [[240, 110], [200, 60], [160, 10]],  # right, bottom
    8: [[160, 10], [200, 60], [240, 110]],  # left, bottom
}


def write(path, data):
    path.write_bytes(data)
    return path


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", "<>")
def test_exif_orientation_of_png_with_alpha(tmp_path, orientation, order):
    stored = np.array(STORED[orientation], np.uint8)
    pixels = np.dstack([stored, stored // 2, stored // 4, 255 - stored])
    path = write(tmp_path / "a.png", png_with_exif(pixels, exif_block(orientation, order)))
    photo = images.read_photo(path)
    np.testing.assert_array_equal(photo.rgb, np.dstack([UPRIGHT // 4, UPRIGHT // 2, UPRIGHT]))
    np.testing.assert_array_equal(photo.alpha, 255 - UPRIGHT)
    assert photo.rgb.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("color", [True, False])
def test_exif_orientation_of_jpeg(tmp_path, orientation, color):
    stored = np.kron(np.array(STORED[orientation], np.uint8), np.ones((16, 16), np.uint8))
    if color:
        stored = np.dstack([stored] * 3)
    data = jpeg_with_exif(stored, exif_block(orientation))
    photo = images.read_photo(write(tmp_path / "a.jpg", data))
    assert photo.alpha is None
    blocks = photo.rgb.reshape(2, 16, 3, 16, 3).mean((1, 3))
    np.testing.assert_allclose(blocks, np.dstack([UPRIGHT] * 3), atol=1)
    # OpenCV's own reading agrees: nothing is turned twice.
    upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(photo.rgb, upright)


@pytest.mark.parametrize("orientation", [3, 6])
def test_exif_orientation_of_16_bit(tmp_path, orientation):
    stored = np.array(STORED[orientation], np.uint16) * 257
    path = write(tmp_path / "a.png", png_with_exif(stored, exif_block(orientation)))
    np.testing.assert_array_equal(images.read_photo(path).rgb, np.dstack([UPRIGHT] * 3))


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"II*\0",
        b"JUNK" + bytes(40),
        exif_block(9),
        exif_block(0),
        exif_block(6)[:24],
        b"II*\0" + struct.pack("<I", 4_000_000_000),
    ],
)
def test_damaged_exif_is_upright(tmp_path, exif):
    pixels = np.zeros((8, 16, 3), np.uint8)
    for data in (jpeg_with_exif(pixels, exif), png_with_exif(pixels, exif)):
        photo = images.read_photo(write(tmp_path / "a.jpg", data))
        assert photo.rgb.shape == (8, 16, 3)
        images.write_photo(tmp_path / "b.jpg", photo.rgb, metadata=photo.metadata)


def test_gray_and_rgb_order(tmp_path):
    gray = noise(5, 7, 1)[:, :, 0]
    path = write(tmp_path / "gray.png", cv2.imencode(".png", gray)[1].tobytes())
    np.testing.assert_array_equal(images.read_photo(path).rgb, np.dstack([gray] * 3))
    bgr = noise(5, 7)
    path = write(tmp_path / "color.png", cv2.imencode(".png", bgr)[1].tobytes())
    photo = images.read_photo(path)
    np.testing.assert_array_equal(photo.rgb, bgr[:, :, ::-1])
    assert photo.alpha is None


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_is_rounded(tmp_path, suffix):
    # 255 / 65535 = 1 / 257: halves lie at 128.5, and at 65535 - 128.5.
    values = np.array([[0, 128, 129, 25700, 25828, 25829, 65406, 65407, 65535]], np.uint16)
    path = write(tmp_path / f"a{suffix}", cv2.imencode(suffix, values)[1].tobytes())
    assert images.read_photo(path).rgb[0, :, 0].tolist() == [0, 0, 1, 100, 100, 101, 254, 255, 255]


def test_16_bit_alpha(tmp_path):
    pixels = noise(4, 5, 4).astype(np.uint16) * 257
    path = write(tmp_path / "a.png", cv2.imencode(".png", pixels)[1].tobytes())
    photo = images.read_photo(path)
    np.testing.assert_array_equal(photo.alpha, pixels[:, :, 3] // 257)
    np.testing.assert_array_equal(photo.rgb, pixels[:, :, 2::-1] // 257)


def test_10_bit_avif_is_not_dark(tmp_path):
    try:
        written, data = cv2.imencode(
            ".avif", np.full((64, 64, 3), 800, np.uint16), [cv2.IMWRITE_AVIF_DEPTH, 10]
        )
    except cv2.error:
        written = False
    if not written:
        pytest.skip("this OpenCV cannot write AVIF")
    photo = images.read_photo(write(tmp_path / "a.avif", data.tobytes()))
    np.testing.assert_allclose(photo.rgb, 800 / 1023 * 255, atol=2)


def test_palette_with_transparency(tmp_path):
    # Two pixels of a palette of red and blue, of which blue is transparent.
    header = struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    data += png_chunk(b"PLTE", bytes([255, 0, 0, 0, 0, 255])) + png_chunk(b"tRNS", b"\xff\x00")
    data += png_chunk(b"IDAT", zlib.compress(b"\0\0\1")) + png_chunk(b"IEND", b"")
    photo = images.read_photo(write(tmp_path / "a.png", data))
    assert photo.rgb.tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert photo.alpha.tolist() == [[255, 0]]


def test_cmyk_jpeg(tmp_path):
    pil = pytest.importorskip("PIL.Image")
    rgb = np.full((16, 16, 3), (200, 100, 30), np.uint8)
    pil.fromarray(rgb).convert("CMYK").save(tmp_path / "a.jpg")
    np.testing.assert_allclose(images.read_photo(tmp_path / "a.jpg").rgb, rgb, atol=4)


@pytest.mark.parametrize("name", ["фото 写真 ü.png", "a;b'c\".png"])
def test_unusual_names(tmp_path, name):
    rgb = noise(3, 4)
    images.write_photo(tmp_path / name, rgb)
    np.testing.assert_array_equal(images.read_photo(tmp_path / name).rgb, rgb)
    np.testing.assert_array_equal(images.read_photo(str(tmp_path / name)).rgb, rgb)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        images.read_photo(tmp_path / "none.jpg")
    empty = write(tmp_path / "empty.jpg", b"")
    with pytest.raises(InputError, match=r"empty\.jpg: expected an image, received an empty file"):
        images.read_photo(empty)
    text = write(tmp_path / "text.jpg", b"not a picture at all")
    with pytest.raises(InputError, match=r"text\.jpg: .*received 20 bytes of something else"):
        images.read_photo(text)
    whole = cv2.imencode(".jpg", noise(64, 64))[1].tobytes()
    with pytest.raises(InputError, match="or damaged"):
        images.read_photo(write(tmp_path / "half.jpg", whole[: len(whole) // 2]))
    floats = cv2.imencode(".tiff", np.full((4, 4, 3), np.nan, np.float32))[1].tobytes()
    with pytest.raises(InputError, match=r"float\.tiff: expected floats of 0 to 1"):
        images.read_photo(write(tmp_path / "float.tiff", floats))


def _gif(height, width):
    """The bytes of one of a pixel that clears a canvas of that size."""
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = b"!\xf9\x04\x09" + bytes(4) + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    return b"GIF89a" + screen + frame + b"\x02\x02\x44\x01\0;"


def _claiming(name, height, width):
    """The bytes of a small image whose header claims that size."""
    small = cv2.imencode(f".{name}", noise(3, 5))[1].tobytes()
    if name == "jpg":
        old, new = struct.pack(">HH", 3, 5), struct.pack(">HH", height, width)
    elif name == "bmp":
        old, new = struct.pack("<ii", 5, 3), struct.pack("<ii", width, height)
    elif name == "webp":
        canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        chunk = b"VP8X" + struct.pack("<II", 10, 0) + canvas
        return b"RIFF" + struct.pack("<I", len(small) + 10) + b"WEBP" + chunk + small[12:]
    elif name == "tiff":
        old = struct.pack("<HHIH", 256, 3, 1, 5), struct.pack("<HHIH", 257, 3, 1, 3)
        for number, (before, side) in enumerate(zip(old, (width, height), strict=True)):
            assert before in small
            small = small.replace(before, struct.pack("<HHIH", 256 + number, 3, 1, side))
        return small
    assert small.count(old) == 1
    return small.replace(old, new)


def _png(height, width):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(height * (width + 1)), 1)
    chunks = (png_chunk(b"IHDR", header), png_chunk(b"IDAT", rows), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _pnm(height, width):
    return b"P5 %d %d 255\n" % (width, height) + bytes(100)


LARGE = r"large: (16,004,000 pixels|4001x4000), more than the 16,000,000 "


@pytest.mark.parametrize("kind", ("gif", "jpg", "bmp", "webp", "tiff", "png", "pnm"))
def test_sizes_are_compared_with_memory_before_decoding(tmp_path, monkeypatch, kind):
    make = {"gif": _gif, "png": _png, "pnm": _pnm}.get(kind, functools.partial(_claiming, kind))
    data = make(4000, 4001)
    monkeypatch.setattr(cv2, "imdecode", None)
    monkeypatch.setattr(memory, "available", lambda: 24 * 4000 * 4000)
    Image.init()  # which loads an image of its own
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(InputError, match=LARGE):
        images.decode_photo(data, "large")
    with pytest.raises(InputError, match="decode " + LARGE):
        files.decode_color(data, "large")
    # A WebP of another size than its canvas is damaged.
    assert images.size_of(make(4000, 4000), "fits") == (None if kind == "webp" else (4000, 4000))


def test_a_tiff_that_pillow_does_not_know_is_compared_with_memory(monkeypatch):
    """Of floats in colour."""
    data = cv2.imencode(".tiff", np.zeros((3000, 3000, 3), np.float32))[1].tobytes()
    monkeypatch.setattr(memory, "available", lambda: 24 * 2999 * 3000)
    with pytest.raises(InputError, match=r"large: 3000x3000, more than the 8,997,000 pixels that"):
        images.decode_photo(data, "large")


def test_a_small_image_needs_no_look_at_the_memory(monkeypatch):
    monkeypatch.setattr(memory, "available", None)
    assert images.size_of(_png(9, 8), "small") == (9, 8)
    assert images.size_of(b"something else", "text") is None


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".webp", ".bmp", ".tif", ".tiff"])
@pytest.mark.parametrize("with_alpha", [True, False])
def test_written_and_read_again(tmp_path, suffix, with_alpha):
    rgb = noise(9, 8)
    alpha = noise(9, 8, 1, seed=1)[:, :, 0] | 1 if with_alpha else None
    images.write_photo(tmp_path / f"a{suffix}", rgb, alpha)
    photo = images.read_photo(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(photo.rgb, rgb)
    if with_alpha:
        np.testing.assert_array_equal(photo.alpha, alpha)
    else:
        assert photo.alpha is None


def test_jpeg_is_written_well(tmp_path):
    rgb = cv2.GaussianBlur(noise(64, 64), (0, 0), 8)
    images.write_photo(tmp_path / "a.jpg", rgb)
    assert np.abs(images.read_photo(tmp_path / "a.jpg").rgb.astype(int) - rgb).mean() < 1


def test_what_cannot_be_written(tmp_path):
    rgb, alpha = noise(4, 5), noise(4, 5, 1)[:, :, 0]
    with pytest.raises(InputError, match="JPEG has no alpha channel"):
        images.write_photo(tmp_path / "a.jpg", rgb, alpha)
    with pytest.raises(InputError, match=r"expected one of \.jpg.*received '\.gif'"):
        images.write_photo(tmp_path / "a.gif", rgb)
    with pytest.raises(InputError, match=r"rgb: expected a uint8 RGB array.*float32 \(4, 5, 3\)"):
        images.write_photo(tmp_path / "a.png", rgb.astype(np.float32))
    with pytest.raises(
        InputError, match=r"alpha: expected uint8 \(4, 5\), received uint8 \(3, 5\)"
    ):
        images.write_photo(tmp_path / "a.png", rgb, alpha[:3])
    with pytest.raises(InputError, match=r"20000x2 cannot be written as \.webp"):
        images.write_photo(tmp_path / "a.webp", np.zeros((2, 20000, 3), np.uint8))
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        images.write_photo(tmp_path / "file" / "a.png", rgb)


def test_missing_folders_are_made(tmp_path):
    images.write_photo(tmp_path / "new" / "below" / "a.png", noise(4, 5))
    assert images.read_photo(tmp_path / "new" / "below" / "a.png").rgb.shape == (4, 5, 3)


def test_a_failed_write_leaves_the_old_file_alone(tmp_path, monkeypatch):
    images.write_photo(tmp_path / "a.png", noise(4, 5))
    before = (tmp_path / "a.png").read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        images.write_photo(tmp_path / "a.png", noise(4, 5, seed=1))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


def test_result_suffix(tmp_path):
    jpeg = cv2.imencode(".jpg", noise(4, 5))[1].tobytes()
    png = cv2.imencode(".png", noise(4, 5))[1].tobytes()
    assert images.result_suffix(write(tmp_path / "a.JPG", jpeg)) == ".JPG"
    assert images.result_suffix(write(tmp_path / "b.jpg", png)) == ".png"
    assert images.result_suffix(write(tmp_path / "c.jpg", b"")) == ".jpg"
    for name, suffix in [("a.webp", ".webp"), ("a.tif", ".tif"), ("a.gif", ".png"), ("a", ".png")]:
        assert images.result_suffix(tmp_path / name) == suffix


# --- values --------------------------------------------------------------------------------------


def test_to_network_and_back():
    levels = np.arange(256, dtype=np.uint8)
    values = images.to_network(levels)
    assert values.dtype == np.float32
    assert values[[0, 255]].tolist() == [-1, 1]
    np.testing.assert_array_equal(images.to_uint8(values), levels)
    assert images.to_uint8([-3.0, -1.0, 0.5, 1.0, 1.001, 3.0]).tolist() == [
        0,
        0,
        191,
        255,
        255,
        255,
    ]


@pytest.mark.parametrize("name", CARTOONS)
def test_brightness_golden(name):
    rgb = np.ascontiguousarray(GOLDEN[f"input/{name}"][:, :, ::-1])
    result = np.clip(255 - rgb // 2, 0, 255).astype(np.uint8)
    matched = images.match_brightness(result, rgb)
    np.testing.assert_array_equal(matched, GOLDEN[f"brightness/{name}"])


def test_brightness_by_hand():
    def plain(*color):
        return np.full((3, 4, 3), color, np.uint8)

    result, photo = plain(100, 60, 200), plain(50, 30, 100)
    assert images.match_brightness(result, photo)[0, 0].tolist() == [50, 30, 100]
    # 0.114 * 200 = 22.8 from red against 0.299 * 100 = 29.9 from blue: 100 * 22.8 / 29.9 = 76.25
    assert images.match_brightness(plain(0, 0, 100), plain(200, 0, 0))[0, 0].tolist() == [0, 0, 76]
    # 4 times as bright: what is over 255 is clipped, and does not wrap.
    bright = images.match_brightness(plain(50, 50, 50), plain(200, 200, 200))
    assert bright[0, 0].tolist() == [200, 200, 200]
    mixed = plain(10, 10, 10)
    mixed[0, 0] = 130
    assert images.match_brightness(mixed, plain(200, 200, 200)).max() == 255


def test_brightness_of_black():
    black, photo = np.zeros((3, 4, 3), np.uint8), noise(3, 4)
    np.testing.assert_array_equal(images.match_brightness(black, photo), black)
    np.testing.assert_array_equal(images.match_brightness(photo, black), black)
    np.testing.assert_array_equal(images.match_brightness(black, black), black)


def test_brightness_of_other_sizes():
    result = np.full((8, 8, 3), 100, np.uint8)
    matched = images.match_brightness(result, np.full((3, 5, 3), 80, np.uint8))
    np.testing.assert_array_equal(matched, np.full((8, 8, 3), 80, np.uint8))


def test_no_tensorflow_is_imported():
    script = (
        "import sys, animegan_tf.images, animegan_tf.stylize.stylizer;"
        "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
