"""Check all images of a data set before training starts; imports no TensorFlow.

Training may read a damaged file or a frame of another size only after hours; this check reports all
of them in the first minute.
"""

import collections
import dataclasses
import os
import pathlib

import cv2

from animegan_tf import files
from animegan_tf.data import smoothing, sources, tfrecords
from animegan_tf.data.config import DataConfig
from animegan_tf.data.duplicates import Duplicate, find, fingerprint, similar
from animegan_tf.data.pictures import EncodedPictures
from animegan_tf.errors import InputError

_PROBLEMS_SHOWN = 10
_FILES_FOR_A_BAR = 300

# Folders in which duplicates are searched: (description, folder, folder of the originals).
_COMPARED = (
    ("frames are duplicates of other frames", "style", "style"),
    ("frames are duplicates of photos", "style", "train_photo"),
    ("validation photos are duplicates of training photos", "val", "train_photo"),
)

_Image = collections.namedtuple("_Image", "width height mean_bgr fingerprint")


@dataclasses.dataclass(frozen=True)
class FolderReport:
    """The contents of one folder.

    Attributes:
        path: the folder, or the video or folder of videos.
        count: number of readable images.
        widths, heights: (smallest, largest) in pixels, (0, 0) without images.
        mean_bgr: mean of the images' channel means (B, G, R) on the 0..255 scale, or None without
            images.
        pictures: all images by index, including unreadable ones.
    """

    path: pathlib.Path
    count: int
    widths: tuple[int, int]
    heights: tuple[int, int]
    mean_bgr: tuple[float, float, float] | None
    pictures: EncodedPictures = dataclasses.field(repr=False, compare=False, default=None)

    @property
    def color_shift(self) -> tuple[float, float, float] | None:
        """(B, G, R) to add so that all means are equal, as in the early AnimeGANv2; or None."""
        return None if self.mean_bgr is None else color_shift(self.mean_bgr)


@dataclasses.dataclass(frozen=True)
class DatasetReport:
    """The result of `check_dataset`; `str()` gives a table.

    Attributes:
        folders: {"train_photo", "style", "smooth", "val": FolderReport} of the existing folders.
        problems: sentences about errors that prevent training.
        notes: sentences about things that are allowed but may be a mistake.
        smooth_missing: number of frames without a smoothed counterpart, which
            `smoothing.ensure_smooth` creates.
        duplicates: {description: `Duplicate`s}. They are allowed: a duplicate frame only has a
            higher weight.
        wrong_sizes: the files behind the problems about sizes.
    """

    folders: dict[str, FolderReport]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    smooth_missing: int
    duplicates: dict[str, tuple[Duplicate, ...]] = dataclasses.field(default_factory=dict)
    wrong_sizes: tuple[pathlib.Path, ...] = ()

    def raise_if_bad(self) -> None:
        """Raise `InputError` with the first problems and the number of further ones."""
        if not self.problems:
            return
        lines = [f"the data set has {len(self.problems)} problem(s):", *self._first_problems()]
        raise InputError("\n  ".join(lines))

    def _first_problems(self):
        """The first problems, and the number of further ones."""
        more = len(self.problems) - _PROBLEMS_SHOWN
        others = [f"... and {more} more"] if more > 0 else []
        return [*self.problems[:_PROBLEMS_SHOWN], *others]

    def __str__(self):
        lines = [f"{'':12}{'images':>8}  {'width':>12}  {'height':>12}  folder"]
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
            lines.append(f"{self.smooth_missing} smoothed frame(s) will be created")
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"note: {_summary(what, pairs)}" for what, pairs in self.duplicates.items()]
        lines += [f"problem: {problem}" for problem in self._first_problems()]
        return "\n".join(lines)


