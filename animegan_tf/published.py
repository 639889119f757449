"""Published styles, which are downloaded on demand, after their licence is accepted.

They are checked, converted and stored as `<styles folder>/<name>/` with `generator.weights.h5` and
`source.json` (address, licence, date, checksums). Imports TensorFlow only to convert a checkpoint.
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

from animegan_tf import storage
from animegan_tf.download import DownloadError, download
from animegan_tf.errors import InputError
from animegan_tf.networks.weights import RUN_WEIGHTS

SOURCE = "source.json"
STYLES_VARIABLE = "ANIMEGAN_TF_STYLES"
MIRROR_VARIABLE = "ANIMEGAN_TF_MIRROR"
GITHUB = "https://raw.githubusercontent.com"

_INDEX, _DATA = ".index", ".data-00000-of-00001"
# The published index files are a few kilobytes: the names and shapes of about a hundred variables.
_INDEX_LIMIT = 2**20
_LICENSE = "academic and other non-commercial use only"


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


PUBLISHED = {style.name: style for style in (
    PublishedStyle(
        "hayao", "v2", "The Wind Rises", "7d480eab25a501dfbed8c21cce43e7bf0ecdff60",
        "checkpoint/generator_Hayao_weight/Hayao-99.ckpt",
    ),
    PublishedStyle(
        "paprika", "v2", "Paprika", "4c5ab5a3f153726e0aae05950f13fc10c9f92b6e",
        "checkpoint/generator_Paprika_weight/Paprika-54.ckpt",
    ),
    PublishedStyle(
        "shinkai", "v2", "Your Name, Weathering with You",
        "453725e87472c809f21a320c8f9d34c7ffb179ea",
        "checkpoint/generator_Shinkai_weight/Shinkai-53.ckpt",
    ),
    # A branch, which may change: the commit of this checkpoint is unknown.
    PublishedStyle(
        "v1-hayao", "v1", "The Wind Rises, by AnimeGAN v1", "master",
        "checkpoint/generator_Hayao_weight/Hayao-60.ckpt", "TachibanaYoshino/AnimeGAN", 15_824_384,
    ),
)}  # fmt: skip


def fetch(name, folder, mirror, accept_license, ask, timeout):
    """Download the style `name` into `folder`, atomically; see `styles.obtain`."""
    style, base, root = PUBLISHED[name], _base_address(mirror), folder.parent
    print(_notice(style, base, root), file=sys.stderr)
    if not accept_license:
        _ask_for_license(style, ask)
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
            try:
                storage.move(ready, folder)
            except OSError:
                if not (folder / RUN_WEIGHTS).is_file():  # another process was not faster
                    raise
    print(f"kept in {folder}", file=sys.stderr)


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
