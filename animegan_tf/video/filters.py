"""Graphs of FFmpeg filters."""

import av
from av.filter import Graph


def chain(frame, name, options):
    """A graph of one filter for FFmpeg frames like `frame`."""
    graph = Graph()
    graph.link_nodes(
        add_buffer(graph, frame), graph.add(name, options), graph.add("buffersink")
    ).configure()
    return graph


def add_buffer(graph, frame):
    """Add the input of a graph for FFmpeg frames like `frame`."""
    return graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )


def pull_all(graph):
    """Yield the frames that are ready at the graph's output."""
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield frame
