"""Compute the mean colour of a style's frames, and the shift that makes it gray.

    python tools/color_balance.py --input=data/Hayao/style --output=balance.json

The early AnimeGANv2 added such a shift to the colour anime frames in training, so that the style
does not tint photos. Prints the flag for it; with --output also writes the values as JSON.
"""

import json

from absl import flags

from animegan_tf import cli, storage

FLAGS = flags.FLAGS


def define_flags():
    """Define this command's flags."""
    flags.DEFINE_string("input", None, "Folder of the style's frames. Required.")
    flags.DEFINE_string("output", None, "JSON file for the values.")


def main(argv):
    """Measure the folder; print and write the values."""
    from animegan_tf.data import check

    cli.refuse_arguments(argv)
    cli.require_flags("input")
    mean = check.mean_bgr(FLAGS.input)
    shift = check.color_shift(mean)
    flag = "--color_shift=" + ",".join(f"{value:.4f}" for value in shift)
    print("            blue     green       red")
    for name, values in (("mean", mean), ("shift", shift)):
        print(f"{name:6}" + "".join(f"{value:10.4f}" for value in values))
    print(flag)
    if FLAGS.output:
        numbers = {"input": FLAGS.input, "mean_bgr": mean, "shift_bgr": shift, "flag": flag}
        storage.write_text(FLAGS.output, json.dumps(numbers, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    define_flags()
    cli.run(main, __name__, __doc__)
