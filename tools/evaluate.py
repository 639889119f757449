r"""Compare generators in numbers and images, for example the epochs of a run.

  python tools/evaluate.py --photos=PHOTOS --style_dir=data/Hayao/style --output=OUT \
      RUN_DIR other.weights.h5 checkpoint/generator_Hayao_weight
  python tools/evaluate.py --photos=PHOTOS --style_dir=data/Hayao/style --output=OUT \
      --run_dir=RUN_DIR --video=clip.mp4

Prints a table and writes evaluation.json, evaluation.csv and grid.png to OUT, with --run_dir also
epochs.png: each measure over the epochs kept by training with --keep_every, and the latest; this
needs Matplotlib, pip install 'animegan_tf[plots]'.
"""

import dataclasses
import sys
from pathlib import Path

from absl import flags

from animegan_tf import cli
from animegan_tf.errors import InputError
from animegan_tf.evaluation import plotting

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_string("photos", None, "Folder of photos to stylise. Required.")
    flags.DEFINE_string("style_dir", None, "Folder of the style's frames for comparison.")
    flags.DEFINE_bool(
        "kid", False, "Also measure the kernel distance of the outputs to the style's frames."
    )
    flags.DEFINE_string("run_dir", None, "Training run whose kept epochs are measured.")
    flags.DEFINE_string("video", None, "Video for measuring flicker.")
    flags.DEFINE_string("output", None, "Folder for the reports. Required.")
    flags.DEFINE_string(
        "features", "imagenet", "VGG weights: imagenet (a download), a .npy, .npz or .h5, or random"
    )
    flags.DEFINE_enum("features_depth", "vgg19", ("vgg19", "vgg16"), "The feature network.")
    flags.DEFINE_integer("max_side", 512, "Shrink images to this side first.", lower_bound=64)
    flags.DEFINE_integer("max_photos", 24, "Maximum number of photos.", lower_bound=1)
    flags.DEFINE_integer("max_style", 64, "Maximum number of style frames.", lower_bound=1)
    flags.DEFINE_integer("video_pairs", 16, "Number of frame pairs of the video.", lower_bound=1)
    flags.DEFINE_integer("grid", 6, "Number of photos in the image grid.", lower_bound=1)


@dataclasses.dataclass(frozen=True)
class _Candidate:
    label: str
    path: str
    epoch: float | None = None


def _candidates(paths):
    """The checkpoints to measure: the arguments, and those of --run_dir."""
    from animegan_tf.evaluation import curves
    from animegan_tf.evaluation import evaluator as evaluation
    from animegan_tf.networks import weights
    from animegan_tf.stylize import stylizer

    for path in paths:
        stylizer.check_options(path)
    candidates = [_Candidate(path, path) for path in paths]
    if FLAGS.run_dir:
        kept = evaluation.kept_generators(FLAGS.run_dir)
        latest = Path(FLAGS.run_dir) / weights.RUN_WEIGHTS
        if not kept and not latest.is_file():
            raise InputError(
                f"run_dir: expected a run with {weights.RUN_WEIGHTS} or epochs/, found neither in "
                f"{FLAGS.run_dir!r}"
            )
        candidates += [_Candidate(f"epoch {epoch}", str(path), epoch) for epoch, path in kept]
        if latest.is_file():
            epoch = kept[-1][0] + 1 if kept else 1
            if (Path(FLAGS.run_dir) / weights.SCALARS).is_file():
                epoch = curves.read_scalars(FLAGS.run_dir)[0][-1].get("epoch", epoch)
            candidates.append(_Candidate("latest", str(latest), epoch))
    if not candidates:
        raise InputError("checkpoint: expected at least one, or --run_dir=..., received none")
    return candidates


def _measure(candidates, evaluator):
    """Rows and outputs for the grid; prints an error for a generator that fails."""
    from tqdm import tqdm

    from animegan_tf.evaluation import report
    from animegan_tf.stylize.stylizer import Stylizer

    rows, columns = [], []
    for candidate in tqdm(candidates, "measuring", unit="generator", disable=None):
        try:
            # The raw output: matching the photo's brightness would hide drifting brightness.
            stylizer = Stylizer(
                candidate.path,
                match_brightness=False,
                draw_side=0,
                engine="keras",  # the same figures on every machine
                precision="float32",
            )
            measured, outputs = evaluator(stylizer)
        except InputError as error:
            tqdm.write(f"error: {candidate.label}: {error}", file=sys.stderr)
            continue
        rows.append(report.Row(candidate.label, measured, candidate.epoch))
        columns.append((candidate.label, outputs[: FLAGS.grid]))
    return rows, columns


def _write(rows, references, photos, columns, flat_windows):
    from animegan_tf import images
    from animegan_tf.evaluation import report

    output = Path(FLAGS.output)
    names = ("photos", "style_dir", "run_dir", "video", "features", "features_depth", "max_side")
    settings = {name: FLAGS[name].value for name in names}
    settings["photo_names"] = [name for name, _ in photos]
    settings["flat_windows"] = flat_windows
    report.write_json(output / "evaluation.json", references + rows, settings)
    report.write_csv(output / "evaluation.csv", references + rows)
    shown = [photo for _, photo in photos[: FLAGS.grid]]
    images.write_photo(output / "grid.png", report.draw_grid(shown, columns))
    written = ["evaluation.json", "evaluation.csv", "grid.png"]
    if any(row.epoch is not None for row in rows):
        title = Path(FLAGS.run_dir).resolve().name
        chart = report.draw_epochs(title, rows, references)
        images.write_photo(output / "epochs.png", chart)
        written.append("epochs.png")
    print(f"\n{', '.join(written)} in {output}")


def main(argv):
    """Evaluate with the parsed flags; the exit status is 1 if a generator failed."""
    from animegan_tf.evaluation import evaluator as evaluation
    from animegan_tf.evaluation import report

    cli.require_flags("photos", "output")
    if FLAGS.kid and not FLAGS.style_dir:
        raise InputError("style_dir: expected the style's frames for --kid, received none")
    if FLAGS.run_dir:
        plotting.check()
    candidates = _candidates(argv[1:])
    photos = evaluation.load_photos(FLAGS.photos, FLAGS.max_side, FLAGS.max_photos)
    style, pairs = [], []
    if FLAGS.style_dir:
        style = evaluation.load_style(FLAGS.style_dir, FLAGS.max_side, FLAGS.max_style)
    if FLAGS.video:
        pairs = evaluation.load_pairs(FLAGS.video, FLAGS.max_side, FLAGS.video_pairs)
    cli.load_tensorflow()
    from animegan_tf.networks import build_feature_extractor

    features = build_feature_extractor(FLAGS.features, FLAGS.features_depth)
    evaluator = evaluation.Evaluator(
        [photo for _, photo in photos], features, style, pairs, FLAGS.kid
    )
    references = [report.Row("unchanged photos", evaluator.photos_themselves)]
    if style:
        references.append(report.Row("style images", evaluator.style_itself))
    rows, columns = _measure(candidates, evaluator)
    if not rows:
        return 1
    print(report.table(references + rows))
    print(f"\n{report.LEGEND}")
    _write(rows, references, photos, columns, evaluator.flat_windows)
    return 0 if len(rows) == len(candidates) else 1


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
