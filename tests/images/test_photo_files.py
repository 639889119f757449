"""Photos as cameras, phones and editors store them: colours, orientation, alpha, depth, formats."""

import io
import json
import struct
import sys

import cv2
import numpy as np
import pillow_heif
import pytest
from pictures import noise, ramps
from PIL import Image, ImageCms
from places import TESTS

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.images import colours, formats

pillow_heif.register_heif_opener()
CASES = TESTS / "photos"
EXPECTED = json.loads((CASES / "expected.json").read_text("utf-8"))
SHORT, LONG, RATIONAL = 3, 4, 5


def tiff(tags, *chunks):
    """A TIFF of one directory: `tags` are tag: (type, values); strips are `chunks`."""
    strips, place = [], 8
    for chunk in chunks:
        strips.append(place)
        place += len(chunk) + len(chunk) % 2
    tags = {**tags, 273: (LONG, strips), 279: (LONG, [len(chunk) for chunk in chunks])}
    data = b"II*\0" + struct.pack("<I", place)
    data += b"".join(chunk + bytes(len(chunk) % 2) for chunk in chunks)
    after, entries = place + 6 + 12 * len(tags), b""
    extra = b""
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{'H' if kind == SHORT else 'I'}", *values)
        if len(packed) > 4:
            entries += struct.pack("<HHII", tag, kind, len(values), after + len(extra))
            extra += packed
        else:
            entries += struct.pack("<HHI4s", tag, kind, len(values), packed.ljust(4, b"\0"))
    return data + struct.pack("<H", len(tags)) + entries + bytes(4) + extra


def flat_tiff(bits, *pixel, photometric=2, planar=1, extra=None, kind=1):
    """A TIFF of 4x2 whose pixels are all the same numbers."""
    code = {8: "B", 16: "H", 32: "f" if kind == 3 else "I"}[bits]
    count = len(pixel)
    tags = {
        256: (SHORT, [4]), 257: (SHORT, [2]), 258: (SHORT, [bits] * count), 259: (SHORT, [1]),
        262: (SHORT, [photometric]), 277: (SHORT, [count]), 278: (SHORT, [2]),
        284: (SHORT, [planar]), 339: (SHORT, [kind] * count),
    }  # fmt: skip
    if extra is not None:
        tags[338] = (SHORT, [extra])
    if planar == 2:
        return tiff(tags, *(struct.pack(f"<8{code}", *[number] * 8) for number in pixel))
    return tiff(tags, struct.pack(f"<{8 * count}{code}", *pixel * 8))


