"""Golden values, seeded weights, and small networks that several test modules share."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import seeded

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def golden():
    """The golden file of an arch ("v2", "lite", "v1") or of the data tools ("data"), by name."""
    return {name: np.load(GOLDEN / f"{name}_a.npz") for name in ("v2", "lite", "v1", "data")}


def assign_seeded(model, u_start=None):
    """Give `model` the golden weights; `u_start` maps the names of `u` to other starting values."""
    from animegan_tf import tf1

    for name, variable in tf1.variables(model).items():
        if u_start is not None and name.endswith("/u"):
            variable.assign(u_start[name])
        else:
            variable.assign(seeded.variable(name, tuple(variable.shape)))


@pytest.fixture(scope="session")
def vgg19_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg19.npy"
    np.save(path, seeded.vgg19_npy(), allow_pickle=True)
    return path


@pytest.fixture(scope="session")
def vgg19(vgg19_file):
    import animegan_tf

    return animegan_tf.build_feature_extractor(vgg19_file)
