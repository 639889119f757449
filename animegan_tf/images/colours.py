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

# Pillow's modes by a profile's colour space.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
# Primaries by code (ITU-T H.273): x and y of red, green and blue. Code 1 is sRGB.
_D65 = (0.3127, 0.3290)
_SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES = {
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
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
        # Linear up to half of SDR's white, compressed above.
        shown = np.where(light < 0.5, light, 1 - 0.5 * np.exp(1 - 2 * light))
        levels = np.rint(shown * 65535).astype(">u2")
        curve = b"curv\0\0\0\0" + struct.pack(">I", len(levels)) + levels.tobytes()
    if curve is None and primaries not in _PRIMARIES:
        return None
    white = (0.314, 0.351) if primaries == 11 else _D65
    return _profile(_PRIMARIES.get(primaries, _SRGB_PRIMARIES), white, curve)


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
    (count,) = struct.unpack_from(">I", data, 128)
    for entry in range(132, 132 + 12 * count, 12):
        name, place, _ = struct.unpack_from(">4sII", data, entry)
        if name[1:] == b"XYZ":
            column = np.rint(columns[:, b"rgb".index(name[:1])] * 65536).astype(int)
            struct.pack_into(">3i", data, place + 8, *column)
        elif name[1:] == b"TRC" and curve is not None:
            struct.pack_into(">II", data, entry + 4, len(data), len(curve))
            data += curve + bytes(-len(curve) % 4)
    struct.pack_into(">I", data, 0, len(data))
    return bytes(data)


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bool, str | None]:
    """(the `image` of Pillow as RGB in sRGB, whether its values changed, a note or None).

    image: of mode RGB, L, CMYK or LAB. profile: bytes of its ICC profile, or None. A profile that
    is damaged or for another colour space is ignored, with a note.
    """
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
            return transform.apply(image), True, None
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            note = f"its colour profile cannot be used, so sRGB is assumed ({error})"
    if image.mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return _transform(lab, _srgb(), "LAB").apply(image), True, note
    return image.convert("RGB"), image.mode == "CMYK", note


def from_srgb(rgb: np.ndarray, profile: bytes) -> np.ndarray | None:
    """Convert uint8 sRGB (H, W, 3) to another RGB profile; None for other profiles."""
    try:
        target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if target.profile.xcolor_space.strip() != "RGB":
            return None
        return np.asarray(_transform(_srgb(), target, "RGB").apply(Image.fromarray(rgb)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _srgb():
    return ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))


def _transform(source, target, mode):
    intent = ImageCms.Intent.PERCEPTUAL
    return ImageCms.buildTransform(source, target, mode, "RGB", intent, _COMPENSATED)


def _changes_nothing(transform):
    """Whether colours change by two levels at most: then the profile is sRGB."""
    levels = np.arange(0, 256, 51, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 6, 3)
    converted = np.asarray(transform.apply(Image.fromarray(cube)))
    return np.abs(converted.astype(int) - cube).max() <= 2
