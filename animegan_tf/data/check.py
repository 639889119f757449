"""Look at every picture of a data set before training begins; imports no TensorFlow.

Training reads a picture at a time for hours: a damaged file or a frame of another size is better
found in the first minute, together with all the others.
"""

import collections
import dataclasses
import pathlib

import cv2

from animegan_tf import files
from animegan_tf.data import smoothing, sources, tfrecords
from animegan_tf.data.duplicates import Duplicate, between, fingerprint, within
from animegan_tf.data.pictures import EncodedPictures
from animegan_tf.errors import InputError

_PROBLEMS_SHOWN = 10
_FILES_FOR_A_BAR = 300

# Where pictures are looked for that are there twice: (a sentence's subject, folder, in which one).
_COMPARED = (
    ("frames are there twice", "style", "style"),
    ("frames are among the photos", "style", "train_photo"),
    ("photos of val are trained on", "val", "train_photo"),
)

_Picture = collections.namedtuple("_Picture", "width height mean_bgr fingerprint")


@dataclasses.dataclass(frozen=True)
class FolderReport:
    """What one folder holds.

    Attributes:
        path: the folder, or the film or films.
        count: readable pictures.
        widths, heights: (smallest, largest) in pixels, (0, 0) when there are none.
        mean_bgr: mean of the pictures' channel means (B, G, R) on the 0..255 scale. None when there
            are none.
        pictures: what is there, numbered, the unreadable ones among them (`pictures`).
    """

    path: pathlib.Path
    count: int
    widths: tuple[int, int]
    heights: tuple[int, int]
    mean_bgr: tuple[float, float, float] | None
    pictures: EncodedPictures = dataclasses.field(repr=False, compare=False, default=None)

    @property
    def color_shift(self):
        """(B, G, R) that makes the three means equal, as the early AnimeGANv2 added; or None."""
        return None if self.mean_bgr is None else color_shift(self.mean_bgr)


@dataclasses.dataclass(frozen=True)
class DatasetReport:
    """What `check_dataset` found; `str()` gives a table.

    Attributes:
        folders: {"train_photo", "style", "smooth", "val": FolderReport}; without those not there.
        problems: what keeps training from starting, a sentence each.
        notes: what is allowed but may surprise, a sentence each.
        smooth_missing: frames without a smoothed counterpart; `smoothing.ensure_smooth` makes them.
        duplicates: {what is twice: `Duplicate`s}, with those not there left out. No problems: a
            frame that is twice counts twice, no more.
    """

    folders: dict[str, FolderReport]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    smooth_missing: int
    duplicates: dict[str, tuple[Duplicate, ...]] = dataclasses.field(default_factory=dict)

    def raise_if_bad(self):
        """Raise `InputError` with the first problems and the number of the others."""
        if not self.problems:
            return
        lines = [f"the data set has {len(self.problems)} problem(s):", *self._first_problems()]
        raise InputError("\n  ".join(lines))

    def _first_problems(self):
        """The first problems, and the number of the others."""
        more = len(self.problems) - _PROBLEMS_SHOWN
        others = [f"... and {more} more"] if more > 0 else []
        return [*self.problems[:_PROBLEMS_SHOWN], *others]

    def __str__(self):
        lines = [f"{'':12}{'pictures':>8}  {'width':>12}  {'height':>12}  folder"]
        for name, folder in self.folders.items():
            lines.append(
                f"{name:12}{folder.count:8}  {_span(folder.widths):>12}"
                f"  {_span(folder.heights):>12}  {folder.path}"
            )
        means = {name: folder.mean_bgr for name, folder in self.folders.items()}
        lines += [
            f"mean B, G, R of {name}: " + ", ".join(f"{mean:.1f}" for mean in means[name])
            for name in ("train_photo", "style")
            if means.get(name) is not None
        ]
        if self.smooth_missing:
            lines.append(f"{self.smooth_missing} smoothed frame(s) have yet to be made")
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"note: {_twice(what, found)}" for what, found in self.duplicates.items()]
        lines += [f"problem: {problem}" for problem in self._first_problems()]
        return "\n".join(lines)