def check_dataset(config: DataConfig, progress: bool = True) -> DatasetReport:
    """Decode all images of a `DataConfig` and report on them; raises nothing.

    Problems: a missing or empty folder (except `smooth`, which can be created, and `val`, which is
    optional), a file that cannot be decoded, changed shards, a file that is not a video; with
    `crop="none"` a training image that is not `image_size` square, with another crop a smoothed
    frame whose size differs from its frame.
    `progress` shows a progress bar for hundreds of files, or for videos.
    """
    problems, notes = [], []
    folder_of = sources.folders(config)
    if config.source == "tfrecord":
        listed = _listed_records(config, problems)
        folder_of = dict.fromkeys(tfrecords.GROUPS, pathlib.Path(config.tfrecords))
    else:
        listed = _listed_files(folder_of, problems, notes)
    if "smooth" in listed:
        listed["smooth"], lone = sources.with_frames(config, listed)
        if lone:
            notes.append(f"{len(lone)} smoothed frame(s) have no frame and are not used: {lone[0]}")

    paths = [path for group in listed.values() for path in group]
    bar = progress and len(paths) >= _FILES_FOR_A_BAR
    inspected = files.map_in_threads(_inspect, paths, "checking the data", bar)
    problems += [image for image in inspected if isinstance(image, str)]
    good = {
        path: image
        for path, image in zip(paths, inspected, strict=True)
        if not isinstance(image, str)
    }

    readable = {name: [good[p] for p in group if p in good] for name, group in listed.items()}
    folders = {
        name: _report(folder_of[name], group, readable[name]) for name, group in listed.items()
    }
    if config.source == "video":
        folders.update(_videos(config, problems, notes, progress))
    training = {name: group for name, group in listed.items() if name != "val"}
    pairs = sources.smoothed_pairs(config, listed).items()
    pairs = [pair for pair in pairs if all(path in good for path in pair)]
    notes += _of_other_frames(pairs, good)
    if config.crop == "none":
        found, wrong = _wrong_sizes(training, good, config.image_size)
    else:
        found, wrong = _unlike_their_frames(pairs, good)
        notes += _enlarged(readable, config.image_size)
    missing = ()
    if config.source == "images" and "style" in listed:
        missing = smoothing.missing_smooth(config.style_dir, config.smooth_path)
    prints = {
        name: {path: good[path].fingerprint for path in group if path in good}
        for name, group in listed.items()
    }
    duplicates = {
        what: find(prints.get(name, {}), prints.get(other, {})) for what, name, other in _COMPARED
    }
    return DatasetReport(
        folders=folders,
        problems=(*problems, *found),
        wrong_sizes=tuple(wrong),
        notes=tuple(notes),
        smooth_missing=len(missing),
        duplicates={what: pairs for what, pairs in duplicates.items() if pairs},
    )


def _listed_files(folders, problems, notes):
    """{group: paths} of the images in {group: folder} and their subfolders.

    Appends missing ones to `problems`, files of other kinds to `notes`.
    """
    listed = {}
    for name, folder in folders.items():
        if name in ("smooth", "val") and not folder.exists():
            continue
        try:
            listed[name], others = files.split_images(folder, subfolders=True)
        except InputError as error:
            problems.append(str(error))
            continue
        if not listed[name] and name in ("train_photo", "style"):
            suffixes = ", ".join(files.IMAGE_SUFFIXES)
            found = f", found {_kinds(others)}" if others else ""
            problems.append(f"no images in {folder}: expected {suffixes}{found}")
        elif others:
            notes.append(f"{len(others)} file(s) of {name} are not used: {_kinds(others)}")
    return listed


def _kinds(paths):
    """The number of files of each kind, for example "2 .gif, 1 broken link"."""
    kinds = collections.Counter(
        (path.suffix.lower() or "without suffix") if path.exists() else "broken link"
        for path in paths
    )
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def _listed_records(config, problems):
    """{group: records} of the shards."""
    try:
        listed = tfrecords.read_index(config.tfrecords)
    except InputError as error:
        problems.append(str(error))
        return {}
    problems += [
        f"no images of {name} in {config.tfrecords}"
        for name in sources.GROUPS.values()
        if not listed.get(name)
    ]
    return listed


def _videos(config, problems, notes, progress):
    """{"style": `FolderReport`} of the videos; adds a note on each, or a problem."""
    from animegan_tf.data import video_index

    try:
        frames = sources.open_videos(config, progress=progress)
    except InputError as error:
        problems.append(str(error))
        return {}
    videos = frames.index.videos
    notes += [video_index.describe(video, config.video_every) for video in videos]
    sizes = [frames.size(video)[::-1] for video in videos]
    mean = frames.index.mean_rgb[::-1]
    path = pathlib.Path(config.video)
    return {"style": FolderReport(path, len(frames), *_ranges(sizes), mean, frames)}


def mean_bgr(folder: str | os.PathLike, progress: bool = True) -> tuple[float, float, float]:
    """The `FolderReport.mean_bgr` of a single folder.

    Raises `InputError` for a folder without images or with unreadable ones.
    """
    paths = files.list_images(folder, subfolders=True)
    if not paths:
        raise InputError(f"no images in {folder}: expected {', '.join(files.IMAGE_SUFFIXES)}")
    return _mean_bgr(folder, paths, progress)


