"""Devices of a run: one, several of one machine, or several machines.

A batch is global: `batch_size` images over all replicas of all workers. With several machines each
process reads its role from the environment variable TF_CONFIG, as `tf.distribute` defines it:
{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}.
"""

import dataclasses
import json
import os
import subprocess

from animegan_tf import memory, onednn
from animegan_tf.errors import InputError

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")


@dataclasses.dataclass(frozen=True)
class Worker:
    """This process among the `count` processes of a run; only the chief writes files."""

    index: int = 0
    count: int = 1
    is_chief: bool = True


def this_worker(strategy="auto"):
    """This process as TF_CONFIG describes it; a single worker without TF_CONFIG.

    Raises `InputError` for an invalid TF_CONFIG, and for the strategy "multi_worker" without one.
    Needs no TensorFlow.
    """
    text = os.environ.get("TF_CONFIG", "")
    if strategy not in ("auto", "multi_worker") or (not text and strategy == "auto"):
        return Worker()
    form = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    if not text:
        raise InputError(f"strategy: multi_worker needs TF_CONFIG={form}, received none")
    try:
        settings = json.loads(text)
        cluster = settings.get("cluster", {})
        kinds = ("chief", "worker")
        if not all(isinstance(cluster.get(kind, []), list) for kind in kinds):
            raise ValueError("expected lists of addresses")
        members = [(kind, i) for kind in kinds for i in range(len(cluster.get(kind, ())))]
        if not members:
            return Worker()
        task = (settings["task"]["type"], int(settings["task"]["index"]))
        index = members.index(task)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"TF_CONFIG: expected {form}, received {text!r}") from error
    return Worker(index, len(members), index == 0)


def make_strategy(name):
    """The `tf.distribute` strategy of `name`, one of `STRATEGIES`.

    "auto" is "multi_worker" if TF_CONFIG names several workers, else "mirrored" if there are
    several GPUs, else "one_device". "mirrored" uses all GPUs, or all logical CPU devices if there
    is no GPU. For "multi_worker" call this before any other use of TensorFlow.
    """
    import tensorflow as tf

    workers = this_worker(name).count
    if name == "auto":
        gpus = len(tf.config.list_logical_devices("GPU")) if workers == 1 else 0
        name = "multi_worker" if workers > 1 else "mirrored" if gpus > 1 else "one_device"
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        return tf.distribute.MirroredStrategy(
            [device.name for device in tf.config.list_logical_devices(kind)]
        )
    return tf.distribute.get_strategy()


def resolve_precision(name, jit_compile=False):
    """The compute type of `name`, one of `recipes.PRECISIONS`, on the devices of this process.

    "auto" is "bfloat16" on GPUs of compute capability 8 or more, and on processors with bfloat16
    instructions if oneDNN is on, which alone uses them; else "float32".
    """
    import tensorflow as tf

    if name != "auto":
        return "float32" if name == "none" else name
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        fast = all(detail.get("compute_capability", (0, 0)) >= (8, 0) for detail in details)
    else:
        fast = not jit_compile and onednn.is_on() and onednn.has_bfloat16()
    return "bfloat16" if fast else "float32"


def describe_devices():
    """The devices that TensorFlow computes on, by name, and how it gets a GPU that it misses."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    listed = _nvidia_gpus()
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        names = [detail.get("device_name", "GPU") for detail in details]
        # The driver knows how much memory there is; TensorFlow names what it uses.
        return "; ".join(
            next((line for line in listed if line.startswith(name)), name) for name in names
        )
    present = f" ({'; '.join(listed)} is there)" if listed else ""
    return (
        f"CPU, {memory.cores()} core(s); TensorFlow sees no GPU{present}: "
        "pip install 'animegan_tf[gpu]'"
    )


def _nvidia_gpus():
    """["NVIDIA ..., 24 GB", ...] of the driver's own list; [] without one."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.rpartition(",") for line in listed.stdout.splitlines())
    return [
        f"{name.strip()}, {int(size) / 1024:.0f} GB"
        for name, _, size in rows
        if size.strip().isdecimal()
    ]


def check_batch(batch_size, replicas):
    """Raise `InputError` unless the global batch divides evenly over the replicas."""
    if batch_size % replicas:
        raise InputError(
            f"batch_size: expected a multiple of the {replicas} replicas, received {batch_size}"
        )


def distributed_batches(strategy, config, start_step):
    """An endless iterator of the batches of the `DataConfig`, split over the replicas.

    The parts, concatenated in the order of workers and replicas, are the batch of a single replica.
    """
    from animegan_tf.data.pipeline import make_dataset

    replicas = strategy.num_replicas_in_sync
    check_batch(config.batch_size, replicas)

    def for_worker(context):
        shard = (context.input_pipeline_id, context.num_input_pipelines)
        batches = make_dataset(config, start_step=start_step, shard=shard)
        return batches.rebatch(config.batch_size // replicas, drop_remainder=True)

    return iter(strategy.distribute_datasets_from_function(for_worker))


def scale_rates(recipe, replicas):
    """`recipe` with its learning rates multiplied by the number of replicas."""
    names = ("init_learning_rate", "generator_learning_rate", "discriminator_learning_rate")
    return dataclasses.replace(recipe, **{name: getattr(recipe, name) * replicas for name in names})
