"""Prints what the tests ran on: processor, instruction sets, versions. After the tests' install."""

import os
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "opencv-python",
    "av",
    "ai-edge-litert",
)
SETS = ("sse4_2", "avx", "fma", "avx2", "avx512", "amx", "asimd", "sve", "bf16")


def _processor():
    """{name: value} of the first processor in /proc/cpuinfo; empty where there is none."""
    path = Path("/proc/cpuinfo")
    first = path.read_text("utf-8").partition("\n\n")[0] if path.exists() else ""
    return {
        name.strip(): value.strip()
        for name, _, value in (line.partition(":") for line in first.splitlines())
    }


def main():
    """Print three lines."""
    found = _processor()
    name = found.get("model name") or platform.processor() or platform.machine()
    flags = found.get("flags") or found.get("Features") or ""
    known = [flag for flag in flags.split() if any(part in flag for part in SETS)]
    print(f"processor: {name}, {os.cpu_count()} core(s), {platform.platform()}")
    print(f"instruction sets: {' '.join(known) or 'unknown'}")
    versions = [f"{package} {metadata.version(package)}" for package in PACKAGES]
    print("versions: " + ", ".join([f"python {platform.python_version()}", *versions]))


if __name__ == "__main__":
    main()
