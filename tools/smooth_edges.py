"""Smooth the edges of a folder of anime frames (training does this automatically).

    python tools/smooth_edges.py --input=data/Hayao/style --output=data/Hayao/smooth

Writes one PNG per image. Existing files are kept without --overwrite.
"""

from absl import flags

from animegan_tf import cli
from animegan_tf.data import smoothing

FLAGS = flags.FLAGS

flags.DEFINE_string("input", None, "Folder of anime frames.", required=True)
flags.DEFINE_string("output", None, "Folder for the smoothed frames.", required=True)
flags.DEFINE_integer(
    "size",
    256,
    "Side of the square output in pixels; 0 keeps each frame's size, for training with a crop.",
    lower_bound=0,
)
flags.DEFINE_bool("overwrite", False, "Replace existing files.")
flags.DEFINE_integer("workers", None, "Number of threads. Default: one per core.", lower_bound=1)


def main(argv):
    """Smooth the folder with the parsed flags."""
    cli.refuse_arguments(argv)
    count = smoothing.smooth_folder(
        FLAGS.input,
        FLAGS.output,
        size=FLAGS.size or None,
        workers=FLAGS.workers,
        overwrite=FLAGS.overwrite,
    )
    print(f"{count} image(s) written to {FLAGS.output}")


if __name__ == "__main__":
    cli.run(main, __name__, __doc__)
