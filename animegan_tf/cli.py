"""What every command line shares: quiet TensorFlow, plain error messages, exit statuses.

Imports nothing heavy, so that `--help` answers at once.
"""

import contextlib
import os
import sys
import tempfile

from absl import app, flags, logging

from animegan_tf.errors import InputError, TrainingError, printable

_HELP = ("--help", "-help", "--helpshort", "-h", "-?", "--helpfull")


def load_tensorflow():
    """Import TensorFlow and Keras and look for devices, without their chatter on the terminal.

    TensorFlow's libraries write to the error stream before any log level is read. With
    TF_CPP_MIN_LOG_LEVEL set in the environment everything is shown, e.g. to find out why a GPU is
    not seen; what was written is shown too when the import fails.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        _import_tensorflow()
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    with muted_stderr():
        _import_tensorflow()


def _import_tensorflow():
    import keras
    import tensorflow as tf

    del keras
    tf.config.list_physical_devices()


@contextlib.contextmanager
def muted_stderr():
    """Hide what libraries write to the error stream; it is shown when an exception leaves."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(stderr, 2)
            kept.seek(0)
            sys.stderr.write(kept.read().decode("utf-8", "replace"))
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def refuse_arguments(argv):
    """Raise `InputError` for what `main` got besides its flags."""
    if len(argv) > 1:
        raise InputError(f"arguments: expected flags only, received {' '.join(argv[1:])!r}")


def require_flags(*names):
    """Raise `InputError` for the first of these flags that has no value."""
    for name in names:
        if not flags.FLAGS[name].value:
            raise InputError(f"{name}: expected --{name}=..., received nothing")


def _grouped_help(doc, groups):
    """The text of `--help` with the flags under the headings of `groups`, each once."""
    texts, shown = [doc], set()
    for heading, names in groups.items():
        for name in set(names) - shown:
            flags.FLAGS.register_key_flag_for_module(heading, flags.FLAGS[name])
        shown |= set(names)
        texts.append(flags.FLAGS.module_help(heading))
    return "\n".join((*texts, "\nTry --helpfull to get a list of all flags."))


def run(main, module_name, doc, groups=None):
    """Run `main(argv)` under absl; its return value is the exit status (None is 0).

    `module_name` and `doc` are the entry point's `__name__` and `__doc__`: `--help` shows that text
    and that module's flags, also when a console script started it, or the flags of `groups`, names
    by heading; a flag stands under the first heading that has it. A user's mistake (`InputError`,
    or an `OSError` such as a missing file or a full disk) and a training run that cannot go on are
    printed as one `error:` line with status 1; other exceptions are bugs and keep their traceback.
    """
    if groups and any(word in _HELP[:-1] for word in sys.argv[1:]):
        print(_grouped_help(doc, groups))
        sys.exit(0)
    if module_name != "__main__":
        # For --help absl looks at the program's main module, which is a generated script here.
        sys.modules["__main__"].__doc__ = doc
        for flag in flags.FLAGS.get_key_flags_for_module(sys.modules[module_name]):
            flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)

    def guarded(argv):
        logging.set_verbosity(logging.WARNING)
        try:
            status = main(argv)
        except (InputError, TrainingError, OSError) as error:
            print(f"error: {printable(error)}", file=sys.stderr)
            status = getattr(error, "exit_status", 1)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            status = 130
        sys.exit(status)

    try:
        app.run(guarded)
    except SystemExit as stop:
        # absl leaves with 1 after showing the help that was asked for.
        if stop.code == 1 and any(word in _HELP for word in sys.argv[1:]):
            sys.exit(0)
        raise
