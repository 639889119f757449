"""Graphs of FFmpeg filters."""

import av
from av.filter import Graph


def chain(frame, *filters, rate=None):
    """A graph of filters, pairs of a name and options, for FFmpeg frames like `frame`.

    rate: the frame rate, for filters that need one.
    """
    graph = Graph()
    steps = [graph.add(name, options) for name, options in filters]
    graph.link_nodes(add_buffer(graph, frame, rate), *steps, graph.add("buffersink")).configure()
    return graph


def add_buffer(graph, frame, rate=None):
    """Add the input of a graph for FFmpeg frames like `frame`."""
    options = {
        "video_size": f"{frame.width}x{frame.height}",
        "pix_fmt": frame.format.name,
        "time_base": frame.time_base,
        **({"frame_rate": rate} if rate else {}),
    }
    return graph.add("buffer", ":".join(f"{name}={value}" for name, value in options.items()))


def pull_all(graph):
    """Yield the frames that are ready at the graph's output."""
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield frame
