"""What TensorFlow's oneDNN kernels can do on this processor. Needs only the standard library."""

import os
import re
from pathlib import Path

_ON = re.compile(r"avx512_vnni|avx512_bf16|avx_vnni|amx_\w+", re.ASCII)
_BFLOAT16 = re.compile(r"avx512_bf16|amx_bf16", re.ASCII)


def is_on(cpuinfo="/proc/cpuinfo"):
    """Whether oneDNN runs convolutions: TF_ENABLE_ONEDNN_OPTS, else TensorFlow's own default."""
    wanted = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "").lower()
    if wanted in ("0", "1", "false", "true"):
        return wanted in ("1", "true")
    return any(map(_ON.fullmatch, _features(cpuinfo)))


def has_bfloat16(cpuinfo="/proc/cpuinfo"):
    """Whether the processor has bfloat16 instructions; False where that is unknown."""
    return any(map(_BFLOAT16.fullmatch, _features(cpuinfo)))


def _features(cpuinfo):
    """The processor's flags as Linux lists them; elsewhere none."""
    try:
        lines = Path(cpuinfo).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    return next((line.split() for line in lines if line.startswith("flags")), [])
