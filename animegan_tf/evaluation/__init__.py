"""Evaluation of generators in numbers and charts, for `tools/evaluate.py` and `plot_run.py`.

`evaluator` measures generators on the same photos with `metrics` and `kernel_distance`; `report`
writes tables and charts; `curves` reads and draws the scalars of a training run.
"""
