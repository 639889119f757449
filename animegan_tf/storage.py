"""Files written aside and moved into place, so that none is ever half there."""

import contextlib
import os
import uuid
from pathlib import Path


@contextlib.contextmanager
def aside(path, suffix=""):
    """Yield a name beside `path` to write to; it becomes `path` at the end, or is removed.

    `suffix` is what the name must end in for a writer that looks at it. Missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Hidden and not named as a picture, so that nobody lists it as one.
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp{suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path, data):
    """Write `data` to `path`, replacing it at once."""
    with aside(path) as temporary:
        temporary.write_bytes(data)


def write_text(path, text):
    """Write `text` in UTF-8 to `path`, replacing it at once."""
    write_bytes(path, text.encode("utf-8"))
