"""ICC profiles of known primaries and curves."""

import struct

from PIL import ImageCms


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


def _gray():
    curve = struct.pack(">4s2IH", b"curv", 0, 1, 0x0100) + b"\0\0"
    white = struct.pack(">4sI3i", b"XYZ ", 0, 63190, 65536, 54061)
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", 156, 20, b"kTRC", 176, len(curve))
    data = bytearray(P3[:128] + tags + white + curve)
    data[16:20] = b"GRAY"
    struct.pack_into(">I", data, 0, len(data))
    return bytes(data)


# Linear light.
GRAY = _gray()


def parametric(kind, *numbers):
    return struct.pack(">4sIHH", b"para", 0, kind, 0) + b"".join(
        struct.pack(">i", round(number * 65536)) for number in numbers
    )


def with_curve(curve):
    """The profile of P3 with another curve."""
    data = bytearray(P3)
    for entry in range(132, 132 + 12 * int.from_bytes(data[128:132], "big"), 12):
        if data[entry + 1 : entry + 4] == b"TRC":
            struct.pack_into(">II", data, entry + 4, len(P3), len(curve))
    data += curve + bytes(-len(curve) % 4)
    struct.pack_into(">I", data, 0, len(data))
    return bytes(data)
