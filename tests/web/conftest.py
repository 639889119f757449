"""A server's application with a small network; skipped without the extra."""

import pytest

pytest.importorskip("gradio")
pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from animegan_tf import images
from animegan_tf.web import ServeOptions, create_app

OPTIONS = {"styles": ("thequestion-lite", "thequestion"), "max_megapixels": 1, "max_upload_mb": 1}


@pytest.fixture
def serve(toy):
    """A function that starts an application with `ServeOptions` and returns its client."""
    from contextlib import ExitStack

    from animegan_tf import Stylizer

    with ExitStack() as stack:

        def start(make=lambda name: Stylizer(toy), page=False, **options):
            app = create_app(ServeOptions(**OPTIONS | options), page=page, make=make)
            client = TestClient(app, raise_server_exceptions=False)
            client.studio = app.state.studio
            return stack.enter_context(client)

        yield start


@pytest.fixture
def address(toy):
    """The address of a server with the page."""
    import threading
    import time

    import uvicorn

    from animegan_tf import Stylizer

    app = create_app(ServeOptions(styles=("thequestion-lite",)), make=lambda name: Stylizer(toy))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(60)


@pytest.fixture
def client(serve):
    return serve()


@pytest.fixture(scope="session")
def jpeg():
    """A JPEG of 48x32 with a description."""
    import io

    from pictures import noise
    from PIL import Image

    exif = Image.Exif()
    exif[0x010E] = "a dog"
    file = io.BytesIO()
    Image.fromarray(images.resize(noise(4, 6), 32, 48)).save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """The bytes of a film of 24 frames, 128x72, a second."""
    from films import scene, write_film

    path = tmp_path_factory.mktemp("film") / "clip.mp4"
    write_film(path, [scene(seed) for seed in range(24)])
    return path.read_bytes()
