"""Tiny films with sound, subtitles, chapters and metadata, and what is in a film."""

import dataclasses
from fractions import Fraction

import av
import numpy as np
from films import scene

import animegan_tf

CHAPTERS = [("One", 0, 400), ("Two", 400, 1000)]


def ramp(height=64, width=128):
    """A gray ramp, uint8 RGB: 0 to 255 in steps of 2."""
    row = np.rint(np.linspace(0, 255, width)).astype(np.uint8)
    return np.repeat(np.tile(row, (height, 1))[:, :, None], 3, 2)


def shifting(count, height=72, width=128):
    """Pictures that move, each different."""
    wide = scene(5, height, width + 2 * count)
    return [np.ascontiguousarray(wide[:, 2 * n : 2 * n + width]) for n in range(count)]


def tone(stream, seconds, frequency):
    """Packets of a sine on PyAV's audio stream."""
    rate, channels = stream.sample_rate, stream.layout.nb_channels
    packets = []
    for start in range(0, round(seconds * rate), 1024):
        wave = np.sin(2 * np.pi * frequency * (start + np.arange(1024)) / rate) * 8000
        samples = np.repeat(wave.astype(np.int16)[None], channels, 0).T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, "s16", stream.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def write_sound_film(
    path, pictures, rate=25, sounds=("aac", "aac"), subtitle=None, chapters=True, delay=0
):
    """H.264 with tracks of sound (FFmpeg's encoders), and text subtitles if a codec is named.

    `delay`: frames for which the sound is there before the picture.
    """
    height, width = pictures[0].shape[:2]
    length = len(pictures) / rate
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"crf": "12"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        tracks = []
        for number, codec in enumerate(sounds):
            strict = {"strict": "experimental"} if codec == "vorbis" else {}
            track = container.add_stream(
                codec, rate=48000, layout=("stereo", "mono")[number % 2], options=strict
            )
            track.metadata["language"] = ("eng", "fra", "deu")[number]
            tracks.append(track)
        text = container.add_mux_stream(subtitle) if subtitle else None
        if text is not None:
            text.metadata["language"], text.time_base = "ita", Fraction(1, 1000)
        container.metadata.update(title="A film", artist="Somebody")
        if chapters:
            container.set_chapters(
                [
                    {
                        "id": index + 1, "start": start, "end": end,
                        "time_base": Fraction(1, 1000), "metadata": {"title": title},
                    }
                    for index, (title, start, end) in enumerate(CHAPTERS)
                ]
            )  # fmt: skip
        packets = []
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = index + delay, 1 / Fraction(rate)
            packets += video.encode(frame)
        packets += video.encode(None)
        for number, track in enumerate(tracks):
            packets += tone(track, length, 300 + 200 * number)
        if text is not None:
            for number in range(2):
                packets.append(_subtitle(text, f"Line <i>{number}</i> é", 100 + 400 * number))
        container.start_encoding()
        for packet in sorted(packets, key=lambda one: one.dts * one.time_base):
            container.mux(packet)
    return path


def _subtitle(stream, text, at):
    packet = av.Packet(text.encode())
    packet.pts = packet.dts = at
    packet.duration, packet.time_base, packet.stream = 300, Fraction(1, 1000), stream
    return packet


@dataclasses.dataclass
class Contents:
    """What `look` finds in a film."""

    times: list
    pictures: list
    rate: Fraction
    duration: Fraction
    size: tuple
    aspect: Fraction
    matrix: int
    range: int
    codec: str
    sounds: list
    subtitles: list
    metadata: dict
    chapters: list


def look(path, pictures=True):
    """Everything in a film, as PyAV reads it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        context, last = stream.codec_context, frames[-1]
        found = Contents(
            times=[frame.pts * stream.time_base for frame in frames],
            pictures=[_rgb(frame) for frame in frames] if pictures else [],
            rate=stream.average_rate,
            duration=_duration(container, stream),
            size=(context.height, context.width),
            aspect=Fraction(stream.sample_aspect_ratio or 1),
            matrix=last.colorspace,
            range=last.color_range,
            codec=context.name,
            sounds=[],
            subtitles=[],
            metadata=dict(container.metadata),
            chapters=[
                (one["metadata"].get("title"), one["start"] * one["time_base"],
                 one["end"] * one["time_base"])
                for one in container.chapters()
            ],
        )  # fmt: skip
    for kind, place in (("audio", found.sounds), ("subtitle", found.subtitles)):
        with av.open(str(path)) as container:
            streams = [one for one in container.streams if one.type == kind]
            place += [
                _Track(one.codec_context.codec.canonical_name, one.language) for one in streams
            ]
            by_index = {one.index: track for one, track in zip(streams, place, strict=True)}
            for packet in container.demux(streams) if streams else ():
                if packet.size:
                    by_index[packet.stream.index].add(packet)
    return found


def _duration(container, stream):
    if stream.duration is not None:
        return stream.duration * stream.time_base
    return Fraction(container.duration or 0, av.time_base)


class _Track:
    def __init__(self, codec, language):
        self.codec, self.language, self.packets, self.times = codec, language, [], []

    def add(self, packet):
        self.packets.append(bytes(packet))
        self.times.append(packet.pts * packet.time_base)


def _rgb(frame):
    return frame.reformat(
        format="rgb24", interpolation=0x4 | 0x40000 | 0x2000 | 0x4000
    ).to_ndarray()


def mean_errors(one, other):
    """Mean absolute difference of each pair of pictures."""
    return [np.abs(a.astype(int) - b).mean() for a, b in zip(one, other, strict=True)]


def same(rgb):
    return rgb


def negative(rgb):
    return 255 - rgb


def done(film, output, stylizer=same, **options):
    """Stylise and look at source and result."""
    report = animegan_tf.stylize_video(film, output, stylizer, **options)
    assert report.path == output
    source, result = look(film), look(output)
    assert report.frames == len(result.times)
    return source, result, report
