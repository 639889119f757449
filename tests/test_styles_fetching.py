"""Published styles fetched from a server of the test's own: what is kept, what is refused."""

import ast
import dataclasses
import datetime
import hashlib
import io
import json
import os
import socket
import time
from pathlib import Path

import file_server
import numpy as np
import pytest
import seeded
import tensorflow as tf
from file_server import DATA, INDEX, V1_HAYAO, V2_HAYAO, left_in, obtain, serving

from animegan_tf import download, networks, published, storage, styles
from animegan_tf.download import DownloadError
from animegan_tf.errors import InputError
from animegan_tf.networks import tf1, weights


@pytest.fixture
def server(monkeypatch):
    with serving(monkeypatch) as server:
        yield server


def write_checkpoint(prefix, values):
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )
    return {suffix: Path(f"{prefix}{suffix}").read_bytes() for suffix in (INDEX, DATA)}


@pytest.fixture(scope="module")
def values(golden):
    """For each arch the published variables by name, with values of the test's own."""

    def of(arch):
        names, shapes = golden[arch]["generator/names"], golden[arch]["generator/shapes"]
        sizes = [tuple(ast.literal_eval(str(shape))) for shape in shapes]
        named = zip(map(str, names), sizes, strict=True)
        return {name: seeded.variable(name, size) for name, size in named}

    return {arch: of(arch) for arch in ("v2", "v1")}


@pytest.fixture(scope="module")
def checkpoints(values, tmp_path_factory):
    """The two files of a published checkpoint by suffix, for each arch."""
    folder = tmp_path_factory.mktemp("published")
    return {arch: write_checkpoint(folder / arch, values[arch]) for arch in values}


@pytest.fixture(scope="module")
def v2_model():
    return networks.build_generator("v2")


@pytest.fixture
def one_model(monkeypatch, v2_model):
    """For refusals: the network is built once, as that takes longer than the rest of the test."""
    models = {"v2": v2_model}
    monkeypatch.setattr(networks, "build_generator", lambda arch, norm=None: models[arch])


# --- fetching ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path", "arch"), [("hayao", V2_HAYAO, "v2"), ("v1-hayao", V1_HAYAO, "v1")]
)
def test_a_style_is_fetched_once(server, checkpoints, values, tmp_path, capsys, name, path, arch):
    server.add(path, checkpoints[arch])
    folder = tmp_path / "deep" / "styles"
    got = obtain(server, folder, name, mirror=server.url + "/", timeout=5)
    assert got == folder / name / "generator.weights.h5"
    assert server.asked == [path + INDEX, path + DATA]
    assert left_in(folder) == [name]
    assert left_in(folder / name) == ["generator.weights.h5", "source.json"]
    model = weights.load_generator(got)
    for variable_name, variable in tf1.variables(model).items():
        np.testing.assert_array_equal(variable, values[arch][variable_name])

    source = json.loads((folder / name / "source.json").read_text("utf-8"))
    assert source["address"] == server.url + path
    assert source["commit"] == path.split("/")[3]
    assert source["license"] == "academic and other non-commercial use only"
    assert abs(time.time() - datetime.datetime.fromisoformat(source["fetched"]).timestamp()) < 600
    file_name = path.rpartition("/")[2]
    assert source["sha256"] == {
        "generator.weights.h5": hashlib.sha256(got.read_bytes()).hexdigest(),
        **{file_name + end: hashlib.sha256(d).hexdigest() for end, d in checkpoints[arch].items()},
    }
    errors = capsys.readouterr().err
    size = {"v2": "8.6 MB", "v1": "15.8 MB"}[arch]
    for told in (server.url + path, size, "non-commercial use only", f"kept in {folder / name}"):
        assert told in errors

    # Again, without network, licence or a word.
    assert styles.obtain(name, styles_dir=folder, mirror="http://127.0.0.1:1") == got
    assert len(server.asked) == 2
    assert capsys.readouterr().err == ""


def test_the_sizes_of_the_table_are_those_of_the_networks(checkpoints):
    for style in styles.PUBLISHED.values():
        assert style.data_bytes == len(checkpoints[style.arch][DATA])


def with_data_bytes(monkeypatch, size):
    style = dataclasses.replace(styles.PUBLISHED["hayao"], data_bytes=size)
    monkeypatch.setitem(styles.PUBLISHED, "hayao", style)


