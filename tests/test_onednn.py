"""What /proc/cpuinfo says of oneDNN and bfloat16."""

import pytest

from animegan_tf import onednn


@pytest.mark.parametrize(
    ("flags", "setting", "on", "bfloat16"),
    (
        ("fma avx2", None, False, False),
        ("fma avx2", "1", True, False),
        ("avx512f avx512_vnni", None, True, False),
        ("avx512f avx512_vnni avx512_bf16", None, True, True),
        ("avx512f avx512_vnni amx_tile amx_bf16", None, True, True),
        ("avx512f avx512_vnni avx512_bf16", "0", False, True),
    ),
)
def test_processors(tmp_path, monkeypatch, flags, setting, on, bfloat16):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if setting is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", setting)
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"model name\t: a processor\nflags\t\t: fpu {flags}\n", "utf-8")
    assert (onednn.is_on(cpuinfo), onednn.has_bfloat16(cpuinfo)) == (on, bfloat16)


def test_a_system_without_cpuinfo(tmp_path, monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    assert not onednn.is_on(tmp_path / "none")
    assert not onednn.has_bfloat16(tmp_path / "none")
