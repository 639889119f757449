"""`animegan serve`: photos and films over HTTP, their limits and errors."""

import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from places import TESTS
from web_client import ended, opened

from animegan_tf import Stylizer, images
from animegan_tf.web.drawing import Busy, Drawing

HERE = TESTS / "web" / "files"
PHOTOS = TESTS / "photos"


def error_of(response):
    """The sentence of an error, which names no folder of the server."""
    text = response.json()["error"]
    assert "/tmp" not in text and "animegan-web-" not in text, text
    assert 10 < len(text) < 400
    return text


# --- photos ---


def test_a_form_and_raw_bytes_give_the_same_photo(client, jpeg):
    form = client.post("/v1/stylize", files={"file": ("dog.jpg", jpeg)})
    raw = client.post("/v1/stylize", content=jpeg)
    assert form.headers["content-type"] == "image/jpeg"
    assert form.headers["content-disposition"].endswith("dog_anime.jpg")
    assert form.content == raw.content
    assert opened(form).size == (48, 32)


def test_the_output_is_that_of_the_command(client, jpeg, toy):
    from animegan_tf.stylize import batch

    expected, _ = batch.stylize_bytes(Stylizer(toy), jpeg, "dog.jpg")
    assert client.post("/v1/stylize", content=jpeg).content == expected


def test_metadata_is_kept_or_left_out(client, jpeg):
    kept = client.post("/v1/stylize", content=jpeg)
    assert opened(kept).getexif()[0x010E] == "a dog"
    without = client.post("/v1/stylize?strip_metadata=1", content=jpeg)
    assert 0x010E not in opened(without).getexif()


def test_options_of_query_and_form(client, jpeg):
    query = client.post("/v1/stylize?format=png&max_side=24&strength=0", content=jpeg)
    assert (opened(query).format, opened(query).size) == ("PNG", (24, 16))
    form = client.post(
        "/v1/stylize",
        files={"file": ("dog.jpg", jpeg)},
        data={"format": "png", "max_side": "24", "strength": "0"},
    )
    assert form.content == query.content
    photo = images.limit_side(images.decode_photo(jpeg, "dog").rgb, 24)
    assert (images.decode_photo(query.content, "out").rgb == photo).all()


@pytest.mark.parametrize(
    ("options", "wrong"),
    (
        ("strength=2", "strength: expected"),
        ("strength=x", "strength: expected"),
        ("style=monet", "style: expected one of thequestion-lite, thequestion, received 'monet'"),
        ("format=gif", "format: expected"),
        ("draw_side=0", "draw_side: expected"),
        ("max_side=0", "max_side: expected"),
        ("colour=1", "colour: expected no option of this name"),
    ),
)
def test_wrong_options_are_sentences(client, jpeg, options, wrong):
    query = client.post(f"/v1/stylize?{options}", content=jpeg)
    name, value = options.split("=")
    form = client.post("/v1/stylize", files={"file": ("a.jpg", jpeg)}, data={name: value})
    for response in (query, form):
        assert response.status_code == 400
        assert error_of(response).startswith(wrong)


def test_a_form_without_a_file(client):
    for form in ({"data": {"file": "text"}, "files": {"other": b"x"}}, {"files": {"other": b"x"}}):
        response = client.post("/v1/stylize", **form)
        assert response.status_code == 400
        error_of(response)


@pytest.mark.parametrize("path", sorted(PHOTOS.glob("*.*")), ids=lambda path: path.name)
def test_other_peoples_photos(client, path):
    response = client.post("/v1/stylize", files={"file": (path.name, path.read_bytes())})
    if path.suffix == ".json":
        assert response.status_code == 400
        assert error_of(response).startswith("expected.json: expected a photo")
        return
    assert opened(response).size == images.read_photo(path).rgb.shape[1::-1]
    assert ("x-animegan-damaged" in response.headers) == (path.name == "damaged_middle.jpg")


