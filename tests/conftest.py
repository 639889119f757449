"""Golden values, seeded weights, and small networks that several test modules share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import seeded
from places import GOLDEN
from toys import exports_checked_here, toy_generator, toy_networks

# The processes that run the tests, and those that they start, share the cores.
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if _PROCESSES > 1:
    _THREADS = str(max(1, (os.cpu_count() or 1) // _PROCESSES))
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", _THREADS)


def pytest_collection_modifyitems(items):
    """Files with slow tests come first: at the end no process waits for another's."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory):
    """An empty cache, for the processes that tests start too: not the person's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(folder))
        yield folder


@pytest.fixture(scope="session")
def golden():
    """The golden file of an arch ("v2", "lite", "v1") or of the data tools ("data"), by name."""
    return {name: np.load(GOLDEN / f"{name}_a.npz") for name in ("v2", "lite", "v1", "data")}


@pytest.fixture(scope="session")
def vgg19_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg19.npy"
    np.save(path, seeded.vgg19_npy(), allow_pickle=True)
    return path


@pytest.fixture(scope="session")
def vgg19(vgg19_file):
    import animegan_tf

    return animegan_tf.build_feature_extractor(vgg19_file)


@pytest.fixture(scope="session")
def four_shots(tmp_path_factory):
    """A film of four shots (see `films`)."""
    import films

    return films.write_four_shots(tmp_path_factory.mktemp("film") / "four.mkv")


@pytest.fixture
def toys():
    """See `toy_networks`."""
    with toy_networks():
        yield


@pytest.fixture
def checked_here():
    """See `exports_checked_here`."""
    with exports_checked_here():
        yield


@pytest.fixture(scope="session")
def toy():
    """`toy_generator("lite")`."""
    return toy_generator("lite")


@pytest.fixture(scope="session")
def toy_saved_model(toy, tmp_path_factory):
    """The folder of the versions of `toy`, for up to 0.2 megapixels, and the report of version 1.

    It was checked in a process of its own.
    """
    from animegan_tf.export import saved_model

    folder = tmp_path_factory.mktemp("exports") / "animegan"
    return folder, saved_model.export_saved_model(toy, folder, max_megapixels=0.2)


# --- servers of a small SavedModel; TensorFlow is loaded only for tests that want one -------------


@pytest.fixture(scope="session")
def serving_model(tmp_path_factory):
    """A SavedModel folder with two versions (see `serving_toy`)."""
    import serving_toy

    return serving_toy.save(tmp_path_factory.mktemp("exports") / "animegan")


@pytest.fixture(scope="session")
def served(serving_model):
    from serving_stub import ServedModel

    return ServedModel(serving_model)


@pytest.fixture
def quick_tries(monkeypatch):
    """Hardly a pause between tries, and nothing of the person's own in the way."""
    from animegan_tf.serving import protocol

    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(protocol, "_FIRST_PAUSE", 0.01)


@pytest.fixture
def rest_server(served):
    from serving_stub import serving_rest

    with serving_rest(served) as server:
        yield server


@pytest.fixture
def grpc_server(served):
    from serving_stub import serving_grpc

    with serving_grpc(served) as server:
        yield server


@pytest.fixture(params=["rest_server", "grpc_server"])
def any_server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def noise_photos(tmp_path):
    """A folder with three photos, 0.png to 2.png, 9x6: `pictures.noise` of seeds 0 to 2."""
    from pictures import noise

    from animegan_tf import images

    for number in range(3):
        images.write_photo(tmp_path / "photos" / f"{number}.png", noise(6, 9, seed=number))
    return tmp_path / "photos"
