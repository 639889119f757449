"""SavedModels of someone else are looked through before TensorFlow loads them."""

import pytest
import tensorflow as tf

from animegan_tf.errors import InputError
from animegan_tf.networks import saved_model
from animegan_tf.stylize.engines import SavedModelEngine

SPEC = tf.TensorSpec((None, None, None, 3), tf.float32, "images")


def _save(folder, function, **kept):
    module = tf.Module()
    for name, value in kept.items():
        setattr(module, name, value)
    module.run = tf.function(
        lambda images: {"images": function(images)}, input_signature=[SPEC], autograph=False
    )
    tf.saved_model.save(module, folder, signatures={"raw": module.run})
    return folder


def _read(path, images):
    return images + tf.cast(tf.strings.length(tf.io.read_file(str(path))), tf.float32)


def _write(path, images):
    with tf.control_dependencies([tf.io.write_file(str(path), "written")]):
        return tf.identity(images)


def _write_in_a_branch(path, images):
    return tf.cond(tf.reduce_sum(images) > -1e9, lambda: _write(path, images), lambda: images)


def _python(path, images):
    return tf.ensure_shape(tf.py_function(lambda x: x, [images], tf.float32), SPEC.shape)


@pytest.mark.parametrize(
    ("function", "operator"),
    (
        (_read, "ReadFile"),
        (_write, "WriteFile"),
        (_write_in_a_branch, "WriteFile"),
        (_python, "EagerPyFunc"),
        (
            lambda _, x: x + tf.cast(tf.size(tf.io.matching_files("/*")), tf.float32),
            "MatchingFiles",
        ),
    ),
)
def test_operators_with_side_effects_are_refused_by_name(tmp_path, monkeypatch, function, operator):
    written = tmp_path / "written"
    folder = _save(tmp_path / "model", lambda images: function(written, images))
    monkeypatch.setattr(tf.saved_model, "load", None)
    with pytest.raises(InputError, match=f"was not loaded: {operator}$"):
        SavedModelEngine(folder)
    assert not written.exists()


def test_what_loading_alone_would_run_is_refused(tmp_path):
    (tmp_path / "words.txt").write_text("a\nb\n")
    words = tf.lookup.TextFileInitializer(
        str(tmp_path / "words.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )  # fmt: skip
    table = tf.lookup.StaticHashTable(words, -1)
    folder = _save(
        tmp_path / "model",
        lambda images: images + tf.cast(table.lookup(tf.constant("a")), tf.float32),
        table=table,
    )
    with pytest.raises(InputError, match=r"was not loaded: .*InitializeTableFromTextFileV2"):
        SavedModelEngine(folder)


def test_files_that_tensorflow_would_read_instead_are_refused(tmp_path):
    folder = _save(tmp_path / "model", lambda images: -images)
    saved_model.check(folder)
    (folder / "saved_model.cpb").write_bytes(b"anything")
    with pytest.raises(InputError, match="is not a readable SavedModel: it is split"):
        SavedModelEngine(folder)


def test_a_saved_model_of_tensorflow_1_is_refused(tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        images = tf.compat.v1.placeholder(tf.float32, SPEC.shape)
        tf.compat.v1.saved_model.simple_save(
            session, str(tmp_path / "old"), {"images": images}, {"images": -images}
        )
    with pytest.raises(InputError, match="is not a readable SavedModel: it is not of TensorFlow 2"):
        SavedModelEngine(tmp_path / "old")


def test_damaged_variables_are_named(tmp_path):
    weight = tf.Variable(tf.ones((3,)))
    folder = _save(tmp_path / "model", lambda images: images * weight, weight=weight)
    SavedModelEngine(folder)
    index = folder / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"variables.* is not a readable checkpoint"):
        SavedModelEngine(folder)
