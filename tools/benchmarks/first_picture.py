"""The seconds to a first picture from a cold start, in parts. Started by `tasks`.

    python first_picture.py CHECKPOINT PHOTO

Prints them as JSON. "the rest, without the network" is what the project adds to TensorFlow's import
and the network's own time, the latter taken from a second picture.
"""

import json
import sys
import time


def main(checkpoint, photo):
    """Stylise `photo` twice; print the seconds of each part."""
    started = time.perf_counter()
    from animegan_tf import Stylizer, images
    from animegan_tf.stylize.engines import needs_tensorflow

    if needs_tensorflow(checkpoint):
        import keras
        import tensorflow as tf

        del keras
        tf.config.list_physical_devices()
    imported = time.perf_counter()
    stylizer = Stylizer(checkpoint)
    picture = images.read_photo(photo).rgb
    stylizer(picture)
    first = time.perf_counter()
    stylizer(picture)
    network = time.perf_counter() - first
    parts = {
        "whole": first - started,
        "imports": imported - started,
        "network": network,
        "the rest, without the network": first - imported - network,
    }
    print(json.dumps(parts))


if __name__ == "__main__":
    main(*sys.argv[1:])
