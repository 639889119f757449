"""How much memory, and how many cores, there are for a process. The standard library alone."""

import math
import os
import sys
from pathlib import Path

GIGABYTE = 10**9

# Of all the memory, where nothing says how much of it is in use.
_SHARE = 0.5
# Bytes that a pixel takes while an image or a frame is decoded: copies of its own format, RGB and
# alpha, and frames on their way through threads.
_BYTES_PER_PIXEL = 24
_MOST_PIXELS = 2**31 - 1
# Smaller files are read without a look at the free memory.
_LARGE_FILE = 2**26


def available(root="/"):
    """The bytes that this process can take without swapping, or None where that is not known.

    On Linux what the kernel calls available, or less where a control group (a container, a batch
    job) or the process's own limits (`ulimit -v` and `-d`) say so. Elsewhere half of what the
    machine has. `root` is where /proc and /sys are.
    """
    root = Path(root)
    found = [
        free
        for free in (
            _field(root / "proc/meminfo", "MemAvailable:"),
            *_control_groups(root),
            *_own_limits(root),
        )
        if free is not None
    ]
    return max(0, min(found)) if found else _share_of_all()


def read_bytes(path):
    """The bytes of a file. Raises `InputError` for one that does not fit into the free memory."""
    path = Path(path)
    size = path.stat().st_size
    if size > _LARGE_FILE:
        free = available()
        if free is not None and size > free:
            # Not above: exports are run where this module is alone.
            from animegan_tf.errors import InputError

            raise InputError(f"{path}: {size:,} bytes, more than the {free:,} that are free")
    return path.read_bytes()


def most_pixels():
    """How many pixels an image or a frame can have to be decoded in the memory that is free."""
    free = available()
    return _MOST_PIXELS if free is None else min(_MOST_PIXELS, max(1, free // _BYTES_PER_PIXEL))


def cores(root="/"):
    """How many threads of this process can run at once, at least 1.

    Those of the cores that it may run on; less where the quota of a control group (a container, a
    batch job) is less, in which 1.5 cores count as 2. `root` is where /proc and /sys are.
    """
    root = Path(root)
    # Not os.cpu_count(), which counts those of the machine.
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([own, *(math.ceil(share) for share in _processor_shares(root))]))


def peak(root="/"):
    """The most bytes of memory that this process took, or None where the system does not tell."""
    # On Linux ru_maxrss counts the memory of whoever started the process.
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
    """The bytes in the line of `path` that begins with `name`, or None."""
    found = (line.split()[1] for line in _read(path).splitlines() if line.startswith(name))
    return next((int(kilobytes) * 1024 for kilobytes in found), None)


def _control_groups(root):
    """What is left of each limit that this process is under."""
    for folder, unified in _group_folders(root, "memory"):
        if unified:
            yield _left(folder, "memory.max", "memory.current", "inactive_file")
        else:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield _left(folder, *names)


def _own_limits(root):
    """What is left of the limits of this process."""
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
    """How many cores' time each limit that this process is under allows."""
    for folder, unified in _group_folders(root, "cpu"):
        names = ("cpu.max",) if unified else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        numbers = " ".join(_read(folder / name) for name in names).split()
        if len(numbers) == 2 and all(number.isdecimal() for number in numbers):
            yield int(numbers[0]) / int(numbers[1])


def _group_folders(root, controller):
    """(folder, whether its files are those of version 2) of the groups of this process."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top = root / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            top = root / "sys/fs/cgroup" / controller
        else:
            continue
        # A container sees its own group at the top, under whatever name it has outside.
        folder = top / path.lstrip("/")
        while folder != root:
            yield folder, not controllers
            folder = folder.parent


def _left(folder, limit, usage, idle):
    limit, usage = _read(folder / limit).strip(), _read(folder / usage).strip()
    if not (limit.isdecimal() and usage.isdecimal()):
        return None
    # Cached files count as used, and give way.
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