def check_dataset(config, progress=True) -> DatasetReport:
    """Decode every picture that a `DataConfig` names and report on them; raises nothing.

    Problems: a folder that is missing or empty (but `smooth`, which can be made, and `val`, which
    is optional), a file that cannot be decoded, shards that are not as they were written, a film
    that is none, with `crop="none"` a training picture that is not `image_size` square, with
    another crop a smoothed frame of another size than its frame.
    A progress bar shows when there are hundreds of files, or films, and `progress` is set.
    """
    problems, notes = [], []
    wanted = sources.folders(config)
    if config.source == "tfrecord":
        listed = _listed_records(config, problems)
        wanted = dict.fromkeys(tfrecords.GROUPS, pathlib.Path(config.tfrecords))
    else:
        listed = _listed_files(wanted, problems)

    paths = [path for group in listed.values() for path in group]
    bar = progress and len(paths) >= _FILES_FOR_A_BAR
    inspected = files.map_in_threads(_inspect, paths, "checking the data", bar)
    found = dict(zip(paths, inspected, strict=True))
    problems += [picture for picture in inspected if isinstance(picture, str)]
    good = {path: picture for path, picture in found.items() if not isinstance(picture, str)}

    folders = {
        name: _report(wanted[name], group, [good[path] for path in group if path in good])
        for name, group in listed.items()
    }
    if config.source == "video":
        folders.update(_films(config, problems, notes, progress))
    training = {name: group for name, group in listed.items() if name != "val"}
    if config.crop == "none":
        problems += _wrong_sizes(training, good, config.image_size)
    else:
        problems += _unlike_their_frames(listed, good)
        notes += _enlarged(training, good, config.image_size)
    return DatasetReport(
        folders=folders,
        problems=tuple(problems),
        notes=tuple(notes),
        smooth_missing=_count_missing_smooth(config, listed),
        duplicates=_duplicates(listed, good),
    )


def _listed_files(wanted, problems):
    """{group: paths} of the pictures in {group: folder}; what is missing goes to `problems`."""
    listed = {}
    for name, folder in wanted.items():
        if name in ("smooth", "val") and not folder.exists():
            continue
        try:
            listed[name] = files.list_images(folder)
        except InputError as error:
            problems.append(str(error))
            continue
        if not listed[name] and name in ("train_photo", "style"):
            suffixes = ", ".join(files.IMAGE_SUFFIXES)
            problems.append(f"no pictures in {folder}: expected {suffixes}")
    return listed


def _listed_records(config, problems):
    """{group: records} of the shards."""
    try:
        listed = tfrecords.read_index(config.tfrecords)
    except InputError as error:
        problems.append(str(error))
        return {}
    problems += [
        f"no pictures of {name} in {config.tfrecords}"
        for name in sources.GROUPS.values()
        if not listed.get(name)
    ]
    return listed


def _films(config, problems, notes, progress):
    """{"style": `FolderReport`} of the films, with a note on each; nothing when they are bad."""
    from animegan_tf.data import film_index

    try:
        frames = sources.open_films(config, progress=progress)
    except InputError as error:
        problems.append(str(error))
        return {}
    films = frames.index.films
    notes += [film_index.describe(film, config.video_every) for film in films]
    heights, widths = zip(*map(frames.size, films), strict=True)
    report = FolderReport(
        path=pathlib.Path(config.video),
        count=len(frames),
        widths=(min(widths), max(widths)),
        heights=(min(heights), max(heights)),
        mean_bgr=frames.index.mean_rgb[::-1],
        pictures=frames,
    )
    return {"style": report}


def mean_bgr(folder, progress=True) -> tuple[float, float, float]:
    """The `FolderReport.mean_bgr` of a folder alone.

    Raises `InputError` for a folder without pictures, and with the names of unreadable ones.
    """
    paths = files.list_images(folder)
    if not paths:
        raise InputError(f"no pictures in {folder}: expected {', '.join(files.IMAGE_SUFFIXES)}")
    return _mean_bgr(folder, paths, progress)


def _mean_bgr(folder, paths, progress):
    progress = progress and len(paths) >= _FILES_FOR_A_BAR
    inspected = files.map_in_threads(_inspect, paths, "reading the colours", progress)
    errors = [picture for picture in inspected if isinstance(picture, str)]
    if errors:
        raise InputError(
            f"{len(errors)} of {len(paths)} pictures cannot be read: " + "; ".join(errors[:5])
        )
    return _report(folder, paths, inspected).mean_bgr


