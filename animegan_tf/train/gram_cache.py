"""Cache of the Gram matrices of a style's frames, instead of computing them at each step."""

import numpy as np
import tensorflow as tf

from animegan_tf import losses


class GramCache:
    """Gram matrices of the gray frames for the style loss: 1 MB of memory per frame with VGG.

    Requires frames without random augmentation and a single replica.
    """

    def __init__(self, features, samples):
        """features: the feature network. samples: the `pipeline.SampleSource` of the batches."""
        self._samples, self._grams = samples, {}
        self._compute = tf.function(
            lambda frames: losses.gram_matrix(features(frames)),
            input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32)],
            autograph=False,
        )

    def __len__(self):
        return len(self._grams)

    def extend(self, step, batch):
        """Add `anime_gram` (B, C, C), computed from `anime_gray`, to batch number `step`."""
        frames = batch["anime_gray"]
        first = step * len(frames)
        indices = [self._samples.index("anime", first + row) for row in range(len(frames))]
        for row, index in enumerate(indices):
            if index not in self._grams:
                self._grams[index] = self._compute(frames[row : row + 1]).numpy()[0]
        grams = np.stack([self._grams[index] for index in indices])
        return {**batch, "anime_gram": tf.constant(grams)}
