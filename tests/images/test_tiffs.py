"""TIFFs of all depths, orders, layouts and meanings come out as any viewer shows them."""

import itertools
import struct
import zlib

import numpy as np
import pytest
from pictures import noise, ramps
from PIL import Image
from tiffs import ASCII, LONG, SHORT, tiff, tiff_of

from animegan_tf import images
from animegan_tf.errors import InputError

WHITE = {"u1": 255, "u2": 65535, "u4": 2**32 - 1, "f2": 1, "f4": 1, "f8": 1}
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2


def scaled(levels, kind):
    """Levels of 0 to 255 as numbers of a type."""
    if kind[0] == "f":
        return (levels / 255).astype(kind)
    return (levels.astype(np.uint64) * (WHITE[kind] // 255)).astype(kind)


def check(photo, rgb, alpha=None, atol=0):
    np.testing.assert_allclose(photo.rgb, np.broadcast_to(rgb, photo.rgb.shape), atol=atol)
    if alpha is None:
        assert photo.alpha is None
    else:
        np.testing.assert_allclose(photo.alpha, np.broadcast_to(alpha, photo.alpha.shape), atol=1)


@pytest.mark.parametrize("kind", WHITE)
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("layout", [{"tile": 16}, {"rows": 3}])
def test_layouts_of_samples(kind, planar, layout):
    levels = noise(21, 37, 4)
    predictors = (1, 2) if kind[0] == "u" else (1,) if kind == "f2" else (1, 3)
    for order, predictor, samples in itertools.product("<>", predictors, (1, 3, 4)):
        options = {"packed": predictor != 1, "predictor": predictor, "order": order, **layout}
        if samples == 4:
            options["extra"] = [UNASSOCIATED]
        data = tiff_of(scaled(levels[:, :, :samples], kind), planar=planar, **options)
        photo = images.decode_photo(data, "a.tif")
        check(photo, levels[:, :, : min(samples, 3)], levels[:, :, 3] if samples == 4 else None)


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
@pytest.mark.parametrize("samples", [1, 3])
def test_depths_between(bits, samples):
    numbers = noise(5, 7, samples).astype(np.uint16) * 65 % 2**bits
    wanted = numbers * (255 / (2**bits - 1))
    check(images.decode_photo(tiff_of(numbers, bits=bits), "a"), wanted, atol=0.51)
    if samples == 1:
        inverted = images.decode_photo(tiff_of(numbers, bits=bits, photometric=0), "a")
        check(inverted, 255 - wanted, atol=0.51)


@pytest.mark.parametrize("kind", WHITE)
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize(
    ("stored", "photometric", "extra", "rgb", "alpha"),
    [
        ((155,), 0, (), 100, None),
        ((100, 128), 1, [UNASSOCIATED], 100, 128),
        ((50, 128), 1, [ASSOCIATED], 100, 128),
        ((100, 7), 1, [UNSPECIFIED], 100, None),
        ((200, 100, 50, 7), 2, [UNSPECIFIED], (200, 100, 50), None),
        ((100, 50, 25, 128), 2, [ASSOCIATED], (200, 100, 50), 128),
        ((200, 100, 50, 128, 9), 2, [UNASSOCIATED, UNSPECIFIED], (200, 100, 50), 128),
        ((200, 100, 50, 9, 9), 2, [UNSPECIFIED] * 2, (200, 100, 50), None),
        ((0, 0, 0, 155), 5, (), 100, None),
        ((0, 0, 0, 155, 128), 5, [UNASSOCIATED], 100, 128),
    ],
)
def test_meanings_of_samples(kind, planar, stored, photometric, extra, rgb, alpha):
    pixels = scaled(np.broadcast_to(np.array(stored, np.uint8), (3, 5, len(stored))), kind)
    data = tiff_of(pixels, planar=planar, photometric=photometric, extra=extra)
    check(images.decode_photo(data, "a.tif"), rgb, alpha, atol=1)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 1), (2, 2), (4, 1), (4, 4)])
