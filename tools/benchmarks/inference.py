"""Inference: the same generator in every engine. The tasks of the workers (see `worker`).

All engines take float32 RGB in [-1, 1], (N, H, W, 3), from one .npy file, and answer with the same.
`files` makes beforehand what they load, so that no engine's process holds more than that engine.
"""

import functools
from pathlib import Path

import numpy as np

from benchmarks.worker import Timed, load

# What `files` makes, by name in its folder.
WEIGHTS, SAVED_MODEL, ANY_SIZE = "generator.weights.h5", "saved_model", "any.tflite"
DESCRIPTION, ONNX, PHOTO = "description", "generator.onnx", "photo.png"
OPENVINO = "generator.openvino"
_FIRST_SIDE = 256


def input_name(size, batch):
    """The file of the input for a (height, width) and batch size."""
    return f"input-{size[1]}x{size[0]}-{batch}.npy"


def fixed_name(size):
    """The TFLite file for one (height, width)."""
    return f"{size[1]}x{size[0]}.tflite"


def files(generator, arch, folder, sizes, batches, engines):
    """A task that writes into `folder` what the `engines` load.

    generator: "module:function" that builds the Keras model of `arch`.
    """

    def work():
        from animegan_tf import images
        from animegan_tf.export import check, export_saved_model
        from animegan_tf.networks import size_multiple, tflite, weights
        from benchmarks import description

        model = _fresh(generator, arch)
        weights.save_generator(model, Path(folder, WEIGHTS))
        photos = check.read_photos(None, max(batches))
        photos = [photos[number % len(photos)] for number in range(max(batches))]
        first = images.resize(photos[0], _FIRST_SIDE, _FIRST_SIDE)
        images.write_photo(Path(folder, "photos", PHOTO), first)
        for size in sizes:
            fitted = [check.fit_network(photo, size, size_multiple(model)) for photo in photos]
            for batch in batches:
                np.save(Path(folder, input_name(size, batch)), np.concatenate(fitted[:batch]))
        if "saved_model" in engines:
            export_saved_model(
                model,
                Path(folder, SAVED_MODEL),
                warmup=False,
                photos=Path(folder, "photos"),
                max_megapixels=1000,
            )
        if "litert" in engines:
            Path(folder, ANY_SIZE).write_bytes(tflite.convert(model))
        if "litert-fixed" in engines:
            for size in sizes:
                fixed = tflite.convert(model, size)
                Path(folder, fixed_name(size)).write_bytes(fixed)
        if "onnxruntime" in engines:
            from animegan_tf.export import onnx_graph

            Path(folder, ONNX).write_bytes(onnx_graph.build(model).SerializeToString())
        if "openvino" in engines:
            from animegan_tf.stylize.stable import converted

            Path(folder, OPENVINO).write_bytes(converted(model, "openvino"))
        if {"pytorch", "ncnn"} & set(engines):
            description.save(model, Path(folder, DESCRIPTION))
        return 0.0

    return work


def _fresh(generator, arch):
    """The Keras model with seeded weights; norms too are drawn, so that a mistake in them shows."""
    import keras

    keras.utils.set_random_seed(0)
    model = load(generator, {"arch": arch})
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if variable.name == "gamma":
            variable.assign(rng.uniform(0.8, 1.2, variable.shape))
        elif variable.name in ("beta", "bias"):
            variable.assign(rng.normal(0, 0.05, variable.shape))
    return model


def _limit_tensorflow(threads):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)


def _keras_model(generator, arch, folder):
    model = load(generator, {"arch": arch})
    model.load_weights(Path(folder, WEIGHTS))
    return model


def _batch(folder, size, batch):
    return np.load(Path(folder, input_name(size, batch)))


def keras_engine(generator, arch, folder, size, batch, threads, precision="float32"):
    """Keras as `Stylizer` runs it: compiled once for all sizes."""
    _limit_tensorflow(threads)
    from animegan_tf.stylize.engines import KerasEngine

    engine = KerasEngine(_keras_model(generator, arch, folder), precision=precision)
    return Timed(functools.partial(engine, _batch(folder, size, batch)))


def keras_eager(generator, arch, folder, size, batch, threads):
    """Keras, layer by layer, not compiled."""
    _limit_tensorflow(threads)
    model, given = _keras_model(generator, arch, folder), _batch(folder, size, batch)
    return Timed(lambda: model(given, training=False).numpy())


def frozen(generator, arch, folder, size, batch, threads):
    """A TensorFlow graph of one fixed size whose weights are constants."""
    _limit_tensorflow(threads)
    import tensorflow as tf

    model, given = _keras_model(generator, arch, folder), _batch(folder, size, batch)
    constants = [tf.constant(variable.numpy()) for variable in model.trainable_variables]
    run = tf.function(
        lambda images: model.stateless_call(constants, [], images)[0],
        input_signature=[tf.TensorSpec(given.shape, tf.float32)],
        autograph=False,
    ).get_concrete_function()
    return Timed(lambda: run(tf.constant(given)).numpy())


def saved_model(folder, size, batch, threads):
    """The SavedModel of `animegan_tf.export` through its signature `raw`."""
    _limit_tensorflow(threads)
    from animegan_tf.stylize.engines import SavedModelEngine, saved_model_folder

    engine = SavedModelEngine(saved_model_folder(Path(folder, SAVED_MODEL)))
    return Timed(functools.partial(engine, _batch(folder, size, batch)))


def litert(folder, name, size, batch, threads):
    """A TFLite file under LiteRT, one picture after the other."""
    from animegan_tf.stylize.engines import LiteRTEngine

    engine = LiteRTEngine(Path(folder, name), threads)
    return Timed(functools.partial(engine, _batch(folder, size, batch)))


def openvino(folder, size, batch, threads, precision="float32"):
    """OpenVINO as `Stylizer` runs it, one picture after the other."""
    from animegan_tf.stylize.engines import ConvertedEngine
    from animegan_tf.stylize.engines import openvino as runtime

    runtime.cores = lambda: threads
    engine = ConvertedEngine(Path(folder, OPENVINO).read_bytes(), "openvino", precision)
    return Timed(functools.partial(engine, _batch(folder, size, batch)))


def onnxruntime(folder, size, batch, threads):
    """ONNX Runtime with its default optimisations."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(
        str(Path(folder, ONNX)), options, providers=["CPUExecutionProvider"]
    )
    given = _batch(folder, size, batch)
    return Timed(lambda: session.run(["stylized"], {"images": given})[0])


def ncnn(folder, size, batch, threads):
    """ncnn with its default optimisations, one picture after the other."""
    from benchmarks import description
    from benchmarks.ncnn_engine import Ncnn

    engine = Ncnn(*description.load(Path(folder, DESCRIPTION)), *size, threads)
    return Timed(functools.partial(engine, _batch(folder, size, batch)))


def pytorch(folder, size, batch, threads, precision="float32"):
    """PyTorch, channels-last, in inference mode; in bfloat16 by autocast."""
    import torch

    from benchmarks import description
    from benchmarks.torch_module import TorchGenerator

    torch.set_num_threads(threads)
    module = TorchGenerator(*description.load(Path(folder, DESCRIPTION))).eval()
    given = torch.from_numpy(_batch(folder, size, batch))
    reduced = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def run():
        with torch.inference_mode(), reduced:
            return module(given).float().numpy()

    return Timed(run)
