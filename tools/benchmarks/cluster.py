"""The suite `cluster`: photos of a second each by the plain command and by 1 to 3 Ray nodes.

A photo takes its second asleep, so that nodes do not compete for the cores of this machine: what is
measured is what the cluster adds. The nodes and their workers run before the clock does.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from animegan_tf.cluster.worker import Worker
from benchmarks.contest import Case, Task
from benchmarks.worker import Timed

_PLAIN = "animegan-stylize"
_NODES = (1, 2, 3)
_PHOTOS, _SECONDS = 12, 1.0


class Asleep:
    """Stands for a `Stylizer` that takes a second for a photo, and for its `Model`."""

    checkpoint, data, options, max_side = "asleep", None, {}, None

    def load(self):
        """This model itself."""
        return self

    def __call__(self, photo):
        time.sleep(_SECONDS)
        return photo


def cases(settings, folder):
    """The `Case` of this suite."""
    del settings
    photos = str(Path(folder, "photos-of-the-cluster"))
    tasks = {_PLAIN: Task("benchmarks.cluster:plain", {"photos": photos})}
    for count in _NODES:
        options = {"photos": photos, "count": count}
        tasks[f"nodes: {count}"] = Task("benchmarks.cluster:nodes", options, ("ray", "pyarrow"))
    label = "photos of a second, a worker a node"
    return [Case("cluster", label, _PLAIN, tasks, items=_PHOTOS, unit="photo", memory=False)]


def _write(photos):
    from animegan_tf import images

    for number in range(_PHOTOS):
        images.write_photo(Path(photos, f"{number}.png"), np.full((64, 64, 3), number, np.uint8))


def plain(photos):
    """The photos by `stylize_paths` in this process."""
    from animegan_tf.stylize.batch import stylize_paths

    _write(photos)

    def run():
        with tempfile.TemporaryDirectory() as output:
            report = stylize_paths(lambda: Asleep(), photos, output)
            assert len(report.written) == _PHOTOS, report

    return Timed(run)


def nodes(photos, count):
    """The photos by a pool of `count` nodes with one CPU each."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray
    from ray import cloudpickle
    from ray.cluster_utils import Cluster

    import benchmarks.cluster
    from animegan_tf.cluster import log as logs
    from animegan_tf.cluster import sources
    from animegan_tf.cluster.photos import Batch
    from animegan_tf.cluster.pool import Pool
    from animegan_tf.stylize.options import PhotoOptions

    # The nodes do not find this folder.
    cloudpickle.register_pickle_by_value(benchmarks.cluster)
    _write(photos)
    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    head = {**node, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(count - 1):
        cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False)
    options = PhotoOptions()
    pool = Pool(Worker, (benchmarks.cluster.Asleep(), 1, options, False), count)
    pool.wait()

    def run():
        with tempfile.TemporaryDirectory() as output, logs.Log(f"{output}/_log") as log:
            batch = Batch(output, log, options)
            batch.run(sources.stream([photos], "path"), pool, logs.Names(), lambda: False)
            assert batch.summary.written == _PHOTOS, batch.summary

    return Timed(run)