def style_mean_bgr(config) -> tuple[float, float, float]:
    """The `FolderReport.mean_bgr` of the anime frames of a `DataConfig`; raises as `mean_bgr`."""
    if config.source == "images":
        return mean_bgr(config.style_dir, progress=False)
    if config.source == "video":
        return sources.open_films(config).index.mean_rgb[::-1]
    return _mean_bgr(config.tfrecords, tfrecords.read_index(config.tfrecords)["style"], False)


def color_shift(mean_bgr):
    """The mean of three channel means minus each: what makes them equal when it is added."""
    middle = sum(mean_bgr) / 3
    return tuple(middle - mean for mean in mean_bgr)


def _duplicates(listed, good):
    """{what is twice: `Duplicate`s} of the folders that `_COMPARED` names."""
    prints = {
        name: {path: good[path].fingerprint for path in group if path in good}
        for name, group in listed.items()
    }
    found = {}
    for what, name, other in _COMPARED:
        if name == other:
            found[what] = within(prints.get(name, {}))
        else:
            found[what] = between(prints.get(name, {}), prints.get(other, {}))
    return {what: pairs for what, pairs in found.items() if pairs}


def _twice(what, found):
    """How many duplicates there are, with one of them."""
    exact = sum(one.exact for one in found)
    return (
        f"{len(found)} {what} ({exact} the same file, {len(found) - exact} alike), "
        f"for instance {found[0].path} and {found[0].original}"
    )


def _span(sizes):
    """(smallest, largest) for the table."""
    smallest, largest = sizes
    return str(smallest) if smallest == largest else f"{smallest}..{largest}"


def _inspect(path):
    """The `_Picture` in a file, or what is wrong with it as a string."""
    try:
        data = path.read_bytes()
        picture = files.decode_color(data, path)
    except (InputError, OSError) as error:  # a file that may not be opened is a finding too
        return str(error)
    height, width = picture.shape[:2]
    mean = cv2.mean(picture)[2::-1]
    return _Picture(width, height, mean, fingerprint(data, picture))


def _report(folder, items, pictures):
    """The `FolderReport` of a folder: of what is in it, and of what is readable."""
    if not pictures:
        return FolderReport(folder, 0, (0, 0), (0, 0), None, EncodedPictures(items))
    widths = [picture.width for picture in pictures]
    heights = [picture.height for picture in pictures]
    means = zip(*(picture.mean_bgr for picture in pictures), strict=True)
    return FolderReport(
        path=folder,
        count=len(pictures),
        widths=(min(widths), max(widths)),
        heights=(min(heights), max(heights)),
        mean_bgr=tuple(sum(channel) / len(pictures) for channel in means),
        pictures=EncodedPictures(items),
    )


def _wrong_sizes(training, good, size):
    """Training pictures that are not `size` square, a sentence each."""
    return [
        f"{path} is {good[path].width}x{good[path].height}: with crop='none' it must be "
        f"{size}x{size} (crop='random' or 'center' takes other sizes)"
        for group in training.values()
        for path in group
        if path in good and (good[path].width, good[path].height) != (size, size)
    ]


def _unlike_their_frames(listed, good):
    """Smoothed frames of another size than their frames: the two would be cropped at two scales."""
    smooth = {path.stem: path for path in listed.get("smooth", ()) if path in good}
    names = smoothing.smooth_names(listed.get("style", ()))
    pairs = [
        (path, smooth[pathlib.Path(name).stem])
        for path, name in names.items()
        if path in good and pathlib.Path(name).stem in smooth
    ]
    return [
        f"{other} is {good[other].width}x{good[other].height} but its frame {path} is "
        f"{good[path].width}x{good[path].height}: delete it to have it made anew"
        for path, other in pairs
        if good[path][:2] != good[other][:2]
    ]


def _enlarged(training, good, size):
    """A note on each folder with pictures that must be enlarged for a crop of `size`."""
    notes = []
    for name, group in training.items():
        small = sum(min(good[path][:2]) < size for path in group if path in good)
        if small:
            notes.append(f"{small} picture(s) of {name} are smaller than {size} and get enlarged")
    return notes


def _count_missing_smooth(config, listed):
    """Number of listed frames that have no smoothed counterpart."""
    if config.source != "images" or "style" not in listed:
        return 0
    return len(smoothing.missing_smooth(config.style_dir, config.smooth_dir))
