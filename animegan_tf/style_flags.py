"""Flags that several commands share: choice of the style, working size."""

import dataclasses

from absl import flags

from animegan_tf import published, styles

FLAGS = flags.FLAGS


def define_style_flags(checkpoint_kinds):
    """Define the flags for `chosen_checkpoint`.

    checkpoint_kinds: the kinds of checkpoints, for the help of --checkpoint.
    """
    flags.DEFINE_string(
        "style",
        None,
        "Name of a style. Published styles are downloaded on first use, after you accept their "
        "licence. Default: the style that ships with this project.",
    )
    flags.DEFINE_string("checkpoint", None, f"Instead of a style: {checkpoint_kinds}.")
    flags.DEFINE_bool("list_styles", False, "List all styles with their sources, and stop.")
    flags.DEFINE_bool(
        "accept_license",
        False,
        "Accept the licence of the published style and download it. Default: ask at a terminal.",
    )
    flags.DEFINE_string(
        "styles_dir",
        None,
        f"Folder of downloaded styles. Default: {published.STYLES_VARIABLE} in the environment, "
        "else a folder in the user's cache.",
    )
    flags.DEFINE_string(
        "mirror",
        None,
        "Base URL for downloads, with the files as OWNER/REPOSITORY/COMMIT/PATH below it. Default: "
        f"{published.MIRROR_VARIABLE} in the environment, else {published.GITHUB}.",
    )


def chosen_checkpoint():
    """The checkpoint that the style flags select; it is downloaded if necessary."""
    return styles.resolve(
        FLAGS.checkpoint,
        FLAGS.style,
        styles_dir=FLAGS.styles_dir,
        mirror=FLAGS.mirror,
        accept_license=FLAGS.accept_license,
        ask=True,
    )


def chosen_delivery():
    """The `Delivery` of the flags of `DrawOptions`. Raises `InputError` for invalid values."""
    # Not at the top: commands configure OpenCV's messages before it is loaded.
    from animegan_tf.stylize.guided import Delivery

    return Delivery(FLAGS.draw_side, FLAGS.strength, FLAGS.keep_color).check()


def chosen_options(video_kind, photo_kind):
    """The `VideoOptions` and `PhotoOptions` of their flags, checked; --bits is meant for either."""
    chosen = []
    for kind, bits_of_others in ((video_kind, 16), (photo_kind, 10)):
        values = {field.name: FLAGS[field.name].value for field in dataclasses.fields(kind)}
        if values["bits"] == bits_of_others:
            values["bits"] = 8
        chosen.append(kind(**values).check())
    return tuple(chosen)
