"""A cluster of Ray nodes on this machine, for these tests."""

import os

import pytest


@pytest.fixture(scope="module")
def nodes():
    """Two nodes of one CPU each, of which tests may end one; a `ray.cluster_utils.Cluster`."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import cluster_worker
    from ray import cloudpickle
    from ray.cluster_utils import Cluster

    # The nodes do not find the tests' helpers.
    cloudpickle.register_pickle_by_value(cluster_worker)
    options = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=options)
    yield cluster
    cluster.shutdown()
