"""The command line of tools/serve_client.py, end to end."""

import functools

import numpy as np
import pytest
from commands import run_tool
from pictures import noise
from serving_toy import free_port

from animegan_tf import images

run = functools.partial(run_tool, "serve_client")
pytestmark = pytest.mark.usefixtures("quick_tries")


def test_the_command(any_server, noise_photos, tmp_path):
    out = tmp_path / "out"
    (noise_photos / "bad.jpg").write_bytes(b"?")
    done = run(
        noise_photos, f"--server={any_server.url}", f"--output={out}", "--batch=2", "--version=1"
    )
    assert done.returncode == 1
    assert done.stdout == f"3 written to {out}, 1 failed\n"
    first, *errors = done.stderr.splitlines()
    assert first == f"4 photos to {any_server.url}: animegan version 1"
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {noise_photos / 'bad.jpg'}: expected an image")
    for number in range(3):
        result = images.read_photo(out / f"{number}.png").rgb
        np.testing.assert_array_equal(result, 255 - noise(6, 9, seed=number))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output=o"], "photos: expected photos or folders of photos, received none"),
        (["{}"], "--output: expected a folder for the outputs, received nothing"),
        (["{}", "--output={}/o", "--draw_side=9"], "draw_side: expected 0 or a whole number"),
        (["{}", "--output={}/o", "--server=here"], "server: expected http://HOST:8501"),
        (["{}", "--output={}/o", "--server={url}", "--retries=0"], "no connection: Connection ref"),
    ],
)
def test_the_command_s_mistakes_are_one_line_and_status_1(noise_photos, arguments, message):
    url = f"http://127.0.0.1:{free_port()}"
    done = run(*(one.format(noise_photos, url=url) for one in arguments))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (noise_photos / "o").exists()
