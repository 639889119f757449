"""A folder for any web server: a page that stylises photos in the visitor's browser.

Its files are those of `web_page/`, an ONNX model, and `site.json`, which names the style, the model
and the runtime with their checksums. Photos are not sent anywhere.
"""

import base64
import hashlib
import json
import os
import shutil
from pathlib import Path

import keras

from animegan_tf import storage
from animegan_tf.errors import InputError
from animegan_tf.export import files, onnx
from animegan_tf.networks.generator import properties
from animegan_tf.recipes import MAX_ENLARGED_PIXELS, TRAINED_SIDE

# The pinned runtime, {key in site.json: (file, bytes, integrity)}.
RUNTIME_VERSION = "1.30.0"
RUNTIME = {
    "script": (
        "ort.wasm.bundle.min.mjs",
        73054,
        "sha384-PLWz+nHEVHpjwBsO0YVdvQj6n5814Iv8E3b8FG0Rp/uIAtjFMCKOpP66iPzedrIG",
    ),
    "wasm": (
        "ort-wasm-simd-threaded.wasm",
        14239897,
        "sha384-vjBJ1z7qrhkTyYsNqKeF6c7N+nOJSU94czEo+tvZcu8G75JparGq9kB+kTnEUNVM",
    ),
}
_CDN = "https://cdn.jsdelivr.net"
_PACKAGE = f"onnxruntime-web@{RUNTIME_VERSION}"
_PAGE = Path(__file__).with_name("web_page")
_INDEX, _SITE = "index.html", "site.json"


def check_options(output, runtime=None, overwrite=False):
    """Raise `InputError` for what can be refused before a model is loaded."""
    path = Path(output)
    if path.exists() and not path.is_dir():
        raise InputError(f"output: expected a folder, {path} is a file")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise InputError(f"output: {path} is not empty; choose another folder or use --overwrite")
    files.load("format: web", "onnx", "onnx", "onnxruntime")
    if runtime is not None:
        _runtime_files(runtime)


def export_web(
    model: keras.Model,
    output: str | os.PathLike,
    *,
    runtime: str | os.PathLike | None = None,
    photos: str | os.PathLike | None = None,
    name: str | None = None,
    author: str = "unknown",
    license_text: str = "unknown",
    about: str = "",
    overwrite: bool = False,
) -> dict:
    """Write a page with `model` into the folder `output`; returns the report, written beside it.

    model: a generator of `build_generator`. output: a new or empty folder; with `overwrite` the
        page in it is replaced.
    runtime: the folder of the npm package onnxruntime-web, or its `dist`, in the version
        `RUNTIME_VERSION`; its two files are copied. None: the page loads them from a CDN, with
        their checksums.
    photos: a folder of photos for the comparison; default: three photos of the project.
    name, author, license_text, about: of the style, for the page and the model's metadata.

    The model is run by ONNX Runtime in a separate process and compared with `model` before the page
    appears. Raises `InputError` for invalid arguments or missing packages (extra `onnx`),
    `check.ExportError` if outputs differ from the model's.
    """
    check_options(output, runtime, overwrite)
    path = Path(output)
    name = name or path.resolve().name
    content = onnx.content(model, io="uint8", name=name, author=author, license_text=license_text)
    with files.staging(path.parent) as folder:
        _copy_page(folder, runtime)
        file = f"model-{hashlib.sha256(content).hexdigest()[:12]}.onnx"
        files.write_bytes(folder / file, content, path)
        figures = files.compared(
            folder / file, model, onnx.check_batches(photos), "onnx", onnx.BOUNDS["uint8"], "uint8"
        )
        site = {
            "name": name,
            "about": about,
            "author": author,
            "license": license_text,
            "match_brightness": properties(model)["match_brightness"],
            "least_side": TRAINED_SIDE,
            "most_pixels": MAX_ENLARGED_PIXELS,
            "model": _file(file, len(content), _integrity(content)),
            "runtime": {
                key: _file(_address(file, runtime), size, integrity)
                for key, (file, size, integrity) in RUNTIME.items()
            },
        }
        text = json.dumps(site, indent=2, ensure_ascii=False)
        storage.write_text(folder / _SITE, text + "\n")
        sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
        report = {"folder": path.name, "bytes": sum(sizes), "runtime": _PACKAGE, **figures}
        _put(folder, path)
    files.write_report(files.report_path(output), report)
    return report


def _file(url, size, integrity):
    return {"url": url, "bytes": size, "integrity": integrity}


def _address(file, runtime):
    return f"runtime/{file}" if runtime else f"{_CDN}/npm/{_PACKAGE}/dist/{file}"


def _integrity(data):
    return f"sha384-{base64.b64encode(hashlib.sha384(data).digest()).decode()}"


def _copy_page(folder, runtime):
    """The page's files and, of a folder `runtime`, the runtime's."""
    for source in _PAGE.iterdir():
        if source.name != _INDEX:
            shutil.copyfile(source, folder / source.name)
    text = (_PAGE / _INDEX).read_text("utf-8")
    storage.write_text(folder / _INDEX, text.replace("$cdn", "" if runtime else f" {_CDN}"))
    if runtime:
        (folder / "runtime").mkdir()
        for source in _runtime_files(runtime):
            shutil.copyfile(source, folder / "runtime" / source.name)


def _runtime_files(runtime):
    """The paths of the runtime's files. Raises `InputError` for those of another version."""
    found = []
    for file, _, integrity in RUNTIME.values():
        path = next(
            (p for p in (Path(runtime, "dist", file), Path(runtime, file)) if p.is_file()), None
        )
        if path is None or _integrity(path.read_bytes()) != integrity:
            state = "found no such file" if path is None else f"{path} is another version"
            raise InputError(
                f"runtime: expected {file} of {_PACKAGE} in {runtime}, {state}; npm pack {_PACKAGE}"
            )
        found.append(path)
    return found


def _put(folder, path):
    """Move the finished page to `path`; into a page that is replaced, `index.html` last."""
    if not path.exists():
        storage.move(folder, path)
        return
    made = sorted(
        (file for file in folder.rglob("*") if file.is_file()),
        key=lambda file: (file.name == _INDEX, file.name == _SITE),
    )
    for file in made:
        target = path / file.relative_to(folder)
        target.parent.mkdir(exist_ok=True)
        storage.move(file, target)
    current = {file.name for file in made}
    for old in path.glob("model-*.onnx"):
        if old.name not in current:
            old.unlink()