def _mean_bgr(folder, paths, progress):
    progress = progress and len(paths) >= _FILES_FOR_A_BAR
    inspected = files.map_in_threads(_inspect, paths, "reading the colours", progress)
    errors = [image for image in inspected if isinstance(image, str)]
    if errors:
        raise InputError(
            f"{len(errors)} of {len(paths)} images cannot be read: " + "; ".join(errors[:5])
        )
    return _report(folder, paths, inspected).mean_bgr


def style_mean_bgr(config: DataConfig) -> tuple[float, float, float]:
    """The `FolderReport.mean_bgr` of the anime frames of a `DataConfig`; raises as `mean_bgr`."""
    if config.source == "images":
        return mean_bgr(config.style_dir, progress=False)
    if config.source == "video":
        return sources.open_videos(config).index.mean_rgb[::-1]
    return _mean_bgr(config.tfrecords, tfrecords.read_index(config.tfrecords)["style"], False)


def color_shift(mean_bgr):
    """The values to add to three channel means so that all are equal to their mean."""
    middle = sum(mean_bgr) / 3
    return tuple(middle - mean for mean in mean_bgr)


def _summary(what, pairs):
    """The number of duplicates, with an example."""
    exact = sum(pair.exact for pair in pairs)
    return (
        f"{len(pairs)} {what} ({exact} identical, {len(pairs) - exact} similar), "
        f"for example {pairs[0].path} and {pairs[0].original}"
    )


def _span(sizes):
    """(smallest, largest) for the table."""
    smallest, largest = sizes
    return str(smallest) if smallest == largest else f"{smallest}..{largest}"


def _inspect(path):
    """The `_Image` in a file, or an error message (a string)."""
    try:
        data = path.read_bytes()
        image = files.decode_color(data, path)
    except (InputError, OSError) as error:  # OSError: for example no permission
        return str(error)
    height, width = image.shape[:2]
    mean = cv2.mean(image)[2::-1]
    return _Image(width, height, mean, fingerprint(data, image))


def _report(folder, items, images):
    """The `FolderReport` of a folder with these items, of which `images` are readable."""
    mean = None
    if images:
        means = zip(*(image.mean_bgr for image in images), strict=True)
        mean = tuple(sum(channel) / len(images) for channel in means)
    sizes = [image[:2] for image in images]
    return FolderReport(folder, len(images), *_ranges(sizes), mean, EncodedPictures(items))


def _ranges(sizes):
    """((smallest, largest) width, (smallest, largest) height) of (width, height) pairs."""
    if not sizes:
        return (0, 0), (0, 0)
    return tuple((min(sides), max(sides)) for sides in zip(*sizes, strict=True))


def _wrong_sizes(training, good, size):
    """Training images that are not `size` square: a sentence for each folder, and the files."""
    problems, paths = [], []
    for name, group in training.items():
        wrong = [path for path in group if path in good and good[path][:2] != (size, size)]
        paths += wrong
        if wrong:
            first = good[wrong[0]]
            problems.append(
                f"{len(wrong)} image(s) of {name} are not {size}x{size}, for example {wrong[0]} "
                f"({first.width}x{first.height}): --crop=random or --crop=center takes other sizes"
            )
    return problems, paths


def _unlike_their_frames(pairs, good):
    """Smoothed frames whose size differs from their frames: a sentence, and the files.

    Both must be cropped at one scale.
    """
    wrong = [pair for pair in pairs if good[pair[0]][:2] != good[pair[1]][:2]]
    if not wrong:
        return [], []
    path, other = wrong[0]
    problems = [
        f"{len(wrong)} smoothed frame(s) have another size than their frames, for example {other} "
        f"({good[other].width}x{good[other].height}) and {path} "
        f"({good[path].width}x{good[path].height}): delete them, and they are created again"
    ]
    return problems, [other for _, other in wrong]


def _of_other_frames(pairs, good):
    """A note on smoothed frames that do not show what their frames show."""
    wrong = [
        other
        for path, other in pairs
        if not similar(good[path].fingerprint.thumbnail, good[other].fingerprint.thumbnail)
    ]
    if not wrong:
        return []
    return [
        f"{len(wrong)} smoothed frame(s) show something else than their frames, for example "
        f"{wrong[0]}: delete them, and they are created again"
    ]


def _enlarged(readable, size):
    """A note on each folder with images that must be enlarged for a crop of `size`."""
    small = {
        name: sum(min(image[:2]) < size for image in images)
        for name, images in readable.items()
        if name != "val"
    }
    return [
        f"{count} image(s) of {name} are smaller than {size} and are enlarged"
        for name, count in small.items()
        if count
    ]
