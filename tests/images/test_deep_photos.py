"""Photos of more than 8 bits are read with all of them on request, in the right colours."""

import io
import struct

import av
import cv2
import numpy as np
import pillow_heif
import pytest
from encoders import jpeg2000
from exif import exif_block, png_chunk
from pictures import ramps
from PIL import Image
from pngs import png_of
from profiles import GRAY, P3, PROPHOTO, parametric, with_curve
from tiffs import UNDEFINED, tiff_of

from animegan_tf import images
from animegan_tf.images import colours

# A ramp of 4,096 levels in each colour.
NUMBERS = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64, 1) * np.array([16, 15, 13], np.uint16)
ALPHA = np.arange(65535, 0, -16, np.uint16).reshape(64, 64, 1)


def png(numbers, chunks=b""):
    order = [2, 1, 0, 3][: numbers.shape[2]]
    data = cv2.imencode(".png", numbers[:, :, order])[1].tobytes()
    return data[:33] + chunks + data[33:]


def avif(numbers, depth):
    options = [cv2.IMWRITE_AVIF_DEPTH, depth, cv2.IMWRITE_AVIF_QUALITY, 100]
    return cv2.imencode(".avif", numbers[:, :, ::-1] >> (16 - depth), options)[1].tobytes()


def heic(numbers):
    file = io.BytesIO()
    image = pillow_heif.from_bytes("RGB;16", numbers.shape[1::-1], numbers.tobytes())
    image.save(file, quality=100, chroma=444)
    return file.getvalue()


def deep(data):
    photo = images.decode_photo(data, "a", deep=True)
    assert photo.rgb.dtype == np.uint16
    return photo


EXACT = {
    "png": png(NUMBERS),
    "png with alpha": png(np.dstack([NUMBERS, ALPHA])),
    "tiff": tiff_of(NUMBERS),
    "tiff of planes": tiff_of(NUMBERS, planar=2, order=">"),
    "tiff with alpha": tiff_of(np.dstack([NUMBERS, ALPHA]), extra=[2]),
    "floats": tiff_of((NUMBERS / 65535).astype(np.float32)),
    "ppm": b"P6\n64 64\n65535\n" + NUMBERS.astype(">u2").tobytes(),
    "pam": b"P7\nWIDTH 64\nHEIGHT 64\nDEPTH 4\nMAXVAL 65535\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    + np.dstack([NUMBERS, ALPHA]).astype(">u2").tobytes(),
    "pfm": b"PF\n64 64\n-1.0\n" + (NUMBERS[::-1] / 65535).astype("<f4").tobytes(),
    "jpeg2000": jpeg2000(NUMBERS, "rgb48le"),
}


@pytest.mark.parametrize("kind", EXACT)
def test_all_bits_are_read(kind):
    photo = deep(EXACT[kind])
    np.testing.assert_array_equal(photo.rgb, NUMBERS)
    if "alpha" in kind or kind == "pam":
        np.testing.assert_array_equal(photo.alpha, ALPHA[:, :, 0])
    else:
        assert photo.alpha is None
    shallow = images.decode_photo(EXACT[kind], "a").rgb
    assert shallow.dtype == np.uint8
    assert np.abs(shallow * 257.0 - NUMBERS).max() <= 257  # Pillow truncates those of PNGs


@pytest.mark.parametrize("kind", ["png", "tiff", "pgm"])
def test_gray(kind):
    gray = NUMBERS[:, :, 0]
    data = {
        "png": cv2.imencode(".png", gray)[1].tobytes(),
        "tiff": tiff_of(gray[:, :, None]),
        "pgm": b"P5 64 64 65535\n" + gray.astype(">u2").tobytes(),
    }[kind]
    np.testing.assert_array_equal(deep(data).rgb, np.dstack([gray] * 3))


@pytest.mark.parametrize("shape", [(64, 64), (3, 2), (1, 1)])
@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize("channels", ["gray", "gray, alpha", "rgb", "rgb, alpha"])
def test_interlaced_pngs(shape, interlaced, channels):
    """Of sizes that leave some of the seven passes empty, too."""
    chosen = {"gray": [0], "gray, alpha": [0, 3], "rgb": [0, 1, 2], "rgb, alpha": [0, 1, 2, 3]}
    numbers = np.dstack([NUMBERS, ALPHA])[: shape[0], : shape[1], chosen[channels]]
    photo = deep(png_of(numbers, interlaced=interlaced))
    rgb = numbers[:, :, :3] if "rgb" in channels else np.dstack([numbers[:, :, 0]] * 3)
    np.testing.assert_array_equal(photo.rgb, rgb)
    if "alpha" in channels:
        np.testing.assert_array_equal(photo.alpha, numbers[:, :, -1])


