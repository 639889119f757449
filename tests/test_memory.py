import os
import resource
import sys
from pathlib import Path

import pytest

from animegan_tf import images, memory
from animegan_tf.errors import InputError
from animegan_tf.video import webp

UNLIMITED = 9223372036854771712


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(text))


@pytest.fixture
def machine(tmp_path):
    """8 GiB that the kernel calls available."""
    write(tmp_path, {"proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n"})
    return tmp_path


@pytest.fixture(autouse=True)
def no_share(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def test_what_the_kernel_calls_available(machine):
    assert memory.available(machine) == 8 * 2**30


def test_the_limits_of_the_process(machine, monkeypatch):
    """Those of `ulimit -v` and `-d`."""
    write(machine, {"proc/self/status": "VmSize: 1048576 kB\nVmData: 524288 kB\n"})
    limits = {resource.RLIMIT_AS: 3 * 2**30, resource.RLIMIT_DATA: -1}
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (limits[limit], -1))
    assert memory.available(machine) == 2 * 2**30
    limits[resource.RLIMIT_DATA] = 2**30
    assert memory.available(machine) == 2**29
    limits[resource.RLIMIT_AS] = 2**29
    assert memory.available(machine) == 0


def test_a_file_larger_than_the_memory_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "sparse.jpg"
    with path.open("wb") as file:
        file.truncate(10**11)
    monkeypatch.setattr(memory, "available", lambda: 10**9)
    for read in (memory.read_bytes, images.read_photo, webp.Animation):
        with pytest.raises(InputError, match=r"100,000,000,000 bytes, more than the 1,"):
            read(path)
    assert images.digest_of(path) is images.source_of(path) is None


def test_pixels_that_fit(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 24 * 1000)
    assert memory.most_pixels() == 1000
    monkeypatch.setattr(memory, "available", lambda: None)
    assert memory.most_pixels() == 2**31 - 1


def test_the_limit_of_a_container(machine):
    """It sees its own group at the top."""
    write(
        machine,
        {
            "proc/self/cgroup": "0::/outside/name\n",
            "sys/fs/cgroup/memory.max": 2**30,
            "sys/fs/cgroup/memory.current": 700 * 2**20,
            "sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {100 * 2**20}\n",
        },
    )
    assert memory.available(machine) == (1024 - 700 + 100) * 2**20


def test_the_least_of_groups_in_groups(machine):
    write(
        machine,
        {
            "proc/self/cgroup": "4:cpu:/a/b\n3:cpuset,memory:/a/b\n0::/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": UNLIMITED,
            "sys/fs/cgroup/memory/memory.usage_in_bytes": 2**30,
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": 3 * 2**30,
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": 2**30,
            "sys/fs/cgroup/memory/a/memory.stat": "inactive_file 5\ntotal_inactive_file 4096\n",
            "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": UNLIMITED,
            "sys/fs/cgroup/memory/a/b/memory.usage_in_bytes": 2**29,
        },
    )
    assert memory.available(machine) == 2 * 2**30 + 4096


def test_groups_without_a_limit_change_nothing(machine):
    write(
        machine,
        {
            "proc/self/cgroup": "0::/user\n",
            "sys/fs/cgroup/user/memory.max": "max\n",
            "sys/fs/cgroup/user/memory.current": 2**30,
        },
    )
    assert memory.available(machine) == 8 * 2**30


def test_a_limit_that_is_used_up(machine):
    write(
        machine,
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": 2**20,
            "sys/fs/cgroup/memory.current": 2**21,
        },
    )
    assert memory.available(machine) == 0


def test_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 2**20, "SC_PAGE_SIZE": 4096}.get)
    assert memory.available(tmp_path) == 2 * 2**30  # half of it
    monkeypatch.delattr(os, "sysconf")
    assert memory.available(tmp_path) is None


@pytest.fixture
def four_cores(monkeypatch):
    """Of a machine with 64."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)


def test_the_cores_that_a_process_may_run_on(four_cores, tmp_path, monkeypatch):
    assert memory.cores(tmp_path) == 4
    monkeypatch.delattr(os, "sched_getaffinity")  # macOS and Windows
    assert memory.cores(tmp_path) == 64
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert memory.cores(tmp_path) == 1


@pytest.mark.parametrize(
    ("limit", "count"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("6400000 100000", 4),
        ("max 100000", 4),
    ],
)
def test_the_quota_of_a_container(four_cores, tmp_path, limit, count):
    write(tmp_path, {"proc/self/cgroup": "0::/outside\n", "sys/fs/cgroup/cpu.max": f"{limit}\n"})
    assert memory.cores(tmp_path) == count


def test_the_least_quota_of_groups_in_groups(four_cores, tmp_path):
    write(
        tmp_path,
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/a/b\n3:memory:/a/b\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
        },
    )
    assert memory.cores(tmp_path) == 3


def test_nothing_else_counts_cores():
    """LiteRT for photos, films and exports, and what decodes pictures in threads, ask here."""
    package = Path(memory.__file__).parent
    counting = [
        path.name for path in package.rglob("*.py") if "cpu_count" in path.read_text("utf-8")
    ]
    assert counting == ["memory.py"]


def test_peak(tmp_path, monkeypatch):
    write(tmp_path, {"proc/self/status": "VmPeak: 9 kB\nVmHWM:\t    2048 kB\n"})
    assert memory.peak(tmp_path) == 2 * 2**20
    assert 10 * 2**20 < memory.peak(tmp_path / "no_proc") < 2**40
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    assert memory.peak(tmp_path / "no_proc") is None


@pytest.mark.parametrize(("told", "expected"), (("1", 1), ("64", 4), ("", 4), ("2,1", 4)))
def test_the_share_that_ray_and_slurm_set(monkeypatch, tmp_path, told, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert memory.cores(tmp_path) == expected
