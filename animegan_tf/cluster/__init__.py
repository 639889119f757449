"""Photos and videos on a cluster, with Ray: the package of `animegan batch`. Start at `__main__`.

`sources` streams the inputs, from folders, globs, manifests and object stores (`places`); `photos`
sends them to the workers of a `pool` and writes a `log`; `worker` runs on the nodes. `films` cuts
videos into segments at shot boundaries.
"""
