"""What output files hold: format, quality, metadata, profile, alpha."""

import dataclasses
import io

import cv2
import numpy as np
import pytest
from pictures import files_in, jpeg, make_negative, negative, network, noise, photos_in, ramps
from PIL import Image, ImageCms
from places import TESTS
from profiles import P3

from animegan_tf import images
from animegan_tf.errors import InputError
from animegan_tf.images import colours, formats, metadata
from animegan_tf.stylize.batch import stylize_paths
from animegan_tf.stylize.options import PHOTO_FORMATS, PhotoOptions
from animegan_tf.stylize.stylizer import Stylizer

CASES = TESTS / "photos"


@pytest.fixture(scope="module")
def identity():
    return network()


def test_results_keep_the_format_of_the_content(tmp_path):
    photos_in(tmp_path / "in", "a.png", "b.webp", "c.avif", "d.heic", "e.tif", "f.bmp")
    data = jpeg()
    for name in ("g.jfif", "h.png", "i.JPEG"):
        (tmp_path / "in" / name).write_bytes(data)
    (tmp_path / "in" / "j.jpg").write_bytes((tmp_path / "in" / "b.webp").read_bytes())
    stylize_paths(make_negative, tmp_path / "in", tmp_path / "out")
    assert files_in(tmp_path / "out") == [
        "a.png", "b.webp", "c.avif", "d.heic", "e.tif", "f.bmp", "g.jfif", "h.jpg", "i.JPEG",
        "j.webp",
    ]  # fmt: skip
    for path in (tmp_path / "out").iterdir():
        kind = formats.kind_of(path.read_bytes()[:32])
        assert path.suffix.lower() in formats.WRITTEN[kind]


@pytest.mark.parametrize("kind", PHOTO_FORMATS)
def test_a_format_for_all(tmp_path, kind):
    rgb, alpha = ramps(32, 48), np.full((32, 48), 128, np.uint8)
    images.write_photo(tmp_path / "in" / "a.png", rgb, alpha)
    options = PhotoOptions(format=kind, quality=80)
    (path,) = stylize_paths(make_negative, tmp_path / "in", tmp_path / "out", photo=options).written
    assert formats.kind_of(path.read_bytes()[:32]) == kind
    photo = images.read_photo(path)
    if kind == "jpeg":  # on white
        np.testing.assert_allclose(photo.rgb, 255 - rgb * (128 / 255), atol=12)
    else:
        np.testing.assert_allclose(photo.alpha, alpha, atol=2)


def test_quality_and_lossy_webp(tmp_path):
    noisy = Image.fromarray(noise(64, 64))
    for name, options in (("lossy", {"quality": 60}), ("whole", {"lossless": True})):
        noisy.save(tmp_path / f"{name}.webp", **options)
    written = stylize_paths(make_negative, tmp_path / "lossy.webp", tmp_path / "out").written
    written += stylize_paths(make_negative, tmp_path / "whole.webp", tmp_path / "out").written
    assert [images.read_photo(path).lossy for path in written] == [True, False]
    sizes = []
    for quality in (30, 95):
        options = PhotoOptions(format="jpeg", quality=quality)
        out = tmp_path / str(quality)
        (path,) = stylize_paths(make_negative, tmp_path / "whole.webp", out, photo=options).written
        sizes.append(path.stat().st_size)
    assert sizes[0] < sizes[1] / 2
    for wrong in ({"quality": 0}, {"format": "gif"}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))}: expected"):
            PhotoOptions(**wrong).check()


