"""Imports go one way, through the layers of the package; what is not needed is not loaded."""

import ast
import importlib
import inspect
import re
import subprocess
import sys

import pytest
from places import ROOT

from animegan_tf import moved

PACKAGE = ROOT / "animegan_tf"

# A part may import what stands before it. `docs/development.md` shows this list.
LAYERS = (
    "errors lazy signals validation storage memory onednn recipes",
    "images files losses video",
    "contact_sheet networks",
    "download published styles",
    "extract",
    "stylize data",
    "train",
    "evaluation export serving web cluster",
    "style_flags cli command",
)
ORDER = [part for layer in LAYERS for part in layer.split()]
# Training alone may load these.
TRAINING = ("losses", "networks/features", "networks/discriminator", "train", "evaluation")
# Whoever starts the package, or measures it as its users do.
ABOVE = ("__init__", "moved")


def _part(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _module(package, name):
    """What `from package import name` needs: a module of that name, or the package itself."""
    path = ROOT / package.replace(".", "/") / name
    is_module = path.with_suffix(".py").is_file() or path.is_dir()
    return f"{package}.{name}" if is_module else package


def _imported(path):
    """The package's modules that `path` imports anywhere, functions included, as a/b."""
    found, tree = set(), ast.parse(path.read_text("utf-8"))
    # For type checkers alone.
    tree.body = [node for node in tree.body if "TYPE_CHECKING" not in ast.unparse(node)[:20]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {_module(node.module, alias.name) for alias in node.names}
    names = (name.removeprefix("animegan_tf.") for name in found if name.startswith("animegan_tf."))
    return {name.replace(".", "/") for name in names}


SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_every_part_has_a_layer():
    assert {_part(path) for path in SOURCES} == {*ORDER, *ABOVE}


@pytest.mark.parametrize("part", ORDER)
def test_imports_go_one_way(part):
    """Layer by layer, and in the order of the names where one layer needs itself."""
    before = ORDER[: ORDER.index(part) + 1]
    for path in SOURCES:
        if _part(path) == part and path.name != "__main__.py":
            others = {name.split("/")[0] for name in _imported(path)}
            wrong = {name for name in others if name in ORDER and name not in before}
            assert not wrong, f"{path.relative_to(PACKAGE)} imports {wrong}"


def _edges():
    """What each module imports of the package when it is loaded, by dotted names."""
    names = {
        str(path.relative_to(PACKAGE).with_suffix("")).removesuffix("/__init__") for path in SOURCES
    }
    return {
        str(path.relative_to(PACKAGE).with_suffix("")).removesuffix("/__init__"): _imported(path)
        & names
        for path in SOURCES
    }


def test_no_circles():
    """Not even through functions that import late."""
    edges, done = _edges(), set()
    while True:
        free = {name for name, needs in edges.items() if not needs - done - {name}} - done
        if not free:
            break
        done |= free
    assert sorted(set(edges) - done) == []


@pytest.mark.parametrize("part", ("stylize", "serving", "export"))
def test_inference_imports_no_training(part):
    for path in (PACKAGE / part).rglob("*.py"):
        assert not [name for name in _imported(path) if name.startswith(TRAINING)], path.name


def test_only_entry_points_read_flags():
    for path in PACKAGE.rglob("*.py"):
        if path.stem not in ("__main__", "style_flags", "cli"):
            assert "from absl" not in path.read_text("utf-8"), f"{path.name} knows absl"


@pytest.mark.parametrize(
    ("module", "absent"),
    (
        ("animegan_tf", ("tensorflow", "keras", "numpy", "cv2")),
        ("animegan_tf.command", ("tensorflow", "keras", "numpy", "cv2")),
        ("animegan_tf.train.__main__", ("tensorflow", "keras")),
        ("animegan_tf.stylize.__main__", ("tensorflow", "keras", "numpy", "cv2")),
        ("animegan_tf.web.__main__", ("tensorflow", "keras", "numpy", "cv2", "fastapi", "gradio")),
        (
            "animegan_tf.cluster.__main__",
            ("tensorflow", "keras", "numpy", "cv2", "ray", "pyarrow", "fsspec"),
        ),
        ("animegan_tf.cluster.batch", ("tensorflow", "keras", "ray")),
        ("animegan_tf.export.__main__", ("tensorflow", "keras", "numpy", "cv2")),
        ("animegan_tf.stylize.engines", ("tensorflow", "keras", "ai_edge_litert")),
        ("animegan_tf.stylize.engines.auto", ("tensorflow", "keras", "ai_edge_litert")),
        ("animegan_tf.stylize.engines.strips", ("tensorflow", "keras")),
        ("animegan_tf.stylize.stylizer", ("tensorflow", "keras")),
        ("animegan_tf.stylize.engines.openvino", ("tensorflow", "keras", "openvino")),
        ("animegan_tf.stylize.film", ("tensorflow", "keras")),
        ("animegan_tf.stylize.camera", ("tensorflow", "keras")),
        ("animegan_tf.stylize.options", ("numpy", "cv2", "av")),
        ("animegan_tf.train.plan", ("tensorflow", "keras")),
        ("animegan_tf.data.check", ("tensorflow", "keras", "av")),
        ("animegan_tf.data.video_frames", ("tensorflow", "keras")),
        ("animegan_tf.data.tfrecord_writer", ("tensorflow", "keras", "av")),
        ("animegan_tf.evaluation.evaluator", ("tensorflow", "keras")),
        ("animegan_tf.stylize.jobs", ("tensorflow", "keras")),
        ("animegan_tf.serving.client", ("tensorflow", "keras", "grpc", "tensorflow_serving")),
        ("animegan_tf.serving.rest", ("tensorflow", "keras", "grpc", "tensorflow_serving")),
    ),
)
def test_what_is_not_needed_is_not_loaded(module, absent):
    code = f"import sys, {module}; print([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


def test_public_names():
    import animegan_tf

    for name in animegan_tf.__all__:
        assert getattr(animegan_tf, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'generator'"):
        _ = animegan_tf.generator


@pytest.mark.parametrize("old", moved._MOVED)
def test_old_paths_still_import(old):
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"{old} is now {moved._MOVED[old]}"):
        module = importlib.import_module(old)
    assert module is importlib.import_module(moved._MOVED[old])
    assert module.__spec__.name == moved._MOVED[old]


def test_stable_paths(recwarn):
    import animegan_tf.tf1

    assert (
        animegan_tf.tf1.variables is importlib.import_module("animegan_tf.networks.tf1").variables
    )
    assert not [one for one in recwarn if "animegan_tf" in str(one.message)]


def test_inference_loads_no_losses_and_no_vgg():
    code = (
        "import sys, animegan_tf\n"
        "animegan_tf.Stylizer(animegan_tf.build_generator('lite'))\n"
        "print([m for m in sys.modules if m.startswith('animegan_tf.') and "
        "m.split('.')[-1] in ('losses', 'features', 'data', 'train')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_public_api_has_annotations():
    import animegan_tf
    from animegan_tf import export

    names = ("Stylizer", "stylize_paths", "AnimeGAN", "recipe", "build_generator")
    functions = [getattr(animegan_tf, name) for name in (*names, "build_discriminator")]
    functions += [getattr(export, name) for name in export.__all__]
    functions += [
        f for name, f in vars(animegan_tf.losses).items() if re.fullmatch(r"[a-z]\w*_loss", name)
    ]
    for function in functions:
        signature = inspect.signature(function)
        for name, parameter in signature.parameters.items():
            annotated = parameter.annotation is not parameter.empty
            assert annotated or name == "kwargs", (function, name)
