"""Load a running `animegan serve` or `animegan web`: clients that send one photo again and again.

    python tools/load_test.py photo.jpg --server=http://127.0.0.1:7860 --clients=16 --seconds=120

Prints the number of responses of each status, the seconds until a photo was back (median, 95th
percentile, largest) and the server's memory every tenth of the time, from its /metrics (Linux). A
client that gets 429 waits for as long as the server says. The exit status is 1 after any other
response than 200 and 429, or none.
"""

import collections
import re
import statistics
import threading
import time
import urllib.error
import urllib.request

from absl import flags

from animegan_tf import cli
from animegan_tf.errors import InputError

FLAGS = flags.FLAGS
_MEMORY = re.compile(r"^process_resident_memory_bytes (\S+)", re.M)
_TIMEOUT = 300


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_string("server", "http://127.0.0.1:7860", "Address of the server.")
    flags.DEFINE_integer("clients", 16, "Number of clients.", lower_bound=1)
    flags.DEFINE_float("seconds", 120.0, "Duration.", lower_bound=0.1)
    flags.DEFINE_string("style", None, "Style; the server's first by default.")


class Load:
    """What clients received until a point in time.

    Attributes:
        statuses: a Counter of HTTP statuses, and of names of exceptions.
        seconds: the times of responses of 200.
    """

    def __init__(self, address, photo, seconds):
        self.statuses, self.seconds = collections.Counter(), []
        self._address, self._photo, self._end = address, photo, time.monotonic() + seconds

    def client(self):
        """Send the photo again and again."""
        while time.monotonic() < self._end:
            began = time.monotonic()
            try:
                with urllib.request.urlopen(self._address, self._photo, _TIMEOUT) as response:
                    response.read()
                    self.seconds.append(time.monotonic() - began)
                    self.statuses[response.status] += 1
            except urllib.error.HTTPError as error:
                self.statuses[error.code] += 1
                wait = float(error.headers.get("Retry-After", 1))
                time.sleep(max(0, min(wait, self._end - time.monotonic())))
            except OSError as error:
                self.statuses[type(error).__name__] += 1
                time.sleep(1)


def _memory(server):
    """The server's resident memory in MB, or None."""
    with urllib.request.urlopen(f"{server}/metrics", timeout=_TIMEOUT) as response:
        found = _MEMORY.search(response.read().decode())
    return found and float(found[1]) / 1e6


def main(argv):
    if len(argv) != 2:
        raise InputError(f"expected one photo, received {len(argv) - 1} arguments")
    server = FLAGS.server.rstrip("/")
    style = f"?style={FLAGS.style}" if FLAGS.style else ""
    try:
        with open(argv[1], "rb") as file:
            load = Load(f"{server}/v1/stylize{style}", file.read(), FLAGS.seconds)
        memory = [_memory(server)]
    except (OSError, ValueError) as error:
        raise InputError(
            f"{argv[1]} and {server}: expected a photo and a server: {error}"
        ) from error
    clients = [threading.Thread(target=load.client) for _ in range(FLAGS.clients)]
    for client in clients:
        client.start()
    for _ in range(10):
        time.sleep(FLAGS.seconds / 10)
        memory.append(_memory(server))
    for client in clients:
        client.join()
    print(
        "responses:",
        ", ".join(f"{name}: {n}" for name, n in sorted(load.statuses.items(), key=str)),
    )
    if load.seconds:
        times = sorted(load.seconds)
        last = times[min(len(times) - 1, int(0.95 * len(times)))]
        print(
            f"seconds a photo: median {statistics.median(times):.2f}, 95% {last:.2f}, "
            f"largest {times[-1]:.2f}"
        )
    if memory[0] is not None:
        print("memory in MB:", " ".join(f"{value:.0f}" for value in memory))
    return 1 if set(load.statuses) - {200, 429} or not load.seconds else 0


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
