"""Training frames from videos, for `tools/extract_frames.py`.

Start reading at `extraction`: `videos` (the parts of the files) → `scan` (measure the frames of
each shot) → `quality` and `selection` (choose sharp, distinct frames without flaws) → `writer`,
which keeps a `record` of where each image came from.
"""
