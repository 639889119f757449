"""Export a style for production: to TF Serving, phones, ONNX Runtime, OpenVINO, Core ML or a page.

    python -m animegan_tf.export --format=saved_model --output=exports/animegan
    python -m animegan_tf.export --format=tflite --output=anime.tflite --size=dynamic
    python -m animegan_tf.export --checkpoint=runs/hayao --format=tflite --quantize=int8 \\
        --calibration=photos --output=anime.tflite
    python -m animegan_tf.export --format=onnx --io=uint8 --output=anime.onnx
    python -m animegan_tf.export --format=web --output=site

The default style ships with this project; choose another by name (--list_styles shows them) or with
--checkpoint. Each export is run in a separate process on real photos and compared with the model; a
report with the results is written beside it. If they differ, the export is removed and the exit
status is 1.
"""

import functools

from absl import flags

from animegan_tf import cli, style_flags, styles
from animegan_tf.errors import InputError

FLAGS = flags.FLAGS

_FORMATS = ("saved_model", "tflite", "onnx", "openvino", "coreml", "web")
_FILES = ("tflite", "onnx", "openvino")
_FORMATS_OF = {
    **dict.fromkeys(
        (
            "version",
            "freeze",
            "input_type",
            "encoding",
            "match_brightness",
            "max_megapixels",
            "warmup",
        ),
        ("saved_model",),
    ),
    **dict.fromkeys(("quantize", "calibration"), ("tflite",)),
    "layout": ("onnx", "openvino"),
    "io": _FILES,
    "size": (*_FILES, "coreml"),
    **dict.fromkeys(("overwrite", "name", "author", "license"), _FORMATS[1:]),
    "runtime": ("web",),
}


def _define_flags():
    style_flags.define_style_flags(
        "a run directory of training, a .weights.h5 file, or a TensorFlow 1 checkpoint (its "
        "folder, prefix or .index file)"
    )
    flags.adopt_module_key_flags(style_flags)
    flags.DEFINE_enum("format", None, _FORMATS, "Format of the export. Required.")
    flags.DEFINE_string(
        "output",
        None,
        "saved_model: a folder with the name of the served model; the export is a numbered folder "
        "in it. web: a new or empty folder. Others: a name ending in .tflite, .onnx, .xml "
        "(openvino) or .mlpackage (coreml). Required.",
    )
    flags.DEFINE_string(
        "photos",
        None,
        "Folder of photos for the comparison. Default: three photos of this project.",
    )
    flags.DEFINE_integer(
        "version", None, "saved_model: version number. Default: the next free number."
    )
    flags.DEFINE_bool(
        "freeze", True, "saved_model: store weights as constants instead of variables."
    )
    flags.DEFINE_enum(
        "input_type",
        "uint8",
        ["uint8", "float32"],
        "saved_model: input of serving_default: uint8 in 0..255 or float32 in [0, 1].",
    )
    flags.DEFINE_enum(
        "encoding", "png", ["png", "jpeg"], "saved_model: output format of image_bytes."
    )
    flags.DEFINE_bool(
        "match_brightness",
        False,
        "saved_model: give outputs the mean brightness of their photos, as in the published code.",
    )
    flags.DEFINE_float(
        "max_megapixels",
        4.0,
        "saved_model: the server refuses larger images; v2 needs 1.1 GB per megapixel.",
    )
    flags.DEFINE_bool(
        "warmup",
        None,
        "saved_model: write warm-up requests. Default: if tensorflow-serving-api is installed.",
    )
    flags.DEFINE_enum(
        "quantize",
        "none",
        ["none", "float16", "dynamic", "int8", "int16x8"],
        "tflite: none: float32. float16: half the file size. dynamic: a quarter, 8-bit weights, "
        "activations quantised at run time. int8, int16x8: a quarter, 8- or 16-bit activations "
        "calibrated on --calibration; norms stay in float32.",
    )
    flags.DEFINE_string(
        "calibration", None, "tflite: folder of photos for int8 and int16x8; 64 are used."
    )
    flags.DEFINE_string(
        "size",
        None,
        "tflite, onnx, openvino, coreml: WIDTHxHEIGHT, or, but for coreml, dynamic for any size. "
        "Default: 256x256 for tflite and coreml, dynamic for onnx and openvino.",
    )
    flags.DEFINE_enum(
        "io",
        "float32",
        ["float32", "uint8", "int8"],
        "tflite, onnx, openvino: type of input and output: float32 in [-1, 1], uint8 levels, or "
        "int8 (levels minus 128, for tflite). tflite: uint8 and int8 with --quantize=int8 only.",
    )
    flags.DEFINE_enum(
        "layout",
        "nhwc",
        ["nhwc", "nchw"],
        "onnx, openvino: images as (N, H, W, 3) or (N, 3, H, W).",
    )
    flags.DEFINE_bool("overwrite", False, "All but saved_model: replace an existing export.")
    flags.DEFINE_string(
        "name",
        None,
        "All but saved_model: name in the metadata. Default: the file name, web: the style.",
    )
    flags.DEFINE_string("author", "unknown", "All but saved_model: author in the metadata.")
    flags.DEFINE_string(
        "license",
        None,
        "All but saved_model: licence in the metadata. Default: the style's; with --checkpoint "
        "unknown.",
    )
    flags.DEFINE_string(
        "runtime",
        None,
        "web: folder of the npm package onnxruntime-web, to be copied. Default: visitors load it "
        "from cdn.jsdelivr.net.",
    )


