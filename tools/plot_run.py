"""Draw the curves of a training run as a PNG, with a description of each.

    python tools/plot_run.py RUN_DIR
    python tools/plot_run.py RUN_DIR/scalars.jsonl --output=curves.png

The run may still be going on. Without --output the chart is RUN_DIR/curves.png. Needs Matplotlib:
pip install 'animegan_tf[plots]'.
"""

from pathlib import Path

from absl import flags

from animegan_tf import cli, images
from animegan_tf.errors import InputError
from animegan_tf.evaluation import curves, plotting

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_string("output", None, "Output PNG file. Default: curves.png in the run.")


def main(argv):
    """Draw the run that `argv` names; returns the exit status."""
    if len(argv) != 2:
        raise InputError(
            f"run: expected one run directory or .jsonl file, received {len(argv) - 1} arguments"
        )
    plotting.check()
    run = Path(argv[1])
    folder = run if run.is_dir() else run.parent
    output = Path(FLAGS.output or folder / "curves.png")
    lines, unreadable = curves.read_scalars(run)
    images.write_photo(output, curves.draw_run(lines, folder.resolve().name))
    if unreadable:
        print(f"{unreadable} unreadable line(s) ignored (the last one may be incomplete)")
    print(f"{len(lines)} steps, {len(curves.terms(lines))} terms: {output}")
    return 0


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
