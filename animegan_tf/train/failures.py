"""One-line messages for errors in training: the cause, a remedy, the last checkpoint."""

import contextlib
import re

import tensorflow as tf

from animegan_tf.errors import TrainingError, reason_of

# `tf.numpy_function` repeats the exception's class and text in the first lines of its own error.
_FROM_PYTHON = re.compile(r"\b(?:InputError|OSError|\w*Error): (?!\{\{)(.*)")
_OUT_OF_MEMORY = re.compile(r"out of memory|OOM when|failed to allocate|bad_alloc", re.IGNORECASE)


def last_checkpoint(state):
    """A clause that names the last checkpoint of a `RunState`."""
    if state.latest is None:
        return "no checkpoint was saved"
    return f"the last checkpoint is {state.latest}"


@contextlib.contextmanager
def reading_a_batch(save, state):
    """For a batch that cannot be read: call `save()` and raise `TrainingError`."""
    try:
        yield
    except tf.errors.OpError as error:
        if _is_out_of_memory(error):
            raise
        found = _FROM_PYTHON.findall(str(error))
        save()
        raise TrainingError(
            f"{found[-1] if found else reason_of(error)}; restore or remove the file, then the "
            f"same command continues; {last_checkpoint(state)}"
        ) from error


@contextlib.contextmanager
def running(config, workers, state):
    """Raise `TrainingError` if memory runs out, a worker is lost, or the disk is full."""
    try:
        yield
    except OSError as error:  # scalars or images, when the disk is full
        raise TrainingError(f"{error}; {last_checkpoint(state)}") from error
    except (tf.errors.OpError, MemoryError) as error:
        if _is_out_of_memory(error):
            text = f"out of memory: {_smaller(config, state)}"
        elif workers > 1 and not isinstance(error, tf.errors.InvalidArgumentError):
            text = (
                f"another worker of this run has ended ({reason_of(error)}); start all workers "
                "again with the same command"
            )
        else:
            raise
        raise TrainingError(f"{text}; {last_checkpoint(state)}") from error


def _is_out_of_memory(error):
    kinds = (tf.errors.ResourceExhaustedError, MemoryError)
    return isinstance(error, kinds) or bool(_OUT_OF_MEMORY.search(str(error)))


def _smaller(config, state):
    """Suggest flags with which the run needs less memory."""
    recipe, options = config.recipe, []
    if recipe.batch_size > 1:
        changed = "" if state.latest is None else " --allow_change=batch_size"
        options.append(f"--batch_size={recipe.batch_size // 2}{changed}")
    if recipe.image_size > 128:
        options.append("a smaller --image_size with --crop=random")
    if config.mixed_precision == "float32":
        options.append("--mixed_precision=bfloat16")
    return (
        f"batch_size {recipe.batch_size} at {recipe.image_size}x{recipe.image_size} does not fit; "
        f"try {', or '.join(options) or 'a device with more memory'}"
    )
