"""The page at /: photos and videos by upload, paste or camera, in Gradio.

It uses the same `Studio` as the API. Files of visitors are in a folder of the studio and are
deleted after the same time.
"""

import contextlib
import os
import pathlib
import secrets
import time
import zipfile
from concurrent.futures import TimeoutError as LateError

from animegan_tf import images, styles
from animegan_tf.errors import InputError
from animegan_tf.stylize.options import DRAW_SIDE
from animegan_tf.web.choices import FilmChoice, PhotoChoice
from animegan_tf.web.drawing import Busy, Closed

# Before Gradio is loaded: no data are sent to third parties.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
from gradio import processing_utils

_HERE = pathlib.Path(__file__).parent
_EXAMPLES = _HERE.parent / "export" / "photos"
_EXAMPLE_NAMES = {"castle.jpg": "castle", "cat.jpg": "kitten", "drummers.jpg": "drummers"}
_CREDITS = """No photo at hand? Try one of these: Neuschwanstein by cameralends (CC0), kitten by
Loliloli, drummers by takami torao (public domain)."""
_PHOTO_TYPES = ["image", ".heic", ".heif", ".avif", ".jxl", ".tif", ".tiff"]
# Longer side of images on the page; the download has the full size.
_SHOWN = 1600
_MOST_PHOTOS = 20
_PREVIEW_SECONDS = 3.0
_POLL_SECONDS = 0.3
_SIZES = [("Bold lines", 400), ("Normal", DRAW_SIDE), ("Fine lines", 810)]
_TITLE = """# Photos and videos in anime style
Drop photos or a video, choose a style, and compare. Files are deleted after {hours}."""
_NOTE = """At most {megapixels:g} megapixels, {megabytes} MB, videos of {seconds:g} seconds ·
[API](/docs) · animegan_tf, Apache 2.0"""
_CSS = """
.gradio-container {max-width: 1100px !important; margin: 0 auto !important}
.pictures {background: none !important; border: none !important}
.pictures .grid-wrap {min-height: 0 !important; height: auto !important; padding: 2px}
.pictures .grid-container {
  grid-template-columns: repeat(auto-fill, minmax(min(150px, 30%), 1fr)) !important;
  grid-template-rows: none !important; padding: 0 !important}
.pictures .thumbnail-item {aspect-ratio: 4 / 3 !important}
.pictures .caption-label {
  max-width: 100%; font-size: 12px; padding: 2px 6px; left: 0; right: 0; bottom: 0;
  border-radius: 0; text-align: center; white-space: normal}
footer {display: none !important}
@media (max-width: 640px) {main.app {padding: 12px !important}}
"""


async def _refuse_address(url):
    raise gr.Error("file: expected an upload, received a URL")


def mount(app, studio):
    """`app` with the page at /."""
    # Gradio would download URLs that are sent instead of uploads.
    processing_utils.async_ssrf_protected_get = _refuse_address
    os.environ["GRADIO_TEMP_DIR"] = str(studio.folder / "page")
    return gr.mount_gradio_app(
        app,
        build(studio),
        "/",
        footer_links=[],
        show_error=True,
        max_file_size=studio.options.max_upload_mb * 10**6,
        ssr_mode=False,
        css=_CSS,
        theme=gr.themes.Soft(
            primary_hue="rose", font=["system-ui", "sans-serif"], font_mono=["monospace"]
        ),
    )


