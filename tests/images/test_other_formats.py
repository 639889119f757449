"""Formats of drawing programs, scanners, games and renderers, with the values that were encoded."""

import io
import struct

import cv2
import numpy as np
import pytest
from encoders import of_pixels
from pictures import noise, ramps
from PIL import Image
from tiffs import tiff_of

from animegan_tf import images, memory
from animegan_tf.errors import InputError
from animegan_tf.images import formats

RGB = noise(9, 14)
RGBA = np.dstack([RGB, noise(9, 14, 1, seed=1) | 1])
WIDE = RGBA.astype(np.uint16) * 257


def encoded(pixels, kind, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def pam(pixels, white=255):
    height, width, depth = pixels.shape
    kind = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA"}[depth]
    head = f"P7\n# by hand\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {white}\n"
    return (head + f"TUPLTYPE {kind}\nENDHDR\n").encode() + pixels.tobytes()


GRAY = np.dstack([RGB[:, :, 0]] * 3)
OPAQUE = {
    "tga": encoded(RGB, "TGA"),
    "tga, in runs": encoded(RGB, "TGA", compression="tga_rle"),
    "tga of FFmpeg": of_pixels("targa", RGB[:, :, ::-1].copy(), "bgr24"),
    "dib": encoded(RGB, "DIB"),
    "sgi": encoded(RGB, "SGI"),
    "sgi, in runs": of_pixels("sgi", RGB, "rgb24", rle="1"),
    "sgi of 16 bits": of_pixels("sgi", WIDE[:, :, :3].copy(), "rgb48be", rle="0"),
    "sgi of 16 bits, in runs": of_pixels("sgi", WIDE[:, :, :3].copy(), "rgb48be", rle="1"),
    "pcx": encoded(RGB, "PCX"),
    "pcx of FFmpeg": of_pixels("pcx", RGB, "rgb24"),
    "qoi": of_pixels("qoi", RGB, "rgb24"),
    "pam": pam(RGB),
    "pam of FFmpeg": of_pixels("pam", RGB, "rgb24"),
    "pfm": b"PF\n14 9\n-1.0\n" + (RGB[::-1] / 255).astype("<f4").tobytes(),
    "pfm, big-endian": b"PF 14 9 1\n" + (RGB[::-1] / 255).astype(">f4").tobytes(),
    "big tiff": tiff_of(RGB, big=True),
}
WITH_ALPHA = {
    "tga": encoded(RGBA, "TGA"),
    "tga, in runs": encoded(RGBA, "TGA", compression="tga_rle"),
    "sgi": encoded(RGBA, "SGI"),
    "sgi, in runs": of_pixels("sgi", RGBA, "rgba", rle="1"),
    "sgi of 16 bits, in runs": of_pixels("sgi", WIDE, "rgba64be", rle="1"),
    "ico": encoded(RGBA, "ICO", sizes=[(14, 9)]),
    "qoi": of_pixels("qoi", RGBA, "rgba"),
    "dds": encoded(RGBA, "DDS"),
    "pam": pam(RGBA),
    "pam of 16 bits": pam(WIDE.astype(">u2"), 65535),
}
IN_GRAY = {
    "tga": encoded(RGB[:, :, 0], "TGA"),
    "sgi": encoded(RGB[:, :, 0], "SGI"),
    "sgi, in runs": of_pixels("sgi", RGB[:, :, 0].copy(), "gray", rle="1"),
    "pcx": encoded(RGB[:, :, 0], "PCX"),
    "pam": pam(RGB[:, :, :1]),
    "pfm": b"Pf\n14 9\n-1\n" + (RGB[::-1, :, 0] / 255).astype("<f4").tobytes(),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_colours(name):
    photo = images.decode_photo(OPAQUE[name], "a")
    np.testing.assert_array_equal(photo.rgb, RGB)
    assert photo.alpha is None
    assert images.size_of(OPAQUE[name], "a") == (9, 14)


@pytest.mark.parametrize("name", WITH_ALPHA)
def test_alpha(name):
    photo = images.decode_photo(WITH_ALPHA[name], "a")
    np.testing.assert_array_equal(photo.rgb, RGB)
    np.testing.assert_array_equal(photo.alpha, RGBA[:, :, 3])


@pytest.mark.parametrize("name", IN_GRAY)
def test_gray(name):
    photo = images.decode_photo(IN_GRAY[name], "a")
    np.testing.assert_array_equal(photo.rgb, GRAY)
    assert photo.alpha is None


@pytest.mark.parametrize(
    "data",
    [*OPAQUE.values(), *WITH_ALPHA.values(), *IN_GRAY.values()],
    ids=[*OPAQUE, *(f"{name}, alpha" for name in WITH_ALPHA), *(f"{n}, gray" for n in IN_GRAY)],
)
def test_they_are_known_by_their_content(data):
    assert formats.kind_of(data[: formats.HEAD]) is not None
    with pytest.raises(InputError, match="damaged"):
        images.decode_photo(data[: formats.HEAD], "a")


def test_pam_of_any_maximum_and_without_a_kind():
    pixels = np.array([[[78, 39, 20, 50]]], np.uint8)
    photo = images.decode_photo(pam(pixels, 100), "a")
    assert (photo.rgb.tolist(), photo.alpha.tolist()) == ([[[199, 99, 51]]], [[128]])
    data = pam(RGB).replace(b"TUPLTYPE RGB\n", b"")
    np.testing.assert_array_equal(images.decode_photo(data, "a").rgb, RGB)
    gray = np.array([[[401, 1023], [1023, 0]]], ">u2")
    photo = images.decode_photo(pam(gray, 1023), "a")
    assert photo.rgb[0, :, 0].tolist() == [100, 255] and photo.alpha.tolist() == [[255, 0]]


def test_a_tga_without_bits_of_alpha_is_not_invisible():
    """32 bits per pixel, of which the last 8 are zero and, by the header, nothing."""
    hidden = np.dstack([RGB, np.zeros_like(RGB[:, :, :1])])
    data = bytearray(encoded(hidden, "TGA"))
    assert data[17] & 15 == 8
    assert not images.decode_photo(bytes(data), "a").alpha.any()
    data[17] &= 0xF0
    photo = images.decode_photo(bytes(data[:-26]), "a")  # without the footer
    np.testing.assert_array_equal(photo.rgb, RGB)
    assert photo.alpha is None


@pytest.mark.parametrize("cursor", [False, True])
def test_the_best_image_of_an_icon(cursor):
    """The largest, and of those the one of most colours; a cursor has positions in their place."""

    def entry(pixels, kind):
        data = encoded(pixels, kind)
        if kind == "DIB":  # twice the height, for a mask
            data = bytearray(data)
            struct.pack_into("<i", data, 8, 2 * len(pixels))
            data = bytes(data) + bytes(4 * len(pixels))
        return data

    small, large = noise(8, 8, seed=3), noise(16, 16)
    few = np.zeros((16, 16), np.uint8)
    parts = [
        (8, 24, entry(small, "DIB")),
        (16, 8, entry(few, "DIB")),
        (16, 24, entry(large, "DIB")),
    ]
    for kind in ("DIB", "PNG"):
        parts[2] = (16, 24, entry(large, kind))
        start = 6 + 16 * len(parts)
        data = struct.pack("<3H", 0, 2 if cursor else 1, len(parts))
        for side, bits, part in parts:
            place = (3, 4) if cursor else (1, bits)
            data += struct.pack("<4B2H2I", side, side, 0, 0, *place, len(part), start)
            start += len(part)
        photo = images.decode_photo(data + b"".join(part for _, _, part in parts), "a")
        np.testing.assert_array_equal(photo.rgb, large)


# --- light ---------------------------------------------------------------------------------------

# Linear light, of which 1 is white, and what sRGB shows: below a half as it is, above compressed.
LIGHT = np.array([0, 0.002, 0.05, 0.214, 0.5, 1, 4, 1000], np.float32)
SHOWN = np.array([0, 7, 63, 127, 188, 232, 255, 255])


def test_radiance():
    pixels = np.broadcast_to(LIGHT[None, :, None], (8, 8, 3)).copy()
    pixels[:, :, 2] = 0.214
    data = cv2.imencode(".hdr", pixels[:, :, ::-1].copy())[1].tobytes()
    rgb = images.decode_photo(data, "a.hdr").rgb
    np.testing.assert_allclose(rgb[3, :, 0], SHOWN, atol=3)  # its mantissa has 8 bits
    np.testing.assert_allclose(rgb[3, :, 2][:6], 127, atol=3)
    assert images.size_of(data, "a.hdr") == (8, 8)


@pytest.mark.parametrize("number", [-3, 600, np.nan])
def test_pfm_of_other_ranges_is_refused(number):
    data = b"Pf 2 1 -1\n" + np.array([0.5, number], "<f4").tobytes()
    with pytest.raises(InputError, match=r"a\.pfm: expected floats of 0 to 1"):
        images.decode_photo(data, "a.pfm")


def test_a_few_floats_beyond_white_and_black_are_clipped():
    """Highlights do not make the others dark."""
    numbers = np.array([0.5, 1.5, -0.01, 0.25], "<f4")
    rgb = images.decode_photo(b"Pf 4 1 -1\n" + numbers.tobytes(), "a.pfm").rgb
    assert rgb[0, :, 0].tolist() == [128, 255, 0, 64]


# --- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"gimp xcf v011\0" + bytes(40), "GIMP's XCF"),
        (b"\xd7\xcd\xc6\x9a" + bytes(60), "a Windows metafile"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"icns" + bytes(60), "Apple's icons"),
        (tiff_of(RGB, big=True, order=">"), "a BigTIFF of big-endian order"),
        (tiff_of(WIDE[:, :, :1].copy(), photometric=3), "a TIFF of an unusual kind"),
        (b"\xff\xd8\xff\xc1\0\x0b\x0c\0\x10\0\x10\1\1\x11\0", "a JPEG of 12 bits or more"),
    ],
)
def test_formats_that_are_not_supported_are_named(head, name):
    with pytest.raises(InputError, match=f"a: it is {name}, which is not supported; convert it"):
        images.decode_photo(head, "a")


