"""Pictures and stand-ins for a generator, for the tests of stylising."""

import io

import keras
import numpy as np
import places
from PIL import Image

from animegan_tf import images

GOLDEN = np.load(places.GOLDEN / "data_a.npz")
# Names of the drawn pictures in it.
CARTOONS = [key.removeprefix("input/") for key in GOLDEN.files if key.startswith("input/")]


def noise(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def ramps(height, width):
    """A picture that is smooth, so that resizing there and back hardly changes it."""
    rows = np.linspace(0, min(250, 4 * height), height)[:, None, None]
    columns = np.linspace(0, min(250, 4 * width), width)[None, :, None]
    parts = np.array([1.0, 0.5, 0.0])
    return np.rint(rows * parts + columns * (1 - parts)).astype(np.uint8)


def network(function=None, name="generator_lite"):
    """A model in place of a generator, which answers with `function(batch)`: itself by default."""
    photo = keras.Input((None, None, 3))
    return keras.Model(photo, keras.layers.Lambda(function or (lambda x: x))(photo), name=name)


def step(dark=70, light=200, size=48):
    """uint8 RGB whose left half is dark and whose right half is light."""
    photo = np.full((size, size, 3), dark, np.uint8)
    photo[:, size // 2 :] = light
    return photo


def negative(rgb):
    return 255 - rgb


def make_negative():
    return negative


def photos_in(folder, *names):
    """Write a small photo of its own under each name."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        images.write_photo(folder / name, np.full((6, 9, 3), 10 * number + 5, np.uint8))
    return folder


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def jpeg(**options):
    file = io.BytesIO()
    Image.fromarray(ramps(40, 60)).save(file, "JPEG", quality=95, **options)
    return file.getvalue()
