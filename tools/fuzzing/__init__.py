"""Kinds of files for `tools/fuzz.py`."""
