"""How fast the project is, against itself and others, fairly: `tools/benchmark.py`.

A `contest.Case` is a piece of work with several contenders. Each contender lives in a process of
its own (`worker`), and the calls alternate between them, so that whatever else the machine does
hits all alike. `suites` says what is measured, `contest` measures, `report` shows.
"""
