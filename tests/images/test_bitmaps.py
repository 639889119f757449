"""Bitmaps (BMP) of every header, depth and mask come out as the numbers in them say."""

import struct

import numpy as np
import pytest

from animegan_tf import images

HEIGHT, WIDTH = 3, 5
RANDOM = np.random.default_rng(0)


def bitmap(rows, bits, header=40, compression=0, masks=b"", palette=b"", top=False):
    """A BMP of packed rows (bytes), given from the top; `top` stores them so, too."""
    body = b"".join(row + bytes(-len(row) % 4) for row in (rows if top else rows[::-1]))
    if header == 12:
        head = struct.pack("<I4H", 12, WIDTH, HEIGHT, 1, bits)
    elif header == 16:
        head = struct.pack("<3I2H", 16, WIDTH, HEIGHT, 1, bits)
    else:
        sides = WIDTH, -HEIGHT if top else HEIGHT
        head = struct.pack("<I2i2H6I", header, *sides, 1, bits, compression, *[0] * 5)
        if header == 40:
            palette = masks + palette
        else:
            head += masks.ljust(header - 40, b"\0")[: header - 40]
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<3I", start + len(body), 0, start) + head + palette + body


@pytest.mark.parametrize("header", [12, 16, 40, 52, 56, 64, 108, 124])
def test_colours_and_palettes(header):
    rgb = RANDOM.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    rows = [row[:, ::-1].tobytes() for row in rgb]
    np.testing.assert_array_equal(images.decode_photo(bitmap(rows, 24, header), "a").rgb, rgb)
    for bits in (1, 2, 4, 8):
        colours = RANDOM.integers(0, 256, (2**bits, 3), np.uint8)
        places = RANDOM.integers(0, 2**bits, (HEIGHT, WIDTH), np.uint8)
        digits = np.unpackbits(places[:, :, None], axis=2)[:, :, -bits:].reshape(HEIGHT, -1)
        rows = [row.tobytes() for row in np.packbits(digits, axis=1)]
        palette = b"".join(bytes((*c[::-1], *b"\0"[header == 12 :])) for c in colours)
        photo = images.decode_photo(bitmap(rows, bits, header, palette=palette), "a")
        np.testing.assert_array_equal(photo.rgb, colours[places])
        assert photo.alpha is None


# Position and number of the bits of red, green, blue and alpha.
FIELDS = {
    "555": (16, ((10, 5), (5, 5), (0, 5))),
    "565": (16, ((11, 5), (5, 6), (0, 5))),
    "444": (16, ((8, 4), (4, 4), (0, 4))),
    "5551": (16, ((10, 5), (5, 5), (0, 5), (15, 1))),
    "4444": (16, ((8, 4), (4, 4), (0, 4), (12, 4))),
    "rgb": (32, ((0, 8), (8, 8), (16, 8))),
    "above": (32, ((24, 8), (16, 8), (8, 8))),
    "11 11 10": (32, ((21, 11), (10, 11), (0, 10))),
    "bgra": (32, ((16, 8), (8, 8), (0, 8), (24, 8))),
    "rgba": (32, ((0, 8), (8, 8), (16, 8), (24, 8))),
    "10 10 10 2": (32, ((20, 10), (10, 10), (0, 10), (30, 2))),
}


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("top", [False, True])
@pytest.mark.parametrize("header", [40, 56, 124])
def test_bit_fields(name, top, header):
    bits, fields = FIELDS[name]
    words, shown, masks = np.zeros((HEIGHT, WIDTH), np.uint32), [], b""
    for place, count in fields:
        numbers = RANDOM.integers(1, 2**count, (HEIGHT, WIDTH), np.uint32)
        words |= numbers << place
        shown.append(numbers * (255 / (2**count - 1)))
        masks += struct.pack("<I", (2**count - 1) << place)
    rows = [row.astype(f"<u{bits // 8}").tobytes() for row in words]
    compression = 6 if header == 40 and len(fields) == 4 else 3
    photo = images.decode_photo(bitmap(rows, bits, header, compression, masks, top=top), "a")
    np.testing.assert_allclose(photo.rgb, np.dstack(shown[:3]), atol=0.6)
    if len(fields) == 4:
        np.testing.assert_allclose(photo.alpha, shown[3], atol=0.6)
    else:
        assert photo.alpha is None


def test_alpha_that_is_zero_everywhere_does_not_hide_the_picture():
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    rows = [bytes((50, 100, 200, 0)) * WIDTH] * HEIGHT
    photo = images.decode_photo(bitmap(rows, 32, 124, 3, masks), "a")
    assert photo.alpha is None and (photo.rgb == (200, 100, 50)).all()
