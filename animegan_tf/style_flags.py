"""The command line flags that choose a style, for every entry point that takes one."""

from absl import flags

from animegan_tf import styles

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