@pytest.mark.parametrize("profile", [None, b"broken"])
def test_cmyk(profile):
    inks = np.dstack([NUMBERS, NUMBERS[:, :, :1] // 2])
    more = {34675: (UNDEFINED, profile)} if profile else None
    photo = deep(tiff_of(inks, photometric=5, more=more))
    light = (65535.0 - inks[:, :, :3]) * (65535.0 - inks[:, :, 3:]) / 65535
    np.testing.assert_allclose(photo.rgb, light, atol=1)
    assert bool(photo.notes) == bool(profile)


@pytest.mark.parametrize(("kind", "bits"), [("heic", 10), ("avif", 10), ("avif", 12)])
def test_phones_formats(kind, bits):
    try:
        data = heic(NUMBERS) if kind == "heic" else avif(NUMBERS, bits)
    except cv2.error:
        pytest.skip("this OpenCV cannot write AVIF")
    rgb = deep(data).rgb
    assert len(np.unique(rgb)) > 800
    # Of lossy compression; white is white.
    assert np.abs(rgb.astype(int) - NUMBERS).mean() < 65535 / 1023 * 2
    white = np.full_like(NUMBERS, 65535)
    data = heic(white) if kind == "heic" else avif(white, bits)
    assert deep(data).rgb.min() >= 65535 - 65


def test_alpha_of_10_bit_avif():
    numbers = np.dstack([NUMBERS, ALPHA])
    options = [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100]
    try:
        data = cv2.imencode(".avif", numbers[:, :, [2, 1, 0, 3]] >> 6, options)[1].tobytes()
    except cv2.error:
        pytest.skip("this OpenCV cannot write AVIF")
    np.testing.assert_allclose(deep(data).alpha, ALPHA[:, :, 0], atol=65)
    shallow = images.decode_photo(data, "a").alpha
    np.testing.assert_allclose(shallow, ALPHA[:, :, 0] / 257, atol=1)


def test_a_photo_of_8_bits_is_left_at_them():
    file = io.BytesIO()
    Image.fromarray(ramps(8, 9)).save(file, "PNG")
    np.testing.assert_array_equal(
        images.decode_photo(file.getvalue(), "a", deep=True).rgb, ramps(8, 9)
    )


@pytest.mark.parametrize("orientation", [3, 6])
def test_deep_photos_are_upright(orientation):
    numbers = np.dstack([NUMBERS, ALPHA])[:32]
    data = png(numbers, png_chunk(b"eXIf", exif_block(orientation)))
    photo = deep(data)
    turned = np.rot90(numbers, {3: 2, 6: 3}[orientation])
    np.testing.assert_array_equal(photo.rgb, turned[:, :, :3])
    np.testing.assert_array_equal(photo.alpha, turned[:, :, 3])
    assert not photo.plain


CURVES = {
    "srgb": P3,
    "prophoto": PROPHOTO,
    "linear": with_curve(struct.pack(">4s2I", b"curv", 0, 0)),
    "gamma": with_curve(struct.pack(">4s2IH", b"curv", 0, 1, 0x01CD)),
    "table": with_curve(struct.pack(">4s2I5H", b"curv", 0, 5, 0, 9000, 22000, 41000, 65535)),
    "para 0": with_curve(parametric(0, 1.8)),
    "para 1": with_curve(parametric(1, 2.2, 1.1, -0.1)),
    "para 2": with_curve(parametric(2, 2.2, 1.05, -0.05, 0.0)),
    "para 4": with_curve(parametric(4, 2.4, 0.945, 0.05, 0.0774, 0.04, 0.003, 0.0)),
}


@pytest.mark.parametrize("name", CURVES)
def test_profiles_agree_with_littlecms(name):
    """With 8 bits both give the same; with 16 there are more levels than 256."""
    levels = ramps(40, 50)
    profile = CURVES[name]
    shallow, changed, note = colours.to_srgb(Image.fromarray(levels), profile)
    converted, deep_changed, deep_note = colours.to_srgb(levels.astype(np.uint16) * 257, profile)
    assert (changed, note) == (deep_changed, deep_note) == (True, None)
    assert np.abs(converted / 257 - shallow).max() < 1.6  # levels of 8 bits
    ramp, _, _ = colours.to_srgb(NUMBERS, profile)
    assert len(np.unique(ramp)) > 2500
    # And back, where sRGB has the colours.
    inside = ((converted > 0) & (converted < 65535)).all(axis=2)
    back = colours.from_srgb(converted, profile)
    assert np.abs(back[inside].astype(int) - levels[inside] * 257.0).max() < 300


def test_gray_profiles():
    gray = NUMBERS[:, :, 0]
    rgb, changed, note = colours.to_srgb(gray, GRAY)
    assert changed and note is None
    light = gray / 65535
    wanted = np.where(light < 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(rgb[..., 1] / 65535, wanted, atol=2e-4)


def test_profiles_of_tables_are_applied_with_8_bits_and_a_word():
    tables = bytearray(P3)
    place = 132 + 12 * (int.from_bytes(P3[128:132], "big") - 1)
    tables[place : place + 4] = b"A2B2"  # which LittleCMS does not use for photos
    rgb, changed, note = colours.to_srgb(NUMBERS, bytes(tables))
    assert changed and "applied with 8 bits" in note and (rgb % 257 == 0).all()


def test_hdr_keeps_its_levels():
    data = png(NUMBERS, png_chunk(b"cICP", bytes((9, 16, 0, 1))))
    rgb, shallow = deep(data).rgb, images.decode_photo(data, "a").rgb
    assert len(np.unique(rgb)) > 2000
    assert np.abs(rgb / 257 - shallow).mean() < 1.5


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_outputs_of_16_bits_keep_their_profile(tmp_path, suffix):
    metadata = images.Metadata(profile=P3)
    images.write_photo(tmp_path / f"a{suffix}", NUMBERS, metadata=metadata, profile=P3)
    data = (tmp_path / f"a{suffix}").read_bytes()
    assert P3 in data or Image.open(io.BytesIO(data)).info["icc_profile"] == P3
    photo = deep(data)
    assert np.abs(photo.rgb.astype(int) - NUMBERS).max() < 65
    assert len(np.unique(photo.rgb)) > 3000


def test_ffmpeg_reads_what_is_written(tmp_path):
    images.write_photo(tmp_path / "a.png", NUMBERS, metadata=images.Metadata())
    with av.open(str(tmp_path / "a.png")) as file:
        frame = next(file.decode(video=0))
    np.testing.assert_array_equal(frame.to_ndarray(format="rgb48le"), NUMBERS)
