"""Colours: photos to sRGB, which networks are trained on, and outputs back to their profile.

Files define colours by an ICC profile, or by numbers that are converted to a profile here: codes of
ITU-T H.273 in AVIF, HEIC and PNG (cICP), gamma and primaries in PNG (gAMA, cHRM).
"""

import functools
import io
import re
import struct

import numpy as np
from PIL import Image, ImageCms

from animegan_tf.images.arrays import as_kind

# Pillow's modes by a profile's colour space.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
# Primaries by code (ITU-T H.273): x and y of red, green and blue. Code 1 is sRGB.
_D65 = (0.3127, 0.3290)
_SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES = {
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
_PRIMARIES |= {7: _PRIMARIES[6], 12: _PRIMARIES[11]}
# Exponents of transfer functions by code. All but these, PQ and HLG are treated as sRGB.
_POWERS = {4: 2.2, 5: 2.8, 8: 1.0}
_PQ, _HLG = 16, 18
# cd/m² of white in SDR, and of the peak of a display for HLG.
_WHITE, _PEAK = 203, 1000
_TO_D50 = np.array(
    [[1.0479298, 0.0229468, -0.0501922], [0.0296278, 0.9904345, -0.0170738],
     [-0.0092430, 0.0150552, 0.7518743]]
)  # fmt: skip
_COMPENSATED = ImageCms.Flags.BLACKPOINTCOMPENSATION
# Parameters that curves with fewer of them have: g, a, b, c, d, e, f.
_DEFAULTS = (1, 1, 0, 0, 0, 0, 0)
_REDUCED = "its colour profile has tables of colours, which are applied with 8 bits"
# The number of rows that are converted at once.
_ROWS = 128


@functools.cache
def srgb_profile() -> bytes:
    """The bytes of an sRGB profile, always the same."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[24:36] = bytes.fromhex("07e8 0001 0001 0000 0000 0000")  # creation date
    return bytes(data)


def coded_profile(data: bytes, kind: str | None, info: dict) -> bytes | None:
    """The bytes of a profile for a file without one, or None for sRGB.

    data, kind: the file's bytes and `formats.kind_of`. info: that of Pillow's image.
    """
    if kind in ("avif", "heic"):
        found = re.search(rb"colrnclx(.{4})", data, re.DOTALL)
        return found and _of_codes(*struct.unpack(">2H", found[1]))
    if kind == "jpeg2000":
        found = re.search(rb"(.{4})colr\x02..", data[: data.find(b"jp2c")], re.DOTALL)
        return found and data[found.end() : found.start() + int.from_bytes(found[1], "big")]
    if kind != "png":
        return None
    found = re.search(rb"\x00{3}\x04cICP(..)", data[: data.find(b"IDAT")], re.DOTALL)
    if found:
        return _of_codes(*found[1])
    gamma = 1 / (info.get("gamma") or 1 / 2.2)
    white_and_primaries = info.get("chromaticity") or (*_D65, *_SRGB_PRIMARIES)
    usual = np.allclose(white_and_primaries, (*_D65, *_SRGB_PRIMARIES), atol=0.002)
    if "srgb" in info or (usual and abs(gamma - 2.2) < 0.03):
        return None
    # A gamma of 2.2 means the curve of sRGB.
    curve = None if abs(gamma - 2.2) < 0.03 else _power(gamma)
    return _profile(white_and_primaries[2:], white_and_primaries[:2], curve)


def _of_codes(primaries, transfer):
    """The bytes of a profile for codes of ITU-T H.273; None for those of sRGB."""
    curve = None
    if transfer in _POWERS:
        curve = _power(_POWERS[transfer])
    elif transfer in (_PQ, _HLG):
        signal = np.linspace(0, 1, 4096)
        light = (_light_of_pq if transfer == _PQ else _light_of_hlg)(signal) / _WHITE
        levels = np.rint(_compressed(light) * 65535).astype(">u2")
        curve = b"curv\0\0\0\0" + struct.pack(">I", len(levels)) + levels.tobytes()
    if curve is None and primaries not in _PRIMARIES:
        return None
    white = (0.314, 0.351) if primaries == 11 else _D65
    return _profile(_PRIMARIES.get(primaries, _SRGB_PRIMARIES), white, curve)


def _compressed(light):
    """Linear light, of which 1 is SDR's white, as [0, 1]: compressed above a half."""
    return np.where(light < 0.5, light, 1 - 0.5 * np.exp(1 - 2 * light))


def tone_mapped(light: np.ndarray) -> np.ndarray:
    """Linear light of sRGB's primaries, of which 1 is SDR's white, as sRGB in [0, 1].

    Any shape; negative numbers and those that are not finite are black and white.
    """
    light = _compressed(np.maximum(np.nan_to_num(light, posinf=1e6), 0))
    return np.where(light < 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _light_of_pq(signal):
    """cd/m² (SMPTE ST 2084)."""
    power = np.power(signal, 32 / 2523)
    light = np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
    return 10000 * np.power(light, 16384 / 2610)


def _light_of_hlg(signal):
    """cd/m² of each component (ITU-R BT.2100)."""
    above = (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return _PEAK * np.power(np.where(signal <= 0.5, signal**2 / 3, above), 1.2)


def _power(exponent):
    return b"para\0\0\0\0" + struct.pack(">2Hi", 0, 0, round(exponent * 65536))


def _profile(primaries, white, curve):
    """The bytes of sRGB's profile with other primaries and, unless None, another curve."""
    points = np.array((*primaries, *white)).reshape(4, 2)
    x, y = points.T
    red, green, blue, gray = np.stack([x / y, np.ones(4), (1 - x - y) / y], axis=1)
    columns = np.stack([red, green, blue], axis=1)
    columns = _TO_D50 @ (columns * np.linalg.solve(columns, gray))
    data = bytearray(
        srgb_profile().replace(
            "sRGB built-in".encode("utf-16-be"), "coded colours".encode("utf-16-be")
        )
    )
    for entry, name, place in _tags(data):
        if name[1:] == b"XYZ":
            column = np.rint(columns[:, b"rgb".index(name[:1])] * 65536).astype(int)
            struct.pack_into(">3i", data, place + 8, *column)
        elif name[1:] == b"TRC" and curve is not None:
            struct.pack_into(">II", data, entry + 4, len(data), len(curve))
            data += curve + bytes(-len(curve) % 4)
    struct.pack_into(">I", data, 0, len(data))
    return bytes(data)


def _tags(profile):
    """Yield (position of the entry, name, position of the content) of a profile's tags."""
    (count,) = struct.unpack_from(">I", profile, 128)
    for entry in range(132, 132 + 12 * min(count, 100), 12):
        yield entry, *struct.unpack_from(">4sI", profile, entry)


def to_srgb(
    image: Image.Image | np.ndarray, profile: bytes | None
) -> tuple[np.ndarray, bool, str | None]:
    """(the `image` as RGB (H, W, 3) in sRGB, whether its values changed, a note or None).

    image: of Pillow, of mode RGB, L, CMYK or LAB, for uint8; or an array of uint16, (H, W), (H, W,
    3) or for CMYK (H, W, 4), for uint16. profile: bytes of its ICC profile, or None. A profile that
    is damaged or for another colour space is ignored, with a note; a note also says if an array was
    reduced to 8 bits, by a profile of tables or of CMYK.
    """
    if isinstance(image, Image.Image):
        rgb, changed, note = _to_srgb(image, profile)
        return np.array(rgb), changed, note
    # Whether the profile can be used, and changes anything, is seen by a small image.
    mode = "L" if image.ndim == 2 else "RGB" if image.shape[2] == 3 else "CMYK"
    _, changed, note = _to_srgb(Image.new(mode, (1, 1)), profile)
    if mode == "CMYK" and (note or not profile):
        light = 65535 - image.astype(np.uint32)
        return (light[:, :, :3] * light[:, :, 3:] // 65535).astype(np.uint16), True, note
    rgb = np.dstack([image] * 3) if image.ndim == 2 else image
    shaper = _shaper(profile) if changed else None
    if shaper is not None:
        return _convert(rgb, shaper, _shaper(srgb_profile())), True, note
    if changed:
        eight = Image.fromarray(as_kind(image, np.uint8), mode)
        rgb, note = as_kind(np.asarray(_to_srgb(eight, profile)[0]), np.uint16), _REDUCED
    return rgb, changed, note


def _shaper(profile):
    """(curves of red, green and blue, matrix from their light to XYZ) of a profile, or None.

    A curve is the light, 0 to 1, of each of 65536 levels. Profiles of gray have the primaries of
    sRGB. None for profiles with tables of colours, which LittleCMS prefers.
    """
    tags = {name: place for _, name, place in _tags(profile)}
    names = [b"kTRC"] * 3 if b"kTRC" in tags else [b"rTRC", b"gTRC", b"bTRC"]
    try:
        curves = [_curve(profile, tags[name]) for name in names]
        if b"kTRC" in tags:
            return curves, _shaper(srgb_profile())[1]
        columns = [
            struct.unpack_from(">3i", profile, tags[c + b"XYZ"] + 8) for c in (b"r", b"g", b"b")
        ]
    except (KeyError, ValueError, ZeroDivisionError, struct.error):
        return None
    has_tables = any(name[:3] in (b"A2B", b"D2B") for name in tags)
    return None if has_tables else (curves, np.array(columns).T / 65536)


def _curve(profile, place):
    """The curve of a profile at `place`, see `_shaper`. Raises `ValueError` for unknown kinds."""
    signal, kind = np.linspace(0, 1, 65536), profile[place : place + 4]
    (count,) = struct.unpack_from(">I", profile, place + 8)
    if kind == b"curv" and count == 1:
        return signal ** (struct.unpack_from(">H", profile, place + 12)[0] / 256)
    if kind == b"curv":
        numbers = np.frombuffer(profile, ">u2", count, place + 12) / 65535 if count else [0, 1]
        return np.interp(signal, np.linspace(0, 1, len(numbers)), numbers)
    # Parametric: a power of a line, and below a point another line.
    sizes = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}
    if kind != b"para" or count >> 16 not in sizes:
        raise ValueError("unknown curve")
    found = struct.unpack_from(f">{sizes[count >> 16]}i", profile, place + 12)
    g, a, b, c, d, e, f = (*(number / 65536 for number in found), *_DEFAULTS[len(found) :])
    if count >> 16 in (1, 2):
        c, d, e, f = 0, -b / a, c, c
    power = np.maximum(a * signal + b, 0) ** g + e
    return np.clip(np.where(signal >= d, power, c * signal + f), 0, 1)


def _convert(rgb, source, target):
    """Convert uint16 RGB (H, W, 3) between two of `_shaper`; LittleCMS does not from Pillow."""
    matrix = (np.linalg.inv(target[1]) @ source[1]).astype(np.float32)
    to_light = [curve.astype(np.float32) for curve in source[0]]
    # By the root of light, whose steps are fine in the dark.
    roots = np.linspace(0, 1, 65536) ** 2
    to_levels = [np.rint(np.interp(roots, curve, np.arange(65536))) for curve in target[0]]
    converted = np.empty_like(rgb)
    for first in range(0, len(rgb), _ROWS):
        rows = rgb[first : first + _ROWS]
        light = np.stack([curve[rows[..., i]] for i, curve in enumerate(to_light)], axis=-1)
        root = np.rint(np.sqrt(np.clip(light @ matrix.T, 0, 1)) * 65535).astype(np.uint16)
        for i, levels in enumerate(to_levels):
            converted[first : first + _ROWS, :, i] = levels[root[..., i]]
    return converted


def _to_srgb(image, profile):
    """`to_srgb` for an image of Pillow, whose first value is one as well."""
    note = None
    if profile and image.mode != "LAB":
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            wanted = _MODES.get(source.profile.xcolor_space.strip())
            if wanted == "RGB" and image.mode == "L":
                image = image.convert("RGB")
            if wanted != image.mode:
                raise ValueError(f"it is for {source.profile.xcolor_space.strip()} colours")
            transform = _transform(source, _srgb(), image.mode)
            if image.mode == "RGB" and _changes_nothing(transform):
                return image, False, None
            if image.mode != "L":
                return transform.apply(image), True, None
            shown = np.asarray(
                transform.apply(Image.fromarray(np.arange(256, dtype=np.uint8)[None]))
            )
            return Image.fromarray(shown[0][np.asarray(image)]), True, None
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            note = f"its colour profile cannot be used, so sRGB is assumed ({error})"
    if image.mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return _transform(lab, _srgb(), "LAB").apply(image), True, note
    return image.convert("RGB"), image.mode == "CMYK", note


def from_srgb(rgb: np.ndarray, profile: bytes) -> np.ndarray | None:
    """Convert sRGB (H, W, 3), uint8 or uint16, to another RGB profile; None for other profiles.

    Profiles with tables of colours are applied with 8 bits.
    """
    try:
        target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if target.profile.xcolor_space.strip() != "RGB":
            return None
        shaper = _shaper(profile) if rgb.dtype == np.uint16 else None
        if shaper is not None:
            return _convert(rgb, _shaper(srgb_profile()), shaper)
        eight = Image.fromarray(as_kind(rgb, np.uint8))
        return as_kind(np.asarray(_transform(_srgb(), target, "RGB").apply(eight)), rgb.dtype)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _srgb():
    return ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))


def _transform(source, target, mode):
    # The optimised way is ten levels off in the dark for gray.
    flags = _COMPENSATED | (ImageCms.Flags.NOOPTIMIZE if mode == "L" else 0)
    intent = ImageCms.Intent.PERCEPTUAL
    return ImageCms.buildTransform(source, target, mode, "RGB", intent, flags)


def _changes_nothing(transform):
    """Whether colours change by two levels at most: then the profile is sRGB."""
    levels = np.arange(0, 256, 51, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 6, 3)
    converted = np.asarray(transform.apply(Image.fromarray(cube)))
    return np.abs(converted.astype(int) - cube).max() <= 2