class Page:
    """The functions behind the page's buttons."""

    def __init__(self, studio):
        self._studio = studio
        self._folder = studio.folder / "page"

    def styles(self):
        """Images and names of the styles for a gallery."""
        known = [(name, _HERE / "pictures" / f"{name}.jpg") for name in self.names]
        default = _EXAMPLES / "castle.jpg"
        return [(str(path if path.exists() else default), name) for name, path in known]

    @property
    def names(self):
        """The styles' names, the default first."""
        return self._studio.options.styles

    def choose(self, event: gr.SelectData):
        """The style whose image was clicked, and the text below."""
        name = self.names[event.index]
        return name, self.about(name)

    def about(self, name):
        """A line about a style."""
        facts = styles.facts(name)
        return f"**{name}** · {facts['about']} · licence: {facts['licence']}"

    def example(self, event: gr.SelectData):
        """The example photo that was clicked, as an upload."""
        return [str(_EXAMPLES / list(_EXAMPLE_NAMES)[event.index])]

    # --- photos ---

    def photos(self, paths, style, strength, keep_color, draw_side, progress=gr.Progress()):  # noqa: B008
        """Stylise uploaded photos; returns (slider for the first, gallery, download)."""
        if not paths:
            raise gr.Error("Add a photo first.")
        if len(paths) > _MOST_PHOTOS:
            raise gr.Error(f"At most {_MOST_PHOTOS} photos at once.")
        choice = {"style": style, "strength": strength, "keep_color": keep_color}
        outputs, shown = [], []
        folder = self._folder / secrets.token_urlsafe(8)
        folder.mkdir(parents=True)
        for number, (path, _) in enumerate(paths):
            progress((number, len(paths)), desc="drawing", unit="photos")
            try:
                with _shown_errors():
                    path = pathlib.Path(path)
                    output, pair = self._photo(path, PhotoChoice(**choice, draw_side=draw_side))
            except gr.Error as error:
                if len(paths) == 1:
                    raise
                gr.Warning(error.message)
                continue
            target = folder / _unused(output.name, outputs)
            target.write_bytes(output.data)
            outputs.append(target)
            shown.append(pair)
        if not outputs:
            raise gr.Error("None of the photos could be stylised.")
        several = len(outputs) > 1
        gallery = [(pair[1], path.name) for pair, path in zip(shown, outputs, strict=True)]
        return (
            gr.ImageSlider(shown[0], format="jpeg"),
            gr.Gallery(gallery if several else [], format="jpeg", visible=several),
            gr.DownloadButton(value=_download(outputs), interactive=True),
        )

    def _photo(self, path, choice):
        data = path.read_bytes()
        future = self._studio.photo(data, path.name, choice)
        try:
            output = future.result(self._studio.options.timeout)
        except LateError:
            future.cancel()
            raise gr.Error("The photo was not finished in time; try again later.") from None
        if output.damaged:
            gr.Warning(f"{path.name} is damaged; the output has what could be read.")
        pair = [
            images.limit_side(images.decode_photo(part, path.name).rgb, _SHOWN)
            for part in (data, output.data)
        ]
        if pair[0].shape != pair[1].shape:
            pair[0] = images.resize(pair[0], *pair[1].shape[:2])
        return output, tuple(pair)

    # --- videos ---

    def preview(self, *inputs):
        """`film` for the first seconds."""
        yield from self.film(*inputs, end=_PREVIEW_SECONDS)

    def film(self, path, style, strength, keep_color, draw_side, end=None):
        """Stylise an uploaded video; yields (output, text of its progress, id)."""
        if not path:
            raise gr.Error("Add a video first.")
        path = pathlib.Path(path)
        with _shown_errors():
            choice = FilmChoice(
                style=style, strength=strength, keep_color=keep_color, draw_side=draw_side,
                container="mp4", end=end,
            )  # fmt: skip
            film = self._studio.film(lambda target: os.link(path, target), path.name, choice)
        try:
            while film.ended is None:
                yield None, self._progress(film), film.id
                time.sleep(_POLL_SECONDS)
        finally:
            if film.ended is None:  # the visitor left
                self._studio.cancel(film)
        if film.state != "done":
            self._studio.cancel(film)
            if film.error:
                raise gr.Error(film.error)
            yield None, "Stopped.", None
            return
        target = self._folder / secrets.token_urlsafe(8) / film.output_name
        target.parent.mkdir(parents=True)
        film.output.rename(target)
        self._studio.cancel(film)
        notes = "".join(f"\n- {note}" for note in film.notes)
        yield str(target), f"{film.frames} frames.{notes}", None

    def _progress(self, film):
        place = self._studio.drawing.place(film.future)
        if place > 1:
            return f"Waiting, {place - 1} before this one."
        total = f" of about {film.expected}" if film.expected else ""
        share = f" ({film.frames / film.expected:.0%})" if film.expected else ""
        return f"Frame {film.frames}{total}{share}"

    def stop(self, film_id):
        """Stop the video with that id, if it exists."""
        film = self._studio.films.get(film_id)
        if film is not None:
            self._studio.cancel(film)


@contextlib.contextmanager
def _shown_errors():
    """A context whose errors for visitors are shown on the page."""
    try:
        yield
    except (InputError, Busy, Closed) as error:
        text = str(error)
        raise gr.Error(text[:1].upper() + text[1:]) from error
    except MemoryError as error:
        raise gr.Error("The file is too large for the server's memory.") from error


def _unused(name, paths):
    """`name`, or with -2, -3 and so on if one of the paths has this name."""
    taken, path, number = {path.name for path in paths}, pathlib.Path(name), 1
    while name in taken:
        number += 1
        name = f"{path.stem}-{number}{path.suffix}"
    return name


