"""Recipes, and that each published flagfile is the recipe of its name."""

import dataclasses
import subprocess
import sys

import pytest
from absl import flags
from places import ROOT

import animegan_tf
from animegan_tf.train import __main__ as train

PUBLISHED = ("hayao", "paprika", "shinkai", "v1", "lite")


def test_numbers_of_the_published_table():
    rows = {
        "hayao": (1.5, 2.5, 15, 1, (1.2, 1.2, 1.2, 0.8)),
        "paprika": (2.0, 0.6, 50, 0.1, (1, 1, 1, 0.005)),
        "shinkai": (1.2, 2.0, 10, 1, (1.7, 1.7, 1.7, 1.0)),
        "v1": (1.5, 3, 10, 0, (1, 1, 1, 0.1)),
    }
    for name, (content, style, color, tv, d_weights) in rows.items():
        recipe = animegan_tf.recipe(name)
        assert recipe.content_weight == content
        assert recipe.style_weight == style
        assert recipe.color_weight == color
        assert recipe.tv_weight == tv
        assert recipe.discriminator_weights == d_weights
        assert recipe.generator_adversarial_weight == 300
        assert recipe.discriminator_adversarial_weight == 300
    v1, lite = animegan_tf.recipe("v1"), animegan_tf.recipe("lite")
    assert (v1.init_epochs, v1.batch_size, v1.norm) == (5, 6, "instance")
    rates = (v1.init_learning_rate, v1.generator_learning_rate, v1.discriminator_learning_rate)
    assert rates == (1e-4, 8e-5, 16e-5)
    assert (lite.arch, lite.batch_size) == ("lite", 20)


def test_recipes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        animegan_tf.recipe("hayao").epochs = 1


@pytest.mark.parametrize(
    ("changes", "text"),
    (
        ({"arch": "v3"}, "arch: expected one of v2, lite, v1, received 'v3'"),
        ({"gan": "wgan"}, "gan: expected one of lsgan"),
        ({"image_size": 250}, "image_size: expected a multiple of 4 .* received 250"),
        ({"arch": "lite", "image_size": 68}, "image_size: expected a multiple of 8"),
        ({"batch_size": 0}, "batch_size: expected a whole number of at least 1, received 0"),
        ({"epochs": 1.5}, "epochs: expected a whole number"),
        ({"tv_weight": -1.0}, "tv_weight: expected a number of at least 0, received -1.0"),
        ({"tv_weight": float("nan")}, "tv_weight: expected a number"),
        ({"discriminator_weights": (1, 2)}, "discriminator_weights: expected four numbers"),
        ({"content_weight": 0.0}, "content_weight: expected more than 0"),
        ({"ema_decay": 1.0}, "ema_decay: expected less than 1"),
    ),
)
def test_wrong_numbers_are_named(changes, text):
    with pytest.raises(animegan_tf.InputError, match=text):
        dataclasses.replace(animegan_tf.recipe("hayao"), **changes)


def test_unknown_recipe_is_named():
    with pytest.raises(animegan_tf.InputError, match=r"recipe: expected one of hayao.*'miyazaki'"):
        animegan_tf.recipe("miyazaki")


@pytest.fixture
def train_flags(monkeypatch):
    """The flags of train.py in a container of their own, to be parsed by a test."""
    own = flags.FlagValues()
    flags.DEFINE_string("flagfile", "", "", flag_values=own)
    monkeypatch.setattr(train, "FLAGS", own)
    for name in ("string", "integer", "float", "bool", "enum", "list"):
        define = getattr(flags, f"DEFINE_{name}")
        monkeypatch.setattr(
            train.flags,
            f"DEFINE_{name}",
            lambda *args, define=define, **kwargs: define(*args, flag_values=own, **kwargs),
        )
    train.define_flags()
    return own


@pytest.mark.parametrize("name", PUBLISHED)
def test_flagfile_is_the_recipe(train_flags, monkeypatch, name):
    monkeypatch.chdir(ROOT)
    train_flags(train_flags.read_flags_from_files(["train", f"--flagfile=flags/{name}.flags"]))
    assert train.recipe_from_flags() == animegan_tf.recipe(name)
    assert train_flags.style
    assert (train_flags.features, train_flags.features_depth) == ("imagenet", "vgg19")


def test_defaults_are_the_recipe_of_hayao(train_flags):
    train_flags(["train"])
    assert train.recipe_from_flags() == animegan_tf.recipe("hayao")


def test_every_flagfile_is_accepted(train_flags, monkeypatch):
    monkeypatch.chdir(ROOT)
    files = sorted((ROOT / "flags").glob("*.flags"))
    assert {"base.flags", "smoke.flags"} <= {path.name for path in files}
    for path in files:
        train_flags.unparse_flags()
        train_flags(train_flags.read_flags_from_files(["train", f"--flagfile={path}"]))
        train.recipe_from_flags()


def test_config_imports_no_tensorflow():
    code = "import sys, animegan_tf; animegan_tf.recipe('v1'); print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "False"
