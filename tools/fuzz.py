r"""Read damaged files of every kind in separate processes, and report bad failures.

  python tools/fuzz.py --count=5000
  python tools/fuzz.py --kind=gif --first=1234 --count=1 --keep=damaged.gif

Small valid files are changed at random places; the same number gives the same file. A file must be
read, or refused with a one-line `InputError`. Other exceptions, crashes, and more than --seconds or
--megabytes are printed with the kind and number of the file, and the exit status is 1.
"""

import contextlib
import io
import itertools
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

FLAGS = flags.FLAGS
# Number of frames of a video that are read.
_SHOWN_FRAMES = 8
_TEXTS = (b"-1", b"1e999", b"null", b"[]", b"{}", b'"', b"9" * 30, b"[" * 2000)


# --- valid files, and how each kind is read ------------------------------------------------------


def _drawing(size=40, seed=0):
    import cv2
    import numpy as np

    noise = np.random.default_rng(seed).integers(0, 256, (size, size + 8, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def _image(kind, frames=1):
    def make(path):
        from PIL import Image

        if kind == "heif":
            import pillow_heif

            pillow_heif.register_heif_opener()
        first, *others = (Image.fromarray(_drawing(seed=seed)) for seed in range(frames))
        file = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {"exif": exif} if kind in ("jpeg", "png", "webp", "tiff") else {}
        if others:
            options = {"save_all": True, "append_images": others, "duration": 40}
        first.save(file, kind, **options)
        path.write_bytes(file.getvalue())

    return make


def _deep(kind):
    def make(path):
        import cv2
        import numpy as np

        scale = np.float32(1 / 255) if kind == "hdr" else np.uint16(257)
        path.write_bytes(cv2.imencode(f".{kind}", _drawing() * scale)[1].tobytes())

    return make


def _make_pam(path):
    head = b"P7\nWIDTH 48\nHEIGHT 40\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n"
    path.write_bytes(head + _drawing().tobytes())


def _make_pfm(path):
    path.write_bytes(b"PF\n48 40\n-1.0\n" + (_drawing() / 255).astype("<f4").tobytes())


def _read_deep(path):
    from animegan_tf import images

    images.decode_photo(path.read_bytes(), path.name, deep=True)


def _read_image(path):
    from animegan_tf import files, images

    data = path.read_bytes()
    for decode in (images.decode_photo, files.decode_color):
        with contextlib.suppress(InputError):
            decode(data, path.name)


def _film(kind, codec):
    def make(path):
        import av

        with av.open(str(path), "w", format=kind) as container:
            stream = container.add_stream(codec, rate=12)
            stream.width, stream.height = 48, 40
            stream.pix_fmt = "yuv420p"
            for seed in range(6):
                frame = av.VideoFrame.from_ndarray(_drawing(seed=seed), "rgb24")
                container.mux(stream.encode(frame.reformat(format="yuv420p")))
            container.mux(stream.encode())

    return make


def _read_film(path):
    from animegan_tf.video.source import open_source

    with open_source(path) as source:
        for _ in itertools.islice(source.frames(), _SHOWN_FRAMES):
            pass


def _make_journal(path):
    from animegan_tf.stylize.journal import Journal

    job = {"source": "a.mkv", "size": [40, 48], "base": "1/1000", "engine": "keras"}
    journal = Journal(path, job, path.name.replace("jsonl", "mkv"))
    segment = {"frames": [[0, 40], [40, 40]], "exact_times": True, "state": {"memory": [0.5]}}
    journal.segments = [segment, segment]
    journal.write()


def _read_journal(path):
    from animegan_tf.stylize.journal import Journal

    journal = Journal.load(path)
    if journal is not None:
        journal.whole(3)


def _make_shards(folder):
    from animegan_tf.data import tfrecord_writer, tfrecords

    paths = [folder.parent / name for name in ("a.png", "b.png")]
    for path in paths:
        _image("png")(path)
    entries = [tfrecord_writer._entry(folder.parent, path) for path in paths]
    name = "photo-00000.tfrecord"
    index = tfrecord_writer.index_of([tfrecord_writer._shard(name, tfrecords.GROUPS[0], entries)])
    plan = tfrecord_writer.ShardPlan(folder, index, {name: paths})
    tfrecord_writer.write(plan, progress=False)


def _read_shards(folder):
    from animegan_tf.data import tfrecords

    for records in tfrecords.read_index(folder).values():
        for record in records:
            record.read_bytes()


def _make_features(path):
    import numpy as np

    arrays = {"conv1_1": [np.ones((3, 3, 3, 64), np.float32), np.ones(64, np.float32)]}
    if path.suffix == ".npy":
        np.save(path, arrays, allow_pickle=True)
    else:
        kernel, bias = arrays["conv1_1"]
        np.savez(path, **{"conv1_1/kernel": kernel, "conv1_1/bias": bias})


def _read_features(path):
    from animegan_tf.networks import feature_files

    feature_files.read(path)


def _toy():
    import keras

    photo = keras.Input((None, None, 3))
    conv = keras.layers.Conv2D(3, 3, padding="same", use_bias=False, name="Conv")
    return keras.Model(photo, conv(photo), name="generator_lite")


def _make_checkpoint(folder):
    import tensorflow as tf

    from animegan_tf.networks import tf1

    folder.mkdir()
    named = tf1.variables(_toy())
    tf.raw_ops.SaveV2(
        prefix=str(folder / "m.ckpt"),
        tensor_names=list(named),
        shape_and_slices=[""] * len(named),
        tensors=[variable.numpy() for variable in named.values()],
    )


def _read_checkpoint(folder):
    from animegan_tf.networks import tf1

    tf1.load(_toy(), folder / "m.ckpt")


def _make_weights(path):
    from animegan_tf import styles

    path.write_bytes(styles.locate("thequestion-lite").read_bytes())


def _read_weights(path):
    from animegan_tf.networks.weights import load_generator

    load_generator(path)


def _make_saved_model(folder):
    import tensorflow as tf

    module = tf.Module()
    module.weight = tf.Variable(tf.ones(3))
    spec = tf.TensorSpec((None, None, None, 3), tf.float32, "images")
    module.run = tf.function(lambda images: {"images": images * module.weight}, [spec])
    tf.saved_model.save(module, str(folder), signatures={"raw": module.run})


def _read_saved_model(folder):
    from animegan_tf.stylize.engines import SavedModelEngine

    SavedModelEngine(folder)


def _make_tflite(path):
    import tensorflow as tf

    from animegan_tf.networks import metadata, tflite

    run = tflite.with_constants(_toy())
    spec = tf.TensorSpec((1, None, None, 3), tf.float32, "images")
    file = tflite.convert_function(lambda images: {"images": run(images)}, [spec])
    path.write_bytes(metadata.with_first_size(file, 64, 64))


def _read_tflite(path):
    import numpy as np

    from animegan_tf.stylize.engines import load_engine

    load_engine(path)(np.zeros((1, 64, 64, 3), np.float32))


# Suffix, function that writes a valid file, function that reads one, and number of files per
# hundred images.
KINDS = {
    **{
        kind: (f".{kind}", _image(kind), _read_image, 100)
        for kind in (
            "jpeg",
            "png",
            "webp",
            "gif",
            "tiff",
            "bmp",
            "avif",
            "ppm",
            "jpeg2000",
            "heif",
            "tga",
            "sgi",
            "ico",
            "pcx",
            "dib",
            "qoi",
            "dds",
        )
    },
    **{
        f"deep-{kind}": (f".{kind}", _deep(kind), _read_deep, 50) for kind in ("png", "tiff", "hdr")
    },
    "pam": (".pam", _make_pam, _read_image, 50),
    "pfm": (".pfm", _make_pfm, _read_image, 50),
    "gif-frames": (".gif", _image("gif", 3), _read_film, 100),
    "webp-frames": (".webp", _image("webp", 3), _read_film, 100),
    "mp4": (".mp4", _film("mp4", "mpeg4"), _read_film, 100),
    "mkv": (".mkv", _film("matroska", "ffv1"), _read_film, 100),
    "avi": (".avi", _film("avi", "mpeg4"), _read_film, 100),
    "ts": (".ts", _film("mpegts", "mpeg2video"), _read_film, 100),
    "journal": (".mp4.partial.jsonl", _make_journal, _read_journal, 300),
    "npy": (".npy", _make_features, _read_features, 100),
    "npz": (".npz", _make_features, _read_features, 100),
    "shards": ("", _make_shards, _read_shards, 300),
    "checkpoint": ("", _make_checkpoint, _read_checkpoint, 100),
    "saved_model": ("", _make_saved_model, _read_saved_model, 40),
    "weights": (".weights.h5", _make_weights, _read_weights, 10),
    # Each is run first in a process of its own.
    "tflite": (".tflite", _make_tflite, _read_tflite, 30),
}


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
