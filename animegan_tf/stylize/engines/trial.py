"""Runs an untrusted TFLite file once in a child process, before this process does.

LiteRT does not check the numbers in a file; wrong ones can crash the process. The child imports
nothing of this project:

    python trial.py FILE BYTES_OF_MEMORY
"""

import contextlib
import os
import subprocess
import sys

_SECONDS = 300
_SIDE = 64


def refuse_crashing(path):
    """Raise `InputError` for a TFLite file that crashes LiteRT or cannot be run."""
    from animegan_tf import memory
    from animegan_tf.errors import InputError

    command = [sys.executable, os.path.abspath(__file__), str(path), str(memory.available() or 0)]
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        reason = f"a small image takes more than {_SECONDS} seconds"
        raise InputError(f"checkpoint: {path} is no usable TFLite file: {reason}") from error
    if ended.returncode:
        reason = (ended.stdout.strip().splitlines() or ["LiteRT crashes on it"])[-1]
        raise InputError(f"checkpoint: {path} is no readable TFLite file: {reason}")


def _run_once(path):
    """Return early for errors that are exceptions in the caller's process too."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    try:
        with open(path, "rb") as file:
            interpreter = Interpreter(model_content=file.read(), num_threads=1)
        (tensor,) = interpreter.get_input_details()
        shape = [int(side) if side > 0 else _SIDE for side in tensor["shape_signature"]]
        if tensor["dtype"] != np.float32 or len(shape) != 4:
            return
    except (ValueError, RuntimeError, OSError):
        return
    interpreter.resize_tensor_input(tensor["index"], shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(tensor["index"], np.zeros(shape, np.float32))
    interpreter.invoke()
    for output in interpreter.get_output_details():
        interpreter.get_tensor(output["index"])


if __name__ == "__main__":
    # Modules beside this file must not hide installed ones of the same names.
    if not getattr(sys.flags, "safe_path", False):  # not in Python 3.10
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
