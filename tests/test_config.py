"""Recipes, and that each published flagfile is the recipe of its name."""

import dataclasses
import subprocess
import sys

import pytest
from absl import flags
from places import ROOT

import animegan_tf
from animegan_tf import cli
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
        ({"content_weight": float("inf")}, "content_weight: expected a number"),
        ({"generator_learning_rate": float("inf")}, "generator_learning_rate: expected a number"),
        ({"beta_1": 2.0}, "beta_1: expected a number of at least 0 and below 1, received 2.0"),
        ({"adam_epsilon": 0.0}, "adam_epsilon: expected a number above 0"),
        ({"discriminator_depth": 0}, "discriminator_depth: expected a whole number of at least 1"),
        ({"discriminator_channels": 0}, "discriminator_channels: expected a whole number"),
        ({"batch_size": 0}, "batch_size: expected a whole number from 1 to 65536, received 0"),
        ({"epochs": 1.5}, "epochs: expected a whole number"),
        ({"tv_weight": -1.0}, "tv_weight: expected a number of at least 0, received -1.0"),
        ({"tv_weight": float("nan")}, "tv_weight: expected a number"),
        ({"discriminator_weights": (1, 2)}, "discriminator_weights: expected 4 numbers"),
        ({"content_weight": 0.0}, "content_weight: expected more than 0"),
        ({"ema_decay": 1.0}, "ema_decay: expected a number of at least 0 and below 1"),
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
    monkeypatch.setattr(flags, "FLAGS", own)
    for name in ("string", "integer", "float", "bool", "enum", "list"):
        define = getattr(flags, f"DEFINE_{name}")
        monkeypatch.setattr(
            train.flags,
            f"DEFINE_{name}",
            lambda *args, define=define, **kwargs: define(*args, flag_values=own, **kwargs),
        )
    train.define_flags()
    return own


def _recipe():
    return animegan_tf.Recipe(**cli.read_fields(animegan_tf.Recipe))


@pytest.mark.parametrize("form", ("--flagfile={folder}/{name}.flags", "--recipe={name}"))
@pytest.mark.parametrize("name", (*PUBLISHED, "smoke"))
def test_a_recipe_is_had_from_any_folder(train_flags, monkeypatch, tmp_path, name, form):
    monkeypatch.chdir(tmp_path)
    word = form.format(folder=ROOT / "flags", name=name)
    train_flags(cli.expand_flagfiles(["train", word, "--style=Mine"]))
    train._apply_recipe()
    assert _recipe() == animegan_tf.recipe(name)
    assert train_flags.style == "Mine"
    features = "random" if name == "smoke" else "imagenet"
    assert (train_flags.features, train_flags.features_depth) == (features, "vgg19")
    assert train_flags.synthetic_data == (name == "smoke")


def test_flags_replace_numbers_of_a_recipe(train_flags):
    train_flags(["train", "--epochs=7", "--recipe=paprika", "--tv_weight=3"])
    train._apply_recipe()
    expected = dataclasses.replace(animegan_tf.recipe("paprika"), epochs=7, tv_weight=3.0)
    assert _recipe() == expected
    assert train_flags.style == "Paprika"


def test_flagfiles_include_what_is_beside_them(tmp_path, monkeypatch):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "a.flags").write_text("# first\n--flagfile=er/b.flags\n--one=1\n")
    (tmp_path / "deep" / "er" / "b.flags").write_text("--flagfile=../a.flags\n\n--two=2\n")
    words = ["train", f"--flagfile={tmp_path}/deep/a.flags", "--flagfile=none", "word"]
    assert cli.expand_flagfiles(words) == ["train", "--two=2", "--one=1", "--flagfile=none", "word"]


def test_defaults_are_the_recipe_of_hayao(train_flags):
    train_flags(["train"])
    assert _recipe() == animegan_tf.recipe("hayao")


def test_every_flagfile_is_accepted(train_flags):
    files = sorted((ROOT / "flags").glob("*.flags"))
    assert {"base.flags", "smoke.flags"} <= {path.name for path in files}
    for path in files:
        train_flags.unparse_flags()
        train_flags(cli.expand_flagfiles(["train", f"--flagfile={path}"]))
        _recipe()


def test_config_imports_no_tensorflow():
    code = "import sys, animegan_tf; animegan_tf.recipe('v1'); print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(("name", "value"), [("image_size", 100000), ("batch_size", 10**9)])
def test_absurd_sizes_are_refused_with_the_name_of_the_flag(name, value):
    with pytest.raises(
        animegan_tf.InputError, match=f"{name}: expected a whole number from .*{value}"
    ):
        animegan_tf.Recipe(**{name: value})
