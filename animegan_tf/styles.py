"""Styles by name: shipped with this project, or published ones, downloaded on demand.

A shipped style is `<name>/generator.weights.h5` in the package or in the checkout. A published
style is downloaded on first use, after its licence is accepted; it is checked, converted and stored
as `<styles folder>/<name>/` with `generator.weights.h5` and `source.json` (address, licence, date,
checksums). Imports TensorFlow only to convert a downloaded checkpoint.
"""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import sys
import urllib.parse
from pathlib import Path

from animegan_tf import storage, validation
from animegan_tf.download import TIMEOUT, DownloadError, download
from animegan_tf.errors import InputError
from animegan_tf.networks.weights import RUN_WEIGHTS

DEFAULT = "thequestion"
SOURCE = "source.json"
# Beside the weights of a shipped style.
CONVERTED = "generator.tflite"
STYLES_VARIABLE = "ANIMEGAN_TF_STYLES"
MIRROR_VARIABLE = "ANIMEGAN_TF_MIRROR"
GITHUB = "https://raw.githubusercontent.com"

_INDEX, _DATA = ".index", ".data-00000-of-00001"
# The published index files are a few kilobytes: the names and shapes of about a hundred variables.
_INDEX_LIMIT = 2**20
_LICENSE = "academic and other non-commercial use only"
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


@dataclasses.dataclass(frozen=True)
class PublishedStyle:
    """A checkpoint published by the method's author.

    `path` is the checkpoint's prefix in `repository` (owner/name on GitHub) at `commit`;
    `data_bytes` is the exact size of its data file.
    """

    name: str
    arch: str
    film: str
    commit: str
    path: str
    repository: str = "TachibanaYoshino/AnimeGANv2"
    data_bytes: int = 8_574_208
    license: str = _LICENSE

    @property
    def size(self):
        """The size of the download as text; the index adds a few kilobytes."""
        return f"{self.data_bytes / 1e6:.1f} MB"

    def address(self, base=GITHUB):
        """The URL of the checkpoint's prefix below `base`."""
        return f"{base}/{self.repository}/{self.commit}/{self.path}"


SHIPPED = {
    style.name: style
    for style in (
        ShippedStyle(
            "thequestion",
            "v2",
            "experimental: drawings in The Question's tone",
            "9cf1162ba0f3b4ae5475d5de2a043727893242ce5c5baadfb9e6fea46fba1515",
        ),
        ShippedStyle(
            "thequestion-lite",
            "lite",
            "experimental: drawings in The Question's tone, fainter lines",
            "d89235025f45e90f58ae3d2dc1a9866e74fb5ce5fa52d21dd823db41aa206dd5",
        ),
        ShippedStyle(
            "peppercarrot",
            "v2",
            "experimental: painted and inked like Pepper&Carrot",
            "c3b1efe93263c4e2a60eede8ae6d97cf97c6c76dfcb17b7000ef076d73f0dd26",
            _PEPPER,
        ),
        ShippedStyle(
            "peppercarrot-lite",
            "lite",
            "experimental: painted and inked like Pepper&Carrot, smaller and faster",
            "1f8c3479b723fd6c43dbcba0188959804a9b74a37a97168dee6e84b9e6cee8cf",
            _PEPPER,
        ),
    )
}

PUBLISHED = {
    style.name: style
    for style in (
        PublishedStyle(
            name="hayao",
            arch="v2",
            film="The Wind Rises",
            commit="7d480eab25a501dfbed8c21cce43e7bf0ecdff60",
            path="checkpoint/generator_Hayao_weight/Hayao-99.ckpt",
        ),
        PublishedStyle(
            name="paprika",
            arch="v2",
            film="Paprika",
            commit="4c5ab5a3f153726e0aae05950f13fc10c9f92b6e",
            path="checkpoint/generator_Paprika_weight/Paprika-54.ckpt",
        ),
        PublishedStyle(
            name="shinkai",
            arch="v2",
            film="Your Name, Weathering with You",
            commit="453725e87472c809f21a320c8f9d34c7ffb179ea",
            path="checkpoint/generator_Shinkai_weight/Shinkai-53.ckpt",
        ),
        PublishedStyle(
            name="v1-hayao",
            arch="v1",
            film="The Wind Rises, by AnimeGAN v1",
            repository="TachibanaYoshino/AnimeGAN",
            # A branch, which may change: the commit of this checkpoint is unknown.
            commit="master",
            path="checkpoint/generator_Hayao_weight/Hayao-60.ckpt",
            data_bytes=15_824_384,
        ),
    )
}

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
    _check_name(name)
    if name in SHIPPED:
        return _shipped_file(name)
    path = styles_folder(styles_dir) / name / RUN_WEIGHTS
    return path if path.is_file() else None


