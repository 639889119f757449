import io

import keras
import numpy as np
import places
import pytest
import tensorflow as tf
from pictures import network, noise, ramps
from PIL import Image

from animegan_tf import images, styles
from animegan_tf.errors import InputError
from animegan_tf.networks import build_generator
from animegan_tf.networks.weights import RUN_WEIGHTS, save_generator
from animegan_tf.stylize import stylizer
from animegan_tf.stylize.stylizer import Stylizer

GOLDEN = np.load(places.GOLDEN / "data_a.npz")


@pytest.fixture(scope="module")
def identity():
    return network()


def recorded(stylize, monkeypatch):
    """The list that every batch given to the network of `stylize` goes into."""
    batches, run = [], stylize.network
    monkeypatch.setattr(stylize, "network", lambda batch: batches.append(batch) or run(batch))
    return batches


# --- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(256, 256), (257, 301), (300, 259), (263, 256)])
@pytest.mark.parametrize("match", [True, False])
def test_padding_is_cut_away_exactly(identity, size, match, monkeypatch):
    stylize = Stylizer(identity, match_brightness=match)
    batches = recorded(stylize, monkeypatch)
    photo = noise(*size)
    result = stylize(photo)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, photo)
    (batch,) = batches
    assert batch.shape == (1, *(-(-side // 8) * 8 for side in size), 3)
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(
        batch[0],
        np.pad(
            batch[0, : size[0], : size[1]],
            [(0, batch.shape[1] - size[0]), (0, batch.shape[2] - size[1]), (0, 0)],
            mode="reflect",
        ),
    )


@pytest.mark.parametrize(
    ("size", "inner"),
    [
        ((1, 1), (256, 256)),
        ((100, 61), (424, 256)),  # 100 * 256 / 61 = 419.7, to the next multiple of 8
        ((255, 255), (256, 256)),
        ((3, 500), (80, 13224)),  # over 16 times as long as wide: enlarged to 2**20 pixels only
        ((1, 2000), (24, 45800)),
        ((1, 9000), (16, 97152)),  # 11 rows: padded more, lest the network's own padding fail
    ],
)
def test_small_pictures_are_enlarged_for_the_network(identity, size, inner, monkeypatch):
    stylize = Stylizer(identity, match_brightness=False)
    batches = recorded(stylize, monkeypatch)
    photo = ramps(*size)
    result = stylize(photo)
    assert batches[0].shape[1:3] == inner
    assert result.shape == photo.shape
    np.testing.assert_allclose(result.astype(int), photo, atol=4)


def test_narrow_pictures_stay_within_memory(identity, monkeypatch):
    stylize = Stylizer(identity)
    batches = recorded(stylize, monkeypatch)
    assert stylize(noise(4000, 2)).shape == (4000, 2, 3)
    assert stylize(noise(1, 5000)).shape == (1, 5000, 3)
    assert max(batch.shape[1] * batch.shape[2] for batch in batches) < 2**21


@pytest.mark.parametrize("name", ["cartoon_0.png", "cartoon_2.png"])
def test_published_sizing(identity, name, monkeypatch):
    stylize = Stylizer(identity, sizing="published")
    batches = recorded(stylize, monkeypatch)
    expected = GOLDEN[f"preprocess/{name}"]
    result = stylize(np.ascontiguousarray(GOLDEN[f"input/{name}"][:, :, ::-1]))
    np.testing.assert_allclose(batches[0], expected, atol=1e-5)
    assert result.shape == expected.shape[1:]


def test_max_side(identity):
    photo = ramps(400, 601)
    stylize = Stylizer(identity, max_side=300, match_brightness=False)
    expected = images.limit_side(photo, 300)
    assert expected.shape == (200, 300, 3)
    np.testing.assert_allclose(stylize(photo).astype(int), expected, atol=2)
    small = ramps(280, 290)
    np.testing.assert_array_equal(stylize(small), small)


@pytest.mark.parametrize("arch", ["lite", "v2"])
def test_a_generator_on_an_odd_size(arch):
    keras.utils.set_random_seed(1)
    model = build_generator(arch)
    photo = noise(257, 263)
    padded = np.pad(photo, ((0, 7), (0, 1), (0, 0)), mode="reflect")
    if arch == "v2":  # multiples of 4
        padded = padded[:260]
    result = Stylizer(model, match_brightness=False)(photo)
    values = model(images.to_network(padded)[None], training=False)[0, :257, :263]
    expected = images.to_uint8(values)
    assert expected.std() > 10  # not a plain colour
    np.testing.assert_allclose(result.astype(int), expected, atol=1)


@pytest.mark.parametrize("arch", ["lite", "v2", "v1"])
def test_generators_on_the_smallest_sizes(arch):
    stylize = Stylizer(build_generator(arch))
    assert stylize(noise(1, 1)).shape == (1, 1, 3)
    least = 2 * stylize.engine.multiple  # what a line of pixels is padded to
    stylize.network(np.zeros((1, least, least, 3), np.float32))


# --- values --------------------------------------------------------------------------------------


def test_brightness_is_matched_to_the_photo():
    darker = network(lambda x: (x + 1) * 0.5 - 1)
    photo = noise(256, 300) // 2
    assert abs(Stylizer(darker)(photo).mean() - photo.mean()) < 1
    assert Stylizer(darker, match_brightness=False)(photo).mean() < 0.6 * photo.mean()


def test_black_pictures(identity):
    black = np.zeros((30, 40, 3), np.uint8)
    np.testing.assert_array_equal(Stylizer(identity)(black), black)
    np.testing.assert_array_equal(Stylizer(network(lambda x: x * 0 - 1))(noise(30, 40)), black)


def test_half_precision_answers_are_accepted():
    photo = noise(256, 256)
    result = Stylizer(network(lambda x: tf.cast(x, tf.float16)), match_brightness=False)(photo)
    np.testing.assert_allclose(result.astype(int), photo, atol=1)


def test_pictures_of_many_sizes_are_traced_once():
    traces = []

    def count(x):
        traces.append(1)
        return x

    model = network(count)
    stylize = Stylizer(model)
    traces.clear()
    for width in (256, 300, 333):
        stylize(noise(256, width))
    assert len(traces) == 1


# --- kinds of photos -----------------------------------------------------------------------------


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_arrays_come_back_as_the_same_kind(identity):
    stylize = Stylizer(identity)
    rgb = noise(256, 256)
    alpha = np.full((256, 256, 1), 200, np.uint8)
    gray = rgb[:, :, :1]
    deep = noise(256, 256).astype(np.uint16) * 257 + noise(256, 256, seed=1)
    for photo in (
        rgb, np.dstack([rgb, alpha]), gray[:, :, 0], gray, rgb / 255, rgb[None], deep, deep[..., 0],
    ):  # fmt: skip
        made = stylize(photo)
        assert (made.shape, made.dtype) == (photo.shape, photo.dtype)
        np.testing.assert_allclose(made, photo, atol=1e-5 if photo.dtype.kind == "f" else 1)
    floats = (np.dstack([rgb, alpha]) / 255).astype(np.float32)
    assert stylize(floats).dtype == np.float32
    batch = np.stack([rgb, rgb[::-1]])
    np.testing.assert_array_equal(stylize(batch), batch)
    one, other = stylize([rgb, gray])
    assert (one.shape, other.shape) == (rgb.shape, gray.shape)


def test_files_bytes_and_images_of_pillow(identity, tmp_path):
    stylize = Stylizer(identity)
    rgb = noise(256, 260)
    image = Image.fromarray(rgb)
    made = stylize(image)
    assert isinstance(made, Image.Image)
    np.testing.assert_array_equal(np.asarray(made), rgb)
    assert [stylize(image.convert(mode)).mode for mode in ("L", "LA", "RGBA", "P")] == [
        "L", "LA", "RGBA", "RGB",
    ]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    data = encoded(image, "PNG", exif=exif)
    made = Image.open(io.BytesIO(stylize(data)))
    assert (made.format, made.size, made.getexif()[0x010F]) == ("PNG", (256, 260), "Maker")
    (tmp_path / "a.png").write_bytes(data)
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        np.testing.assert_array_equal(stylize(path), np.rot90(rgb, -1))
    with pytest.raises(FileNotFoundError):
        stylize(tmp_path / "none.png")


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photo", "received"),
    [
        (np.zeros((4, 5, 3), np.int16), r"int16 \(4, 5, 3\)"),
        (np.zeros((4, 5, 2), np.uint8), r"uint8 \(4, 5, 2\)"),
        (np.zeros((0, 5, 3), np.uint8), r"uint8 \(0, 5, 3\)"),
        (np.zeros((0, 4, 5, 3), np.uint8), r"uint8 \(0, 4, 5, 3\)"),
        (np.full((4, 5, 3), 1.5), "1.5 to 1.5"),
        (np.full((4, 5, 3), np.nan), "nan to nan"),
        (None, "NoneType"),
        (b"no photo", "8 bytes of something else"),
    ],
)
def test_other_arrays_are_refused(identity, photo, received):
    with pytest.raises(InputError, match=f"photo: expected .* received {received}"):
        Stylizer(identity)(photo)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizing": "big"}, "sizing: expected one of photo, published, received 'big'"),
        ({"max_side": 0}, "max_side: expected a whole number of at least 1, received 0"),
        ({"max_side": 0.5}, "max_side: .* received 0.5"),
    ],
)
def test_other_options_are_refused(identity, options, message):
    with pytest.raises(InputError, match=message):
        Stylizer(identity, **options)


