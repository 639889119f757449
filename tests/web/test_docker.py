"""The slim image has the packages of setup.py, without those that an export does not need."""

import runpy

import setuptools
from places import ROOT


def test_the_slim_image_has_the_versions_of_setup_py(monkeypatch):
    options = {}
    monkeypatch.setattr(setuptools, "setup", lambda **given: options.update(given))
    runpy.run_path(str(ROOT / "setup.py"))
    wanted = [*options["install_requires"], *options["extras_require"]["web"]]
    left_out = ("tensorflow", "keras", "tensorboard", "gradio")
    wanted = [one for one in wanted if not one.startswith(left_out)]
    wanted = [one.replace("opencv-python", "opencv-python-headless") for one in wanted]
    requirements = (ROOT / "docker" / "slim" / "requirements.txt").read_text("utf-8")
    assert sorted(requirements.split("\n")[:-1]) == sorted(wanted)
