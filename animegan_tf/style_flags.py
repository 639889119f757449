"""The command line flags that several entry points have: what a style is, how it is drawn."""

from absl import flags

from animegan_tf import styles
from animegan_tf.stylize.options import DRAW_SIDE

FLAGS = flags.FLAGS


def define_style_flags(checkpoint_kinds):
    """Define the flags that choose a style: those that `chosen_checkpoint` reads.

    checkpoint_kinds: what --checkpoint may be, for its help.
    """
    flags.DEFINE_string(
        "style",
        None,
        "Name of a style. The published ones are fetched on first use, for which their licence has "
        "to be accepted. Default: the style that ships with this project.",
    )
    flags.DEFINE_string("checkpoint", None, f"Instead of a style: {checkpoint_kinds}.")
    flags.DEFINE_bool("list_styles", False, "Show each style with where it comes from, and stop.")
    flags.DEFINE_bool(
        "accept_license",
        False,
        "Accept the licence of the published style and fetch it; else asked for at a terminal.",
    )
    flags.DEFINE_string(
        "styles_dir",
        None,
        f"Folder that fetched styles are kept in. Default: {styles.STYLES_VARIABLE} in the "
        "environment, else a folder in the user's cache.",
    )
    flags.DEFINE_string(
        "mirror",
        None,
        "Base address to fetch from, with files as OWNER/REPOSITORY/COMMIT/PATH below it. Default: "
        f"{styles.MIRROR_VARIABLE} in the environment, else {styles.GITHUB}.",
    )


def chosen_checkpoint():
    """What the style flags name, as `weights.load_generator` takes it; fetched first if need be."""
    return styles.resolve(
        FLAGS.checkpoint,
        FLAGS.style,
        styles_dir=FLAGS.styles_dir,
        mirror=FLAGS.mirror,
        accept_license=FLAGS.accept_license,
        ask=True,
    )


def define_delivery_flags():
    """Define the flags that `chosen_delivery` reads."""
    flags.DEFINE_integer(
        "draw_side",
        DRAW_SIDE,
        "Photos and films whose short side is over this are drawn with one of that length, and the "
        "result is enlarged to the photo's size with the photo as the guide: bolder lines, in a "
        "fraction of the time and memory. 0 draws every photo at its own size.",
    )
    flags.DEFINE_float("strength", 1.0, "How much of the result there is, the rest is the photo.")
    flags.DEFINE_bool("keep_color", False, "Give the result the photo's colours.")


def chosen_delivery():
    """What those flags say: a `Delivery`. Raises `InputError` for what cannot be."""
    # Not above: commands set what OpenCV prints before it is loaded.
    from animegan_tf.stylize.guided import Delivery

    return Delivery(FLAGS.draw_side, FLAGS.strength, FLAGS.keep_color).check()
