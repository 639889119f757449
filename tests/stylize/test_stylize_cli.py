import io
import sys
import types

import commands
import cv2
import numpy as np
import pytest
from pictures import photos_in

from animegan_tf import cli, images, published, styles


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(["a.png", "b.png"]):
        images.write_photo(folder / name, np.full((6, 9, 3), 40 * number + 10, np.uint8))
    return folder


@pytest.fixture
def weights(tmp_path):
    """Something that exists where --checkpoint points to."""
    path = tmp_path / "hayao.weights.h5"
    path.touch()
    return path


@pytest.fixture
def run(monkeypatch, capsys):
    """Call the command line in this process; returns its exit status, what it printed, what
    `Stylizer` was made with (None if it was not)."""
    commands.without_styles(monkeypatch)
    for name in (published.STYLES_VARIABLE, published.MIRROR_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def call(*arguments):
        status, printed = commands.stylize_here(monkeypatch, capsys, *arguments)
        return status, printed, commands.made[0] if commands.made else None

    return call


def test_a_folder(run, photos, weights, tmp_path):
    out = tmp_path / "out"
    status, printed, made = run(photos, f"--output={out}", f"--checkpoint={weights}")
    assert status == 0
    assert printed.out == f"2 written to {out}\n"
    assert made == (
        (str(weights),),
        {
            "sizing": "photo",
            "match_brightness": None,
            "max_side": None,
            "draw_side": 540,
            "strength": 1.0,
            "keep_color": False,
            "engine": "auto",
            "precision": "auto",
            "strip_memory": None,
            "quietly": cli.muted_stderr,
        },
    )
    np.testing.assert_array_equal(images.read_photo(out / "a.png").rgb, 245)
    status, printed, made = run(photos, f"--output={out}", f"--checkpoint={weights}")
    assert (status, made) == (0, None)  # nothing to do: no network
    assert "2 existed already (--overwrite replaces them)" in printed.out


def test_options(run, photos, weights, tmp_path):
    out = tmp_path / "out"
    status, printed, made = run(
        *("--output", out, "--checkpoint", weights, "--sizing=published", "--nomatch_brightness"),
        *("--max_side=600", "--strip_memory=2.5", "--compare", "--recursive"),
        *("--draw_side=0", "--strength=0.5", "--keep_color"),
        *(photos / "a.png", photos / "b.png"),
    )
    assert (status, printed.out) == (0, f"2 written to {out}\n")
    assert made[1] == {
        "sizing": "published",
        "match_brightness": False,
        "engine": "auto",
        "precision": "auto",
        "max_side": 600,
        "draw_side": 0,
        "strength": 0.5,
        "keep_color": True,
        "strip_memory": 2.5,
        "quietly": cli.muted_stderr,
    }
    assert images.read_photo(out / "a_compare.png").rgb.shape == (6, 18, 3)


def place(root, name):
    """Put something where the weights of the style `name` are expected below `root`."""
    path = root / name / "generator.weights.h5"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_styles(run, photos, tmp_path, monkeypatch):
    """The shipped style by default, others by name; what is here needs no licence, no network."""
    monkeypatch.setattr(styles, "_SHIPPED_ROOTS", (tmp_path / "shipped",))
    default = place(tmp_path / "shipped", "thequestion")
    hayao = place(tmp_path / "styles", "hayao")
    common = (photos, "--overwrite", f"--output={tmp_path / 'out'}")
    status, printed, made = run(*common)
    assert (status, made[0]) == (0, (default,))
    assert printed.err == ""
    status, _, made = run(*common, "--style=hayao", f"--styles_dir={tmp_path / 'styles'}")
    assert (status, made[0]) == (0, (hayao,))
    monkeypatch.setenv("ANIMEGAN_TF_STYLES", str(tmp_path / "styles"))
    status, _, made = run(*common, "--style", "hayao")
    assert (status, made[0]) == (0, (hayao,))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "accept_license: expected --accept_license "),
        (["--accept_license", "--mirror=mirror.org"], "mirror: expected an http or https address"),
        (["--accept_license"], "http://127.0.0.1:1/TachibanaYoshino/AnimeGANv2/"),
    ],
)
def test_a_style_that_cannot_be_fetched(run, photos, tmp_path, arguments, error):
    out = tmp_path / "out"
    folders = (f"--output={out}", f"--styles_dir={tmp_path / 'styles'}")
    style = ("--style=hayao", "--mirror=http://127.0.0.1:1")
    status, printed, made = run(photos, *folders, *style, *arguments)
    assert (status, made, printed.out) == (1, None, "")
    assert printed.err.splitlines()[-1].startswith(f"error: {error}")
    assert not out.exists()
    assert not list(tmp_path.glob("styles/*"))


