"""The API around photos and films: styles, health, metrics, options, shutting down."""

import threading

import pytest
from web_client import ended, opened

from animegan_tf import InputError
from animegan_tf.web import ServeOptions, create_app


def test_styles_health_and_the_description(client):
    names = [style["name"] for style in client.get("/v1/styles").json()]
    assert names == ["thequestion-lite", "thequestion"]
    assert all(style["licence"] for style in client.get("/v1/styles").json())
    assert client.get("/docs").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    parameters = [p["name"] for p in paths["/v1/stylize"]["post"]["parameters"]]
    assert {"style", "strength", "max_side", "format"} <= set(parameters)
    form = paths["/v1/films"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"file", "style", "start", "end"} <= set(form["properties"])


def test_health_while_and_after_the_style_is_loaded(serve, toy):
    go = threading.Event()

    def make(name):
        go.wait(20)
        raise InputError("no weights")

    client = serve(make=make)
    assert client.get("/healthz").status_code == 503
    go.set()
    while "cannot" not in client.get("/healthz").json()["error"]:
        pass


def test_metrics(client, jpeg, film):
    client.post("/v1/stylize", content=jpeg)
    client.post("/v1/stylize", content=b"no photo")
    ended(client, client.post("/v1/films", content=film))
    client.get("/v1/films/secret")
    text = client.get("/metrics").text
    assert 'animegan_requests_total{route="/v1/stylize",status="200"} 1.0' in text
    assert 'animegan_requests_total{route="/v1/stylize",status="400"} 1.0' in text
    assert "animegan_photo_seconds_count 1.0" in text
    assert "animegan_frames_total 24.0" in text
    assert 'animegan_waiting{kind="photo"} 0.0' in text
    assert "process_resident_memory_bytes" in text
    assert "secret" not in text


def test_closing_ends_films_and_deletes_files(serve, film, toy):
    client = serve()
    begun = [client.post("/v1/films", content=film) for _ in range(3)]
    assert {answer.status_code for answer in begun} == {202}
    client.studio.close()
    assert not client.studio.folder.exists()
    assert client.post("/v1/films", content=film).status_code == 503


@pytest.mark.parametrize(
    "options", ({"queue": 0}, {"timeout": 0}, {"max_megapixels": -1}, {"styles": ("hayao",)})
)
def test_wrong_options_of_the_server(options):
    with pytest.raises(InputError, match=f"{next(iter(options))}: expected"):
        create_app(ServeOptions(**options))


def test_a_checkpoint_of_ones_own(jpeg):
    from fastapi.testclient import TestClient

    from animegan_tf import styles

    weights = str(styles.locate("thequestion-lite"))
    options = ServeOptions(checkpoint=weights).check()
    with TestClient(create_app(options, page=False)) as client:
        assert [style["name"] for style in client.get("/v1/styles").json()] == ["own"]
        assert opened(client.post("/v1/stylize?max_side=32", content=jpeg)).size == (32, 21)
    with pytest.raises(InputError, match="received both"):
        ServeOptions(checkpoint=weights, styles=("thequestion",)).check()
    with pytest.raises(InputError, match="checkpoint: expected"):
        ServeOptions(checkpoint="/nowhere").check()