def tagged():
    """A JPEG with date, camera, place, XMP, IPTC, thumbnail, lying on its side."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0132], exif[0x0112] = "Maker", "2024:05:06 07:08:09", 6
    exif.get_ifd(0x8769).update({0x9003: "2024:05:06 07:08:09", 0xA002: 60, 0xA003: 40})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.0)})
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        b'tiff:Orientation="6" GCamera:MotionPhoto="1" dc:title="Kept"><Container:Directory>'
        b"<rdf:Seq/></Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    iptc = b"\x1c\x02\x50\x00\x04Anna"
    block = metadata.photoshop_block(iptc)
    extra = b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block
    return jpeg(exif=exif, xmp=xmp, extra=extra, dpi=(300, 300)), iptc


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "heic", "tiff"])
def test_metadata_goes_into_results(tmp_path, kind):
    data, iptc = tagged()
    (tmp_path / "a.jpg").write_bytes(data)
    options = PhotoOptions(format=kind)
    (path,) = stylize_paths(
        make_negative, tmp_path / "a.jpg", tmp_path / "out", photo=options
    ).written
    with Image.open(path) as image:
        image.load()
        assert image.size == (40, 60)
        exif = image.getexif()
        assert (exif[0x010F], exif[0x0132]) == ("Maker", "2024:05:06 07:08:09")
        assert exif.get(0x0112, 1) == 1
        assert exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        assert (exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003]) == (40, 60)
        assert exif.get_ifd(0x8825)[2] == (48.0, 51.0, 29.0)
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
        if kind in ("jpeg", "png", "tiff"):
            assert round(image.info["dpi"][0]) == 300
    told = images.read_photo(path).metadata
    assert b'dc:title="Kept"' in told.xmp
    for gone in (b"Orientation", b"MotionPhoto", b"Container"):
        assert gone not in told.xmp
    if kind in ("jpeg", "tiff"):
        assert told.iptc == iptc
    options = PhotoOptions(format=kind, strip_metadata=True)
    (path,) = stylize_paths(
        make_negative, tmp_path / "a.jpg", tmp_path / "b", photo=options
    ).written
    told = images.read_photo(path).metadata
    assert (told.exif, told.xmp, told.iptc) == (None, None, None)


def test_exif_that_is_too_large_for_jpeg(tmp_path, capsys):
    """It goes whole into other formats, without the maker's notes into JPEG, with a word."""
    for name, tag in (("notes", 0x927C), ("comment", 0x9286)):
        exif = Image.Exif()
        exif[0x0110] = "Camera"
        exif.get_ifd(0x8769).update({0x9003: "2024:05:06 07:08:09", tag: bytes(70000)})
        Image.fromarray(ramps(30, 40)).save(tmp_path / f"{name}.webp", exif=exif)
    for kind in ("jpeg", "png"):
        stylize_paths(
            make_negative, [tmp_path / "notes.webp", tmp_path / "comment.webp"], tmp_path / kind,
            photo=PhotoOptions(format=kind), progress=True,
        )  # fmt: skip
        said = capsys.readouterr().err
        assert ("notes.webp: its EXIF is larger than a JPEG can hold: the" in said) == (
            kind == "jpeg"
        )
        assert ("comment.webp: its EXIF is larger than a JPEG can hold, and" in said) == (
            kind == "jpeg"
        )
    for path, tags in (("jpeg/notes.jpg", 1), ("png/notes.png", 2), ("png/comment.png", 2)):
        with Image.open(tmp_path / path) as image:
            exif = image.getexif()
            assert exif[0x0110] == "Camera" and len(exif.get_ifd(0x8769)) == tags
    with Image.open(tmp_path / "jpeg" / "comment.jpg") as image:
        assert 0x0110 not in image.getexif()


def test_metadata_of_tiffs_says_nothing_about_how_they_were_stored(tmp_path):
    exif = Image.Exif()
    exif[0x0110], exif[0x013B] = "Camera", "Anna"
    gray = Image.new("L", (70, 30), 99)
    gray.save(tmp_path / "a.tif", exif=exif, compression="tiff_lzw")
    for kind in ("jpeg", "tiff"):
        options = PhotoOptions(format=kind)
        out = tmp_path / kind
        (path,) = stylize_paths(make_negative, tmp_path / "a.tif", out, photo=options).written
        with Image.open(path) as image:
            assert (image.getexif()[0x0110], image.getexif()[0x013B]) == ("Camera", "Anna")
            if kind == "jpeg":
                assert set(image.getexif()) == {0x000B, 0x0110, 0x0112, 0x013B}


def test_the_source_s_profile_on_request(tmp_path):
    source = Image.open(CASES / "icc_p3.jpg")
    options = PhotoOptions(keep_profile=True)
    (path,) = stylize_paths(
        lambda: lambda rgb: rgb, CASES / "icc_p3.jpg", tmp_path, photo=options
    ).written
    with Image.open(path) as image:
        assert image.info["icc_profile"] == source.info["icc_profile"]
        np.testing.assert_allclose(np.asarray(image)[8, 8], np.asarray(source)[8, 8], atol=3)
    np.testing.assert_allclose(images.read_photo(path).rgb[8, 8], (215, 93, 31), atol=3)


@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 0, 255), (255, 255, 255)])
def test_what_is_hidden_under_transparent_pixels_is_not_seen(tmp_path, identity, hidden):
    rgb, alpha = ramps(64, 96), np.zeros((64, 96), np.uint8)
    alpha[16:48, 24:70] = 255
    results = []
    for number, colour in enumerate((hidden, (9, 200, 30))):
        changed = rgb.copy()
        changed[alpha == 0] = colour
        path = tmp_path / f"{number}.png"
        images.write_photo(path, changed, alpha)
        (path,) = stylize_paths(Stylizer(identity), path, tmp_path / "out").written
        results.append(images.read_photo(path))
    np.testing.assert_array_equal(*(one.rgb[alpha > 0] for one in results))
    np.testing.assert_array_equal(results[0].alpha, alpha)


def test_tiffs_with_alpha_say_so(tmp_path):
    images.write_photo(tmp_path / "a.tif", noise(6, 9), noise(6, 9, 1)[:, :, 0])
    with Image.open(tmp_path / "a.tif") as image:
        assert image.tag_v2[338] == (2,)