def test_listing_styles(run, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(styles, "_SHIPPED_ROOTS", (tmp_path / "shipped",))
    place(tmp_path / "shipped", "thequestion")
    place(tmp_path / "styles", "paprika")
    status, printed, made = run("--list_styles", f"--styles_dir={tmp_path / 'styles'}")
    assert (status, printed.err, made) == (0, "", None)
    states = {line.split()[0]: line.split()[2] for line in printed.out.splitlines()}
    assert states == {
        "thequestion": "shipped,",
        "paprika": "fetched",
        **dict.fromkeys(("hayao", "shinkai", "v1-hayao"), "can"),
    }


def test_a_damaged_photo_is_named_and_gives_status_1(run, photos, weights, tmp_path):
    (photos / "aa.jpg").write_bytes(b"damaged")
    out = tmp_path / "out"
    status, printed, _ = run(photos, f"--output={out}", f"--checkpoint={weights}")
    assert status == 1
    assert f"error: {photos / 'aa.jpg'}: expected an image" in printed.err
    assert printed.out == f"2 written to {out}, 1 failed\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--output=OUT", "--checkpoint=WEIGHTS"], "photos: expected photos or folders of photos"),
        (["PHOTOS", "--checkpoint=WEIGHTS"], "--output: expected a folder"),
        (["PHOTOS", "--output=OUT"], "style: expected a style or a checkpoint, received neither"),
        (["PHOTOS", "--output=OUT", "--checkpoint="], "checkpoint: expected a run directory"),
        (["PHOTOS", "--output=OUT", "--style=none"], "style: expected one of hayao, paprika"),
        (
            ["PHOTOS", "--output=OUT", "--style=hayao", "--checkpoint=WEIGHTS"],
            "style: expected a style or a checkpoint, received both",
        ),
        (["none.jpg", "--output=OUT", "--style=hayao"], "photos: expected a photo or folder"),
        (["PHOTOS", "--output=OUT", "--checkpoint=none"], "checkpoint: expected a run directory"),
        (
            ["PHOTOS", "--output=OUT", "--checkpoint=WEIGHTS", "--max_side=0"],
            "max_side: expected a whole number of at least 1, received 0",
        ),
        (
            ["PHOTOS", "--output=OUT", "--draw_side=100"],
            "draw_side: expected 0 or a whole number of at least 256, received 100",
        ),
        (
            ["PHOTOS", "--output=OUT", "--strength=-1"],
            "strength: expected a number from 0 to 1, received -1.0",
        ),
        (
            ["PHOTOS", "--output=OUT", "--checkpoint=WEIGHTS", "--strip_memory=0"],
            "strip_memory: expected gigabytes above 0, received 0.0",
        ),
        (
            [
                "PHOTOS",
                "--output=OUT",
                "--checkpoint=WEIGHTS",
                "--strip_memory=2",
                "--engine=litert",
            ],
            "strip_memory: expected the engine auto or keras with it, received litert",
        ),
        (
            ["PHOTOS", "--output=OUT", "--checkpoint=MODEL", "--strip_memory=2"],
            "strip_memory: expected a checkpoint that is not an export, received ",
        ),
        (
            ["none.jpg", "--output=OUT", "--checkpoint=WEIGHTS"],
            "photos: expected a photo or folder",
        ),
        (["PHOTOS", "--output=PHOTOS", "--checkpoint=WEIGHTS", "--overwrite"], "never replaced"),
        (["PHOTOS", "--output=WEIGHTS", "--checkpoint=WEIGHTS"], "is a file"),
    ],
)
def test_mistakes(run, photos, weights, tmp_path, arguments, error):
    places = {"PHOTOS": str(photos), "OUT": str(tmp_path / "out"), "WEIGHTS": str(weights)}
    places["MODEL"] = str(tmp_path / "a.tflite")
    (tmp_path / "a.tflite").touch()
    for name, path in places.items():
        arguments = [argument.replace(name, path) for argument in arguments]
    status, printed, made = run(*arguments)
    assert (status, made, printed.out) == (1, None, "")
    assert printed.err.startswith("error: ")
    assert error in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


