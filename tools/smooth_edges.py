"""Smooth the edges of a folder of anime frames (training does this by itself when it is missing).

    python tools/smooth_edges.py --input=data/Hayao/style --output=data/Hayao/smooth

Writes one PNG per picture. Those that exist are left alone without --overwrite.
"""

from absl import flags

from animegan_tf import cli
from animegan_tf.data import smoothing
from animegan_tf.errors import InputError

FLAGS = flags.FLAGS

flags.DEFINE_string("input", None, "Folder of anime frames.", required=True)
flags.DEFINE_string("output", None, "Folder for the smoothed frames.", required=True)
flags.DEFINE_integer(
    "size",
    256,
    "Side of the square result in pixels; 0 keeps each frame's size, for training with a crop.",
    lower_bound=0,
)
flags.DEFINE_bool("overwrite", False, "Make pictures anew that exist.")
flags.DEFINE_integer("workers", None, "Threads; by default one per core.", lower_bound=1)


def main(argv):
    """Smooth the folder and say how many pictures were made."""
    if len(argv) > 1:
        raise InputError(f"arguments: expected flags alone, received {' '.join(argv[1:])!r}")
    made = smoothing.smooth_folder(
        FLAGS.input,
        FLAGS.output,
        size=FLAGS.size or None,
        workers=FLAGS.workers,
        overwrite=FLAGS.overwrite,
    )
    print(f"{made} picture(s) written to {FLAGS.output}")


if __name__ == "__main__":
    cli.run(main, __name__, __doc__)
