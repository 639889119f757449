"""`animegan web`: the page's functions, and what Gradio must not do."""

import json
import zipfile
from pathlib import Path

import gradio as gr
import pytest
from gradio import processing_utils
from pictures import noise
from PIL import Image

from animegan_tf import images
from animegan_tf.web.page import Page, build

CONTROLS = (None, 1.0, False, 540)


@pytest.fixture
def client(serve):
    return serve(page=True)


@pytest.fixture
def page(client):
    return Page(client.studio)


@pytest.fixture
def uploads(jpeg, tmp_path):
    """A function that writes the photo under names, as a gallery hands them over."""

    def write(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(jpeg)
        return [(str(tmp_path / name), None) for name in names]

    return write


def test_a_photo_and_its_download(page, uploads):
    slider, gallery, download = page.photos(uploads("dog.jpg"), *CONTROLS)
    assert [Path(image["path"]).suffix for image in slider.value] == [".jpeg"] * 2
    assert not gallery.visible
    assert download.value["orig_name"] == "dog_anime.jpg"
    with Image.open(download.value["path"]) as image:
        assert image.getexif()[0x010E] == "a dog"


def test_several_photos_are_a_gallery_and_a_zip(page, uploads, monkeypatch):
    said = []
    monkeypatch.setattr(gr, "Warning", said.append)
    paths = uploads("dog.jpg", "b/dog.jpg", "bad.jpg")
    with open(paths[2][0], "wb") as file:
        file.write(b"no photo")
    _, gallery, download = page.photos(paths, "thequestion", 0.5, True, 512)
    assert gallery.visible
    assert len(gallery.value) == 2
    assert not list(page._folder.rglob("dog_anime*"))
    with zipfile.ZipFile(download.value["path"]) as archive:
        assert archive.namelist() == ["dog_anime.jpg", "dog_anime-2.jpg"]
    assert said == ["Bad.jpg: expected a photo, received another file"]


def test_large_photos_are_shown_smaller_than_they_are_downloaded(serve, tmp_path):
    page = Page(serve(page=True, max_megapixels=6).studio)
    images.write_photo(tmp_path / "a.jpg", images.resize(noise(4, 6), 1200, 1800))
    slider, _, download = page.photos([(str(tmp_path / "a.jpg"), None)], *CONTROLS)
    with Image.open(slider.value[1]["path"]) as shown:
        assert shown.size == (1600, 1067)
    with Image.open(download.value["path"]) as image:
        assert image.size == (1800, 1200)


@pytest.mark.parametrize(
    ("paths", "reason"),
    (([], "Add a photo first."), ([("x", None)] * 21, "At most 20 photos at once.")),
)
def test_mistakes_are_sentences(page, paths, reason):
    with pytest.raises(gr.Error, match=reason):
        page.photos(paths, *CONTROLS)


def test_a_film_with_progress_and_a_preview(page, film, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(film)
    shown = list(page.film(str(path), *CONTROLS))
    assert shown[0][1].startswith(("Frame 0 of about 24", "Waiting"))
    assert shown[-1][1] == "24 frames."
    assert shown[-1][0].endswith("/clip_anime.mp4")
    assert list(page.preview(str(path), *CONTROLS))[-1][1] == "24 frames."
    assert path.exists()


def test_stopping_a_film_and_leaving_the_page(page, client, film, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(film)
    running = page.film(str(path), *CONTROLS)
    _, _, film_id = next(running)
    page.stop(film_id)
    page.stop("another")
    assert list(running)[-1][1] == "Stopped."
    running = page.film(str(path), *CONTROLS)
    next(running)
    running.close()
    client.studio.drawing.photo(lambda: None).result(20)
    assert {one.state for one in client.studio.films.values()} <= {"cancelled"}


def test_a_film_that_is_none(page, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no film")
    with pytest.raises(gr.Error, match=r"Clip.mp4: expected a (film|video)"):
        next(page.film(str(path), *CONTROLS))
    with pytest.raises(gr.Error, match="Add a video first"):
        next(page.film(None, *CONTROLS))


def test_styles_have_a_picture_and_a_licence(page):
    for picture, name in page.styles():
        assert Image.open(picture).size == (320, 240)
        assert "licence: Apache 2.0" in page.about(name)


def test_the_page_is_served_beside_the_api(client):
    assert "Anime style" in client.get("/").text
    assert client.get("/healthz").status_code in (200, 503)
    assert client.get("/docs").status_code == 200
    config = client.get("/config").json()
    texts = json.dumps(config)
    assert "cameralends (CC0)" in texts
    assert "Files are deleted after 1 h" in texts
    assert not [call for call in config["dependencies"] if call["api_visibility"] == "public"]


def test_addresses_of_visitors_are_not_fetched(client, monkeypatch):
    """Gradio fetches files that come by address, if they are not this computer's."""
    asked = []

    async def spy(url, **options):
        asked.append(url)
        raise OSError

    monkeypatch.setattr(processing_utils.sh, "get", spy)
    config = client.get("/config").json()
    kinds = {component["id"]: component["type"] for component in config["components"]}
    calls = {kinds[call["inputs"][0]]: call for call in config["dependencies"] if call["inputs"]}
    file = {"path": "http://93.184.216.34/a.png", "meta": {"_type": "gradio.FileData"}}
    for kind, value in (("gallery", [{"image": file, "caption": None}]), ("video", file)):
        call = calls[kind]
        data = [value, None, 1, False, 540]
        body = {"data": data, "fn_index": call["id"], "session_hash": str(call["id"])}
        assert client.post("/gradio_api/queue/join", json=body).status_code == 200
        events = client.get(f"/gradio_api/queue/data?session_hash={call['id']}").text
        assert "received a URL" in events
    client.get("/gradio_api/proxy=http://93.184.216.34/a.png")
    assert asked == []


def test_uploads_of_the_page_have_a_limit(client):
    response = client.post("/gradio_api/upload", files={"files": ("a.jpg", bytes(1_100_000))})
    assert response.status_code == 413


def test_the_page_is_built_without_a_server(client):
    assert isinstance(build(client.studio), gr.Blocks)
