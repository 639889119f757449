r"""Read damaged files of every kind in separate processes, and report bad failures.

  python tools/fuzz.py --count=5000
  python tools/fuzz.py --kind=gif --first=1234 --count=1 --keep=damaged.gif

Small valid files are changed at random places; the same number gives the same file. A file must be
read, or refused with a one-line `InputError`. Other exceptions, crashes, and more than --seconds or
--megabytes are printed with the kind and number of the file, and the exit status is 1.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from absl import flags

from animegan_tf import cli, memory
from animegan_tf.errors import InputError

sys.path.append(str(Path(__file__).parent))  # for `runpy`
from fuzzing.kinds import KINDS

FLAGS = flags.FLAGS
_TEXTS = (b"-1", b"1e999", b"null", b"[]", b"{}", b'"', b"9" * 30, b"[" * 2000)


# --- damage --------------------------------------------------------------------------------------


def damaged(data, seed):
    """`data` with one to four changes, mostly near its beginning; the same for the same seed."""
    chance, data = random.Random(seed), bytearray(data)
    for _ in range(chance.randint(1, 4)):
        most = len(data) if chance.random() < 0.5 else min(len(data), 200)
        place, length = chance.randrange(most or 1), chance.choice((1, 2, 4, 8, 64))
        kind = chance.randrange(7)
        if kind == 0 and data:
            data[place % len(data)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[place : place + length] = chance.choice((b"\0", b"\xff", b"\x7f")) * length
        elif kind == 2:
            data[place : place + length] = chance.randbytes(length)
        elif kind == 3:
            del data[place : place + length]
        elif kind == 4:
            data[place:place] = data[place : place + length]
        elif kind == 5:
            del data[chance.randrange(len(data) or 1) :]
        else:
            data[place : place + length] = chance.choice(_TEXTS)
    return bytes(data)


def _damage(valid, folder, suffix, seed):
    """A damaged copy of the file or folder `valid`, of which one file is changed."""
    path = folder / f"damaged{suffix}"
    files = sorted(p for p in valid.rglob("*") if p.is_file()) if valid.is_dir() else [valid]
    changed = random.Random(seed).choice(files)
    for file in files:
        copy = path / file.relative_to(valid) if valid.is_dir() else path
        copy.parent.mkdir(parents=True, exist_ok=True)
        data = file.read_bytes()
        copy.write_bytes(damaged(data, seed) if file == changed else data)
    return path


# --- running -------------------------------------------------------------------------------------


def child(jobs, seconds, megabytes, keep=None):
    """Read damaged files: `jobs` are [kind, first number, end].

    Prints a line of JSON before each file, and for each error.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # The same files are too large on every machine.
    memory.available = lambda: megabytes * 2**20 // 2
    for kind, first, end in jobs:
        suffix, make, read, _ = KINDS[kind]
        with tempfile.TemporaryDirectory() as folder:
            valid, work = Path(folder, f"valid{suffix}"), Path(folder, "work")
            make(valid)
            read(valid)  # also imports the libraries
            before = memory.peak()
            for seed in range(first, end):
                _say(at=[kind, seed])
                path = _damage(valid, work, suffix, seed)
                if keep:
                    os.replace(path, keep)
                    return
                signal.alarm(seconds)
                try:
                    read(path)
                except InputError as error:
                    if "\n" in str(error).strip():
                        _say(found=f"several lines: {error}")
                except Exception:
                    _say(found=traceback.format_exc(limit=-4))
                signal.alarm(0)
                if memory.peak() - before > megabytes * 2**20:
                    _say(found=f"{memory.peak() >> 20} MB")
                    before = memory.peak()


def _say(**what):
    print(json.dumps(what), flush=True)


def run(jobs, seconds=20, megabytes=500, keep=None):
    """Read the damaged files of `jobs` (see `child`): [(kind, number, error), ...]."""
    found, jobs = [], [list(job) for job in jobs]
    here = Path(__file__).parent
    search = os.pathsep.join(map(str, (here, here.parent)))
    while jobs:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import fuzz; fuzz.child({jobs!r}, {seconds}, {megabytes}, {keep!r})",
            ],
            env={**os.environ, "PYTHONPATH": search, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        kind, seed = jobs[0][0], None
        for line in done.stdout.splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            kind, seed = said.get("at", (kind, seed))
            if "found" in said:
                found.append((kind, seed, said["found"]))
        if done.returncode == 0:
            break
        last = (done.stderr.strip().splitlines() or [""])[-1]
        found.append((kind, seed, f"exit status {done.returncode}: {last}"))
        if seed is None:  # it failed before the first file
            break
        while jobs[0][0] != kind:
            del jobs[0]
        jobs[0][1] = seed + 1
    return found


def jobs_of(kinds, first, count):
    """The jobs for `count` images, and for files of other kinds that take about as long."""
    return [(kind, first, first + max(1, count * KINDS[kind][3] // 100)) for kind in kinds]


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_enum("kind", None, sorted(KINDS), "Kind of files. Default: all.")
    flags.DEFINE_integer("first", 0, "Number of the first file.", 0)
    flags.DEFINE_integer("count", 1000, "Images of each kind; of slow kinds there are fewer.", 1)
    flags.DEFINE_integer("seconds", 20, "Maximum time for a file.", 1)
    flags.DEFINE_integer("megabytes", 500, "Maximum memory for a file.", 1)
    flags.DEFINE_string("keep", None, "Write the first damaged file here, and do not read it.")


def main(argv):
    """Read damaged files with the parsed flags; returns the exit status."""
    cli.refuse_arguments(argv)
    keep = FLAGS.keep and os.path.abspath(FLAGS.keep)
    status = 0
    for kind in [FLAGS.kind] if FLAGS.kind else KINDS:
        jobs = jobs_of([kind], FLAGS.first, FLAGS.count)
        found = run(jobs, FLAGS.seconds, FLAGS.megabytes, keep)
        print(f"{kind}: {jobs[0][2] - jobs[0][1]} read, {len(found)} found", flush=True)
        for _, seed, what in found:
            print(f"{kind} {seed}: {what}")
        status = 1 if found else status
    return status


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
