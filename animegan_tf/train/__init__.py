"""Training: the package of `animegan-train`. Start reading at `__main__`.

`config` → `plan` (what a run will do, checked before it starts, and where it resumes) → `loop`
(build, restore, step, record, save) → `animegan` (the Keras model whose `train_step` is the
method's update) → `losses`. Beside the loop: `checkpoints`, `summaries` (scalars and samples),
`distribution` (devices), `estimates` (memory and time), `failures` (what ends a run).
"""

from typing import TYPE_CHECKING

from animegan_tf import lazy

if TYPE_CHECKING:
    from animegan_tf.train.animegan import AnimeGAN

_MODULE_OF = {
    "AnimeGAN": "animegan",
}

__all__ = list(_MODULE_OF)


def __getattr__(name):
    return lazy.load(__name__, _MODULE_OF, name)
