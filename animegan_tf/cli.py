"""Shared by all command lines: quiet TensorFlow, one-line error messages, exit statuses.

Imports nothing large, so that `--help` is fast.
"""

import contextlib
import dataclasses
import math
import os
import signal
import sys
import tempfile

from absl import app, flags, logging

import animegan_tf
from animegan_tf import memory
from animegan_tf.errors import InputError, TrainingError, printable
from animegan_tf.validation import field_type

# Flags that are defined here belong to the module that asks for them.
flags.disclaim_key_flags()

HELP = ("--help", "-help", "--helpshort", "-h", "-?", "--helpfull")


# With less, TensorFlow ends the process while it is loaded.
_ADDRESSES = 2.2e9


def load_tensorflow():
    """Import TensorFlow and Keras and detect devices, without messages on the terminal.

    TensorFlow's libraries write to the error stream before they read any log level. Set
    TF_CPP_MIN_LOG_LEVEL in the environment to see all messages, for example if a GPU is not found;
    they are also shown if the import fails. Raises `InputError` for an installation that is broken
    or does not fit into the memory that this process may use.
    """
    left = min(memory.own_limits(), default=math.inf)
    if left < _ADDRESSES:
        raise InputError(
            f"TensorFlow cannot be loaded: it needs {_ADDRESSES / 1e9:.1f} GB of address space, "
            f"but the limits of this process (ulimit -v) leave {left / 1e9:.1f}"
        )
    quiet = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    try:
        with muted_stderr() if quiet else contextlib.nullcontext():
            _import_tensorflow()
    except (ImportError, OSError, MemoryError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise InputError(f"TensorFlow cannot be loaded: {reason}") from error


def _import_tensorflow():
    import keras
    import tensorflow as tf

    del keras
    tf.config.list_physical_devices()


@contextlib.contextmanager
def muted_stderr():
    """Hide the error stream of libraries; it is shown if there is an error.

    TensorFlow that is first imported here logs only errors later too.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Exception:
            os.dup2(stderr, 2)
            kept.seek(0)
            sys.stderr.write(kept.read().decode("utf-8", "replace"))
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def show_version():
    """Print the version and exit if `--version` is the only argument.

    One command has a flag of this name with a value.
    """
    if sys.argv[1:] == ["--version"]:
        print(f"animegan_tf {animegan_tf.__version__}")
        sys.exit(0)


def refuse_arguments(argv):
    """Raise `InputError` for arguments that are not flags."""
    if len(argv) > 1:
        raise InputError(f"arguments: expected flags only, received {' '.join(argv[1:])!r}")


def require_flags(*names):
    """Raise `InputError` for the first of these flags that has no value."""
    for name in names:
        if not flags.FLAGS[name].value:
            raise InputError(f"{name}: expected --{name}=..., received nothing")


def define_fields(cls, only=None):
    """Define a flag for each field of the dataclass `cls` that `validation.option` describes.

    With `only`, a tuple of names, just for these.
    """
    for field in _flag_fields(cls):
        if only is not None and field.name not in only:
            continue
        default = None if field.default is dataclasses.MISSING else field.default
        text, choices, kind = field.metadata["text"], field.metadata["choices"], field_type(field)
        if choices:
            flags.DEFINE_enum(field.name, default, choices, text)
        elif kind is tuple:
            flags.DEFINE_list(field.name, [f"{number:g}" for number in default or ()], text)
        elif field.metadata["kind"] == "seconds":
            shown = None if default is None else f"{default:g}"
            flags.DEFINE_string(field.name, shown, f"{text} Seconds or h:mm:ss.")
        else:
            define = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}
            define.get(kind, flags.DEFINE_string)(field.name, default, text)


def read_fields(cls, skip=()):
    """{name: value} of the flags that `define_fields` defined, as the fields of `cls` take them.

    Fields named in `skip` are left out.
    """
    from animegan_tf.video.timecode import parse_time

    values = {}
    for field in _flag_fields(cls):
        if field.name in skip:
            continue
        value = flags.FLAGS[field.name].value
        if field_type(field) is tuple:
            try:
                value = tuple(map(float, value)) if value else field.default
            except ValueError:
                expected = f"{field.name}: expected numbers"
                raise InputError(f"{expected}, received {','.join(value)!r}") from None
        elif field.metadata["kind"] == "seconds" and value is not None:
            value = parse_time(field.name, value)
        values[field.name] = value
    return values


def _flag_fields(cls):
    return [field for field in dataclasses.fields(cls) if field.metadata.get("text")]


def expand_flagfiles(words, folder="", opened=()):
    """The words of a command line, or of a flagfile in `folder`, with its flagfiles' lines.

    Flagfiles in a flagfile are searched beside it, then in the working directory. Unreadable ones
    are left for absl to report. Raises `InputError` for a flagfile that is not text.
    """
    expanded = []
    for word in words:
        name, _, path = word.partition("=")
        beside = os.path.join(folder, os.path.expanduser(path))
        found = beside if os.path.isfile(beside) else os.path.expanduser(path)
        if name not in ("--flagfile", "-flagfile") or not os.path.isfile(found):
            expanded.append(word)
        elif os.path.realpath(found) not in opened:
            try:
                with open(found, encoding="utf-8") as file:
                    lines = [line.strip() for line in file]
            except UnicodeDecodeError as error:
                raise InputError(f"flagfile: expected text in UTF-8 in {found}") from error
            lines = [line for line in lines if line and not line.startswith(("#", "//"))]
            inside = (*opened, os.path.realpath(found))
            expanded += expand_flagfiles(lines, os.path.dirname(found), inside)
    return expanded


def _grouped_help(doc, groups):
    """The text of `--help` with each flag under its first heading in `groups`."""
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
    and that module's flags, also for a console script, or the flags of `groups` ({heading: names}).
    An `InputError`, an `OSError` (a missing file, a full disk) or a `TrainingError` is printed as
    one `error:` line with status 1; other exceptions are bugs and keep their traceback.
    """
    _open_closed_streams()
    with without_a_reader():
        _run(main, module_name, doc, groups)


def _open_closed_streams():
    """Open closed standard streams on the null device.

    Otherwise the next opened file would get their number, and the output of libraries.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


@contextlib.contextmanager
def without_a_reader():
    """Exit silently if the reader of standard output has closed the pipe (`--help | head`)."""
    try:
        yield
    except BrokenPipeError:
        pass
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(main, module_name, doc, groups):
    show_version()
    if groups and any(word in HELP[:-1] for word in sys.argv[1:]):
        print(_grouped_help(doc, groups))
        sys.exit(0)
    if module_name != "__main__":
        # For --help absl uses the program's main module, which is a generated script here.
        sys.modules["__main__"].__doc__ = doc
        for flag in flags.FLAGS.get_key_flags_for_module(sys.modules[module_name]):
            flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)

    def guarded(argv):
        # Like Ctrl-C, so that temporary files are removed.
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        logging.set_verbosity(logging.WARNING)
        if hasattr(sys.stdout, "reconfigure"):
            # Names that the terminal's encoding does not support must not end a run.
            sys.stdout.reconfigure(errors="backslashreplace")
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
        app.run(guarded, argv=expand_flagfiles(sys.argv))
    except InputError as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        sys.exit(1)
    except SystemExit as stop:
        # absl exits with 1 after showing help.
        if stop.code == 1 and any(word in HELP for word in sys.argv[1:]):
            sys.exit(0)
        raise