def _check_name(name):
    validation.check_choice("style", name, names())


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
        _check_name(style)
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
    style, base = PUBLISHED[name], _base_address(mirror)
    print(_notice(style, base, folder.parent), file=sys.stderr)
    if not accept_license:
        _ask_for_license(style, ask)
    _fetch(style, base, folder, timeout)
    print(f"kept in {folder}", file=sys.stderr)
    return folder / RUN_WEIGHTS


def _base_address(mirror):
    """The base URL without a trailing slash."""
    address = mirror or os.environ.get(MIRROR_VARIABLE) or GITHUB
    try:
        parts = urllib.parse.urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # an invalid port
        usable = False
    odd = not address.isascii() or any(mark in address for mark in " ?#@")
    if not usable or odd:
        raise InputError(f"mirror: expected an http or https address, received {address!r}")
    return address.rstrip("/")


def _notice(style, base, root):
    return (
        f"The style {style.name} is not in {root} yet.\n"
        f"  what     {style.film} ({style.arch} generator, published by its author)\n"
        f"  from     {style.address(base)}{{{_INDEX},{_DATA}}}\n"
        f"  size     {style.size}\n"
        f"  licence  {style.license}; terms: https://github.com/{style.repository}"
    )


def _ask_for_license(style, ask):
    if not (ask and sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError(
            f"accept_license: expected --accept_license (Python: accept_license=True) to fetch the "
            f"style {style.name} under its licence ({style.license}), received nothing"
        )
    print("Accept this licence and fetch it? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InputError(f"style: {style.name} was not fetched, as its licence was not accepted")


# --- fetching ------------------------------------------------------------------------------------


def _fetch(style, base, folder, timeout):
    """Download the style into `folder`, atomically."""
    root = folder.parent
    with _disk_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        storage.sweep(root)
        with storage.temporary_folder(root) as work:
            prefix = work / "fetched" / Path(style.path).name
            prefix.parent.mkdir()
            checksums = _download(style, style.address(base), prefix, timeout)
            ready = work / "ready"
            ready.mkdir()
            _convert(style, style.address(base), prefix, ready / RUN_WEIGHTS)
            storage.write_text(ready / SOURCE, _source(style, base, checksums, ready / RUN_WEIGHTS))
            _move(ready, folder)


def _download(style, address, prefix, timeout):
    """Download both files of the checkpoint to `prefix`; returns their SHA-256 by file name."""
    checksums = {}
    # The small file first, which fails fast for a wrong address.
    for suffix, options in ((_INDEX, {"limit": _INDEX_LIMIT}), (_DATA, {"size": style.data_bytes})):
        path = prefix.with_name(prefix.name + suffix)
        checksums[path.name] = download(address + suffix, path, timeout=timeout, **options)
    return checksums


def _convert(style, address, prefix, path):
    """Load the checkpoint, which checks its checksums, names and shapes, and write the weights."""
    from animegan_tf.networks import build_generator, tf1, weights

    model = build_generator(style.arch)
    try:
        tf1.load(model, prefix)
    except InputError as error:
        reason = str(error).replace(str(prefix), prefix.name)
        reason = reason if len(reason) < 500 else reason[:500] + " ..."  # may name each variable
        raise InputError(
            f"style: expected the {style.arch} checkpoint of {style.name}, received something "
            f"else from {address}: {reason}"
        ) from error
    weights.save_generator(model, path)


def _source(style, base, checksums, path):
    """The text of `source.json`."""
    source = {
        "style": style.name,
        "arch": style.arch,
        "film": style.film,
        "address": style.address(base),
        "repository": f"https://github.com/{style.repository}",
        "commit": style.commit,
        "license": style.license,
        "fetched": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "sha256": {RUN_WEIGHTS: hashlib.sha256(path.read_bytes()).hexdigest(), **checksums},
    }
    return json.dumps(source, indent=2) + "\n"


def _move(ready, folder):
    """Rename `ready` to `folder`, unless another process was faster."""
    try:
        storage.move(ready, folder)
    except OSError:
        if not (folder / RUN_WEIGHTS).is_file():
            raise


@contextlib.contextmanager
def _disk_errors(root):
    """Add the folder, and how to choose another one, to errors of the disk."""
    try:
        yield
    except DownloadError:
        raise
    except OSError as error:
        # HDF5's messages are a page of details instead of the reason.
        reason = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
        raise OSError(
            f"styles_dir: {root} cannot be written: {reason} (--styles_dir or {STYLES_VARIABLE} "
            "names another folder)"
        ) from error
