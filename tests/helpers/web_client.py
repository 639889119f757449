"""What several tests of the server ask of it."""

import io
import time

from PIL import Image


def ended(client, answer):
    """The last state of a film that was begun."""
    where = answer.headers["location"]
    for _ in range(600):
        state = client.get(where).json()
        if state["state"] not in ("waiting", "drawing"):
            return state
        time.sleep(0.05)
    raise AssertionError(state)


def opened(response):
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content))
