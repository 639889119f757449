"""The server's limits, and what visitors can choose for a photo or film."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from animegan_tf import styles
from animegan_tf.errors import InputError
from animegan_tf.stylize import stylizer
from animegan_tf.stylize.guided import Delivery
from animegan_tf.stylize.options import DRAW_SIDE, PHOTO_FORMATS, VideoOptions
from animegan_tf.validation import check_choice, check_number, check_whole

# The short side and the pixels of what the network processes at most, which bound time and memory.
_DRAW_SIDES = (256, 1080)
_MOST_DRAWN = 2**22
# The name of the style of a checkpoint of one's own.
OWN = "own"


@dataclasses.dataclass(frozen=True)
class ServeOptions:
    """Limits of a server; requests beyond them are refused.

    Attributes:
        styles: names of the styles that visitors can choose, the default first; by default those
            that need no download.
        checkpoint: instead of styles a checkpoint or an export of one's own, see `Stylizer`.
        max_megapixels: of a photo, or of a frame of a film.
        max_upload_mb: size of a request's body.
        max_film_seconds: length of a film.
        queue: number of photos that wait; more, and those that would wait for longer than
            `timeout`, are refused with the status 429.
        film_queue: number of films that wait.
        timeout: seconds for an upload, and seconds until a photo is done.
        keep_seconds: age at which files of visitors are deleted.
    """

    styles: tuple[str, ...] = ()
    checkpoint: str | None = None
    max_megapixels: float = 40.0
    max_upload_mb: int = 64
    max_film_seconds: float = 120.0
    queue: int = 16
    film_queue: int = 4
    timeout: float = 60.0
    keep_seconds: float = 3600.0

    def check(self):
        """Raise `InputError` for invalid values; returns the options with all styles named."""
        for name in ("max_megapixels", "max_film_seconds", "timeout", "keep_seconds"):
            check_number(name, getattr(self, name), above=0)
        for name in ("max_upload_mb", "queue", "film_queue"):
            check_whole(name, getattr(self, name), 1)
        if self.checkpoint is not None:
            both = next((name for name in self.styles if name != OWN), None)
            stylizer.check_options(self.checkpoint, style=both)
            return dataclasses.replace(self, styles=(OWN,))
        for name in self.styles:
            if styles.locate(name) is None:
                raise InputError(
                    f"styles: expected downloaded styles, received {name} (animegan stylize "
                    f"--style={name} downloads it)"
                )
        present = (name for name in styles.names() if styles.locate(name) is not None)
        return dataclasses.replace(self, styles=tuple(self.styles or present))


class Choice(BaseModel):
    """What a visitor can choose for a photo and a film."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: str | None = Field(None, description="A name of /v1/styles. Default: its first.")
    strength: float = Field(
        1.0, ge=0, le=1, description="Weight of the output; the rest is the photo."
    )
    keep_color: bool = Field(False, description="Keep the colours of the photo.")
    draw_side: int = Field(
        DRAW_SIDE,
        ge=_DRAW_SIDES[0],
        le=_DRAW_SIDES[1],
        description="Short side at which larger photos are drawn; the output is enlarged again.",
    )
    max_side: int | None = Field(
        None, ge=1, description="Shrink photos whose longer side exceeds this first."
    )

    @classmethod
    def of(cls, values: Mapping):
        """The choice in `values`, text or numbers by name. Raises `InputError`."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise InputError(sentence(error)) from error

    def delivery(self):
        """The `Delivery` for a `Stylizer`."""
        return Delivery(self.draw_side, self.strength, self.keep_color)

    def check_size(self, name, height, width, max_megapixels):
        """Raise `InputError` for a photo or frame that is too large for the server."""
        if height * width > max_megapixels * 1e6:
            raise InputError(
                f"{name}: expected at most {max_megapixels:g} megapixels, received {width}x{height}"
            )
        shrunk = min(1.0, (self.max_side or max(height, width)) / max(height, width))
        drawn = min(1.0, self.draw_side / (shrunk * min(height, width)))
        if height * width * (shrunk * drawn) ** 2 > _MOST_DRAWN:
            raise InputError(
                f"{name}: {width}x{height} is too long for its short side; a smaller max_side or "
                "draw_side makes it possible"
            )


def sentence(error):
    """What is wrong with the first value that Pydantic refused, as an `InputError` says it."""
    first = error.errors()[0]
    reason = first["msg"].replace("Input should be", "expected")
    reason = "expected no option of this name" if "extra" in first["type"] else reason
    return f"{first['loc'][-1]}: {reason}, received {first['input']!r}"


class PhotoChoice(Choice):
    """What a visitor can choose for a photo."""

    format: Literal[PHOTO_FORMATS] | None = Field(
        None, description="Format of the output. Default: the photo's, or png."
    )
    strip_metadata: bool = Field(False, description="Leave out date, place, camera and other tags.")


class FilmChoice(Choice):
    """What a visitor can choose for a film."""

    container: Literal["mp4", "mov", "mkv", "webm", "gif", "webp"] | None = Field(
        None, description="Format of the output. Default: the film's, or mp4."
    )
    start: float = Field(0.0, ge=0, description="Start of the part to draw, in seconds.")
    end: float | None = Field(None, gt=0, description="End of the part to draw, in seconds.")

    def video(self, max_seconds):
        """The checked `VideoOptions`, for at most `max_seconds` of the film."""
        end = self.start + max_seconds
        end = end if self.end is None else min(self.end, end)
        return VideoOptions(container=self.container, start=self.start, end=end).check()


def check_style(choice, names):
    """The name of the style; raises `InputError` for one that is not served."""
    name = choice.style or names[0]
    check_choice("style", name, names)
    return name