def bomb(width, height):
    """A PNG that claims a size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13)
    return start + header + struct.pack(">I", zlib.crc32(header)) + b"\0\0\0\x04IDATxxxx"


@pytest.mark.parametrize(
    "data",
    (
        *(path.read_bytes() for path in sorted(HERE.iterdir())),
        bomb(32000, 32000),
        bomb(32, 32),
        bomb(600000, 1),
        b"",
        b"<html>",
    ),
)
def test_hostile_photos_are_refused(client, data):
    response = client.post("/v1/stylize", files={"file": ("../../etc/a\x1b.png", data)})
    assert response.status_code == 400
    assert "\x1b" not in error_of(response)


def test_names_of_visitors_are_only_names(client, jpeg):
    for name in ("../../../etc/passwd.jpg", "C:\\x\\passwd.jpg", "/root/passwd.jpg"):
        response = client.post("/v1/stylize", files={"file": (name, jpeg)})
        assert response.headers["content-disposition"].endswith("''passwd_anime.jpg")
    response = client.post("/v1/stylize", files={"file": ("a\n" + "b" * 500 + ".jpg", jpeg)})
    assert len(response.headers["content-disposition"]) < 200


def test_too_long_for_its_height(serve):
    client = serve(max_megapixels=20)
    response = client.post("/v1/stylize", content=bomb(18000, 700))
    assert response.status_code == 400
    assert "18000x700 is too long for its short side; a smaller" in error_of(response)


# --- limits ---


def test_a_body_that_is_too_large(client):
    large = bytes(1_100_000)
    for body in (large, iter([large[:600_000], large[600_000:]])):
        response = client.post("/v1/stylize", content=body)
        assert response.status_code == 413
        assert error_of(response) == "body: expected at most 1 MB, received more"


class Slow:
    """A stylizer that waits for `go`."""

    def __init__(self, go):
        self._go = go

    def __call__(self, photo):
        self._go.wait(20)
        return photo


def test_back_pressure(serve, jpeg):
    go = threading.Event()
    client = serve(make=lambda name: Slow(go), queue=2)
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(client.post, "/v1/stylize", content=jpeg) for _ in range(6)]
        while sum(call.done() for call in calls) < 3:
            pass
        health = client.get("/healthz").json()
        refused = [call.result() for call in calls if call.done()]
        go.set()
        statuses = sorted(call.result().status_code for call in calls)
    assert statuses == [200, 200, 200, 429, 429, 429]
    assert health == {"status": "ready", "photos_waiting": 2}
    for response in refused:
        assert int(response.headers["retry-after"]) >= 1
        assert error_of(response).startswith("2 photos are already waiting; try again in ")


def test_photos_that_would_wait_too_long_are_refused():
    drawing = Drawing(100, 1, patience=1.5)
    go = threading.Event()
    futures = []
    with pytest.raises(Busy, match="2 photos are already waiting; try again in 2 s"):
        while True:
            futures.append(drawing.photo(lambda: go.wait(20)))
    go.set()
    drawing.close()
    assert all(future.result() for future in futures)


def test_a_photo_that_takes_too_long(serve, jpeg):
    go = threading.Event()
    client = serve(make=lambda name: Slow(go), timeout=0.3)
    response = client.post("/v1/stylize", content=jpeg)
    go.set()
    assert response.status_code == 503
    assert error_of(response).startswith("the photo was not finished within 0.3 s")


def test_a_bug_is_no_traceback(serve, jpeg):
    def broken(name):
        return lambda photo: 1 / 0

    response = serve(make=broken).post("/v1/stylize", content=jpeg)
    assert response.status_code == 500
    assert "ZeroDivisionError" not in error_of(response)


# --- films ---


def test_a_film(client, film):
    begun = client.post("/v1/films?max_side=64", files={"file": ("my clip.mp4", film)})
    assert begun.status_code == 202
    state = ended(client, begun)
    assert (state["state"], state["frames"], state["expected_frames"]) == ("done", 24, 24)
    result = client.get(state["result"])
    assert result.headers["content-type"] == "video/mp4"
    assert result.headers["content-disposition"].endswith("my%20clip_anime.mp4")
    assert b"ftyp" in result.content[:12]
    folder = client.studio.folder / state["id"]
    assert [path.name for path in folder.iterdir()] == ["anime.mp4"]
    assert client.delete(begun.headers["location"]).status_code == 204
    assert not folder.exists()
    assert client.get(begun.headers["location"]).status_code == 404


def test_a_part_in_another_container(client, film):
    begun = client.post("/v1/films?start=0.25&end=0.5&container=gif", content=film)
    state = ended(client, begun)
    assert (state["state"], state["frames"]) == ("done", 6)
    assert client.get(state["result"]).content[:4] == b"GIF8"


def test_photos_go_before_a_film_that_is_drawn_and_cancelling_it(serve, film, jpeg, toy):
    go, entered = threading.Event(), threading.Event()

    class Held(Stylizer):
        def network(self, batch, engine=None):
            return batch

        def prepare(self, photo):
            entered.set()
            go.wait(20)
            return super().prepare(photo)

    client = serve(make=lambda name: Held(toy))
    begun = client.post("/v1/films?style=thequestion", content=film)
    second = client.post("/v1/films", content=film)
    entered.wait(20)
    assert client.get(second.headers["location"]).json()["place_in_queue"] == 1
    assert client.get(begun.headers["location"] + "/result").status_code == 409
    with ThreadPoolExecutor(1) as pool:
        photo = pool.submit(client.post, "/v1/stylize", content=jpeg)
        assert client.delete(second.headers["location"]).status_code == 204
        go.set()
        assert photo.result().status_code == 200
    client.delete(begun.headers["location"])
    client.get(begun.headers["location"])
    assert client.get(second.headers["location"]).status_code == 404


@pytest.mark.parametrize("path", sorted(HERE.iterdir()), ids=lambda path: path.name)
def test_hostile_films(client, path):
    begun = client.post("/v1/films", files={"file": (path.name, path.read_bytes())})
    if begun.status_code == 202:
        state = ended(client, begun)
        assert state["state"] in ("failed", "done")
        sentences = [*state["notes"], *filter(None, [state["error"]])]
        assert not [text for text in sentences if "/tmp" in text or "animegan-web" in text]
        assert state["state"] == "done" or state["error"]
    else:
        assert begun.status_code == 400
        error_of(begun)
        assert list(client.studio.folder.iterdir()) == []


def test_a_playlist_opens_no_other_file(client, tmp_path):
    for text in (f"#EXTM3U\n{tmp_path}/a.mp4\n", f"ffconcat version 1.0\nfile {tmp_path}/a.mp4\n"):
        begun = client.post("/v1/films", files={"file": ("list.mp4", text.encode())})
        assert begun.status_code == 400
        assert error_of(begun) == "list.mp4: expected a video, received another file"


def test_a_film_that_is_too_long_or_too_large(serve, film):
    client = serve(max_film_seconds=0.5)
    assert error_of(client.post("/v1/films", content=film)) == (
        "film: expected at most 0.5 seconds, received 1.0; start and end choose a part"
    )
    assert client.post("/v1/films?end=0.4", content=film).status_code == 202
    client = serve(max_megapixels=0.005)
    assert "megapixels" in error_of(client.post("/v1/films", content=film))


def test_films_wait_in_a_queue_of_a_length(serve, film, toy):
    go = threading.Event()

    def make(name):
        go.wait(20)
        return Stylizer(toy)

    client = serve(make=make, film_queue=1)
    client.studio.drawing.draw_photos()
    while client.studio.drawing.waiting("film"):
        pass
    assert client.post("/v1/films", content=film).status_code == 202
    refused = client.post("/v1/films", content=film)
    go.set()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")


def test_files_are_deleted_after_a_time(serve, film):
    client = serve(keep_seconds=0.2)
    begun = client.post("/v1/films?end=0.1", content=film)
    for _ in range(100):
        if client.get(begun.headers["location"]).status_code == 404:
            break
        threading.Event().wait(0.1)
    assert list(client.studio.folder.iterdir()) == []


# --- the service ---
