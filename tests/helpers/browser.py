"""Headless Chromium over the DevTools protocol, through pipes: no package is needed for it."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # for root, as in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing is fetched elsewhere
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--remote-debugging-pipe",
)
_SECONDS = 180.0


def chromium():
    """The path of Chromium; skips the test where there is none, or no pipes for it."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None or os.name != "posix":
        pytest.skip("Chromium is not installed")
    return path


class Browser:
    """A page of a new, empty profile; a context manager.

    `problems` are the errors and warnings of the console, exceptions, and requests that failed.
    """

    def __init__(self, width=1280, height=900):
        self.problems, self._size, self._last, self._rest = [], (width, height), 0, b""

    def __enter__(self):
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        here_out, there_in = os.pipe(), os.pipe()
        # Chromium reads commands from descriptor 3 and writes to 4.
        script = f'exec "$0" "$@" 3<&{here_out[0]} 4>&{there_in[1]}'
        command = [chromium(), *_FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", script, *command],
            pass_fds=(here_out[0], there_in[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(here_out[0])
        os.close(there_in[1])
        self._to, self._from, self._session = here_out[1], there_in[0], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")
        self.resize(*self._size)
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def resize(self, width, height, mobile=False):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def open(self, address):
        """Load a page and wait for it."""
        self.call("Page.navigate", url=address)
        self.until(f"location.href.startsWith({address!r}) && document.readyState == 'complete'")

    def run(self, script):
        """The value of a JavaScript expression, or of its promise."""
        done = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, script, seconds=_SECONDS):
        """Wait until a JavaScript expression is true; its value. Pages may be loaded meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(AssertionError):
                if value := self.run(script):
                    return value
            time.sleep(0.1)
        text = self.run("document.body.innerText")
        raise AssertionError(f"not true: {script}; the page shows {text!r}; {self.problems}")

    def choose_files(self, selector, *paths):
        """Put files into the file input of a CSS selector."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def press(self, key):
        """Press a key, by its name in JavaScript, on the focused element."""
        for kind in ("rawKeyDown", "keyUp"):
            code = {"ArrowLeft": 37, "ArrowRight": 39, "Enter": 13}[key]
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)

    def screenshot(self, path, whole=True):
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def call(self, method, **parameters):
        """Send a command; returns its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._received()
            if reply.get("id") == self._last:
                assert "error" not in reply, (method, reply["error"])
                return reply["result"]
            self._note(reply)

    def _received(self):
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], _SECONDS)
            data = os.read(self._from, 2**20) if ready else b""
            if not data:
                raise TimeoutError("Chromium does not answer")
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event):
        details = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.problems.append(details["exceptionDetails"])
        elif event.get("method") == "Runtime.consoleAPICalled":
            if details["type"] in ("error", "warning", "assert"):
                values = [one.get("value", one.get("description")) for one in details["args"]]
                self.problems.append(f"{details['type']}: {values}")
        elif event.get("method") == "Log.entryAdded":
            entry = details["entry"]
            if entry["level"] in ("error", "warning"):
                self.problems.append(f"{entry['text']} {entry.get('url', '')}")
