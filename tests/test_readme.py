"""What the README and setup.py say is there is there, and CI runs what they say."""

import re
import runpy
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_ci_runs_the_command_of_the_readme():
    command = re.search(r"## Test\n\n```\n(.*)\n```", README)[1]
    assert command in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()


def test_files_that_are_named_exist():
    named = re.findall(r"(?:flags|tools|docs|tests)/[\w./-]+\w", README)
    named += [f"animegan_tf/{path}" for path in re.findall(r"`(?:animegan_tf/)?(\w+\.py)`", README)]
    assert len(named) > 20
    missing = [path for path in named if not (ROOT / path).exists() and "NAME" not in path]
    assert missing == []


def test_flags_that_are_named_exist():
    sources = [*(ROOT / "animegan_tf").rglob("*.py"), *(ROOT / "tools").glob("*.py")]
    text = "".join(path.read_text("utf-8") for path in sources)
    # Those of pip, pytest, ruff and docker.
    others = {"quiet", "check", "flagfile", "help", "checkpoint", "output", "rm", "mount"}
    fields = set(re.findall(r"^    (\w+): ", text, re.MULTILINE))
    defined = set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', text)) | fields | others
    assert {name for name in re.findall(r"--([a-z_]+)", README) if name not in defined} == set()


@pytest.fixture
def package(monkeypatch):
    """What setup.py gives to setuptools."""
    given = {}
    monkeypatch.setattr(setuptools, "setup", lambda **options: given.update(options))
    runpy.run_path(str(ROOT / "setup.py"))
    return given


def test_versions_of_pyav(package):
    """Version 19 changes how films are opened and what their rational numbers are."""
    wanted = {one.name: one.specifier for one in map(Requirement, package["install_requires"])}
    tried = [version for version in ("16.1", "17.0", "18.1", "19.0") if version in wanted["av"]]
    assert tried == ["17.0", "18.1"]


def test_versions_of_python(package):
    """What pip looks at and what the package index shows."""
    allowed = SpecifierSet(package["python_requires"])
    pip = [minor for minor in range(20) if f"3.{minor}.1" in allowed]
    found = (
        re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", name)
        for name in package["classifiers"]
    )
    assert [int(match[1]) for match in found if match] == pip == [10, 11, 12, 13]
    assert "4.0" not in allowed
    ruff = re.search(r'target-version = "py3(\d+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert int(ruff[1]) == pip[0]