# --- one photo, streams, formats -----------------------------------------------------------------


def test_a_result_s_own_name(run, photos, weights, tmp_path):
    arguments = (photos / "a.png", f"--checkpoint={weights}")
    status, printed, _ = run(*arguments, f"--output={tmp_path / 'x.jpg'}", "--quality=80")
    assert (status, printed.out) == (0, f"1 written to {tmp_path / 'x.jpg'}\n")
    np.testing.assert_allclose(images.read_photo(tmp_path / "x.jpg").rgb, 245, atol=2)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["a.png", "y.jpg"], "a.png --output=y.jpg"),
        (["a.png", "my out.png"], "a.png '--output=my out.png'"),
        (["a.png", "b.png", "new"], "a.png b.png --output=new"),
        (["a.png", "there"], "a.png --output=there"),
        (["a.png", "b.png"], None),
        (["a.png", "b.png", "y.jpg"], None),
    ],
)
def test_outputs_without_their_flag(run, tmp_path, monkeypatch, arguments, meant):
    photos_in(tmp_path, "a.png", "b.png")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    status, printed, _ = run(*arguments)
    hint = "" if meant is None else f"; for that output: animegan-stylize {meant}"
    expected = "--output: expected a folder for the outputs, received nothing"
    assert (status, printed.err) == (1, f"error: {expected}{hint}\n")


def test_bits_of_photos_and_of_videos(run, photos, weights, tmp_path):
    arguments = (photos / "a.png", f"--checkpoint={weights}", f"--output={tmp_path / 'out'}")
    status, _, _ = run(*arguments, "--bits=16")
    made = cv2.imread(str(tmp_path / "out" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert (status, made.dtype, made[0, 0, 0]) == (0, np.uint16, 245 * 257 + 1)
    assert run(*arguments, "--bits=10", "--codec=hevc", "--overwrite")[0] == 0
    made = cv2.imread(str(tmp_path / "out" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert made.dtype == np.uint8
    status, printed, _ = run(*arguments, "--bits=12")
    assert status == 1 and "bits: expected 8" in printed.err


def test_formats_and_what_is_passed_over(run, photos, weights, tmp_path):
    (photos / "notes.txt").write_text("no photo")
    arguments = (photos, f"--checkpoint={weights}", f"--output={tmp_path / 'out'}")
    status, printed, _ = run(*arguments, "--format=webp", "--strip_metadata", "--keep_profile")
    assert status == 0
    assert f"skipped, not photos or videos: {photos / 'notes.txt'}" in printed.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.webp", "b.webp"]
    status, printed, _ = run(*arguments, "--quality=0")
    assert (
        status == 1 and "quality: expected a whole number from 1 to 100, received 0" in printed.err
    )


def test_standard_input_and_output(run, photos, weights, tmp_path, monkeypatch):
    data = (photos / "a.png").read_bytes()
    sent, received = io.BufferedReader(io.BytesIO(data)), io.BytesIO()
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=sent))
    status, _, _ = run("-", f"--output={tmp_path / 'x.webp'}", f"--checkpoint={weights}")
    assert status == 0
    np.testing.assert_array_equal(images.read_photo(tmp_path / "x.webp").rgb, 245)
    sent.seek(0)
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(buffer=received, flush=lambda: None))
    status, _, _ = run("-", "--output=-", "--format=jpeg", f"--checkpoint={weights}")
    assert status == 0
    np.testing.assert_allclose(images.decode_photo(received.getvalue(), "-").rgb, 245, atol=2)
    for arguments in (["none.jpg", "--output=-"], [photos, "--output=-"]):
        status, printed, _ = run(*arguments, f"--checkpoint={weights}")
        assert status == 1 and "photos: expected a photo's file or -, received" in printed.err


def test_a_summary_in_any_encoding(run, photos, weights, tmp_path, monkeypatch):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="cp1252"))
    status, _, _ = run(photos, f"--output={tmp_path / '出力'}", f"--checkpoint={weights}")
    sys.stdout.flush()
    assert status == 0
    assert printed.getvalue().endswith(b"\\u51fa\\u529b\n")
