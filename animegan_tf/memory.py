"""How much memory there is for a process. No TensorFlow."""

import os
from pathlib import Path

GIGABYTE = 10**9

# Of all the memory, where nothing says how much of it is in use.
_SHARE = 0.5


def available(root="/"):
    """The bytes that this process can take without swapping, or None where that is not known.

    On Linux what the kernel calls available, or less where a control group (a container, a batch
    job) limits it. Elsewhere half of what the machine has. `root` is where /proc and /sys are.
    """
    root = Path(root)
    found = [free for free in (_meminfo(root), *_control_groups(root)) if free is not None]
    return max(0, min(found)) if found else _share_of_all()


def _meminfo(root):
    lines = _read(root / "proc/meminfo").splitlines()
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _control_groups(root):
    """What is left of each limit that this process is under."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # A container sees its own group at the top, under whatever name it has outside.
        folder = top / path.lstrip("/")
        while folder != root:
            yield _left(folder, *names)
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
