"""tools/load_test.py against a server of its own."""

import re

from commands import run_tool


def test_clients_and_what_they_got(address, jpeg, tmp_path):
    (tmp_path / "dog.jpg").write_bytes(jpeg)
    done = run_tool(
        "load_test", tmp_path / "dog.jpg", f"--server={address}", "--clients=3", "--seconds=1"
    )
    assert done.returncode == 0, done.stderr
    count = int(re.search(r"^responses: 200: (\d+)$", done.stdout, re.M)[1])
    assert count >= 3
    assert re.search(r"^seconds a photo: median \d+\.\d\d, 95% ", done.stdout, re.M)