def test_what_else_a_checkpoint_holds_is_ignored(server, values, tmp_path, monkeypatch):
    name = "generator/G_MODEL/A/Conv/weights"
    extra = {f"{name}/Adam": np.ones((7, 7, 3, 32), np.float32), "beta1_power": np.float32(0.5)}
    files = write_checkpoint(tmp_path / "full", {**values["v2"], **extra})
    server.add(V2_HAYAO, files)
    with_data_bytes(monkeypatch, len(files[DATA]))
    got = obtain(server, tmp_path / "styles", timeout=5)
    model = weights.load_generator(got)
    np.testing.assert_array_equal(tf1.variables(model)[name], values["v2"][name])


def test_a_flipped_bit_is_found(server, checkpoints, tmp_path, one_model):
    for suffix in (DATA, INDEX):
        damaged = {end: bytearray(data) for end, data in checkpoints["v2"].items()}
        damaged[suffix][len(damaged[suffix]) // 2] ^= 1
        server.add(V2_HAYAO, damaged)
        with pytest.raises(InputError) as raised:
            obtain(server, tmp_path, timeout=5)
        error = str(raised.value)
        assert (
            f"style: expected the v2 checkpoint of hayao, received something else from {server.url}"
            in error
        )
        assert ("Checksum does not match" if suffix == DATA else "not a readable") in error
        assert ".tmp" not in error  # the folder of the moment is gone
        assert left_in(tmp_path) == []


def test_names_and_shapes_are_checked(server, values, tmp_path, monkeypatch, one_model):
    name = "generator/G_MODEL/out_layer/Conv/weights"
    assert name in values["v2"]
    lacking = {key: value for key, value in values["v2"].items() if key != name}
    misshapen = {**values["v2"], name: np.zeros((1, 1, 32, 4), np.float32)}
    for number, (found, message) in enumerate(
        [(lacking, "lacks"), (misshapen, "these shapes differ"), (values["v1"], "lacks")]
    ):
        files = write_checkpoint(tmp_path / str(number), found)
        server.add(V2_HAYAO, files)
        with_data_bytes(monkeypatch, len(files[DATA]))
        with pytest.raises(InputError) as raised:
            obtain(server, tmp_path / "styles", timeout=5)
        assert message in str(raised.value)
        assert len(str(raised.value)) < 800
        if found is not values["v1"]:
            assert name in str(raised.value)
        assert left_in(tmp_path / "styles") == []


# --- a bad network -------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [INDEX, DATA])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda handler, _: file_server.whole(handler, None), "the server responded 404 Not Found"),
        (file_server.broken, "the server responded 503 Service Unavailable"),
        (file_server.web_page, "expected a checkpoint file, received a web page"),
        (file_server.cut, "cut off, expected {size} bytes, received {half} bytes"),
        (file_server.cut_in_a_chunk, "connection lost after .* bytes: IncompleteRead"),
        (file_server.endless, "expected at most .* bytes, received more"),
        (file_server.huge, "the server has 1,000,000,000,000 bytes"),
        (file_server.silent, "no data for 0.5 s$"),
        (file_server.stalled, "no data for 0.5 s after 1,500 bytes"),
        (file_server.dripping, "too slow, .* bytes in [01] s"),
        (file_server.nonsense, "no connection: 220 no HTTP spoken here"),
        (file_server.hung_up, "no connection: Remote end closed connection"),
    ],
)
def test_a_bad_server(server, checkpoints, tmp_path, monkeypatch, suffix, answer, message):
    monkeypatch.setattr(published, "_convert", not_reached)
    server.add(V2_HAYAO, checkpoints["v2"])
    server.answers[suffix] = answer
    size = len(checkpoints["v2"][suffix])
    message = message.format(size=f"{size:,}", half=f"{size // 2:,}")
    start = time.monotonic()
    with pytest.raises(DownloadError, match=message) as raised:
        obtain(server, tmp_path)
    assert str(raised.value).startswith(f"{server.url}{V2_HAYAO}{suffix}: ")
    assert "\n" not in str(raised.value)
    assert time.monotonic() - start < 4
    assert left_in(tmp_path) == []