def test_other_checkpoints_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"checkpoint: expected a run directory.* found nothing at"
    ):
        Stylizer(tmp_path / "none.weights.h5")
    for nothing in ("", 3):
        with pytest.raises(InputError, match=r"checkpoint: expected a run directory.* received"):
            Stylizer(nothing)
    with pytest.raises(InputError, match="expected a generator"):
        Stylizer(network(name="classifier"))


def test_tensorflow_1_prefixes_are_found(tmp_path):
    (tmp_path / "Hayao-99.ckpt.index").touch()
    stylizer.check_options(tmp_path / "Hayao-99.ckpt")


def test_weights_files(tmp_path):
    model = build_generator("lite")
    model.save_weights(tmp_path / "a.weights.h5")
    photo = noise(256, 264)
    expected = Stylizer(model)(photo)
    np.testing.assert_array_equal(Stylizer(tmp_path / "a.weights.h5")(photo), expected)
    np.testing.assert_array_equal(Stylizer(str(tmp_path / "a.weights.h5"))(photo), expected)


def test_the_shipped_style_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setattr(styles, "_SHIPPED_ROOTS", (tmp_path,))
    with pytest.raises(InputError, match=r"style: expected .*, received neither.*--style"):
        Stylizer()
    model = build_generator("lite")
    model.match_brightness = False
    save_generator(model, tmp_path / "thequestion" / RUN_WEIGHTS)
    photo = noise(256, 264)
    expected = Stylizer(model, match_brightness=False)(photo)
    for stylize in (Stylizer(), Stylizer(style="thequestion")):
        np.testing.assert_array_equal(stylize(photo), expected)


