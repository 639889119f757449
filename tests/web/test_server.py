"""`animegan serve` as a process, on a port of 127.0.0.1."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from places import ROOT

pytest.importorskip("fastapi")
PHOTO = ROOT / "animegan_tf" / "export" / "photos" / "cat.jpg"


@contextlib.contextmanager
def server(*arguments, folder):
    """(the process, its address) of a command that listens at a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "animegan_tf.command", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    try:
        yield process, re.match(r"http://\S+", process.stdout.readline())[0]
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_it_serves_and_stops_gracefully(tmp_path):
    arguments = ("serve", "--port=0", "--styles=thequestion-lite")
    with server(*arguments, folder=tmp_path) as (process, address):
        assert address.startswith("http://127.0.0.1:")
        request = urllib.request.Request(f"{address}/v1/stylize", PHOTO.read_bytes())
        with urllib.request.urlopen(request, timeout=120) as response:
            assert response.read(3) == b"\xff\xd8\xff"
        with urllib.request.urlopen(f"{address}/healthz", timeout=20) as response:
            assert b"ready" in response.read()
        assert [path.name for path in tmp_path.glob("animegan-web-*")]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not list(tmp_path.glob("animegan-web-*"))


def _refused(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "animegan_tf.command", "serve", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_mistakes_of_the_command_are_sentences():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"error: port: expected a free port at 127.0.0.1, received {port}" in _refused(
            f"--port={port}"
        )
    assert "error: styles: expected" in _refused("--styles=hayao")
    assert "error: queue: expected" in _refused("--queue=0")