def _download(paths):
    """The path of a single output, or of a zip file of several."""
    if len(paths) == 1:
        return str(paths[0])
    target = paths[0].with_name("anime.zip")
    with zipfile.ZipFile(target, "w") as archive:
        for path in paths:
            archive.write(path, path.name)
            path.unlink()  # Gradio deletes only files that it serves
    return str(target)


# --- layout --------------------------------------------------------------------------------------


def build(studio):
    """The `gradio.Blocks` of the page."""
    page, options = Page(studio), studio.options
    keep = options.keep_seconds
    hours = f"{keep / 3600:g} h" if keep >= 3600 else f"{keep / 60:g} min"
    with gr.Blocks(
        title="Anime style", analytics_enabled=False, delete_cache=(60, int(keep) or 1)
    ) as blocks:
        gr.Markdown(_TITLE.format(hours=hours))
        controls = _controls(page)
        with gr.Tab("Photos"):
            _photo_tab(page, controls)
        with gr.Tab("Video"):
            _film_tab(page, controls)
        gr.Markdown(
            _NOTE.format(
                megapixels=options.max_megapixels,
                megabytes=options.max_upload_mb,
                seconds=options.max_film_seconds,
            )
        )
    return blocks.queue(max_size=4 * options.queue, default_concurrency_limit=4)


def _images(value, **options):
    """A gallery of images of equal size without controls."""
    return gr.Gallery(
        value,
        show_label=False,
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
        object_fit="cover",
        elem_classes="pictures",
        **options,
    )


def _controls(page):
    """Style, strength, colour and size: the inputs of all functions."""
    style = gr.State(page.names[0])
    gallery = _images(page.styles(), selected_index=0, elem_id="styles")
    about = gr.Markdown(page.about(page.names[0]))
    gallery.select(page.choose, None, [style, about], api_visibility="private")
    with gr.Accordion("Strength, colour, lines", open=False), gr.Row():
        strength = gr.Slider(0, 1, 1, step=0.05, label="Strength", info="The rest is the photo.")
        draw_side = gr.Radio(_SIZES, value=DRAW_SIDE, label="Drawing size")
        keep_color = gr.Checkbox(False, label="Keep the photo's colours")
    return [style, strength, keep_color, draw_side]


def _photo_tab(page, controls):
    with gr.Row():
        with gr.Column():
            photos = gr.Gallery(
                label="Photos",
                sources=["upload", "clipboard", "webcam"],
                file_types=_PHOTO_TYPES,
                type="filepath",
                interactive=True,
                columns=3,
                height=300,
                object_fit="contain",
            )
            draw = gr.Button("Draw", variant="primary")
        with gr.Column():
            slider = gr.ImageSlider(
                label="Before and after", format="jpeg", interactive=False, max_height=420
            )
            gallery = gr.Gallery(
                label="All outputs",
                format="jpeg",
                interactive=False,
                visible=False,
                height="auto",
                elem_classes="pictures",
            )
            download = gr.DownloadButton("Download at full size", interactive=False)
    gr.Markdown(_CREDITS)
    captions = [(str(_EXAMPLES / name), caption) for name, caption in _EXAMPLE_NAMES.items()]
    examples = _images(captions, elem_id="examples")
    call = {
        "fn": page.photos,
        "inputs": [photos, *controls],
        "outputs": [slider, gallery, download],
        "show_progress_on": slider,
        "api_visibility": "private",
    }
    draw.click(**call)
    examples.select(page.example, None, photos, api_visibility="private").then(**call)


def _film_tab(page, controls):
    with gr.Row():
        with gr.Column():
            film = gr.Video(label="Video", sources=["upload", "webcam"], height=300)
            with gr.Row():
                preview = gr.Button(f"First {_PREVIEW_SECONDS:g} s", min_width=60)
                draw = gr.Button("Draw", variant="primary", min_width=60)
                stop = gr.Button("Stop", variant="stop", min_width=60)
        with gr.Column():
            output = gr.Video(label="Output", interactive=False, height=300)
            text = gr.Markdown()
    current = gr.State(None)
    call = {
        "inputs": [film, *controls],
        "outputs": [output, text, current],
        "show_progress": "minimal",
        "concurrency_limit": 8,
        "api_visibility": "private",
    }
    preview.click(page.preview, **call)
    draw.click(page.film, **call)
    stop.click(page.stop, current, None, api_visibility="private")
