"""Training frames from films: what `tools/extract_frames.py` does.

`extraction` leads: `films` (which parts of which files) → `scan` (look at each shot's frames) →
`quality` and `selection` (which are sharp, unlike and clean) → `writer`, with the `record` of what
came from where.
"""
