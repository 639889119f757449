"""The machine and the software that figures were measured with. Imports none of it."""

import importlib.metadata
import os
import platform
from pathlib import Path

import animegan_tf
from animegan_tf import memory

_PACKAGES = (
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "openvino",
    "onnxruntime",
    "onnx",
    "ncnn",
    "torch",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "av",
)


def describe():
    """A dict of the processor's name, cores, memory, load and system, None where unknown."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.processor() or None,
        "cores": memory.cores(),
        "memory_megabytes": _megabytes(_field("/proc/meminfo", "MemTotal")),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions():
    """{package: version} of Python, this project and what is installed of the others."""
    found = {"python": platform.python_version(), "animegan_tf": animegan_tf.__version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _field(path, name):
    """The value of the first line "name: value" of a file, or None."""
    try:
        lines = Path(path).read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def _megabytes(text):
    return None if text is None else int(text.split()[0]) / 1024
