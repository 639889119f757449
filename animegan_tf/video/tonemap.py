"""Tone mapping from HDR to SDR: from PQ or HLG with BT.2020 primaries to BT.709.

The luminance on a reference display (PQ: SMPTE ST 2084; HLG: ITU-R BT.2100 at 1000 cd/m²) is
compressed to the range of SDR by the curve of ITU-R BT.2390 (EETF), by one factor for the three
components of a pixel, which keeps hues. White is 203 cd/m², the reference white of HDR (BT.2408).
Colours outside BT.709 are desaturated until they are inside, and darkened if they are brighter than
its maximum. The output is encoded for the display curve of ITU-R BT.1886.
"""

import functools
import os
import struct
import tempfile
from fractions import Fraction

import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideDataType

from animegan_tf.video.filters import chain

# Transfer characteristics (ITU-T H.273).
PQ, HLG = 16, 18
# cd/m²: white of SDR, peak of an HLG display and of PQ without metadata, maximum of PQ.
_WHITE, _PEAK, _MOST = 203, 1000, 10000
_GAMMA = 2.4
_TICK = Fraction(1, 1000)
FORMAT = "gbrp16le"
# Points along each side of the colour table.
_SIDE = 65
# BT.2020 to BT.709 (ITU-R BT.2407), and the luminance coefficients of both.
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593])
_LUMINANCE_709 = np.array([0.2126, 0.7152, 0.0722])
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def pq_light(signal):
    """cd/m² of a PQ signal in [0, 1] (SMPTE ST 2084)."""
    power = np.power(signal, 1 / _M2)
    return _MOST * np.power(np.maximum(power - _C1, 0) / (_C2 - _C3 * power), 1 / _M1)


def pq_signal(light):
    """The PQ signal in [0, 1] of cd/m² in [0, 10000]."""
    power = np.power(np.maximum(light, 0) / _MOST, _M1)
    return np.power((_C1 + _C2 * power) / (1 + _C3 * power), _M2)


def hlg_light(signal):
    """cd/m² of HLG signals in [0, 1], (..., 3), on a display of 1000 cd/m² (ITU-R BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = (scene @ _LUMINANCE_2020)[..., None]
    return _PEAK * np.power(luminance, 0.2) * scene


def mapped(light, peak):
    """Map cd/m² in [0, `peak`] to [0, 203] (ITU-R BT.2390, EETF without black lift)."""
    most = pq_signal(peak)
    end = pq_signal(_WHITE) / most
    knee = 1.5 * end - 0.5
    signal = np.minimum(pq_signal(light) / most, 1)
    t = np.maximum(signal - knee, 0) / (1 - knee) if knee < 1 else np.zeros_like(signal)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * end
    )
    return pq_light(np.where(signal < knee, signal, spline) * most)


def to_sdr(signal, transfer, peak=_PEAK):
    """Convert BT.2020 signals, float (..., 3) in [0, 1], to BT.709 signals in [0, 1].

    transfer: `PQ` or `HLG`.
    peak: peak luminance of a PQ video in cd/m², at least 203.
    """
    light, peak = (hlg_light(signal), _PEAK) if transfer == HLG else (pq_light(signal), peak)
    brightest = np.maximum(light.max(-1, keepdims=True), 1e-6)
    rgb = light * (mapped(brightest, peak) / brightest / _WHITE) @ _TO_709.T
    gray = (rgb @ _LUMINANCE_709)[..., None].clip(0, 1)
    below = rgb.min(-1, keepdims=True)
    share = np.where(below < 0, gray / np.maximum(gray - below, 1e-9), 1)
    rgb = gray + (rgb - gray) * share
    rgb /= np.maximum(rgb.max(-1, keepdims=True), 1)
    return np.power(rgb.clip(0, 1), 1 / _GAMMA)


def side_data(decoded):
    """The side data of an FFmpeg frame, without the types that PyAV does not know."""
    while True:
        try:
            return decoded.side_data
        except ValueError as error:  # "29 is not a valid Type"
            graph = chain(decoded, ("sidedata", f"mode=delete:type={str(error).split()[0]}"))
            graph.push(decoded)
            decoded = graph.pull()


def is_hdr(decoded):
    """Whether an FFmpeg frame is tagged as PQ or HLG."""
    return decoded.color_trc in (PQ, HLG)


def peak_of(decoded):
    """The peak luminance in cd/m² in the metadata of an FFmpeg frame; 1000 without metadata."""
    data, peak = side_data(decoded), 0
    if SideDataType.CONTENT_LIGHT_LEVEL in data:
        peak = struct.unpack_from("I", bytes(data[SideDataType.CONTENT_LIGHT_LEVEL]))[0]
    elif SideDataType.MASTERING_DISPLAY_METADATA in data:
        # Ten fractions, the last one for the maximum luminance; then whether they are set.
        *_, above, below, _, there = struct.unpack_from(
            "22i", bytes(data[SideDataType.MASTERING_DISPLAY_METADATA])
        )
        peak = above / below if there and below else 0
    return float(np.clip(peak, _WHITE, _MOST)) if peak else float(_PEAK)


def is_dolby_profile_5(decoded):
    """Whether an FFmpeg frame is Dolby Vision of profile 5, whose colours (IPT) are not supported.

    FFmpeg recognises it by its RPU: profile 0 with full range.
    """
    kind = getattr(SideDataType, "DOVI_METADATA", None)
    known = side_data(decoded)
    if kind is None or kind not in known:
        return False
    data = bytes(known[kind])
    header = data[struct.unpack_from("N", data)[0] :]
    # AVDOVIRpuDataHeader: the fifth byte is the profile, the 11th whether the range is full.
    return header[4] == 0 and header[10] == 1


class ToneMapper:
    """Converts FFmpeg frames of 16-bit BT.2020 RGB (`FORMAT`) to SDR with a colour table."""

    def __init__(self, transfer, peak):
        self._table = (transfer, peak)
        self._graphs = {}

    def __call__(self, frame):
        """The frame in BT.709, uint8 RGB (H, W, 3)."""
        size = (frame.width, frame.height)
        frame.pts, frame.time_base = 0, _TICK
        if size not in self._graphs:
            self._graphs[size] = self._graph(frame)
        graph = self._graphs[size]
        graph.push(frame)
        return cv2.convertScaleAbs(graph.pull().to_ndarray(), alpha=1 / 257)

    def _graph(self, frame):
        handle, path = tempfile.mkstemp(suffix=".cube")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(_cube(*self._table))
            # Backslashes escape special characters in FFmpeg's options.
            name = path.replace("\\", "/").replace(":", "\\\\:")
            return chain(frame, ("lut3d", f"file={name}:interp=tetrahedral"))
        finally:
            os.unlink(path)


@functools.lru_cache(2)
def _cube(transfer, peak):
    """The table as the text of a .cube file, red fastest."""
    steps = np.linspace(0, 1, _SIDE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    rows = to_sdr(np.stack([red, green, blue], -1), transfer, peak).reshape(-1, 3)
    lines = ("%.6f %.6f %.6f\n" * len(rows)) % tuple(rows.ravel().tolist())
    return f"LUT_3D_SIZE {_SIDE}\n{lines}"
