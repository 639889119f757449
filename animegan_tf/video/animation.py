"""GIF and animated WebP, made from a finished film with lossless pictures."""

from fractions import Fraction

from av.filter import Graph

from animegan_tf.video import webp
from animegan_tf.video.opening import open_input, open_output

# Ordered dither: still parts stay still, other kinds crawl.
_GIF_DITHER = "dither=bayer:bayer_scale=3"
_WEBP_QUALITY = "90"
# Viewers slow frames down that are shown for less.
_SHORTEST_GIF = Fraction(1, 50)
# What stands before the number of loops; in WebP a background colour is between them.
_GIF_LOOP, _WEBP_LOOP = b"NETSCAPE2.0\x03\x01", b"ANIM\x06\0\0\0"


def write_animation(film, path, kind, plays=0):
    """Write the pictures of `film` as "gif" or "webp" to `path`; times are rounded to its ticks.

    plays: how often it is shown, 0 for ever.
    """
    if kind == "gif":
        _write_gif(film, path, plays)
    else:
        _write_webp(film, path, plays)


def plays(path):
    """How often the video at `path` is shown, 0 for ever: GIF, WebP and PNG may say another."""
    with open(path, "rb") as file:
        start = file.read(2**16)
    if start[:3] == b"GIF":
        # Netscape's extension has how often it is shown again.
        place = start.find(_GIF_LOOP)
        again = _number(start, place + len(_GIF_LOOP)) if place >= 0 else 0
        return again + 1 if place < 0 or again else 0
    if start[:4] == b"\x89PNG":  # after the number of frames
        place = start.find(b"acTL") + 8
        return int.from_bytes(start[place : place + 4], "big")
    place = start.find(_WEBP_LOOP) if start[8:12] == b"WEBP" else -1
    return _number(start, place + len(_WEBP_LOOP) + 4) if place >= 0 else 0


def _number(data, place):
    return int.from_bytes(data[place : place + 2], "little")


def notes(kind, rate):
    """What the user should know about a film of that rate, a sentence each."""
    if kind == "gif" and rate and 1 / rate < _SHORTEST_GIF:
        return ("GIF: over 50 frames a second, which most viewers show slower",)
    return ()


def _pictures(film):
    """Yield (FFmpeg's frame, time, duration) of a film."""
    with open_input(film) as container:
        stream = container.streams.video[0]
        waiting, usual = None, Fraction(1, 25)
        for frame in container.decode(stream):
            time = frame.pts * stream.time_base
            if waiting is not None:
                usual = time - waiting[1]
                yield (*waiting, usual)
            waiting = frame, time
        if waiting is not None:
            declared = (waiting[0].duration or 0) * stream.time_base
            yield (*waiting, declared or usual)


def _write_gif(film, path, plays):
    palette = _palette(film)
    graph = None
    # FFmpeg's -1 is none.
    options = {"loop": str(plays - 1 or -1 if plays else 0)}
    with open_output(path, "gif", options=options) as output:
        tick = Fraction(1, 100)
        for frame, time, duration in _pictures(film):
            if graph is None:
                graph, source = _palette_user(frame, palette)
                stream = _stream(output, "gif", frame, "pal8", tick)
            source.push(frame)
            shown = graph.pull()
            _encode(output, stream, shown, time, duration, tick)
        output.mux(stream.encode(None))


def _palette(film):
    """The 256 colours that suit the whole film, as FFmpeg's frame."""
    graph = None
    for frame, _, _ in _pictures(film):
        if graph is None:
            graph = Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format,
                time_base=frame.time_base,
            )  # fmt: skip
            graph.link_nodes(
                source,
                graph.add("palettegen", "reserve_transparent=0"),
                graph.add("buffersink"),
            ).configure()
        source.push(frame)
    source.push(None)
    return graph.pull()


def _palette_user(frame, palette):
    graph = Graph()
    pictures, colours = (
        graph.add_buffer(
            width=one.width, height=one.height, format=one.format,
            time_base=one.time_base or Fraction(1, 1000),
        )
        for one in (frame, palette)
    )  # fmt: skip
    use, sink = graph.add("paletteuse", _GIF_DITHER), graph.add("buffersink")
    pictures.link_to(use, 0, 0)
    colours.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    colours.push(palette)
    colours.push(None)
    return graph, pictures


def _write_webp(film, path, plays):
    stream, tick = None, Fraction(1, 1000)
    with open_output(path, "webp", options={"loop": str(plays)}) as output:
        for frame, time, duration in _pictures(film):
            if stream is None:
                stream = _stream(output, "libwebp_anim", frame, "bgra", tick)
                stream.options.update({"quality": _WEBP_QUALITY})
            _encode(output, stream, frame.reformat(format="bgra"), time, duration, tick)
        output.mux(stream.encode(None))
    # The encoder guesses how long the last frame is shown.
    webp.set_length(path, round((time + duration) / tick))


def _stream(output, codec, frame, pixels, tick):
    stream = output.add_stream(codec, rate=25)
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, pixels
    stream.codec_context.time_base = tick
    return stream


def _encode(output, stream, frame, time, duration, tick):
    frame.pts, frame.time_base = round(time / tick), tick
    frame.duration = round((time + duration) / tick) - frame.pts
    for packet in stream.encode(frame):
        packet.duration = frame.duration  # which not all versions of the encoder hand on
        output.mux(packet)
