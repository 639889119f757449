"""The Gram matrices of a style's frames, computed once for each frame instead of at each step."""

import numpy as np
import tensorflow as tf

from animegan_tf import losses


class GramCache:
    """What the style loss needs of the gray frames, kept in memory: a megabyte a frame with VGG.

    Only for frames that are the same each time, and for batches that are not spread over replicas.
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
        """`batch` number `step` with `anime_gram` (B, C, C) of its `anime_gray`."""
        frames = batch["anime_gray"]
        first = step * len(frames)
        indices = [self._samples.index("anime", first + row) for row in range(len(frames))]
        for row, index in enumerate(indices):
            if index not in self._grams:
                self._grams[index] = self._compute(frames[row : row + 1]).numpy()[0]
        grams = np.stack([self._grams[index] for index in indices])
        return {**batch, "anime_gram": tf.constant(grams)}
