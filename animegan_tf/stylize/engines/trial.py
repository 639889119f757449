"""Runs a TFLite file of someone else once, in a process of its own, before this one does.

LiteRT trusts the numbers in a file: with wrong ones it reads where there is nothing, which ends the
process. Of this project the child imports nothing:

    python trial.py FILE BYTES_OF_MEMORY
"""

import contextlib
import os
import subprocess
import sys

_SECONDS = 300
_SIDE = 64


def refuse_crashing(path):
    """Raise `InputError` for a TFLite file that cannot be run once without ending the process."""
    from animegan_tf import memory
    from animegan_tf.errors import InputError

    command = [sys.executable, os.path.abspath(__file__), str(path), str(memory.available() or 0)]
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        reason = f"one small picture takes it more than {_SECONDS} seconds"
        raise InputError(f"checkpoint: {path} is no usable TFLite file: {reason}") from error
    if ended.returncode:
        said = (ended.stdout.strip().splitlines() or ["LiteRT crashes on it"])[-1]
        raise InputError(f"checkpoint: {path} is no readable TFLite file: {said}")


def _run_once(path):
    """Whatever goes wrong before it is set up is an exception in the caller's process too."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    try:
        with open(path, "rb") as file:
            interpreter = Interpreter(model_content=file.read(), num_threads=1)
        (given,) = interpreter.get_input_details()
        shape = [int(side) if side > 0 else _SIDE for side in given["shape_signature"]]
        if given["dtype"] != np.float32 or len(shape) != 4:
            return
    except (ValueError, RuntimeError, OSError):
        return
    interpreter.resize_tensor_input(given["index"], shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], np.zeros(shape, np.float32))
    interpreter.invoke()
    for made in interpreter.get_output_details():
        interpreter.get_tensor(made["index"])


if __name__ == "__main__":
    # Nor are the modules beside this file in the way of installed ones of the same names.
    if not getattr(sys.flags, "safe_path", False):  # which Python 3.10 does not know
        del sys.path[0]
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        if int(sys.argv[2]):
            resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        _run_once(sys.argv[1])
    except Exception as error:
        print(" ".join(str(error).split())[:300] or type(error).__name__)
        sys.exit(1)