def packed_tiff(bits, *pixel, photometric=1):
    """As `flat_tiff`, with samples that are no whole bytes."""
    row = "".join(f"{number:0{bits}b}" for number in pixel * 4)
    row = int(row.ljust(-(-len(row) // 8) * 8, "0"), 2).to_bytes(-(-len(row) // 8), "big")
    tags = {
        256: (SHORT, [4]), 257: (SHORT, [2]), 258: (SHORT, [bits] * len(pixel)), 259: (SHORT, [1]),
        262: (SHORT, [photometric]), 277: (SHORT, [len(pixel)]), 278: (SHORT, [2]),
    }  # fmt: skip
    return tiff(tags, row * 2)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_tiffs_of_bits_between(bits):
    one = 2 ** (bits - 8)
    for data, level in (
        (packed_tiff(bits, 200 * one, 100 * one, 50 * one, photometric=2), (200, 100, 50)),
        (packed_tiff(bits, 100 * one), 100),
        (packed_tiff(bits, 100 * one, photometric=0), 155),
    ):
        rgb = images.decode_photo(data, "a").rgb
        np.testing.assert_allclose(rgb, np.broadcast_to(level, (2, 4, 3)), atol=1)


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


@pytest.mark.parametrize(
    ("data", "rgb", "alpha"),
    [
        (flat_tiff(16, 100 * 257, photometric=0), 155, None),  # white is zero
        (flat_tiff(8, 100, photometric=0), 155, None),
        (flat_tiff(16, 100 * 257, photometric=1), 100, None),
        (flat_tiff(16, 51400, 25700, 12850, planar=2), (200, 100, 50), None),
        (flat_tiff(16, 51400, 25700, 12850), (200, 100, 50), None),
        (flat_tiff(8, 200, 100, 50, planar=2), (200, 100, 50), None),
        (flat_tiff(8, 200, 100, 50, 128, extra=2), (200, 100, 50), 128),
        (flat_tiff(8, 100, 50, 25, 128, extra=1), (200, 100, 50), 128),  # associated
        (flat_tiff(16, 51400, 25700, 12850, 128 * 257, extra=2), (200, 100, 50), 128),
        (flat_tiff(16, 25700, 12850, 6425, 128 * 257, extra=1), (200, 100, 50), 128),
        (flat_tiff(8, 100, 128, photometric=1, extra=2), 100, 128),
        (flat_tiff(32, 0.5, photometric=1, kind=3), 128, None),
        (flat_tiff(32, 0.8, 0.4, 0.2, kind=3), (204, 102, 51), None),
    ],
)
def test_kinds_of_tiff(data, rgb, alpha):
    photo = images.decode_photo(data, "a.tif")
    np.testing.assert_allclose(photo.rgb, np.broadcast_to(rgb, (2, 4, 3)), atol=1)
    if alpha is None:
        assert photo.alpha is None
    else:
        np.testing.assert_array_equal(photo.alpha, np.full((2, 4), alpha))


def test_tiffs_that_would_come_out_wrong_are_refused():
    for data in (
        flat_tiff(16, 25700, 128 * 257, photometric=1, extra=2),
        flat_tiff(32, 0.8, 0.4, 0.2, kind=3, planar=2),
    ):
        with pytest.raises(InputError, match=r"a\.tif: expected a picture in a format"):
            images.decode_photo(data, "a.tif")


def test_raw_photos_are_refused():
    preview = Image.fromarray(noise(12, 16))
    dng = encoded(preview, "TIFF", tiffinfo={50706: b"\1\4\0\0"})
    # The preview, and below it what the sensor saw, as Nikon and Sony store it.
    plain = {256: (SHORT, [4]), 257: (SHORT, [2]), 258: (SHORT, [8]), 262: (SHORT, [1])}
    nef = tiff(
        {**plain, 330: (LONG, [8])}, struct.pack("<HHHIIIH", 1, 262, 3, 1, 32803, 0, 0), bytes(8)
    )
    for data in (dng, nef, b"FUJIFILMCCD-RAW 0201", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"):
        with pytest.raises(InputError, match=r"a\.tif: it is a raw photo; develop it first"):
            images.decode_photo(data, "a.tif")


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


def profile_of(red, green, blue):
    """A profile of other primaries (x, y) with the curve of sRGB: sRGB's, with columns replaced."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(data[128:132], "big")
    for entry in range(132, 132 + 12 * count, 12):
        name, place = (
            bytes(data[entry : entry + 4]),
            int.from_bytes(data[entry + 4 : entry + 8], "big"),
        )
        column = {b"rXYZ": red, b"gXYZ": green, b"bXYZ": blue}.get(name)
        if column:
            data[place + 8 : place + 20] = struct.pack(">3i", *(round(n * 65536) for n in column))
    return bytes(data)


# Display P3 and ProPhoto RGB, adapted to D50.
P3 = profile_of(
    (0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)
)
PROPHOTO = profile_of((0.79767, 0.28804, 0), (0.13519, 0.71188, 0), (0.03134, 0.00009, 0.8251))


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


def test_decoders_that_raise_anything_are_named(monkeypatch):
    def fails(*_):
        raise AttributeError("'NoneType' object has no attribute 'dtype'")

    monkeypatch.setattr(Image.Image, "getexif", fails)
    monkeypatch.setattr(colours, "to_srgb", fails)
    with pytest.raises(InputError, match="a: the picture is cut short or damaged"):
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
        if path.suffix == ".json":
            with pytest.raises(InputError, match=r"expected\.json: expected a photo"):
                images.photo_size(path.read_bytes(), path.name)
            continue
        sides = images.photo_size(path.read_bytes(), path.name)
        assert sorted(sides) == sorted(images.read_photo(path).rgb.shape[:2]), path.name
    data = tiff({}, b"")[:20]
    with pytest.raises(InputError, match=r"a\.tif: expected a photo, received something else"):
        images.photo_size(data, "a.tif")
