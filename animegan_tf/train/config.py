"""The configuration of a training run. Imports neither TensorFlow nor OpenCV."""

import dataclasses

from animegan_tf.data.config import DataConfig
from animegan_tf.errors import InputError
from animegan_tf.recipes import PRECISIONS, Recipe
from animegan_tf.train.distribution import STRATEGIES
from animegan_tf.validation import check_fields, option


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """A training run: its recipe, its data and the options of `animegan-train`.

    `steps_per_epoch` None is the published rule, max(photos, frames) // batch_size.
    """

    run_dir: str = option(text="Folder for checkpoints, scalars and samples.")
    recipe: Recipe
    data: DataConfig
    features: str = option(
        "imagenet", "VGG weights: imagenet (a download), a .npy, .npz or .h5, or random."
    )
    features_depth: str = option("vgg19", "The feature network.", choices=("vgg19", "vgg16"))
    steps_per_epoch: int | None = option(
        None, "Default: max(photos, frames) // batch_size.", least=1
    )
    save_every: int = option(
        500, "Steps between checkpoints; one is also saved after each epoch.", least=1
    )
    save_minutes: float = option(
        0.0, "Minutes between additional checkpoints; 0 for none.", least=0
    )
    keep: int = option(3, "Number of checkpoints to keep.", least=1)
    keep_every: int = option(
        0, "Epochs between generators that are kept permanently; 0 for none.", least=0
    )
    samples: int = option(6, "Number of photos in the sample grid.", least=0)
    init_from: str | None = option(
        None, "Initial generator: a run, a weights file or a TensorFlow 1 checkpoint."
    )
    seed: int = option(0, "Seed of the weights, the order of the data and the crops.", least=0)
    strategy: str = option(
        "auto",
        "Devices to use; auto: all GPUs, and all workers of TF_CONFIG.",
        choices=STRATEGIES,
    )
    mixed_precision: str = option(
        "auto",
        "Type of the convolutions; auto: bfloat16 where the device computes faster in it, else "
        "float32; none: float32.",
        choices=PRECISIONS,
    )
    jit_compile: bool = option(False, "Compile the steps with XLA.")
    deterministic: bool = option(False, "Repeat a run to the bit; slower on a GPU.")
    scale_lr: bool = option(False, "Multiply the learning rates by the number of replicas.")

    def __post_init__(self):
        check_fields(self)
        if self.jit_compile and self.deterministic:
            raise InputError(
                "deterministic: expected no jit_compile, received both: XLA has no deterministic "
                "gradient of max pooling"
            )