def _pam(height, width):
    return pam(np.zeros((1, 1, 3), np.uint8)).replace(
        b"WIDTH 1\nHEIGHT 1", b"WIDTH %d\nHEIGHT %d" % (width, height)
    )


def _changed(data, old, new):
    assert data.count(old) == 1
    return data.replace(old, new)


CLAIMS = {
    "pam": _pam,
    "pfm": lambda height, width: b"PF %d %d -1\n" % (width, height) + bytes(100),
    "hdr": lambda height, width: b"#?RADIANCE\n\n-Y %d +X %d\n" % (height, width) + bytes(100),
    "sgi": lambda height, width: _changed(
        encoded(RGB, "SGI"), struct.pack(">2H", 14, 9), struct.pack(">2H", width, height)
    ),
    "tga": lambda height, width: _changed(
        encoded(RGB, "TGA"), struct.pack("<2H", 14, 9), struct.pack("<2H", width, height)
    ),
    "dib": lambda height, width: _changed(
        encoded(RGB, "DIB"), struct.pack("<2i", 14, 9), struct.pack("<2i", width, height)
    ),
}


@pytest.mark.parametrize("kind", CLAIMS)
def test_sizes_are_compared_with_memory_before_decoding(monkeypatch, kind):
    data = CLAIMS[kind](4000, 4001)
    monkeypatch.setattr(memory, "available", lambda: 24 * 4000 * 4000)
    with pytest.raises(InputError, match=r"large: .*more than the 16,000,000 "):
        images.decode_photo(data, "large")
    with pytest.raises(InputError, match=r"large: .*more than the 16,000,000 "):
        images.size_of(data, "large")


def test_gray_avif_of_limited_range():
    """Its black is 16 and its white 235."""
    levels = ramps(32, 48)[:, :, 1]
    data = encoded(levels, "AVIF", range="limited", subsampling="4:0:0", quality=100)
    rgb = images.decode_photo(data, "a.avif").rgb
    np.testing.assert_allclose(rgb, np.dstack([levels] * 3), atol=3)
