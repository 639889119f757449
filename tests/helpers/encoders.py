"""Images encoded by FFmpeg, for formats that Pillow does not write."""

from fractions import Fraction

import av


def of_pixels(codec, pixels, kind, **options):
    """The bytes of a file of an array in the pixel format `kind`."""
    frame = av.VideoFrame.from_ndarray(pixels, format=kind)
    frame.pts = 0
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, kind
    encoder.time_base, encoder.options = Fraction(1), options
    return b"".join(map(bytes, (*encoder.encode(frame), *encoder.encode(None))))


def jpeg2000(pixels, kind, **options):
    return of_pixels("jpeg2000", pixels, kind, pred="dwt53", **options)
