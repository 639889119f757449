"""Colours that files tell by numbers instead of a profile come out as viewers show them."""

import io
import struct

import numpy as np
import pillow_heif
import pytest
from exif import png_chunk
from PIL import Image

from animegan_tf import images
from animegan_tf.images import colours

pillow_heif.register_heif_opener()
STORED, AS_P3, AS_2020 = (200, 100, 50), (215, 93, 31), (241, 76, 29)


def encoded(kind):
    file = io.BytesIO()
    Image.new("RGB", (64, 64), STORED).save(file, kind, quality=98)
    return file.getvalue()


def png(**chunks):
    data = encoded("PNG")
    inserted = b"".join(png_chunk(name.encode(), content) for name, content in chunks.items())
    return data[:33] + inserted + data[33:]


def gamma(value):
    return struct.pack(">I", round(value * 100000))


def primaries(*values):
    return struct.pack(">8I", *(round(value * 100000) for value in values))


P3 = primaries(0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
SRGB = primaries(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)


@pytest.mark.parametrize(
    ("chunks", "rgb"),
    [
        ({"cICP": bytes((12, 13, 0, 1))}, AS_P3),
        ({"cICP": bytes((9, 13, 0, 1))}, AS_2020),
        ({"cICP": bytes((1, 13, 0, 1))}, STORED),
        ({"cICP": bytes((2, 2, 2, 1))}, STORED),
        ({"cICP": bytes((1, 13, 0, 1)), "gAMA": gamma(1)}, STORED),
        ({"cICP": bytes((1, 8, 0, 1))}, (229, 168, 122)),  # linear light
        ({"gAMA": gamma(1)}, (229, 168, 122)),
        ({"gAMA": gamma(0.45455)}, STORED),
        ({"sRGB": b"\0", "gAMA": gamma(1)}, STORED),
        ({"cHRM": P3, "gAMA": gamma(0.45455)}, AS_P3),
        ({"cHRM": SRGB, "gAMA": gamma(0.45455)}, STORED),
    ],
)
def test_png(chunks, rgb):
    photo = images.decode_photo(png(**chunks), "a.png")
    np.testing.assert_allclose(photo.rgb[32, 32], rgb, atol=1)
    assert photo.plain == (rgb == STORED)


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
@pytest.mark.parametrize(("code", "rgb"), [(1, STORED), (12, AS_P3), (9, AS_2020)])
def test_avif_and_heic(kind, code, rgb):
    data = bytearray(encoded(kind))
    struct.pack_into(">2H", data, data.find(b"colrnclx") + 8, code, 13)
    photo = images.decode_photo(bytes(data), "a")
    np.testing.assert_allclose(photo.rgb[32, 32], rgb, atol=3)


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_brought_into_the_range_of_srgb(transfer):
    """Steps of light stay apart, and the white of SDR becomes a light gray."""
    levels = np.repeat(np.arange(40, 250, 10, dtype=np.uint8), 4)[None, :, None]
    file = io.BytesIO()
    Image.fromarray(np.broadcast_to(levels, (8, 84, 3)).copy()).save(file, "PNG")
    data = file.getvalue()
    data = data[:33] + png_chunk(b"cICP", bytes((9, transfer, 0, 1))) + data[33:]
    shown = images.decode_photo(data, "a.png").rgb[0, ::4].astype(int)
    assert (np.ptp(shown, axis=1) <= 1).all()  # gray stays gray
    assert (np.diff(shown[:, 0]) >= 0).all() and shown[0, 0] < 60 and shown[-1, 0] > 250
    white = {16: 0.58, 18: 0.75}[transfer]  # 203 cd/m² (ITU-R BT.2408)
    place = np.argmin(np.abs(levels[0, ::4, 0] / 255 - white))
    assert 220 < shown[place, 0] < 245


def test_coded_colours_can_be_kept(tmp_path):
    """A file of them has a profile, to which an output is converted back on request."""
    photo = images.decode_photo(png(cICP=bytes((12, 13, 0, 1))), "a.png")
    back = colours.from_srgb(photo.rgb, photo.metadata.profile)
    np.testing.assert_allclose(back[32, 32], STORED, atol=1)
