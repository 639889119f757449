"""The SavedModel engine."""

import json
from pathlib import Path

from animegan_tf.errors import InputError, reason_of
from animegan_tf.stylize.engines.base import Engine, digest, memory_errors

_SAVED_MODEL_FILE = "saved_model.pb"
# The style's properties, in TensorFlow's folder for additional files.
SAVED_MODEL_PROPERTIES = Path("assets.extra", "animegan_tf.json")


def saved_model_folder(path):
    """The SavedModel at `path`: the folder or its highest numbered subfolder, or None."""
    path = Path(path)
    if (path / _SAVED_MODEL_FILE).is_file():
        return path
    if not path.is_dir():
        return None
    versions = [
        p for p in path.iterdir() if p.name.isdecimal() and (p / _SAVED_MODEL_FILE).is_file()
    ]
    return max(versions, key=lambda p: int(p.name), default=None)


class SavedModelEngine(Engine):
    """A SavedModel of `animegan_tf.export`, run by its signature `raw`, which accepts any size."""

    multiple = 1

    def __init__(self, folder):
        import tensorflow as tf

        from animegan_tf.networks import saved_model

        saved_model.check(folder)
        try:
            # Keep the whole object: its signatures do not keep its variables alive.
            self._loaded = tf.saved_model.load(str(folder))
        except MemoryError:
            raise
        except Exception as error:  # TensorFlow raises all kinds for damaged files
            raise InputError(
                f"checkpoint: {folder} is not a readable SavedModel: {reason_of(error)}"
            ) from error
        if "raw" not in self._loaded.signatures:
            signatures = ", ".join(self._loaded.signatures) or "none"
            raise InputError(
                f"checkpoint: expected a SavedModel of animegan_tf.export with a signature raw, "
                f"{folder} has {signatures}"
            )
        self._folder = Path(folder)
        self.match_brightness = _saved_properties(self._folder).get("match_brightness", True)
        self._invalid = tf.errors.InvalidArgumentError
        self._run = self._loaded.signatures["raw"]

    def identity(self):
        files = sorted(path for path in self._folder.rglob("*") if path.is_file())
        return digest(path.read_bytes() for path in files)

    def __call__(self, batch):
        try:
            with memory_errors():
                (output,) = self._run(images=batch).values()
                return output.numpy()
        except self._invalid as error:
            raise InputError(f"the SavedModel refuses the photo: {error.message}") from error


def _saved_properties(folder):
    """The properties of the style that a SavedModel records, or {}."""
    path = folder / SAVED_MODEL_PROPERTIES
    try:
        properties = json.loads(path.read_text("utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise InputError(f"checkpoint: {path} is not readable JSON: {error}") from error
    return properties if isinstance(properties, dict) else {}
