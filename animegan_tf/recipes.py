"""The published recipes as frozen dataclasses. Imports no TensorFlow."""

import dataclasses

from animegan_tf.errors import InputError
from animegan_tf.validation import check_choice, check_number, check_whole

PRECISIONS = ("float32", "bfloat16", "float16")
# What the sides of each generator's pictures are multiples of.
SIZE_MULTIPLES = {"v2": 4, "lite": 8, "v1": 4}
# The networks were trained on 256x256, and smaller pictures come out as blotches: they are enlarged
# to it, up to so many pixels, which only one over 16 times longer than wide meets.
TRAINED_SIDE, MAX_ENLARGED_PIXELS = 256, 2**20
GENERATOR_NORMS = ("published", "layer", "instance")
GAN_TYPES = ("lsgan", "gan", "hinge", "wgan-gp", "wgan-lp", "dragan")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The hyperparameters of a training run; the defaults are those of AnimeGANv2's Hayao.

    Source: Chen, AnimeGANv2, 2020, and its published code. Fields marked "not published" are off by
    default (0 or 1); they are for small data sets and small machines.
    """

    arch: str = "v2"
    norm: str = "layer"
    discriminator_channels: int = 64
    discriminator_depth: int = 3
    spectral_norm: bool = True
    gan: str = "lsgan"

    content_weight: float = 1.5
    style_weight: float = 2.5
    color_weight: float = 15.0
    tv_weight: float = 1.0
    generator_adversarial_weight: float = 300.0
    discriminator_adversarial_weight: float = 300.0
    # For real (colour anime), generated, gray anime and gray edge-smoothed anime images.
    discriminator_weights: tuple[float, float, float, float] = (1.2, 1.2, 1.2, 0.8)
    gradient_penalty_weight: float = 10.0

    epochs: int = 101
    init_epochs: int = 10
    batch_size: int = 12
    image_size: int = 256
    # Generator updates per discriminator update.
    training_rate: int = 1

    init_learning_rate: float = 2e-4
    generator_learning_rate: float = 2e-5
    discriminator_learning_rate: float = 4e-5
    beta_1: float = 0.5
    beta_2: float = 0.999
    # TensorFlow 1's default; Keras' is ten times larger.
    adam_epsilon: float = 1e-8

    # Not published: extra terms of the initialisation phase, since the content loss alone does not
    # fix the colours in its first steps.
    init_pixel_weight: float = 0.0
    init_color_weight: float = 0.0
    # Not published: the factor of the learning rates at the end of their phase; the decay is a half
    # cosine.
    init_learning_rate_end: float = 1.0
    learning_rate_end: float = 1.0
    # Whether outputs get the mean brightness of their photos by default, as published. Stored with
    # the weights.
    match_brightness: bool = True
    # The norm of the generator; any other value than "published" is not published.
    generator_norm: str = "published"
    # Not published: epochs between the two phases that train the discriminator only.
    discriminator_epochs: int = 0
    # Not published: decay of the moving average of the generator's weights; 0 for none.
    ema_decay: float = 0.0

    def __post_init__(self):
        check_choice("arch", self.arch, SIZE_MULTIPLES)
        check_choice("norm", self.norm, ("layer", "instance"))
        check_choice("generator_norm", self.generator_norm, GENERATOR_NORMS)
        check_choice("gan", self.gan, GAN_TYPES)
        positive = ("epochs", "batch_size", "training_rate")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is float:
                check_number(field.name, value, 0)
            elif field.type is int:
                check_whole(field.name, value, int(field.name in positive))
        multiple = SIZE_MULTIPLES[self.arch]
        if self.image_size < 16 or self.image_size % multiple:
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
        weights = self.discriminator_weights
        if len(weights) != 4 or min(weights) < 0:
            raise InputError(
                "discriminator_weights: expected four numbers of at least 0 (real, generated, "
                f"gray, smooth), received {weights!r}"
            )
        if self.ema_decay >= 1:
            raise InputError(f"ema_decay: expected less than 1, received {self.ema_decay!r}")


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
}


def recipe(name: str) -> Recipe:
    """The published recipe `name`: "hayao", "paprika", "shinkai", "v1" or "lite" (Hayao's numbers
    with the small generator). Raises `InputError` for another name.
    """
    check_choice("recipe", name, RECIPES)
    return RECIPES[name]
