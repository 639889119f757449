"""Styles by name: shipped with this project, or published ones, downloaded on demand.

A shipped style is `<name>/generator.weights.h5` in the package or in the checkout; see `published`
for the others.
"""

import dataclasses
import os
from pathlib import Path

from animegan_tf import storage, validation
from animegan_tf.download import TIMEOUT
from animegan_tf.errors import InputError
from animegan_tf.networks.weights import RUN_WEIGHTS
from animegan_tf.published import PUBLISHED, SOURCE, STYLES_VARIABLE, fetch

DEFAULT = "thequestion"
# Beside the weights of a shipped style.
CONVERTED = "generator.tflite"

_PEPPER = "CC BY 4.0, Pepper&Carrot by David Revoy"


@dataclasses.dataclass(frozen=True)
class ShippedStyle:
    """A style that ships with this project.

    `about` is a short description; `converted_from` the SHA-256 of the weights from which the
    network beside them was converted, or None if there is none.
    """

    name: str
    arch: str
    about: str
    converted_from: str | None = None
    license: str = "Apache 2.0"


SHIPPED = {style.name: style for style in (
    ShippedStyle(
        "thequestion", "v2", "experimental: bright paintings with bold ink",
        "c7a142a013f4567ef7113edaadaa849883d0f80c7f8835020d290a8c1273946f",
    ),
    ShippedStyle(
        "thequestion-lite", "lite",
        "experimental: bright paintings with bold ink, smaller and faster",
        "d5fdd040d9c77ef3f577d639ef81c75109fe6934ff0bdcad8062cee4b130b682",
    ),
    ShippedStyle(
        "peppercarrot", "v2", "experimental: warm paintings with bold ink like Pepper&Carrot",
        "493cd342ce07103e957d59869316be0751856f8452cf843163600089418254da", _PEPPER,
    ),
    ShippedStyle(
        "peppercarrot-lite", "lite",
        "experimental: warm paintings with bold ink like Pepper&Carrot, smaller and faster",
        "c698fc20648b34329202a064fda277479e11b0852f5022e832eef81f7a6ec52b", _PEPPER,
    ),
)}  # fmt: skip

# In an installed package (where setup.py puts the checkout's folder), and in a checkout.
_SHIPPED_ROOTS = (Path(__file__).parent / "shipped", Path(__file__).parent.parent / "checkpoints")


# --- finding -------------------------------------------------------------------------------------


def names():
    """The names of available shipped styles, then of the published ones."""
    return [*filter(_shipped_file, SHIPPED), *PUBLISHED]


def _shipped_file(name):
    for root in _SHIPPED_ROOTS:
        if (root / name / RUN_WEIGHTS).is_file():
            return root / name / RUN_WEIGHTS
    return None


def is_published(file):
    """Whether a weights file is that of a downloaded style."""
    return (Path(file).parent / SOURCE).is_file()


def shipped_network(file, digest):
    """The shipped network of a shipped weights file, converted for LiteRT, or None.

    digest: the SHA-256 of the weights file, which the style records for its network.
    """
    path = Path(file).resolve().with_name(CONVERTED)
    style = SHIPPED.get(path.parent.name)
    known = style is not None and style.converted_from == digest
    roots = [root.resolve() for root in _SHIPPED_ROOTS]
    return path if known and path.parent.parent in roots and path.is_file() else None


def styles_folder(styles_dir=None):
    """The folder of downloaded styles, which may not exist.

    `styles_dir`, else the variable ANIMEGAN_TF_STYLES, else `animegan_tf/styles` in the user's
    cache (XDG_CACHE_HOME or ~/.cache, ~/Library/Caches on macOS, %LOCALAPPDATA% on Windows).
    Raises `InputError` for a user without a home folder.
    """
    folder = styles_dir or os.environ.get(STYLES_VARIABLE)
    try:
        if folder:
            return Path(folder).expanduser()
        return storage.user_cache() / "styles"
    except RuntimeError as error:
        raise InputError(
            f"styles_dir: expected a folder (--styles_dir or {STYLES_VARIABLE}), as this user has "
            f"no home folder, received {folder!r}"
        ) from error


