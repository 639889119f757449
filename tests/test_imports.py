"""Imports go one way: pictures, layers, networks, losses and data, trainer, entry points."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "animegan_tf"
TRAINING = (
    "losses",
    "trainer",
    "training",
    "loop",
    "distribution",
    "records",
    "checkpoints",
    "data",
    "train",
)
ENTRY_POINTS = ("train", "stylize", "__main__", "style_flags")

# What a module must not import, from the package's other parts.
FORBIDDEN = {
    "errors": ("*",),
    "storage": ("*",),
    "config": (*TRAINING, "layers", "networks"),
    "images": (*TRAINING, "layers", "networks", "stylizer", "cli"),
    "layers": (*TRAINING, "networks", "stylizer", "cli"),
    "networks": (*TRAINING, "stylizer", "tf1", "weights", "cli"),
    "losses": ("trainer", "training", "networks", "layers", "data", "cli"),
    "tf1": (*TRAINING, "stylizer", "cli"),
    "weights": (*TRAINING, "stylizer", "cli"),
    "photo_jobs": (*TRAINING, "layers", "networks", "weights", "styles", "stylizer", "cli"),
    "memory": ("*",),
    "strips": (*TRAINING, "networks.features", "engines", "stylizer", "cli"),
    "strip_plan": ("*",),
    "engines": (*TRAINING, "networks.features", "stylizer", "cli"),
    "auto_engine": (*TRAINING, "networks.features", "stylizer", "cli"),
    "export": (*TRAINING, "networks.features", "stylize"),
    "stylizer": (*TRAINING, "networks.features", "cli"),
    "serving_connection": (*TRAINING, "layers", "networks", "weights", "stylizer", "cli"),
    "serving_rest": (*TRAINING, "layers", "networks", "weights", "stylizer", "cli"),
    "serving_grpc": (*TRAINING, "layers", "networks", "weights", "stylizer", "cli"),
    "serving_client": (*TRAINING, "layers", "networks", "weights", "stylizer", "cli"),
    "stabilize": (*TRAINING, "networks", "stylizer", "video", "cli"),
    "video": (*(part for part in TRAINING if part != "data"), "networks", "layers", "cli"),
    "styles": (*TRAINING, "networks.features", "cli"),
    "stylize": (*TRAINING, "networks.features"),
    "data": ("losses", "trainer", "training", "networks", "layers", "cli"),
    "trainer": ("training", "records", "checkpoints", "data", "stylizer", "cli"),
    "plotting": (*TRAINING, "layers", "networks", "stylizer", "cli"),
    "curves": (*TRAINING, "layers", "networks", "stylizer", "cli"),
    "measures": (*TRAINING, "layers", "networks", "stylizer", "cli"),
    "evaluation": ("trainer", "training", "loop", "records", "checkpoints", "cli"),
    "distribution": ("loop", "training", "trainer", "cli"),
    "training": ("loop", "trainer", "networks", "cli"),
    "loop": ("cli", "train"),
    "benchmark": ("cli", "train", "stylize", "style_flags"),
    "benchmark/contest": (*TRAINING, "layers", "networks", "stylizer", "engines"),
    "benchmark/worker": (*TRAINING, "layers", "networks", "stylizer", "engines"),
}


def _sources(part):
    path = PACKAGE / part
    return sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def _imported(path):
    """The package's modules that `path` imports anywhere, functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.removeprefix("animegan_tf.") for name in found if name.startswith("animegan_tf.")}


@pytest.mark.parametrize("part", FORBIDDEN)
def test_imports_go_one_way(part):
    for path in _sources(part):
        for name in _imported(path):
            for banned in FORBIDDEN[part]:
                allowed = banned != "*" and name != banned and not name.startswith(f"{banned}.")
                assert allowed, f"{path.name} imports {name}"


def test_only_entry_points_read_flags():
    for path in PACKAGE.rglob("*.py"):
        if path.stem not in (*ENTRY_POINTS, "cli"):
            assert "from absl" not in path.read_text("utf-8"), f"{path.name} knows absl"


@pytest.mark.parametrize(
    ("module", "absent"),
    (
        ("animegan_tf", ("tensorflow", "keras", "numpy", "cv2")),
        ("animegan_tf.train", ("tensorflow", "keras")),
        ("animegan_tf.stylize", ("tensorflow", "keras", "numpy", "cv2")),
        ("animegan_tf.export.__main__", ("tensorflow", "keras", "numpy", "cv2")),
        ("animegan_tf.stylize.engines", ("tensorflow", "keras", "ai_edge_litert")),
        ("animegan_tf.stylize.engines.auto", ("tensorflow", "keras", "ai_edge_litert")),
        ("animegan_tf.stylize.engines.strips", ("tensorflow", "keras")),
        ("animegan_tf.stylize.stylizer", ("tensorflow", "keras")),
        ("animegan_tf.stylize.stable_litert", ("tensorflow", "keras")),
        ("animegan_tf.stylize.film", ("tensorflow", "keras")),
        ("animegan_tf.stylize.camera", ("tensorflow", "keras")),
        ("animegan_tf.stylize.options", ("numpy", "cv2", "av")),
        ("animegan_tf.train.plan", ("tensorflow", "keras")),
        ("animegan_tf.data.check", ("tensorflow", "keras", "av")),
        ("animegan_tf.data.film_frames", ("tensorflow", "keras")),
        ("animegan_tf.data.tfrecord_writer", ("tensorflow", "keras", "av")),
        ("animegan_tf.evaluation.evaluator", ("tensorflow", "keras")),
        ("animegan_tf.stylize.jobs", ("tensorflow", "keras")),
        ("animegan_tf.benchmark.suites", ("tensorflow", "keras", "cv2", "torch", "onnxruntime")),
        ("animegan_tf.benchmark.worker", ("tensorflow", "keras", "cv2", "torch", "onnxruntime")),
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


def test_inference_loads_no_losses_and_no_vgg():
    code = (
        "import sys, animegan_tf\n"
        "animegan_tf.Stylizer(animegan_tf.build_generator('lite'))\n"
        "print([m for m in sys.modules if m.startswith('animegan_tf.') and "
        "m.split('.')[-1] in ('losses', 'features', 'data', 'trainer')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"
