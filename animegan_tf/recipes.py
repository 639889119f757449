"""The published recipes as frozen dataclasses. Imports no TensorFlow."""

import dataclasses

from animegan_tf.errors import InputError
from animegan_tf.validation import check_choice, check_fields, option

PRECISIONS = ("auto", "none", "float32", "bfloat16", "float16")
# The sides of a generator's images must be multiples of these.
SIZE_MULTIPLES = {"v2": 4, "lite": 8, "v1": 4}
# The networks were trained on 256x256 and give blotches for smaller images, which are therefore
# enlarged; the limit on pixels matters only for images over 16 times longer than wide.
TRAINED_SIDE, MAX_ENLARGED_PIXELS = 256, 2**20
GENERATOR_NORMS = ("published", "layer", "instance")
GAN_TYPES = ("lsgan", "gan", "hinge", "wgan-gp", "wgan-lp", "dragan")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The hyperparameters of a training run; the defaults are those of AnimeGANv2's Hayao.

    Source: Chen, AnimeGANv2, 2020, and its published code. Fields marked "not published" are off by
    default (0 or 1); they are for small data sets and small machines.
    """

    arch: str = option("v2", "Generator architecture.", choices=tuple(SIZE_MULTIPLES))
    norm: str = option("layer", "Norm of the discriminator.", choices=("layer", "instance"))
    discriminator_channels: int = option(64, "Channels of its first layer.", least=1)
    discriminator_depth: int = option(3, "Number of its strided convolutions.", least=1)
    spectral_norm: bool = option(True, "Spectral norm in the discriminator.")
    gan: str = option("lsgan", "Type of the adversarial losses.", choices=GAN_TYPES)

    content_weight: float = option(1.5, "Weight of the content loss.", least=0)
    style_weight: float = option(2.5, "Weight of the style loss.", least=0)
    color_weight: float = option(15.0, "Weight of the colour loss.", least=0)
    tv_weight: float = option(1.0, "Weight of the total variation.", least=0)
    generator_adversarial_weight: float = option(
        300.0, "Weight of the generator's adversarial loss.", least=0
    )
    discriminator_adversarial_weight: float = option(
        300.0, "Weight of the discriminator's adversarial loss.", least=0
    )
    discriminator_weights: tuple[float, float, float, float] = option(
        (1.2, 1.2, 1.2, 0.8),
        "Weights of the discriminator's loss terms: real (colour anime), generated, gray anime, "
        "smooth (gray edge-smoothed anime).",
        least=0,
    )
    gradient_penalty_weight: float = option(
        10.0, "Weight of the gradient penalty of wgan-gp, wgan-lp and dragan.", least=0
    )

    epochs: int = option(101, "Length of the run, all phases together.", least=1)
    init_epochs: int = option(10, "Epochs of the initialisation phase.", least=0)
    batch_size: int = option(12, "Images per step, on all devices together.", least=1, most=65536)
    image_size: int = option(
        256, "Side of the square training images in pixels.", least=16, most=4096
    )
    training_rate: int = option(1, "Generator updates per discriminator update.", least=1)

    init_learning_rate: float = option(2e-4, "Learning rate of the initialisation.", least=0)
    generator_learning_rate: float = option(2e-5, "Learning rate of the generator.", least=0)
    discriminator_learning_rate: float = option(
        4e-5, "Learning rate of the discriminator.", least=0
    )
    beta_1: float = option(0.5, "Adam's decay of the first moment.", least=0, below=1)
    beta_2: float = option(0.999, "Adam's decay of the second moment.", least=0, below=1)
    # TensorFlow 1's default; Keras' is ten times larger.
    adam_epsilon: float = option(1e-8, "Adam's epsilon.", above=0)

    # The content loss alone does not fix the colours in the first steps of the initialisation.
    init_pixel_weight: float = option(
        0.0,
        "Weight of the mean absolute pixel difference in the initialisation phase. Not published.",
        least=0,
    )
    init_color_weight: float = option(
        0.0, "Weight of the colour loss in the initialisation phase. Not published.", least=0
    )
    init_learning_rate_end: float = option(
        1.0,
        "Factor of the learning rate at the end of the initialisation phase, which decays by a "
        "half cosine. Not published.",
        least=0,
    )
    learning_rate_end: float = option(
        1.0, "The same for the adversarial phase. Not published.", least=0
    )
    match_brightness: bool = option(
        True,
        "Give outputs the mean brightness of their photos by default, as published. Stored with "
        "the weights. Use --nomatch_brightness for a style that is brighter or darker than photos "
        "on purpose.",
    )
    generator_norm: str = option(
        "published",
        "Norm of the generator: published is layer for v2 and lite, instance for v1.",
        choices=GENERATOR_NORMS,
    )
    discriminator_epochs: int = option(
        0,
        "Epochs after the initialisation phase that train the discriminator only, so that it knows "
        "the style before the generator is trained against it. Not published.",
        least=0,
    )
    ema_decay: float = option(
        0.0,
        "Decay of a moving average of the generator's weights, which is then saved for stylising; "
        "0 for none. Not published.",
        least=0,
        below=1,
    )

    def __post_init__(self):
        check_fields(self)
        multiple = SIZE_MULTIPLES[self.arch]
        if self.image_size % multiple:
            raise InputError(
                f"image_size: expected a multiple of {multiple} of at least 16 for arch "
                f"{self.arch}, received {self.image_size!r}"
            )
        if self.init_epochs and not (
            self.content_weight or self.init_pixel_weight or self.init_color_weight
        ):
            raise InputError(
                "content_weight: expected more than 0 for the initialisation phase (or an "
                "init_pixel_weight or init_color_weight), received 0"
            )


_HAYAO = Recipe()

RECIPES = {
    "hayao": _HAYAO,
    "paprika": dataclasses.replace(
        _HAYAO,
        content_weight=2.0,
        style_weight=0.6,
        color_weight=50.0,
        tv_weight=0.1,
        discriminator_weights=(1.0, 1.0, 1.0, 0.005),
    ),
    "shinkai": dataclasses.replace(
        _HAYAO,
        content_weight=1.2,
        style_weight=2.0,
        color_weight=10.0,
        tv_weight=1.0,
        discriminator_weights=(1.7, 1.7, 1.7, 1.0),
    ),
    "lite": dataclasses.replace(_HAYAO, arch="lite", batch_size=20),
    "v1": dataclasses.replace(
        _HAYAO,
        arch="v1",
        norm="instance",
        content_weight=1.5,
        style_weight=3.0,
        color_weight=10.0,
        tv_weight=0.0,
        discriminator_weights=(1.0, 1.0, 1.0, 0.1),
        init_epochs=5,
        batch_size=6,
        init_learning_rate=1e-4,
        generator_learning_rate=8e-5,
        discriminator_learning_rate=16e-5,
    ),
    # Tiny: does an installation train at all?
    "smoke": dataclasses.replace(
        _HAYAO,
        arch="lite",
        discriminator_channels=16,
        epochs=3,
        init_epochs=1,
        batch_size=2,
        image_size=32,
    ),
}


def recipe(name: str) -> Recipe:
    """The published recipe `name`: "hayao", "paprika", "shinkai", "v1" or "lite" (Hayao's numbers
    with the small generator), or "smoke", a tiny one. Raises `InputError` for another name.
    """
    check_choice("recipe", name, RECIPES)
    return RECIPES[name]
