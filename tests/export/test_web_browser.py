"""The page of --format=web in headless Chromium: what it draws, offline too."""

import base64
import contextlib
import functools
import http.server
import io
import shutil
import threading
import time

import numpy as np
import pytest
from browser import Browser, chromium
from pictures import ramps
from PIL import Image
from toys import layered_generator
from web_runtime import runtime

from animegan_tf import Stylizer, images
from animegan_tf.export import check, web

STATUS = "document.getElementById('status')"
ENDED = f"{STATUS}.textContent.startsWith('Done') || {STATUS}.className == 'error'"
READY = "document.body.dataset.threads"


@contextlib.contextmanager
def serving(folder, requests=None, slow=None):
    """The address of `folder`; appends the first lines of requests to `requests`.

    Files whose names end in `slow` come a second late.
    """

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            time.sleep(1.0 if slow and self.path.endswith(slow) else 0.0)
            super().do_GET()

        def log_message(self, *_):
            if requests is not None:
                requests.append(self.requestline)

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def toy():
    return layered_generator()


@pytest.fixture(scope="module")
def site(toy, tmp_path_factory):
    chromium()
    package = runtime(tmp_path_factory.mktemp("npm"))
    folder = tmp_path_factory.mktemp("pages") / "site"
    web.export_web(toy, folder, name="Ours", license_text="CC0", runtime=package)
    return folder


@pytest.fixture(scope="module")
def page(site):
    with serving(site) as address, Browser() as browser:
        browser.open(address)
        browser.until(READY)
        yield browser


def shown(page):
    """What the page shows as its output, uint8 RGB."""
    text = page.run("document.getElementById('after').toDataURL('image/png')")
    return np.array(Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2]))))[..., :3]


def draw(page, path, side):
    page.run(f"document.querySelector('[name=side][value=\"{side}\"]').checked = true")
    return drawn(page, lambda: page.choose_files("#file", path))


def drawn(page, begin):
    """What the page shows after `begin` gave it a photo."""
    page.run(f"{STATUS}.textContent = ''")
    begin()
    page.until(ENDED)
    assert page.run(f"{STATUS}.className") == "", page.run(f"{STATUS}.textContent")
    return shown(page)


def psnr(one, other):
    return check.psnr(images.to_network(one), images.to_network(other))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("height", "width", "least"),
    [(301, 270, 60), (120, 90, 40), (700, 900, 36)],
    ids=["its own size", "enlarged for the network", "drawn smaller and scaled up"],
)
def test_it_draws_what_python_draws(page, toy, tmp_path, height, width, least):
    photo = ramps(height, width)
    images.write_photo(tmp_path / "a.png", photo)
    expected = Stylizer(toy, draw_side=400)(photo)
    assert psnr(draw(page, tmp_path / "a.png", 400), expected) > least
    assert page.problems == []


@pytest.mark.slow
def test_slider_download_and_camera(page, tmp_path):
    images.write_photo(tmp_path / "dog.png", ramps(280, 300))
    output = draw(page, tmp_path / "dog.png", 400)
    page.run("document.getElementById('slider').focus()")
    page.press("ArrowRight")
    style = "document.getElementById('compare').style.getPropertyValue('--at')"
    assert page.run(style) == "50.5%"
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "got"))
    page.run("document.getElementById('download').click()")
    path = tmp_path / "got" / "dog_anime.png"
    end = time.monotonic() + 60
    while not path.exists() and time.monotonic() < end:  # it appears when it is complete
        time.sleep(0.1)
    np.testing.assert_array_equal(images.read_photo(path).rgb, output)

    page.run("document.getElementById('camera').click()")
    page.until("document.getElementById('video').videoWidth")
    drawn(page, lambda: page.run("document.getElementById('snap').click()"))
    assert page.run("document.getElementById('video').srcObject") is None
    assert page.problems == []


@pytest.mark.slow
def test_a_pasted_photo_and_bolder_lines(page, tmp_path):
    images.write_photo(tmp_path / "a.png", ramps(600, 620))
    output = draw(page, tmp_path / "a.png", 540)
    paste = """new Promise(done => document.getElementById('before').toBlob(done)).then(blob => {
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([blob], "image.png", {type: "image/png"}));
      dispatchEvent(new ClipboardEvent("paste", {clipboardData}));
    })"""
    np.testing.assert_array_equal(drawn(page, lambda: page.run(paste)), output)
    bold = "document.querySelector('[name=side][value=\"400\"]').click()"
    assert 15 < psnr(drawn(page, lambda: page.run(bold)), output) < 60
    assert page.problems == []


@pytest.mark.slow
def test_mistakes_are_sentences(page, tmp_path):
    (tmp_path / "a.txt").write_text("no photo")
    page.choose_files("#file", tmp_path / "a.txt")
    text = page.until(f"{STATUS}.className == 'error' && {STATUS}.textContent")
    assert text.startswith("a.txt is no photo that this browser can open.")
    assert "Ours" in page.run("document.getElementById('credit').textContent")
    assert page.problems == []


@pytest.mark.slow
def test_it_works_offline_after_the_first_visit(site, tmp_path):
    images.write_photo(tmp_path / "a.png", ramps(280, 300))
    requests = []
    with Browser(390, 844) as page:
        with serving(site, requests) as address:
            page.open(address)
            page.until(READY)
            first = draw(page, tmp_path / "a.png", 400)
        page.open("about:blank")
        page.open(address)
        page.until(READY)
        assert page.run("crossOriginIsolated")
        np.testing.assert_array_equal(draw(page, tmp_path / "a.png", 400), first)
        assert page.run("document.documentElement.scrollWidth") == 390
    # Nobody was sent the photo.
    files = {"/", *(f"/{path.relative_to(site)}" for path in site.rglob("*"))}
    assert {tuple(line.split()[:2]) for line in requests} <= {("GET", file) for file in files}


@pytest.mark.slow
def test_a_missing_model_is_a_sentence(site, tmp_path):
    copy = shutil.copytree(site, tmp_path / "copy")
    next(copy.glob("model-*.onnx")).write_bytes(b"another")
    with serving(copy, slow=".wasm") as address, Browser() as page:
        page.open(address)
        failed = f"{STATUS}.className == 'error' && {STATUS}.textContent"
        assert page.until(failed).startswith("A file of the page is missing")
        # The progress of the runtime, which comes later, does not replace it.
        time.sleep(3.0)
        assert page.run(failed).startswith("A file of the page is missing")