def test_ycbcr(packed, across, down):
    """Each block of pixels has its luma, then one Cb and one Cr; sizes may end within a block."""
    levels = ramps(33, 50) // 2 + 60
    shape = -(-33 // down) * down, -(-50 // across) * across
    padded = np.pad(levels, ((0, shape[0] - 33), (0, shape[1] - 50), (0, 0)), "edge")
    ycc = np.asarray(Image.fromarray(padded).convert("YCbCr"))
    blocks = ycc.reshape(shape[0] // down, down, shape[1] // across, across, 3).swapaxes(1, 2)
    luma = blocks[..., 0].reshape(*blocks.shape[:2], -1)
    chroma = np.rint(blocks[..., 1:].mean(axis=(2, 3))).astype(np.uint8)
    stored = np.concatenate([luma, chroma], axis=2).tobytes()
    tags = {
        256: (LONG, [50]), 257: (LONG, [33]), 258: (SHORT, [8] * 3), 262: (SHORT, [6]),
        259: (SHORT, [8 if packed else 1]), 277: (SHORT, [3]), 278: (LONG, [36]),
        530: (SHORT, [across, down]),
    }  # fmt: skip
    photo = images.decode_photo(tiff(tags, zlib.compress(stored) if packed else stored), "a.tif")
    assert photo.rgb.shape == levels.shape
    assert np.abs(photo.rgb.astype(int) - levels).mean() < 3


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes(bits):
    colours = noise(1, 2**bits)[0]
    places = noise(5, 11, 1)[:, :, 0] & (2**bits - 1)
    digits = np.unpackbits(places[:, :, None], axis=2)[:, :, -bits:].reshape(5, -1)
    tags = {
        256: (LONG, [11]), 257: (LONG, [5]), 258: (SHORT, [bits]), 259: (SHORT, [1]),
        262: (SHORT, [3]), 277: (SHORT, [1]), 278: (LONG, [5]),
        320: (SHORT, (colours.T.astype(int) * 257).ravel().tolist()),
    }  # fmt: skip
    data = tiff(tags, np.packbits(digits, axis=1).tobytes())
    check(images.decode_photo(data, "a.tif"), colours[places])


def test_big_tiffs():
    levels = noise(5, 7)
    for kind in ("u1", "u2"):
        check(images.decode_photo(tiff_of(scaled(levels, kind), big=True), "a"), levels)


def test_tags_of_deep_tiffs_are_read():
    levels = noise(5, 7)
    # An EXIF directory with the date when it was taken, from byte 8 on.
    date = b"2024:05:06 07:08:09\0"
    exif = struct.pack("<HHHIII", 1, 0x9003, ASCII, len(date), 26, 0) + date
    more = {0x0110: (ASCII, b"Camera\0"), 274: (SHORT, [6]), 0x8769: (LONG, [8])}
    data = tiff_of(scaled(levels, "u2"), more=more, below=exif)
    photo = images.decode_photo(data, "a.tif")
    check(photo, np.rot90(levels, -1))
    told = Image.Exif()
    told.load(photo.metadata.exif)
    assert (told[0x0110], told.get_ifd(0x8769)[0x9003]) == ("Camera", "2024:05:06 07:08:09")


def test_samples_of_unknown_kinds_are_refused():
    for pixels, options in (
        (np.full((2, 3, 1), -5, np.int8), {}),
        (np.full((2, 3, 1), -5, np.int16), {}),
        (np.full((2, 3, 1), np.nan, np.float32), {}),
    ):
        with pytest.raises(InputError, match=r"a\.tif: expected (unsigned samples|floats)"):
            images.decode_photo(tiff_of(pixels, **options), "a.tif")


def test_raw_photos_are_refused():
    pixels = noise(2, 4, 1)
    dng = tiff_of(pixels, more={50706: (SHORT, [1, 4])})
    # The preview, and below it what the sensor saw, as Nikon and Sony store it.
    plain = {256: (SHORT, [4]), 257: (SHORT, [2]), 258: (SHORT, [8]), 262: (SHORT, [1])}
    sensor = struct.pack("<HHHIIIH", 1, 262, 3, 1, 32803, 0, 0)
    nef = tiff({**plain, 330: (LONG, [8])}, bytes(8), below=sensor)
    for data in (dng, nef, b"FUJIFILMCCD-RAW 0201", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"):
        with pytest.raises(InputError, match=r"a\.tif: it is a raw photo; develop it first"):
            images.decode_photo(data, "a.tif")


def test_the_first_of_several_pages_is_read_with_a_word(tmp_path):
    first, *others = (Image.fromarray(noise(8, 9, seed=seed)) for seed in range(3))
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    photo = images.read_photo(tmp_path / "a.tif")
    check(photo, np.asarray(first))
    assert photo.notes == ("a file of 3 pages; only the first is used",)


def test_what_libtiff_says_is_the_reason(capfd):
    broken = tiff_of(noise(64, 64).astype(np.uint16), packed=True, rows=64)
    with pytest.raises(InputError, match=r"a\.tif: the image is cut short or damaged \(ZIP"):
        images.decode_photo(broken[:40] + bytes(600) + broken[640:], "a.tif")
    assert capfd.readouterr().err == ""