@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits(tmp_path, suffix, with_alpha):
    """The network's output to the nearest of 65536 levels, with all that the file says."""
    rgb = ramps(280, 300)
    alpha = np.full((280, 300), 77, np.uint8) if with_alpha else None
    exif = Image.Exif()
    exif[0x0110] = "Camera"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    told = images.Metadata(exif=exif.tobytes()[6:], xmp=b"<x/>", dpi=(300, 300))
    images.write_photo(tmp_path / f"a{suffix}", rgb, alpha, metadata=told)
    stylizer = Stylizer(network(lambda x: x * 0.1), match_brightness=False)
    options = PhotoOptions(bits=16)
    (path,) = stylize_paths(
        stylizer, tmp_path / f"a{suffix}", tmp_path / "o", photo=options
    ).written
    assert path.suffix == suffix
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    wanted = ((rgb / 127.5 - 1) * 0.1 + 1) * 32767.5
    assert pixels.dtype == np.uint16
    np.testing.assert_allclose(pixels[:, :, 2::-1], wanted, atol=1)
    photo = images.read_photo(path)
    np.testing.assert_allclose(photo.rgb, wanted / 257, atol=0.51)
    assert (photo.alpha is None) != with_alpha
    if with_alpha:
        np.testing.assert_array_equal(photo.alpha, alpha)
    assert photo.metadata.xmp == b"<x/>" and round(photo.metadata.dpi[0]) == 300
    read = Image.Exif()
    read.load(photo.metadata.exif)
    assert (read[0x0110], read.get_ifd(0x8769)[0x9003]) == ("Camera", "2024:05:06 07:08:09")
    assert photo.metadata.profile is not None


def test_16_bits_of_enlarged_and_compared_photos(tmp_path):
    images.write_photo(tmp_path / "a.jpg", cv2.GaussianBlur(ramps(600, 500), (0, 0), 9))
    stylizer = Stylizer(network(lambda x: x * 0.5), draw_side=256, strength=0.9)
    options = PhotoOptions(bits=16)
    (path,) = stylize_paths(
        stylizer, tmp_path / "a.jpg", tmp_path, photo=options, compare=True
    ).written
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert path.name == "a_compare.png" and pixels.dtype == np.uint16
    photo, made = np.split(pixels, 2, axis=1)
    assert not (photo % 257).any()
    assert len(np.unique(made)) > 1000


@pytest.mark.parametrize("profile", [None, P3])
def test_all_16_bits_of_a_photo_reach_the_network(tmp_path, profile):
    """The network gives the photo, whose shades are between those of 8 bits."""
    shades = np.linspace(20000, 21000, 280 * 256).reshape(280, 256).astype(np.uint16)
    photo = np.dstack([shades, shades[::-1], shades[:, ::-1]])
    told = images.Metadata(profile=profile)
    images.write_photo(tmp_path / "a.png", photo, metadata=told, profile=profile)
    stored = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    stylizer = Stylizer(network(), match_brightness=False)
    options = PhotoOptions(bits=16, keep_profile=True)
    (path,) = stylize_paths(stylizer, tmp_path / "a.png", tmp_path / "o", photo=options).written
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert len(np.unique(pixels)) > 800
    np.testing.assert_allclose(pixels, stored, atol=3)
    assert images.read_photo(path).metadata.profile == (profile or colours.srgb_profile())


def test_16_bits_where_there_are_none(tmp_path):
    photos_in(tmp_path, "a.png")
    options = PhotoOptions(bits=16)
    for wrong in ({"format": "jpeg"}, {"bits": 12}):
        with pytest.raises(InputError, match="expected 8"):
            dataclasses.replace(options, **wrong).check()
    with pytest.raises(InputError, match="bits: expected 8, or 16 for png and tiff"):
        stylize_paths(make_negative, tmp_path / "a.png", tmp_path / "b.jpg", photo=options)


def test_a_damaged_jpeg_is_done_and_named(tmp_path):
    inputs = [CASES / "damaged_middle.jpg", photos_in(tmp_path, "a.png") / "a.png"]
    report = stylize_paths(make_negative, inputs, tmp_path / "out")
    assert [path.name for path in report.written] == ["damaged_middle.jpg", "a.png"]
    ((path, reason),) = report.failed
    assert path == inputs[0] and "damaged (Corrupt JPEG data" in reason


def test_any_exception_of_a_decoder_stops_nothing(tmp_path, monkeypatch):
    photos = photos_in(tmp_path / "photos", "a.png", "b.webp")
    opened = Image.open

    def fails(file, *arguments, **options):
        if file.getvalue()[:4] == b"RIFF":
            raise AttributeError("'NoneType' object has no attribute 'dtype'")
        return opened(file, *arguments, **options)

    def make():
        monkeypatch.setattr(Image, "open", fails)
        return negative

    report = stylize_paths(make, photos, tmp_path / "out")
    assert [path.name for path in report.written] == ["a.png"]
    assert "b.webp: the image is cut short or damaged" in report.failed[0][1]
