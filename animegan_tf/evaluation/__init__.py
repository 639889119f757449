"""How good a generator is, in numbers and charts: what `tools/evaluate.py` and `plot_run.py` do.

`evaluator` measures generators on the same photos by `metrics` and `kernel_distance`; `report`
and `plotting` show the numbers; `curves` reads and draws a training run.
"""