def main(argv):
    """Export with the parsed flags."""
    if FLAGS.list_styles:
        print("\n".join(styles.listing(FLAGS.styles_dir)))
        return
    _check_flags(argv)
    styles.check_choice(FLAGS.checkpoint, FLAGS.style)
    cli.load_tensorflow()
    if FLAGS.format == "saved_model":
        _export_saved_model()
    elif FLAGS.format == "web":
        _export_web()
    else:
        _export_file()


def _check_flags(argv):
    if argv[1:]:
        raise InputError(f"arguments: expected flags only, received {argv[1]!r} (see --help)")
    for name in ("format", "output"):
        if not FLAGS[name].value:
            raise InputError(f"--{name}: expected a value, received nothing (see --help)")
    for name, formats in _FORMATS_OF.items():
        if FLAGS[name].present and FLAGS.format not in formats:
            raise InputError(
                f"--{name}: requires --format={' or '.join(formats)}, received {FLAGS.format}"
            )


def _load():
    from animegan_tf.networks.weights import load_generator

    return load_generator(style_flags.chosen_checkpoint())


def _export_file():
    from animegan_tf.export import files

    default = "256x256" if FLAGS.format in ("tflite", "coreml") else "dynamic"
    size = files.parse_size(FLAGS.size or default)
    options = {"overwrite": FLAGS.overwrite}
    if FLAGS.format == "coreml":
        from animegan_tf.export import coreml

        export = coreml.export_coreml
        check_options = functools.partial(coreml.check_options, size=size)
    elif FLAGS.format == "tflite":
        from animegan_tf.export import tflite

        options |= {"quantize": FLAGS.quantize, "calibration": FLAGS.calibration, "io": FLAGS.io}
        export, check_options = tflite.export_tflite, tflite.check_options
    else:
        from animegan_tf.export import onnx

        options |= {"layout": FLAGS.layout, "io": FLAGS.io}
        export = {"onnx": onnx.export_onnx, "openvino": onnx.export_openvino}[FLAGS.format]
        check_options = functools.partial(onnx.check_options, kind=FLAGS.format)
    check_options(FLAGS.output, **options)
    report = export(
        _load(),
        FLAGS.output,
        size=size,
        photos=FLAGS.photos,
        name=FLAGS.name,
        author=FLAGS.author,
        license_text=FLAGS.license or _style_facts()["licence"],
        **options,
    )
    print(f"{FLAGS.output}: {report['bytes'] / 1e6:.2f} MB, {_quality(report)}")
    if FLAGS.format == "tflite":
        outside = sum(report["outside"].values())
        print(f"{report['partitions']} delegate partition(s), {outside} operators outside")
    if FLAGS.format == "coreml":
        print("the converted graph was compared; only macOS can run the package")
    print(f"report: {files.report_path(FLAGS.output)}")


def _style_facts():
    """Name, description and licence of the style that is exported."""
    if FLAGS.checkpoint is None:
        return styles.facts(FLAGS.style or styles.default())
    return {"name": None, "about": "", "licence": "unknown"}


def _export_web():
    from animegan_tf.export import files, web

    options = {"runtime": FLAGS.runtime, "overwrite": FLAGS.overwrite}
    web.check_options(FLAGS.output, **options)
    facts = _style_facts()
    report = web.export_web(
        _load(),
        FLAGS.output,
        photos=FLAGS.photos,
        name=FLAGS.name or facts["name"],
        author=FLAGS.author,
        license_text=FLAGS.license or facts["licence"],
        about=facts["about"],
        **options,
    )
    print(f"{FLAGS.output}: {report['bytes'] / 1e6:.2f} MB, {_quality(report)}")
    print(f"try it: python -m http.server --directory {FLAGS.output}")
    print(f"report: {files.report_path(FLAGS.output)}")


def _export_saved_model():
    from animegan_tf.export import saved_model

    options = {
        "version": FLAGS.version,
        "input_type": FLAGS.input_type,
        "encoding": FLAGS.encoding,
        "max_megapixels": FLAGS.max_megapixels,
    }
    saved_model.check_options(FLAGS.output, **options)
    report = saved_model.export_saved_model(
        _load(),
        FLAGS.output,
        frozen=FLAGS.freeze,
        match_brightness=FLAGS.match_brightness,
        warmup=FLAGS.warmup,
        photos=FLAGS.photos,
        **options,
    )
    print(f"{FLAGS.output}/{report['folder']}: {report['bytes'] / 1e6:.1f} MB")
    for signature, figures in report["signatures"].items():
        print(f"  {signature}: {_quality(figures)}")
    if not report["warm_up"]:
        print("without warm-up requests (they need: pip install 'animegan_tf[serving]')")
    print(f"report: {FLAGS.output}/{report['folder']}.report.json")


def _quality(figures):
    lowest, similarity = figures["psnr_db"]["lowest"], figures["ssim"]["lowest"]
    return (
        f"PSNR {lowest:.1f} dB and SSIM {similarity:.4f} on the worst of {figures['photos']} photos"
    )


def console():
    """Entry point of `animegan-export` and of `python -m animegan_tf.export`."""
    _define_flags()
    cli.run(main, __name__, __doc__)


if __name__ == "__main__":
    console()
