"""The runtime of exported pages: the folder in ANIMEGAN_TF_ORT_WEB, or from npm."""

import os
import shutil
import subprocess
import tarfile

import pytest

from animegan_tf.export import web


def runtime(folder):
    """The package's folder, unpacked into `folder` if need be; skips the test without network."""
    if given := os.environ.get("ANIMEGAN_TF_ORT_WEB"):
        return given
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("neither ANIMEGAN_TF_ORT_WEB nor npm has onnxruntime-web")
    options = ("--silent", "--fetch-retries=0", "--fetch-timeout=60000")
    command = [npm, "pack", f"onnxruntime-web@{web.RUNTIME_VERSION}", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"npm has no onnxruntime-web here: {done.stderr.strip()[-200:]}")
    with tarfile.open(folder / done.stdout.split()[-1]) as archive:
        for file, _, _ in web.RUNTIME.values():
            archive.extract(f"package/dist/{file}", folder, filter="data")
    return folder / "package"
