"""Photos as cameras, phones and editors store them: colours, orientation, alpha, depth, formats."""

import io
import json
import struct
import sys

import cv2
import numpy as np
import pillow_heif
import pytest
from encoders import jpeg2000
from exif import png_chunk
from pictures import noise, ramps
from PIL import Image
from places import TESTS
from pngs import png_of
from profiles import GRAY, P3, PROPHOTO

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.images import colours, formats

pillow_heif.register_heif_opener()
CASES = TESTS / "photos"
EXPECTED = json.loads((CASES / "expected.json").read_text("utf-8"))


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("name", EXPECTED)
def test_what_viewers_show(name):
    wanted, photo = EXPECTED[name], images.read_photo(CASES / name)
    height, width = photo.rgb.shape[:2]
    if "corners" in wanted:
        assert [width, height] == wanted["size"]
        corners = photo.rgb[height // 4 :: height // 2, width // 4 :: width // 2]
        np.testing.assert_allclose(corners.reshape(4, 3), wanted["corners"], atol=3)
        return
    place = height // 2, width * 3 // 4
    np.testing.assert_allclose(photo.rgb[place], wanted["rgb"], atol=2)
    if "alpha" in wanted:
        assert photo.alpha[place] == wanted["alpha"]
        assert photo.alpha[height // 2, width // 4] == wanted.get("left_alpha", wanted["alpha"])
    else:
        assert photo.alpha is None


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF"])
def test_every_orientation_in_every_format(orientation, kind):
    upright = Image.fromarray(cv2.resize(ramps(6, 8), (96, 64)))
    # Each turn and its inverse.
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(back[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {} if kind in ("PNG", "TIFF") else {"quality": 100}
    photo = images.decode_photo(encoded(stored, kind, exif=exif.tobytes(), **options), "a")
    assert photo.rgb.shape == (64, 96, 3)
    assert np.abs(photo.rgb.astype(int) - np.asarray(upright)).mean() < 3


def test_webp_with_the_header_of_jpeg_before_its_exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.new("RGB", (8, 4)), "WEBP", exif=b"Exif\0\0" + exif.tobytes()[6:])
    assert images.decode_photo(data, "a.webp").rgb.shape == (8, 4, 3)


def test_colours_of_wide_profiles_in_every_format():
    image = Image.new("RGB", (64, 64), (200, 100, 50))
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF"):
        photo = images.decode_photo(encoded(image, kind, icc_profile=P3), "a")
        np.testing.assert_allclose(photo.rgb[32, 32], (215, 93, 31), atol=3, err_msg=kind)
        assert not photo.plain
    alpha = image.convert("RGBA")
    alpha.putalpha(77)
    photo = images.decode_photo(encoded(alpha, "PNG", icc_profile=PROPHOTO), "a")
    assert photo.rgb[0, 0, 0] > 235 and (photo.alpha == 77).all()


def test_srgb_profiles_change_no_number():
    rgb = noise(20, 30)
    profile = colours.srgb_profile()
    photo = images.decode_photo(encoded(Image.fromarray(rgb), "PNG", icc_profile=profile), "a")
    np.testing.assert_array_equal(photo.rgb, rgb)
    assert photo.plain and photo.notes == ()


@pytest.mark.parametrize("profile", [b"junk" * 40, P3[:200], colours.srgb_profile()[:130]])
def test_broken_profiles_are_taken_for_srgb_with_a_word(profile):
    rgb = noise(8, 8)
    photo = images.decode_photo(encoded(Image.fromarray(rgb), "PNG", icc_profile=profile), "a")
    np.testing.assert_array_equal(photo.rgb, rgb)
    assert "colour profile cannot be used" in photo.notes[0]


def test_profiles_of_other_colours_than_the_image_s():
    gray = Image.new("L", (8, 8), 100)
    photo = images.decode_photo(encoded(gray, "PNG", icc_profile=P3), "a")
    np.testing.assert_allclose(photo.rgb, 100, atol=1)
    cmyk = Image.new("CMYK", (16, 16), (0, 128, 200, 20))
    photo = images.decode_photo(encoded(cmyk, "JPEG", icc_profile=P3), "a")
    assert "for RGB colours" in photo.notes[0]


def test_gray_and_palette_transparency():
    for mode, clear in (("L", 9), ("RGB", (9, 9, 9)), ("I;16", 9)):
        image = Image.new(mode, (4, 2), 100 if mode != "RGB" else (100, 0, 0))
        image.putpixel((0, 0), clear)
        photo = images.decode_photo(encoded(image, "PNG", transparency=clear), "a")
        assert photo.alpha.tolist() == [[0, 255, 255, 255], [255] * 4], mode


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_level_of_any_depth(bits):
    for samples in (1, 3) if bits >= 8 else (1,):
        clear = [2**bits - 1, 1, 0][:samples]
        numbers = np.zeros((2, 3, samples), np.uint16)
        numbers[0, 1] = clear
        numbers[1, 2] = [clear[0] & ~1, *clear[1:]]  # the next level
        chunk = png_chunk(b"tRNS", struct.pack(f">{samples}H", *clear))
        for deep in (False, True):
            photo = images.decode_photo(png_of(numbers, bits, chunks=chunk), "a", deep)
            opaque = np.iinfo(photo.alpha.dtype).max
            assert photo.alpha.tolist() == [[opaque, 0, opaque], [opaque] * 3], (samples, deep)


def test_gray_profiles_of_gray_with_alpha():
    levels = np.dstack([ramps(9, 12)[:, :, 0], noise(9, 12, 1)])
    data = encoded(Image.fromarray(levels), "PNG", icc_profile=GRAY)
    photo = images.decode_photo(data, "a")
    np.testing.assert_array_equal(photo.alpha, levels[:, :, 1])
    light = levels[:, :, 0] / 255
    wanted = np.where(light < 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(photo.rgb[:, :, 2], wanted * 255, atol=1)
    clear = encoded(Image.fromarray(levels[:, :, 0]), "PNG", icc_profile=GRAY, transparency=0)
    np.testing.assert_array_equal(images.decode_photo(clear, "a").rgb, photo.rgb)
    assert photo.notes == ()


def test_profiles_of_jpeg_2000():
    data = encoded(Image.new("RGB", (16, 16), (200, 100, 50)), "JPEG2000")
    place = data.index(b"colr") - 4
    box = struct.pack(">I", 11 + len(P3)) + b"colr\2\0\0" + P3
    parent = data.index(b"jp2h") - 4
    size = struct.pack(">I", struct.unpack_from(">I", data, parent)[0] - 15 + len(box))
    data = data[:parent] + size + data[parent + 4 : place] + box + data[place + 15 :]
    np.testing.assert_allclose(images.decode_photo(data, "a").rgb[8, 8], (215, 93, 31), atol=2)


def rle_bitmap(bits, width, height, data, palette):
    """A BMP of palette colours, run-length encoded, of whatever width."""
    colours = b"".join(bytes((*colour[::-1], 0)) for colour in palette)
    start = 54 + len(colours)
    layout = (40, width, height, 1, bits, 1 if bits == 8 else 2, len(data), 0, 0, len(palette), 0)
    header = struct.pack("<2s3I", b"BM", start + len(data), 0, start)
    header += struct.pack("<IiiHHIIiiII", *layout)
    return header + colours + data


@pytest.mark.parametrize("width", [1, 5, 6, 7])
def test_run_length_encoded_bitmaps_of_any_width(width):
    palette = [(200, 100, 50), (0, 0, 255), (9, 99, 199)]
    rows = np.random.default_rng(0).integers(0, 3, (3, width))
    for bits in (4, 8):
        data = b""
        for number, row in enumerate(rows[::-1]):  # from the bottom up
            if number % 2 and width > 2:  # as they are, padded to two bytes
                odd = list(row) + [0] * (width % 2)
                raw = bytes(row.tolist())
                if bits == 4:
                    raw = bytes(
                        16 * high + low for high, low in zip(odd[::2], odd[1::2], strict=True)
                    )
                data += bytes((0, width)) + raw + bytes(len(raw) % 2)
            else:  # as runs
                data += b"".join(bytes((1, 17 * index if bits == 4 else index)) for index in row)
            data += b"\0\0"
        photo = images.decode_photo(rle_bitmap(bits, width, 3, data + b"\0\1", palette), "a.bmp")
        np.testing.assert_array_equal(photo.rgb, np.array(palette)[rows])


@pytest.mark.parametrize("format", ["jp2", "j2k"])
def test_the_white_of_deep_jpeg_2000_is_white(format):
    levels = np.arange(0, 256, dtype=np.uint16).reshape(16, 16, 1) * [[[1, 1, 1, 1]]]
    levels[:, :, 1] = 255
    pixels = (levels * 257).astype(np.uint16)
    photo = images.decode_photo(jpeg2000(pixels, "rgba64le", format=format), "a")
    np.testing.assert_array_equal(photo.rgb, levels[:, :, :3])
    np.testing.assert_array_equal(photo.alpha, levels[:, :, 3])
    photo = images.decode_photo(jpeg2000(pixels[:, :, :3], "rgb48le", format=format), "a")
    np.testing.assert_array_equal(photo.rgb, levels[:, :, :3])
    assert photo.alpha is None
    gray = np.ascontiguousarray(pixels[:, :, 0])
    photo = images.decode_photo(jpeg2000(gray, "gray16le", format=format), "a")
    np.testing.assert_array_equal(photo.rgb[:, :, 0], levels[:, :, 0])


def test_pnm_of_any_maximum():
    assert images.decode_photo(b"P5 2 1 1023\n" + struct.pack(">2H", 401, 1023), "a").rgb[
        0, :, 0
    ].tolist() == [100, 255]
    assert images.decode_photo(b"P6 1 1 100\n" + bytes((78, 39, 20)), "a").rgb.tolist() == [
        [[199, 99, 51]]
    ]


def test_a_jpeg_that_is_damaged_inside_is_read_and_says_so():
    photo = images.read_photo(CASES / "damaged_middle.jpg")
    assert photo.rgb.shape == (128, 128, 3)
    assert photo.damage.startswith("Corrupt JPEG data: 122 extraneous bytes")
    whole = encoded(Image.fromarray(ramps(60, 80)), "JPEG")
    assert images.decode_photo(whole + b"more behind it", "a").damage is None


def test_a_jpeg_in_which_a_mark_ends_the_data_is_read_up_to_it():
    rgb = ramps(160, 200)
    data = bytearray(encoded(Image.fromarray(rgb), "JPEG", quality=95))
    data[len(data) * 2 // 3] = 0xFF
    data[len(data) * 2 // 3 + 1] = 0xC4
    photo = images.decode_photo(bytes(data), "a")
    assert photo.damage.startswith("Corrupt JPEG data")
    np.testing.assert_allclose(photo.rgb[:64], rgb[:64], atol=9)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_mark_is_whole(progressive):
    whole = encoded(Image.fromarray(ramps(60, 80)), "JPEG", progressive=progressive)
    wanted = images.decode_photo(whole, "a").rgb
    for missing in (1, 2):
        photo = images.decode_photo(whole[:-missing], "a")
        np.testing.assert_array_equal(photo.rgb, wanted)
        assert photo.damage is None
    with pytest.raises(InputError, match="a: the image is cut short"):
        images.decode_photo(whole[:-40], "a")


def test_decoders_that_raise_anything_are_named(monkeypatch):
    def fails(*_):
        raise AttributeError("'NoneType' object has no attribute 'dtype'")

    monkeypatch.setattr(Image.Image, "getexif", fails)
    monkeypatch.setattr(colours, "to_srgb", fails)
    with pytest.raises(InputError, match="a: the image is cut short or damaged"):
        images.decode_photo(encoded(Image.new("RGB", (4, 4)), "PNG"), "a")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"P5 4 4 255\n", "pnm"),
        (b"P6\n# by hand\n", "pnm"),
        (b"P1 is the first point", None),
        (b"BMW is no bitmap, nor is this text", None),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "avif"),
        (b"\0\0\0\x18ftypheic", "heic"),
        (b"\0\0\0\x18ftypisom", None),
        (b"\xff\x0a", "jxl"),
        (b"", None),
    ],
)
def test_kinds_by_content(head, kind):
    assert formats.kind_of(head) == kind


def test_a_webp_of_its_beginning_alone_is_no_animation(tmp_path):
    (tmp_path / "a.webp").write_bytes(b"RIFF\x10\0\0\0WEBPVP8X")
    assert not formats.is_animated(tmp_path / "a.webp")


def test_jpeg_xl_names_what_it_takes(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(InputError, match="pip install pillow-jxl-plugin"):
        images.decode_photo(b"\xff\x0a" + bytes(40), "a.jxl")


def test_the_size_is_known_before_a_photo_is_decoded():
    for path in CASES.glob("*.*"):
        sides = images.size_of(path.read_bytes(), path.name)
        if path.suffix == ".json":
            assert sides is None
        else:
            assert sorted(sides) == sorted(images.read_photo(path).rgb.shape[:2]), path.name
    assert images.size_of(b"II*\0\x08\0\0\0", "a.tif") is None
