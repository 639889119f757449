"""GIF and animated WebP files, converted from a finished lossless video."""

from fractions import Fraction

from av.filter import Graph

from animegan_tf.video import webp
from animegan_tf.video.filters import add_buffer, chain
from animegan_tf.video.opening import open_input, open_output

# Ordered dither: other kinds flicker in still regions.
_GIF_DITHER = "dither=bayer:bayer_scale=3"
_WEBP_QUALITY = "90"
# Viewers show shorter frames for longer.
_SHORTEST_GIF = Fraction(1, 50)
# The bytes before the number of loops; in WebP the background colour is between both.
_GIF_LOOP, _WEBP_LOOP = b"NETSCAPE2.0\x03\x01", b"ANIM\x06\0\0\0"


def write_animation(video, path, kind, plays=0):
    """Write the frames of `video` as "gif" or "webp" to `path`; times are rounded to its ticks.

    plays: how often it is shown, 0 for endlessly.
    """
    {"gif": _write_gif, "webp": _write_webp}[kind](video, path, plays)


def plays(path):
    """How often the video at `path` is shown, 0 for endlessly; GIF, WebP and PNG store this."""
    with open(path, "rb") as file:
        start = file.read(2**16)
    if start[:3] == b"GIF":
        # Netscape's extension stores the number of repetitions.
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
    """Notes for the user about a video of that frame rate, a sentence each."""
    if kind == "gif" and rate and 1 / rate < _SHORTEST_GIF:
        return ("GIF: over 50 frames per second, which most viewers show slower",)
    return ()


def _frames(video):
    """Yield (FFmpeg frame, time, duration) of a video."""
    with open_input(video) as container:
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


def _write_gif(video, path, plays):
    palette = _palette(video)
    graph = None
    # FFmpeg counts repetitions; -1 is none.
    options = {"loop": str(plays - 1 or -1 if plays else 0)}
    with open_output(path, "gif", options=options) as output:
        tick = Fraction(1, 100)
        for frame, time, duration in _frames(video):
            if graph is None:
                graph, source = _palette_user(frame, palette)
                stream = _stream(output, "gif", frame, "pal8", tick)
            source.push(frame)
            shown = graph.pull()
            _encode(output, stream, shown, time, duration, tick)
        output.mux(stream.encode(None))


def _palette(video):
    """The best 256 colours for the whole video, as an FFmpeg frame."""
    graph = None
    for frame, _, _ in _frames(video):
        graph = graph or chain(frame, ("palettegen", "reserve_transparent=0"))
        graph.push(frame)
    graph.push(None)
    return graph.pull()


def _palette_user(frame, palette):
    graph = Graph()
    palette.time_base = palette.time_base or Fraction(1, 1000)
    source, colours = add_buffer(graph, frame), add_buffer(graph, palette)
    use, sink = graph.add("paletteuse", _GIF_DITHER), graph.add("buffersink")
    source.link_to(use, 0, 0)
    colours.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    colours.push(palette)
    colours.push(None)
    return graph, source


def _write_webp(video, path, plays):
    stream, tick = None, Fraction(1, 1000)
    with open_output(path, "webp", options={"loop": str(plays)}) as output:
        for frame, time, duration in _frames(video):
            if stream is None:
                stream = _stream(output, "libwebp_anim", frame, "bgra", tick)
                stream.options.update({"quality": _WEBP_QUALITY})
            _encode(output, stream, frame.reformat(format="bgra"), time, duration, tick)
        output.mux(stream.encode(None))
    # The encoder guesses the duration of the last frame.
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
        packet.duration = frame.duration  # not all versions of the encoder set it
        output.mux(packet)
