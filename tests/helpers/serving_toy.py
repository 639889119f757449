"""A small model with the signatures of an export, and calls of servers that have it."""

import socket
from pathlib import Path

import numpy as np
import tensorflow as tf

from animegan_tf import images
from animegan_tf.serving.client import ServingConfig, call_server


class Negative(tf.Module):
    """Inverts colours, with the signatures of an export; refuses pictures with a side below 4."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "images")])
    def pixels(self, images):
        shortest = tf.reduce_min(tf.shape(images)[1:3])
        tf.debugging.assert_greater_equal(shortest, 4, "images: the café's sides are under 4")
        return {"images": 255 - images}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def files(self, image_bytes):
        def one(data):
            photo = tf.io.decode_image(data, channels=3, expand_animations=False)
            photo = tf.ensure_shape(photo, [None, None, 3])
            return tf.io.encode_png(self.pixels(photo[None])["images"][0])

        return {"image_bytes": tf.map_fn(one, image_bytes)}

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, "images")])
    def raw(self, images):
        return {"images": -images}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "photo_bytes")])
    def other(self, photo_bytes):
        return {
            "length": tf.strings.length(photo_bytes),
            "first": tf.strings.substr(photo_bytes, 0, 1),
        }


def save(folder):
    """Two versions of a SavedModel, the second with a signature more."""
    model = Negative()
    signatures = {"serving_default": model.pixels, "image_bytes": model.files, "raw": model.raw}
    tf.saved_model.save(model, str(folder / "1"), signatures)
    tf.saved_model.save(model, str(folder / "2"), {**signatures, "other": model.other})
    return folder


def call(server, photos, out, **options):
    url = server if isinstance(server, str) else server.url
    keep = {key: options.pop(key) for key in ("overwrite", "progress") if key in options}
    inputs = [photos] if isinstance(photos, Path) else photos
    return call_server(ServingConfig(url, **options), inputs, out, **keep)


def negatives(report, photos):
    for path in report.written:
        photo = images.read_photo(photos / path.name).rgb
        np.testing.assert_array_equal(images.read_photo(path).rgb, 255 - photo)


def asked_to_predict(server):
    return sum("redict" in one for one in server.asked)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
