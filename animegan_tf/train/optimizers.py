"""Adam as the method uses it, and the scale of losses for it."""

import keras
import tensorflow as tf

# Keras starts at 2^15, at which the first dozen updates overflow: the losses are in the hundreds.
FLOAT16_LOSS_SCALE = 2.0**4


def adam(recipe, learning_rate, name, variables):
    """A built Adam; in float16 it scales the losses, see `scale_loss`."""
    optimizer = keras.optimizers.Adam(
        learning_rate,
        beta_1=recipe.beta_1,
        beta_2=recipe.beta_2,
        epsilon=recipe.adam_epsilon,
        name=name,
    )
    if keras.config.dtype_policy().compute_dtype == "float16":
        # Small gradients underflow in float16; Keras scales losses automatically only in `compile`.
        optimizer = keras.optimizers.LossScaleOptimizer(
            optimizer, initial_scale=FLOAT16_LOSS_SCALE, name=f"{name}_scaled"
        )
    optimizer.build(variables)
    return optimizer


def scale_loss(optimizer, loss):
    """The loss, scaled for its optimiser.

    Keras' optimisers sum gradients over replicas, but the mean over the batch needs their average.
    Under float16 the optimiser also scales the loss up, and its gradients down again.
    """
    loss = loss / tf.distribute.get_strategy().num_replicas_in_sync
    return optimizer.scale_loss(loss)
