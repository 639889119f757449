"""The server's limits, with their flags. Loads neither Pydantic nor NumPy."""

import dataclasses

from animegan_tf import styles
from animegan_tf.errors import InputError
from animegan_tf.validation import check_fields, option

# The name of the style of a checkpoint of one's own.
OWN = "own"


@dataclasses.dataclass(frozen=True)
class ServeOptions:
    """Limits of a server; requests beyond them are refused.

    `styles` are the names of the styles that visitors can choose, the default first; by default
    those that need no download.
    """

    styles: tuple[str, ...] = ()
    checkpoint: str | None = option(
        None, "Instead of styles: a run directory, a .weights.h5 file or an export of one's own."
    )
    max_megapixels: float = option(40.0, "Largest photo, or video frame, in megapixels.", above=0)
    max_upload_mb: int = option(64, "Largest upload in megabytes.", least=1)
    max_film_seconds: float = option(120.0, "Longest video, or part of one, in seconds.", above=0)
    queue: int = option(
        16,
        "Number of photos that wait; more, and those that would wait for longer than --timeout, "
        "are refused (status 429).",
        least=1,
    )
    film_queue: int = option(4, "Number of videos that wait.", least=1)
    timeout: float = option(
        60.0, "Maximum seconds for an upload, and until a photo is done.", above=0
    )
    keep_seconds: float = option(
        3600.0, "Age in seconds at which files of visitors are deleted.", above=0
    )

    def check(self):
        """Raise `InputError` for invalid values; returns the options with all styles named."""
        check_fields(self)
        if self.checkpoint is not None:
            from animegan_tf.stylize import stylizer

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