def test_styles_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    model = build_generator("lite")
    save_generator(model, tmp_path / "hayao" / RUN_WEIGHTS)  # as if fetched
    photo = noise(256, 264)
    stylize = Stylizer(style="hayao", styles_dir=tmp_path)
    np.testing.assert_array_equal(stylize(photo), Stylizer(model)(photo))
    with pytest.raises(InputError, match=r"expected --accept_license .*accept_license=True"):
        Stylizer(style="paprika", styles_dir=tmp_path)
    with pytest.raises(OSError, match=r"http://127.0.0.1:1/.*: no connection"):
        Stylizer(
            style="paprika",
            styles_dir=tmp_path,
            accept_license=True,
            mirror="http://127.0.0.1:1",
        )
    with pytest.raises(InputError, match="style: expected a style or a checkpoint, received both"):
        Stylizer(model, style="hayao")
    with pytest.raises(InputError, match=r"style: expected one of .*hayao.*, received 'Hayao'"):
        Stylizer(style="Hayao")
    with pytest.raises(
        InputError, match=r"found nothing at hayao \(there is a style with this name"
    ):
        Stylizer("hayao")


def test_networks_that_answer_nan_are_reported():
    with pytest.raises(InputError, match=r"checkpoint: .* not finite"):
        Stylizer(network(lambda x: x / 0.0))(noise(256, 256))


def test_too_large_for_memory_says_what_helps(identity, monkeypatch):
    stylize = Stylizer(identity)

    def fail(_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    monkeypatch.setattr(stylize.engine, "_run", fail)
    with pytest.raises(MemoryError, match=r"264x256 is too large.*max_side"):
        stylize(noise(256, 260))