def default():
    """The name of the default style: the first available shipped one."""
    return next(filter(_shipped_file, SHIPPED), DEFAULT)


def locate(name, styles_dir=None):
    """The weights file of the style `name` as a `Path`, or None if it is not downloaded yet.

    Raises `InputError` for a name that is not in `names()`.
    """
    validation.check_choice("style", name, names())
    if name in SHIPPED:
        return _shipped_file(name)
    path = styles_folder(styles_dir) / name / RUN_WEIGHTS
    return path if path.is_file() else None


def listing(styles_dir=None):
    """One line per style: name, arch, availability, description, source."""
    rows = []
    for name in names():
        here = locate(name, styles_dir) is not None
        if name in SHIPPED:
            style = SHIPPED[name]
            state = "shipped, the default" if name == default() else "shipped"
            about = f"{style.about}; trained by this project"
        else:
            style = PUBLISHED[name]
            state = "fetched" if here else f"can be fetched, {style.size}"
            about = f"{style.film}; github.com/{style.repository}; {style.license}"
        rows.append(f"{name:<16}  {style.arch:<4}  {state:<23}  {about}")
    return rows


def facts(name):
    """The name, description and licence of the style `name` for visitors, a dictionary.

    Other names are styles of whoever serves or exports them.
    """
    if name in PUBLISHED:
        about, licence = PUBLISHED[name].film, PUBLISHED[name].license
    elif name in SHIPPED:
        about, licence = SHIPPED[name].about, SHIPPED[name].license
    else:
        about, licence = "a style of this page's owner", "ask the owner"
    return {"name": name, "about": about, "licence": licence}


# --- choosing ------------------------------------------------------------------------------------


def check_choice(checkpoint=None, style=None):
    """Raise `InputError` for both arguments, an unknown style, or neither without a default style.

    The checkpoint is not checked.
    """
    if checkpoint is not None and style is not None:
        raise InputError(
            f"style: expected a style or a checkpoint, received both: {style!r} and {checkpoint!r}"
        )
    if style is not None:
        validation.check_choice("style", style, names())
    elif checkpoint is None and _shipped_file(default()) is None:
        raise InputError(
            "style: expected a style or a checkpoint, received neither, and the default style "
            f"({DEFAULT}) is not part of this installation; pass --style (one of "
            f"{', '.join(names())}; --list_styles describes them) or --checkpoint"
        )


def resolve(checkpoint=None, style=None, **options):
    """The checkpoint to load: `checkpoint`, or the weights file of `style` or the default style.

    `options` are those of `obtain`; raises as `obtain` and `check_choice`.
    """
    check_choice(checkpoint, style)
    if checkpoint is not None:
        return checkpoint
    return obtain(default() if style is None else style, **options)


def obtain(name, *, styles_dir=None, mirror=None, accept_license=False, ask=False, timeout=TIMEOUT):
    """The weights file of the style `name` as a `Path`; it is downloaded if necessary.

    styles_dir: see `styles_folder`.
    mirror: base URL instead of raw.githubusercontent.com, with the files as
        OWNER/REPOSITORY/COMMIT/PATH below it; default: the variable ANIMEGAN_TF_MIRROR.
    accept_license: the caller accepts the licence, which is printed to the standard error stream.
    ask: ask for that at a terminal.
    timeout: seconds without data after which the download fails.

    Raises `InputError` for an unknown name, a licence that was not accepted, and files that are not
    the style's checkpoint; `OSError` for errors of network and disk. No partial files remain.
    """
    folder = styles_folder(styles_dir) / name
    occupied = os.path.lexists(folder)
    found = locate(name, styles_dir)
    if found is not None:
        return found
    if occupied:
        raise InputError(
            f"styles_dir: expected {RUN_WEIGHTS} in {folder}, found none; remove that folder to "
            "have the style fetched again"
        )
    fetch(name, folder, mirror, accept_license, ask, timeout)
    return folder / RUN_WEIGHTS
