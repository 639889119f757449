"""`--format=web`: the folder, its model, its checksums; test_web_browser.py opens it."""

import base64
import hashlib
import json

import pytest
from toys import layered_generator

from animegan_tf import export
from animegan_tf.errors import InputError
from animegan_tf.export import check, onnx, web

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
PAGE = {path.name for path in web._PAGE.iterdir()} | {"site.json"}


@pytest.fixture(scope="module")
def toy():
    return layered_generator()


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A small package in place of the runtime."""
    folder = tmp_path / "package" / "dist"
    folder.mkdir(parents=True)
    made = {}
    for key, (file, _, _) in web.RUNTIME.items():
        (folder / file).write_bytes(key.encode())
        made[key] = (file, len(key), web._integrity(key.encode()))
    monkeypatch.setattr(web, "RUNTIME", made)
    return folder.parent


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("checked_here")
def test_a_folder_for_any_server(toy, tmp_path):
    report = export.export_web(toy, tmp_path / "made" / "site", license_text="CC0")
    folder = tmp_path / "made" / "site"
    assert report["psnr_db"]["lowest"] > 60
    assert json.loads((tmp_path / "made" / "site.report.json").read_text("utf-8")) == report
    site = json.loads((folder / "site.json").read_text("utf-8"))
    assert names(folder) == PAGE | {site["model"]["url"]}
    model = (folder / site["model"]["url"]).read_bytes()
    digest = base64.b64encode(hashlib.sha384(model).digest()).decode()
    assert site["model"]["integrity"] == f"sha384-{digest}"
    assert site["model"]["bytes"] == len(model)
    assert (site["name"], site["license"], site["match_brightness"]) == ("site", "CC0", True)
    # Visitors load what was tested, or nothing.
    for file in site["runtime"].values():
        assert file["url"].startswith("https://cdn.jsdelivr.net/npm/onnxruntime-web@1.30.0/dist/")
        assert file["integrity"].startswith("sha384-")
    assert "connect-src 'self' blob: https://cdn.jsdelivr.net;" in (
        folder / "index.html"
    ).read_text("utf-8")


@pytest.mark.usefixtures("checked_here")
def test_a_copied_runtime_and_a_page_that_is_replaced(toy, npm, tmp_path):
    folder = tmp_path / "site"
    export.export_web(toy, folder, runtime=npm)
    (folder / "CNAME").write_text("example.org")
    old = json.loads((folder / "site.json").read_text("utf-8"))
    with pytest.raises(InputError, match="is not empty"):
        export.export_web(toy, folder, runtime=npm)
    export.export_web(toy, folder, name="New", runtime=npm / "dist", overwrite=True)
    site = json.loads((folder / "site.json").read_text("utf-8"))
    assert site["name"] == "New" and site["model"]["url"] != old["model"]["url"]
    assert names(folder) == PAGE | {"CNAME", site["model"]["url"]} | {
        file["url"] for file in site["runtime"].values()
    }
    # The page may connect nowhere else.
    assert "connect-src 'self' blob:;" in (folder / "index.html").read_text("utf-8")


@pytest.mark.usefixtures("checked_here")
def test_a_model_that_differs_leaves_nothing(toy, tmp_path, monkeypatch):
    monkeypatch.setitem(onnx.BOUNDS, "uint8", 250)
    with pytest.raises(check.ExportError, match="at least 250 dB"):
        export.export_web(toy, tmp_path / "site")
    assert list(tmp_path.iterdir()) == []


def test_mistakes(toy, npm, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="output: expected a folder"):
        export.export_web(toy, tmp_path / "file")
    with pytest.raises(InputError, match="runtime: expected ort"):
        web.check_options(tmp_path / "site", tmp_path)
    (npm / "dist" / web.RUNTIME["wasm"][0]).write_bytes(b"other")
    with pytest.raises(InputError, match="is another version; npm pack onnxruntime-web"):
        web.check_options(tmp_path / "site", npm)


def test_the_command_names_the_style(tmp_path, monkeypatch, checked_here):
    from commands import call

    from animegan_tf.networks import weights

    monkeypatch.setattr(weights, "load_generator", lambda path: layered_generator())
    arguments = ("--format=web", "--output=site", "--style=peppercarrot")
    done = call("animegan_tf/export/__main__.py", *arguments, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "python -m http.server --directory site" in done.stdout
    site = json.loads((tmp_path / "site" / "site.json").read_text("utf-8"))
    assert site["name"] == "peppercarrot"
    assert site["license"] == "CC BY 4.0, Pepper&Carrot by David Revoy"
