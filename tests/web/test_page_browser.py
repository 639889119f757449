"""The page of `animegan web` in headless Chromium: a photo in, its output and its file out."""

import time

import numpy as np
import pytest
from browser import Browser
from pictures import ramps

from animegan_tf import Stylizer, images

BUTTON = "[...document.querySelectorAll('button')].find(button => button.innerText == '{}')"
# Gradio's own, at each upload.
HARMLESS = "warning: ['Method not implemented.']"


@pytest.mark.slow
def test_a_photo_in_a_browser(address, toy, tmp_path):
    photo = ramps(280, 300)
    images.write_photo(tmp_path / "dog.png", photo)
    with Browser() as page:
        page.open(address)
        page.until("document.querySelector('input[type=file]') != null")
        page.choose_files("input[type=file]", tmp_path / "dog.png")
        page.until("[...document.images].some(image => image.src.endsWith('/dog.png'))")
        page.run(BUTTON.format("Draw") + ".click()")
        page.until("[...document.images].filter(i => i.src.endsWith('/image.jpeg')).length == 2")

        folder = tmp_path / "got"
        page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        button = BUTTON.format("Download at full size")
        page.until(f"{button}.disabled == false")
        page.run(f"{button}.click()")
        end = time.monotonic() + 60
        while not (path := folder / "dog_anime.png").exists() and time.monotonic() < end:
            time.sleep(0.1)
        np.testing.assert_array_equal(images.read_photo(path).rgb, Stylizer(toy)(photo))

        page.resize(390, 844, mobile=True)
        assert page.run("document.documentElement.scrollWidth") == 390
        assert [problem for problem in page.problems if problem != HARMLESS] == []
