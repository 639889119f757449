"""The notebooks run from their first cell to the last, at toy sizes."""

import os
import sysconfig

import nbclient
import nbformat
import pytest
from pictures import ramps
from places import ROOT

from animegan_tf import images

pytestmark = pytest.mark.slow


def _run(name, folder, parameters, monkeypatch):
    """The notebook after its run in `folder`, with more assignments below its parameters."""
    # The notebooks' commands are those of this environment.
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    book = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    (cell,) = (one for one in book.cells if "parameters" in one.metadata.get("tags", ()))
    cell.source += f"\n{parameters}"
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": folder}}).execute()
    return book


def _shown(book, kind):
    """The outputs of one MIME type."""
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    return [output.data[kind] for output in outputs if kind in output.get("data", {})]


def test_photos_and_a_video(tmp_path, monkeypatch):
    book = _run("stylize.ipynb", tmp_path, 'STYLE, MAX_SIDE = "thequestion-lite", 96', monkeypatch)
    assert len(_shown(book, "image/png")) == 2
    drawn = images.read_photo(tmp_path / "anime" / "photo.png").rgb
    assert max(drawn.shape) == 96 and drawn.std() > 20
    (shown,) = (html for html in _shown(book, "text/html") if "<video" in html)
    assert "base64" in shown
    assert {"castle.jpg", "cat.jpg", "drummers.jpg", "anime.mp4"} <= {
        path.name for path in (tmp_path / "anime").iterdir()
    }


def test_a_style_is_trained_and_used(tmp_path, monkeypatch):
    for name, shift in (("train_photo", 0), ("MyStyle/style", 90)):
        folder = tmp_path / "DATA" / name
        folder.mkdir(parents=True)
        for number in range(3):
            images.write_photo(folder / f"{number}.png", ramps(48, 48) // (number + 1) + shift)
    flags = "--recipe=smoke --nosynthetic_data --crop=random --image_size=32 --epochs=3"
    book = _run("train.ipynb", tmp_path, f'FLAGS = "{flags}"', monkeypatch)
    # The contact sheet, the losses and the last samples.
    assert len(_shown(book, "image/png")) == 3
    assert images.read_photo(tmp_path / "anime" / "0.png").rgb.shape == (48, 48, 3)
