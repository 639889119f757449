"""What is measured: `Settings`, checked, and the `contest.Case`s of each suite. No TensorFlow."""

import dataclasses
from pathlib import Path

from animegan_tf import memory
from animegan_tf.errors import InputError
from animegan_tf.recipes import SIZE_MULTIPLES
from animegan_tf.validation import check_choice, check_seconds, check_whole
from benchmarks import cluster, inference
from benchmarks.contest import Case, Task, missing_modules, run_once

ENGINES = (
    "keras",
    "keras-eager",
    "frozen",
    "saved_model",
    "litert",
    "litert-fixed",
    "onnxruntime",
    "pytorch",
)
# Other answers are wrong: a difference of a seventh of a level of 8 bits.
TOLERANCE = 1e-3
_REQUIRES = {
    "onnxruntime": ("onnx", "onnxruntime"),
    "pytorch": ("torch",),
}
_FACTORIES = {
    "keras": "keras_engine",
    "keras-eager": "keras_eager",
    "litert-fixed": "litert",
}
_GENERATOR = "animegan_tf.networks:build_generator"
_PHASES = ("adversarial", "initialization")
_PUBLISHED = "adversarial as published"
# PyTorch's step is of this generator.
_TORCH_ARCH = "v2"
_BATCHES_OF_DATA = 20
_FRAME_SIDE = 256
_COMMANDS = {
    "python alone": ["-c", "pass"],
    "import tensorflow": ["-c", "import tensorflow"],
    "import animegan_tf": ["-c", "import animegan_tf"],
    "animegan-stylize --help": ["-m", "animegan_tf.stylize", "--help"],
    "animegan-train --help": ["-m", "animegan_tf.train", "--help"],
    "animegan-export --help": ["-m", "animegan_tf.export", "--help"],
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to measure. Every mistake is an `InputError`.

    suite: names of `SUITES`. arch: the generator. repeats: calls of each contender. threads: of
        each engine.
    sizes, batches, engines: of inference: (height, width), batch sizes, some of `ENGINES`; "keras"
        always takes part, as the others are compared with it.
    train_sizes, train_batches, features: of training and data: sides and batch sizes of the
        pictures, and what `build_feature_extractor` takes.
    video, video_seconds: of extraction: a film, of which the first seconds are used.
    generator: "module:function" that builds the Keras generator of an arch.
    """

    suite: tuple[str, ...] = ("inference",)
    arch: str = "v2"
    sizes: tuple[tuple[int, int], ...] = ((256, 256), (512, 512), (1024, 1024), (1080, 1920))
    batches: tuple[int, ...] = (1, 4)
    engines: tuple[str, ...] = ENGINES
    train_sizes: tuple[int, ...] = (128, 256)
    train_batches: tuple[int, ...] = (2, 4)
    features: str = "random"
    video: str | None = None
    video_seconds: float = 20.0
    repeats: int = 5
    threads: int = dataclasses.field(default_factory=memory.cores)
    generator: str = _GENERATOR

    def __post_init__(self):
        check_choice("arch", self.arch, SIZE_MULTIPLES)
        for name, known in (("suite", SUITES), ("engines", ENGINES)):
            for value in getattr(self, name) or ("",):
                check_choice(name, value, known)
        for name in ("repeats", "threads"):
            check_whole(name, getattr(self, name), 1)
        for name in ("batches", "train_batches"):
            for value in getattr(self, name) or (0,):
                check_whole(name, value, 1)
        self._check_sizes()
        self._check_files()

    def _check_sizes(self):
        multiple = SIZE_MULTIPLES[self.arch]
        for name in ("sizes", "train_sizes"):
            given = getattr(self, name)
            sides = [side for size in given for side in (size if name == "sizes" else (size,))]
            wrong = [side for side in sides if side < 16 or side % multiple]
            if wrong or not sides:
                raise InputError(
                    f"{name}: expected multiples of {multiple} of at least 16 for {self.arch}, "
                    f"received {wrong[0] if wrong else 'nothing'}"
                )

    def _check_files(self):
        if "extraction" in self.suite and not (self.video and Path(self.video).is_file()):
            raise InputError(
                f"video: expected a video for the suite extraction, received {self.video!r}"
            )
        check_seconds("video_seconds", self.video_seconds, above=0)
        if self.features not in ("random", "imagenet") and not Path(self.features).is_file():
            raise InputError(
                f"features: expected random or imagenet or a file, received {self.features!r}"
            )


def parse_sizes(texts):
    """("256", "1920x1080") as a tuple of (height, width): a side of a square, or WIDTHxHEIGHT."""
    sizes = []
    for text in texts:
        width, times, height = text.partition("x")
        if not width.isdecimal() or (times and not height.isdecimal()):
            raise InputError(f"sizes: expected sides or WIDTHxHEIGHT, received {text!r}")
        sizes.append((int(height or width), int(width)))
    return tuple(sizes)


def cases(settings, folder):
    """The `Case`s of `settings`; what their tasks load is made by `prepare` in `folder`."""
    return [case for name in settings.suite for case in SUITES[name](settings, str(folder))]


def needs_files(settings):
    """Whether `prepare` has something to do."""
    return bool({"inference", "startup", "training"} & set(settings.suite))


def prepare(settings, folder):
    """Make in `folder` the files that the tasks load, in processes of their own."""
    if not needs_files(settings):
        return
    engines = _engines(settings) if "inference" in settings.suite else []
    if "startup" in settings.suite:
        engines = [*engines, "litert"]
    if "training" in settings.suite:
        engines = [*engines, "pytorch"]
    options = {
        "generator": settings.generator,
        "arch": settings.arch,
        "folder": str(folder),
        "sizes": settings.sizes if "inference" in settings.suite else (),
        "batches": settings.batches,
        "engines": [name for name in engines if not missing_modules(_REQUIRES.get(name, ()))],
    }
    run_once(Task("benchmarks.inference:files", options), folder)


def _engines(settings):
    return list(dict.fromkeys(("keras", *settings.engines)))


def _inference(settings, folder):
    return [
        Case(
            "inference",
            f"{settings.arch}, {width}x{height}, batch {batch}",
            "keras",
            {
                name: _engine(name, settings, folder, (height, width), batch)
                for name in _engines(settings)
            },
            TOLERANCE,
            batch,
            "image",
        )
        for height, width in settings.sizes
        for batch in settings.batches
    ]


def _engine(name, settings, folder, size, batch):
    options = {"folder": folder, "size": size, "batch": batch, "threads": settings.threads}
    if name in ("keras", "keras-eager", "frozen"):
        options |= {"generator": settings.generator, "arch": settings.arch}
    if name.startswith("litert"):
        fixed = name == "litert-fixed"
        options["name"] = inference.fixed_name(size) if fixed else inference.ANY_SIZE
    factory = f"benchmarks.inference:{_FACTORIES.get(name, name)}"
    return Task(factory, options, _REQUIRES.get(name, ()))


def _task(factory, **options):
    return Task(f"benchmarks.tasks:{factory}", options)


def _step(settings, side, batch, factory="training_step", **options):
    common = {name: getattr(settings, name) for name in ("arch", "features", "threads")}
    factory = f"benchmarks.training:{factory}"
    return Task(factory, {**common, "side": side, "batch": batch, **options})


def _trained(settings):
    return [(side, batch) for side in settings.train_sizes for batch in settings.train_batches]


def _training(settings, folder):
    return [
        Case(
            "training",
            f"a step of {settings.arch}, {side}x{side}, batch {batch}",
            _PUBLISHED,
            {
                _PUBLISHED: _step(settings, side, batch, "published_step"),
                **{phase: _step(settings, side, batch, phase=phase) for phase in _PHASES},
                "adversarial, bfloat16": _step(
                    settings, side, batch, phase="adversarial", precision="bfloat16"
                ),
                **_torch_steps(settings, folder, side, batch),
            },
            items=batch,
            unit="image",
        )
        for side, batch in _trained(settings)
    ]


def _torch_steps(settings, folder, side, batch):
    """The same step in PyTorch, of v2 alone."""
    if settings.arch != _TORCH_ARCH:
        return {}
    options = {"folder": folder, "side": side, "batch": batch, "threads": settings.threads}
    factory, needs = "benchmarks.torch_step:torch_step", _REQUIRES["pytorch"]
    return {
        f"pytorch{', bfloat16' if bfloat16 else ''}": Task(
            factory, {**options, "bfloat16": bfloat16}, needs
        )
        for bfloat16 in (False, True)
    }


def _data(settings, folder):
    return [
        Case(
            "data",
            f"a batch of {batch} at {side}x{side}",
            "training step",
            {
                "training step": _step(settings, side, batch, phase="adversarial"),
                "pipeline": _task(
                    "pipeline",
                    folder=f"{folder}/drawn-{side}",
                    side=side,
                    batch=batch,
                    batches=_BATCHES_OF_DATA,
                ),
            },
            items=batch,
            unit="image",
        )
        for side, batch in _trained(settings)
    ]


def _smoothing(settings, folder):
    del settings, folder
    side = _FRAME_SIDE
    tasks = {
        "plain loop": _task("smooth_edges_plainly", side=side),
        "smooth_edges": _task("smooth_edges", side=side),
    }
    label = f"a frame of {side}x{side}"
    return [Case("smoothing", label, "plain loop", tasks, tolerance=0, unit="image")]


def _extraction(settings, folder):
    del folder
    options = {"video": settings.video, "seconds": settings.video_seconds}
    tasks = {
        "decoding alone": _task("decode", **options),
        "extract_frames": _task("extract", **options),
    }
    label = f"a frame of {Path(settings.video).name}"
    return [Case("extraction", label, "decoding alone", tasks, unit="frame")]


def _startup(settings, folder):
    commands = {name: _task("command", arguments=words) for name, words in _COMMANDS.items()}
    photo = str(Path(folder, "photos", inference.PHOTO))
    pictures = {
        name: _task("first_picture", checkpoint=str(Path(folder, file)), photo=photo)
        for name, file in (("keras", inference.WEIGHTS), ("tflite", inference.ANY_SIZE))
    }
    label = f"a first picture of 256x256, {settings.arch}, from a cold start"
    return [
        Case("startup", "commands", "import tensorflow", commands, memory=False),
        Case("startup", label, "keras", pictures, memory=False),
    ]


SUITES = {
    "inference": _inference,
    "training": _training,
    "data": _data,
    "smoothing": _smoothing,
    "extraction": _extraction,
    "startup": _startup,
    "cluster": cluster.cases,
}
