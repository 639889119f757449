"""Valid files of every kind, and how each kind is read."""

import contextlib
import io
import itertools

from animegan_tf.errors import InputError

# Number of frames of a video that are read.
_SHOWN_FRAMES = 8
_IMAGES = (
    "jpeg", "png", "webp", "gif", "tiff", "bmp", "avif", "ppm", "jpeg2000", "heif", "tga", "sgi",
    "ico", "pcx", "dib", "qoi", "dds", "mpo",
)  # fmt: skip


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


def _make_bitmap(path):
    """With masks of colours and alpha."""
    import cv2
    import numpy as np

    rgba = np.dstack([_drawing(), _drawing(seed=1)[:, :, :1]])
    path.write_bytes(cv2.imencode(".bmp", rgba)[1].tobytes())


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
    kernel, bias = arrays["conv1_1"]
    if path.suffix == ".npy":
        np.save(path, arrays, allow_pickle=True)
    elif path.suffix == ".h5":
        import h5py

        with h5py.File(path, "w") as file:
            for name, values in (("kernel:0", kernel), ("bias:0", bias)):
                file[f"block1_conv1/block1_conv1/{name}"] = values
    else:
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
    **{kind: (f".{kind}", _image(kind), _read_image, 100) for kind in _IMAGES},
    "bitmap": (".bmp", _make_bitmap, _read_image, 100),
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
    "h5": (".h5", _make_features, _read_features, 100),
    "shards": ("", _make_shards, _read_shards, 300),
    "checkpoint": ("", _make_checkpoint, _read_checkpoint, 100),
    "saved_model": ("", _make_saved_model, _read_saved_model, 40),
    "weights": (".weights.h5", _make_weights, _read_weights, 10),
    # Each is run first in a process of its own.
    "tflite": (".tflite", _make_tflite, _read_tflite, 30),
}