def not_reached(*_):
    raise AssertionError("went on with what was not fetched whole")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            file_server.unlabelled_web_page,
            "cut off, expected 8,574,208 bytes, received 2,600 bytes",
        ),
        (
            file_server.cut_without_length,
            "cut off, expected 8,574,208 bytes, received 4,287,104 bytes",
        ),
        (file_server.another_length, "expected 8,574,208 bytes, the server has 8,574,212 bytes"),
    ],
)
def test_data_of_another_length(server, checkpoints, tmp_path, answer, message):
    server.add(V2_HAYAO, checkpoints["v2"])
    server.answers[DATA] = answer
    with pytest.raises(DownloadError, match=message):
        obtain(server, tmp_path)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    "answer", [file_server.unlabelled_web_page, file_server.cut_without_length, file_server.empty]
)
def test_an_index_that_is_none(server, checkpoints, tmp_path, answer, one_model):
    server.add(V2_HAYAO, checkpoints["v2"])
    server.answers[INDEX] = answer
    with pytest.raises(InputError, match=r"received something else from .*: .*not a readable"):
        obtain(server, tmp_path, timeout=5)
    assert left_in(tmp_path) == []


def test_no_network(server, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        mirror = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(DownloadError, match=r"Hayao-99.ckpt.index: no connection: .*refused"):
            obtain(server, tmp_path, mirror=mirror)
    assert left_in(tmp_path) == []


def test_an_unknown_host(server, tmp_path, monkeypatch):
    def unknown(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DownloadError, match="no connection: Name or service not known"):
        obtain(server, tmp_path, mirror="http://far.invalid")
    assert left_in(tmp_path) == []


# --- the disk ------------------------------------------------------------------------------------


def full(*_args, **_options):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("when", ["download", "convert", "source", "move"])
def test_a_full_disk(server, checkpoints, tmp_path, monkeypatch, when):
    server.add(V2_HAYAO, checkpoints["v2"])
    if when == "download":
        monkeypatch.setattr(download, "open", lambda *_: FullFile(), raising=False)
    elif when == "convert":
        monkeypatch.setattr(weights, "save_generator", full)
    else:
        monkeypatch.setattr(published, "_convert", lambda *given: given[-1].write_bytes(b"weights"))
        place = (storage, "write_text") if when == "source" else (storage, "move")
        monkeypatch.setattr(*place, full)
    with pytest.raises(OSError, match=r"styles_dir: .* cannot be written: No space") as raised:
        obtain(server, tmp_path, timeout=5)
    assert str(tmp_path) in str(raised.value)
    assert "--styles_dir or ANIMEGAN_TF_STYLES names another folder" in str(raised.value)
    assert left_in(tmp_path) == []


class FullFile(io.BytesIO):
    write = full


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match=f"styles_dir: {folder} cannot be written"):
            obtain(server, folder)
    assert server.asked == []  # found before anything is fetched


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_read_only_folder(server, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OSError, match="cannot be written: Permission denied"):
            obtain(server, tmp_path)
    finally:
        tmp_path.chmod(0o700)
    assert left_in(tmp_path) == []


def test_an_interrupted_download_leaves_nothing(server, checkpoints, tmp_path, monkeypatch):
    server.add(V2_HAYAO, checkpoints["v2"])

    def interrupt(*_):
        yield b"data"
        assert len(left_in(tmp_path)) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "_chunks", interrupt)
    with pytest.raises(KeyboardInterrupt):
        obtain(server, tmp_path)
    assert left_in(tmp_path) == []


def test_two_at_once(server, checkpoints, tmp_path, monkeypatch):
    """Another process fetches the same style and is done first, while this one still converts."""
    server.add(V2_HAYAO, checkpoints["v2"])
    written = iter([b"mine", b"the other's"])

    def convert(*given):
        data = next(written)
        if data == b"mine":
            assert obtain(server, tmp_path).read_bytes() == b"the other's"
        given[-1].write_bytes(data)

    monkeypatch.setattr(published, "_convert", convert)
    assert obtain(server, tmp_path).read_bytes() == b"the other's"
    assert left_in(tmp_path) == ["hayao"]
    checksum = json.loads((tmp_path / "hayao" / "source.json").read_text())["sha256"]
    assert checksum["generator.weights.h5"] == hashlib.sha256(b"the other's").hexdigest()


def test_a_folder_of_that_name_is_not_touched(server, tmp_path):
    (tmp_path / "hayao").mkdir()
    (tmp_path / "hayao" / "mine.txt").touch()
    with pytest.raises(InputError, match=r"styles_dir: .*hayao, found none; remove that folder"):
        obtain(server, tmp_path)
    assert left_in(tmp_path / "hayao") == ["mine.txt"]
    assert server.asked == []
