import io
import sys
from pathlib import Path

import platformdirs
import pytest
from file_server import DATA, INDEX, V2_HAYAO, left_in, obtain, serving, shown

import animegan_tf
from animegan_tf import published, styles
from animegan_tf.download import DownloadError
from animegan_tf.errors import InputError

SHIPPED_ROOTS = styles._SHIPPED_ROOTS


@pytest.fixture(autouse=True)
def server(monkeypatch):
    """A server, the person's own variables hidden, and no shipped style: tests put theirs there."""
    monkeypatch.setattr(styles, "_SHIPPED_ROOTS", ())
    with serving(monkeypatch) as server:
        yield server


def test_the_address_without_a_mirror():
    assert styles.PUBLISHED["hayao"].address() == f"https://raw.githubusercontent.com{V2_HAYAO}"


# --- the licence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [True, False])
def test_nothing_is_fetched_without_consent(server, tmp_path, capsys, ask):
    with pytest.raises(InputError, match=r"--accept_license .*non-commercial use only"):
        obtain(server, tmp_path, accept_license=False, ask=ask)
    assert server.asked == []
    assert left_in(tmp_path) == []
    assert f"{server.url}{V2_HAYAO}" in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["y\n", "YES\n", " Y \n"])
def test_yes_at_a_terminal(server, tmp_path, monkeypatch, answer):
    server.add(V2_HAYAO, {INDEX: b"index", DATA: bytes(8_574_208)})
    screen = shown(monkeypatch, answer)
    monkeypatch.setattr(published, "_convert", lambda *given: given[-1].touch())
    assert obtain(server, tmp_path, accept_license=False, ask=True, timeout=5).is_file()
    licence, question = (screen.getvalue().index(w) for w in ("non-commercial", "[y/N]"))
    assert licence < question < screen.getvalue().index("100%")


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yesterday\n"])
def test_no_at_a_terminal(server, tmp_path, monkeypatch, answer):
    screen = shown(monkeypatch, answer)
    with pytest.raises(InputError, match="hayao was not fetched, as its licence was not accepted"):
        obtain(server, tmp_path, accept_license=False, ask=True)
    assert "[y/N]" in screen.getvalue()
    assert server.asked == []


def test_a_terminal_for_input_alone_is_not_asked(server, tmp_path, monkeypatch, capsys):
    shown(monkeypatch, "y\n")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with pytest.raises(InputError, match="--accept_license"):
        obtain(server, tmp_path, accept_license=False, ask=True)
    assert server.asked == []


# --- names, folders, addresses -------------------------------------------------------------------


def ship(monkeypatch, root, *names):
    monkeypatch.setattr(styles, "_SHIPPED_ROOTS", (root / "nowhere", root))
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "generator.weights.h5").touch()


def test_the_default_is_the_shipped_style(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"received neither.*thequestion.*--style .*--checkpoint"):
        styles.resolve()
    ship(monkeypatch, tmp_path, "thequestion")
    assert styles.resolve() == tmp_path / "thequestion" / "generator.weights.h5"
    assert styles.resolve(style="thequestion") == styles.resolve()
    assert styles.resolve("runs/a") == "runs/a"


def test_shipped_styles_are_looked_for_in_package_and_checkout():
    package = Path(animegan_tf.__file__).parent
    assert (package / "shipped", package.parent / "checkpoints") == SHIPPED_ROOTS


def test_mistakes_in_names(tmp_path, monkeypatch):
    expected = "style: expected one of hayao, paprika, shinkai, v1-hayao, received"
    for name in ("Hayao", "", "thequestion", "../hayao", 3):
        with pytest.raises(InputError, match=f"{expected} {name!r}"):
            styles.resolve(style=name, styles_dir=tmp_path)
    with pytest.raises(InputError, match="received both: 'hayao' and 'runs/a'"):
        styles.resolve("runs/a", "hayao")
    ship(monkeypatch, tmp_path, "thequestion-lite")
    with pytest.raises(InputError, match="expected one of thequestion-lite, hayao, paprika"):
        styles.resolve(style="none")


def test_listing(tmp_path, monkeypatch):
    ship(monkeypatch, tmp_path / "shipped", "thequestion", "thequestion-lite")
    (tmp_path / "hayao").mkdir()
    (tmp_path / "hayao" / "generator.weights.h5").touch()
    lines = styles.listing(tmp_path)
    starts = [
        ["thequestion", "v2", "shipped,", "the", "default"],
        ["thequestion-lite", "lite", "shipped", "experimental:", "bright"],
        ["hayao", "v2", "fetched", "The", "Wind"],
        ["paprika", "v2", "can", "be", "fetched,", "8.6", "MB"],
        ["shinkai", "v2", "can", "be", "fetched,", "8.6", "MB"],
        ["v1-hayao", "v1", "can", "be", "fetched,", "15.8", "MB"],
    ]
    assert [line.split()[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts
    for line in lines[2:]:
        assert "github.com/TachibanaYoshino/AnimeGAN" in line
        assert "non-commercial use only" in line


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "HOME/.cache/animegan_tf/styles"),
        ({"XDG_CACHE_HOME": "/caches"}, "/caches/animegan_tf/styles"),
        ({"XDG_CACHE_HOME": "caches"}, "HOME/.cache/animegan_tf/styles"),
        ({"ANIMEGAN_TF_STYLES": "~/mine"}, "HOME/mine"),
    ],
)
def test_the_styles_folder(tmp_path, monkeypatch, variables, expected):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert styles.styles_folder() == Path(expected.replace("HOME", str(tmp_path)))
    assert styles.styles_folder("~/here") == tmp_path / "here"


def test_a_user_without_a_home(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    path = Path("~/.cache/animegan_tf")  # of some versions; others raise RuntimeError
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: path)
    with pytest.raises(InputError, match=r"styles_dir: expected a folder .*--styles_dir"):
        styles.styles_folder()


@pytest.mark.parametrize(
    "mirror",
    [
        "example.org",
        "file:///a",
        "ftp://a",
        "https://",
        "http://a:port",
        "http://a?b",
        "http://u@a",
    ],
)
def test_mistakes_in_the_mirror(tmp_path, mirror):
    with pytest.raises(InputError, match="mirror: expected an http or https address, received"):
        styles.obtain("hayao", styles_dir=tmp_path, mirror=mirror, accept_license=True)


def test_the_mirror_can_come_from_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ANIMEGAN_TF_MIRROR", f"{server.url}/below")
    with pytest.raises(DownloadError, match="404"):
        styles.obtain("hayao", styles_dir=tmp_path, accept_license=True, timeout=5)
    assert server.asked == [f"/below{V2_HAYAO}{INDEX}"]
