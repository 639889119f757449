"""The memory and cores that a process can use. Needs only the standard library."""

import math
import os
import sys
from pathlib import Path

GIGABYTE = 10**9

# Fraction of the machine's memory that is assumed to be free if that is unknown.
_SHARE = 0.5
# Bytes per pixel for decoding an image or a frame: copies in its own format and in RGBA, and frames
# in queues.
_BYTES_PER_PIXEL = 24
_MOST_PIXELS = 2**31 - 1
# Smaller files are read without checking the free memory.
_LARGE_FILE = 2**26


def available(root="/"):
    """The bytes that this process can allocate without swapping, or None if unknown.

    On Linux the kernel's "available" memory, limited by control groups (a container, a batch job)
    and by the process's own limits (`ulimit -v` and `-d`). Elsewhere half of the machine's memory.
    `root` is the folder of /proc and /sys.
    """
    root = Path(root)
    found = [
        free
        for free in (
            _field(root / "proc/meminfo", "MemAvailable:"),
            *_control_groups(root),
            *own_limits(root),
        )
        if free is not None
    ]
    return max(0, min(found)) if found else _share_of_all()


def read_bytes(path):
    """The contents of a file. Raises `InputError` if it does not fit into the free memory."""
    path = Path(path)
    size = path.stat().st_size
    if size > _LARGE_FILE:
        free = available()
        if free is not None and size > free:
            # Not at the top: exports are tested in a process with only this module.
            from animegan_tf.errors import InputError

            raise InputError(f"{path}: {size:,} bytes, more than the {free:,} that are free")
    return path.read_bytes()


def most_pixels():
    """The number of pixels of an image or a frame that can be decoded in the free memory."""
    free = available()
    return _MOST_PIXELS if free is None else min(_MOST_PIXELS, max(1, free // _BYTES_PER_PIXEL))


def cores(root="/"):
    """The number of threads of this process that can run in parallel, at least 1.

    The cores that it may use, limited by quotas of control groups (a container, a batch job), which
    are rounded up, and by OMP_NUM_THREADS, which Ray and Slurm set to a task's share. `root` is the
    folder of /proc and /sys.
    """
    root = Path(root)
    # os.cpu_count() counts the cores of the machine.
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "")
    shares = [int(told)] if told.isdecimal() else []
    return max(1, min([own, *shares, *(math.ceil(share) for share in _processor_shares(root))]))


def peak(root="/"):
    """The peak memory of this process in bytes, or None if the system does not report it."""
    # On Linux ru_maxrss includes the memory of the parent process.
    found = _field(Path(root) / "proc/self/status", "VmHWM:")
    if found is not None:
        return found
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _field(path, name):
    """The bytes in the line of `path` that starts with `name`, or None."""
    found = (line.split()[1] for line in _read(path).splitlines() if line.startswith(name))
    return next((int(kilobytes) * 1024 for kilobytes in found), None)


def _control_groups(root):
    """Yield the free memory of each control group of this process."""
    for folder, unified in _group_folders(root, "memory"):
        if unified:
            yield _left(folder, "memory.max", "memory.current", "inactive_file")
        else:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield _left(folder, *names)


def own_limits(root="/"):
    """Yield the free memory within each limit of this process (`ulimit -v` and `-d`)."""
    root = Path(root)
    try:
        import resource
    except ImportError:  # Windows
        return
    status = root / "proc/self/status"
    for limit, name in (("RLIMIT_AS", "VmSize:"), ("RLIMIT_DATA", "VmData:")):
        used = _field(status, name) if hasattr(resource, limit) else None
        if used is not None:
            most, _ = resource.getrlimit(getattr(resource, limit))
            if most != resource.RLIM_INFINITY:
                yield most - used


def _processor_shares(root):
    """Yield the quota of each control group of this process, in cores."""
    for folder, unified in _group_folders(root, "cpu"):
        names = ("cpu.max",) if unified else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        numbers = " ".join(_read(folder / name) for name in names).split()
        if len(numbers) == 2 and all(number.isdecimal() for number in numbers):
            yield int(numbers[0]) / int(numbers[1])


def _group_folders(root, controller):
    """Yield (folder, whether it is of version 2) for the control groups of this process."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top = root / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            top = root / "sys/fs/cgroup" / controller
        else:
            continue
        # In a container its group is at the top, with the name that it has outside.
        folder = top / path.lstrip("/")
        while folder != root:
            yield folder, not controllers
            folder = folder.parent


def _left(folder, limit, usage, idle):
    limit, usage = _read(folder / limit).strip(), _read(folder / usage).strip()
    if not (limit.isdecimal() and usage.isdecimal()):
        return None
    # Cached files count as used, but can be dropped.
    caches = [
        int(line.split()[1])
        for line in _read(folder / "memory.stat").splitlines()
        if line.split()[0] == idle
    ]
    return int(limit) - int(usage) + sum(caches)


def _share_of_all():
    try:
        return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * _SHARE)
    except (AttributeError, ValueError, OSError):
        return None


def _read(path):
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""
