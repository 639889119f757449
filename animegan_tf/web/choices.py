"""What visitors can choose for a photo or video."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from animegan_tf.errors import InputError
from animegan_tf.stylize.guided import Delivery
from animegan_tf.stylize.options import DRAW_SIDE, LEAST_DRAW_SIDE, PHOTO_FORMATS, VideoOptions
from animegan_tf.validation import check_choice
from animegan_tf.video.codecs import ANIMATIONS, CONTAINERS

# Maximum short side and number of pixels of the network's input, which bound time and memory.
_DRAW_SIDES = (LEAST_DRAW_SIDE, 1080)
_MOST_DRAWN = 2**22


class Choice(BaseModel):
    """What a visitor can choose for a photo and a video."""

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
        description="Short side at which larger photos are processed; outputs are upsampled.",
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
    """What is wrong with the first value that Pydantic refused, in the words of an `InputError`."""
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
    """What a visitor can choose for a video."""

    container: Literal[(*CONTAINERS, *ANIMATIONS)] | None = Field(
        None, description="Format of the output. Default: the video's, or mp4."
    )
    start: float = Field(0.0, ge=0, description="Start of the part to stylise, in seconds.")
    end: float | None = Field(None, gt=0, description="End of the part to stylise, in seconds.")

    def video(self, max_seconds):
        """The checked `VideoOptions`, for at most `max_seconds` of the video."""
        end = self.start + max_seconds
        end = end if self.end is None else min(self.end, end)
        return VideoOptions(container=self.container, start=self.start, end=end).check()


def check_style(choice, names):
    """The name of the style; raises `InputError` for one that is not served."""
    name = choice.style or names[0]
    check_choice("style", name, names)
    return name
