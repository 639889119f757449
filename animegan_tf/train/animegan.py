"""The training step: `AnimeGAN`, a `keras.Model` of generator, discriminator and frozen features.

A batch is a dict of float32 RGB images in [-1, 1], each (B, H, W, 3): `photo`, `anime`,
`anime_gray` (the same image as `anime`) and `smooth_gray`, both gray in three channels. If there is
a `reference`, the content, pixel and colour losses compare outputs with it instead of `photo`.

Source: Chen, AnimeGANv2, 2020, and its published code; see `losses` for the terms.
"""

import dataclasses

import keras
import tensorflow as tf

from animegan_tf import losses
from animegan_tf.recipes import Recipe
from animegan_tf.train.optimizers import adam, scale_loss
from animegan_tf.validation import check_choice

BATCH_KEYS = ("photo", "anime", "anime_gray", "smooth_gray")
# Checkpoints store the index in this tuple: append new phases.
PHASES = ("initialize", "adversarial", "discriminate")
_NETWORKS = ("generator", "discriminator", "features")
INIT_TERMS = ("init", "content", "pixel", "color")
DISCRIMINATOR_TERMS = ("d",)
ADVERSARIAL_TERMS = ("d", "g", "content", "style", "color", "tv", "adversarial")


@keras.saving.register_keras_serializable(package="animegan_tf")
class AnimeGAN(keras.Model):
    """Generator, discriminator, features and three Adam optimisers, trained in phases.

    `generator` and `discriminator` come from `build_generator` and `build_discriminator`,
    `features` from `build_feature_extractor`, the hyperparameters from `recipe`.
    `initialize_step`, `discriminate_step` (not published) and `adversarial_step` do one update
    each. `update` does the one of `self.phase` ("initialize" at first, then "discriminate" or
    "adversarial"; assign it between steps) and updates the moving average. `train_step` calls
    `update`, so that `fit(dataset)` works without `compile`, and `evaluate` computes the losses of
    the phase; a `training_rate` above 1 and learning rate decay are implemented in `loop` only.
    `save` and `keras.models.load_model` keep everything, the phase included. `seed` is for the
    random numbers of the gradient penalties. Under a `tf.distribute` strategy a batch is one
    replica's part.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        features: keras.Model,
        recipe: Recipe,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.features = features
        self.recipe = recipe
        self.seed = seed
        trained = generator.trainable_variables
        self.init_optimizer = adam(recipe, recipe.init_learning_rate, "init", trained)
        self.generator_optimizer = adam(
            recipe, recipe.generator_learning_rate, "generator", trained
        )
        self.discriminator_optimizer = adam(
            recipe,
            recipe.discriminator_learning_rate,
            "discriminator",
            discriminator.trainable_variables,
        )
        self._means = {
            name: keras.metrics.Mean(name=name)
            for name in dict.fromkeys(INIT_TERMS + ADVERSARIAL_TERMS)
        }
        self._phase = PHASES[0]
        self.average = self._build_average() if recipe.ema_decay else None
        self.best_generator.match_brightness = recipe.match_brightness
        # There is no forward pass of the whole model that could build it.
        self.built = True
        # XLA is slower than the plain graph for these networks on a CPU.
        self.compile(jit_compile=False)

    def get_config(self):
        """The networks' configurations, the recipe, the seed, the phase and the name."""
        to_config = keras.saving.serialize_keras_object
        config = {name: to_config(getattr(self, name)) for name in _NETWORKS}
        config |= {name: getattr(self, name) for name in ("seed", "phase", "name")}
        return {**config, "recipe": dataclasses.asdict(self.recipe)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model of `get_config`, with new weights."""
        from animegan_tf.networks import features  # noqa: F401, it registers a layer

        from_config = keras.saving.deserialize_keras_object
        networks = {name: from_config(config[name], custom_objects) for name in _NETWORKS}
        networks["features"].trainable = False
        recipe = Recipe(**config["recipe"])
        model = cls(**networks, recipe=recipe, seed=config["seed"], name=config["name"])
        model.phase = config["phase"]
        return model

    @property
    def phase(self) -> str:
        """The phase that `train_step` trains: one of `PHASES`."""
        return self._phase

    @phase.setter
    def phase(self, value):
        check_choice("phase", value, PHASES)
        if value != self._phase:
            self._phase = value
            # The phase is part of the traced graph: `fit` must trace the other step.
            if self.train_function is not None:
                self.make_train_function(force=True)

    def _build_average(self):
        average = keras.models.clone_model(self.generator)
        average.set_weights(self.generator.get_weights())
        average.trainable = False
        return average

    @property
    def best_generator(self) -> keras.Model:
        """The generator to stylise with: the moving average with `ema_decay`, else `generator`."""
        return self.generator if self.average is None else self.average

    def _update_average(self):
        """Update the moving average, if there is one, after the generator's n-th update.

        The decay is n / (n + 9), at most `ema_decay`, so that the initial random weights are
        forgotten quickly.
        """
        if self.average is None:
            return
        updates = self.init_optimizer.iterations.value + self.generator_optimizer.iterations.value
        updates = tf.cast(updates, tf.float32)
        decay = tf.minimum(self.recipe.ema_decay, updates / (updates + 9.0))
        # As in Keras' optimisers: variables of several replicas are updated together.
        tf.__internal__.distribute.interim.maybe_merge_call(
            self._move_average, tf.distribute.get_strategy(), decay
        )

    def _move_average(self, strategy, decay):
        def move(mean, new, decay):
            mean.assign(mean + (1.0 - decay) * (new - mean))

        for mean, new in zip(self.average.weights, self.generator.weights, strict=True):
            strategy.extended.update(mean.value, move, args=(new.value, decay), group=False)

    @property
    def metrics(self):
        return [self._means[name] for name in self._terms()]

    def _terms(self):
        """The names of the losses that the current phase's step returns."""
        if self._phase != PHASES[0]:
            return ADVERSARIAL_TERMS if self._phase == "adversarial" else DISCRIMINATOR_TERMS
        recipe = self.recipe
        used = (True, recipe.content_weight, recipe.init_pixel_weight, recipe.init_color_weight)
        return [name for name, weight in zip(INIT_TERMS, used, strict=True) if weight]

    def call(self, photo: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The generator's output for `photo` (N, H, W, 3)."""
        return self.generator(photo, training=training)

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """`update` for `fit`: returns the running means of the losses."""
        for name, value in self.update(batch)[0].items():
            self._means[name].update_state(value)
        return {metric.name: metric.result() for metric in self.metrics}

    def test_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The losses of the current phase, without an update; for `evaluate`."""
        generated = self.generator(batch["photo"])
        if self._phase == "initialize":
            loss, terms = self._initialization_loss(_reference(batch), generated)
            values = {"init": loss, **terms}
        else:
            values = {"d": self._discriminator_loss(batch, generated, training=False)[0]}
        if self._phase == "adversarial":
            total, terms = self._generator_loss(batch, generated, training=False)
            values.update(g=total, **terms)
        for name, value in values.items():
            self._means[name].update_state(value)
        return {metric.name: metric.result() for metric in self.metrics}

    def update(
        self, batch: dict[str, tf.Tensor], update_discriminator: bool = True
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """One update of the current phase on a batch, including the moving average.

        Training runs and `fit` call this. Returns two dicts of float32 scalars: the losses of
        `initialize_step`, `discriminate_step` or `adversarial_step`, and diagnostics of the
        networks that were updated: `generator_gradient_norm` and `discriminator_gradient_norm` of
        the total losses, before Adam; `d_real`, `d_generated`, `d_gray` and `d_smooth`, the mean
        logits of each input; `output_range`, the largest difference between two pixels of one
        output and channel. `update_discriminator` is as in `adversarial_step`.
        """
        if self._phase == "discriminate":
            return self._discriminate(batch)
        if self._phase == "initialize":
            losses_and_measures = self._initialize(batch)
        else:
            losses_and_measures = self._train_both(batch, update_discriminator)
        self._update_average()
        return losses_and_measures

    def initialize_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One update of the generator towards reconstructing the photo's features.

        Returns the losses as a dict of float32 scalars: `init` (weighted total), `content`, and
        `pixel` and `color` if the recipe has a weight for them in this phase.
        """
        return self._initialize(batch)[0]

    def _initialize(self, batch):
        with tf.GradientTape() as tape:
            generated = self.generator(batch["photo"], training=True)
            loss, terms = self._initialization_loss(_reference(batch), generated)
            scaled = scale_loss(self.init_optimizer, loss)
        norm = self._apply(self.init_optimizer, tape, scaled, self.generator)
        measures = {"generator_gradient_norm": norm, "output_range": _output_range(generated)}
        return {"init": loss, **terms}, measures

    def _initialization_loss(self, reference, generated):
        # Terms of weight 0 are not computed; for `content` that saves the whole feature network.
        recipe, terms, weights = self.recipe, {}, {}
        if recipe.content_weight:
            weights["content"] = recipe.content_weight
            terms["content"] = losses.content_loss(
                self.features(reference), self.features(generated)
            )
        if recipe.init_pixel_weight:
            weights["pixel"] = recipe.init_pixel_weight
            terms["pixel"] = losses.pixel_loss(reference, generated)
        if recipe.init_color_weight:
            weights["color"] = recipe.init_color_weight
            terms["color"] = losses.color_loss(reference, generated)
        return tf.add_n([weights[name] * term for name, term in terms.items()]), terms

    def discriminate_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One update of the discriminator only. Not published.

        Returns `{"d": loss}`, the weighted total of `adversarial_step`.
        """
        return self._discriminate(batch)[0]

    def _discriminate(self, batch):
        loss, measures = self._update_discriminator(batch, self.generator(batch["photo"]))
        return {"d": loss}, measures

    def adversarial_step(
        self, batch: dict[str, tf.Tensor], update_discriminator: bool = True
    ) -> dict[str, tf.Tensor]:
        """One update of the discriminator and then one of the generator on the same batch.

        Returns the losses as a dict of float32 scalars: `d` and `g` weighted totals; `content`,
        `style`, `color`, `tv`, `adversarial` (the generator's) unweighted.
        `update_discriminator=False` skips the discriminator, and `d` is missing; a `training_rate`
        of k means one discriminator update per k generator updates.
        """
        return self._train_both(batch, update_discriminator)[0]

    def _train_both(self, batch, update_discriminator=True):
        logs, measures = {}, {}
        with tf.GradientTape() as tape:
            # The discriminator's update does not change the generator: both use this output.
            generated = self.generator(batch["photo"], training=True)
            if update_discriminator:
                with tape.stop_recording():
                    logs["d"], measures = self._update_discriminator(batch, generated)
            total, terms = self._generator_loss(batch, generated)
            scaled = scale_loss(self.generator_optimizer, total)
        norm = self._apply(self.generator_optimizer, tape, scaled, self.generator)
        measures |= {"generator_gradient_norm": norm, "output_range": _output_range(generated)}
        return {**logs, "g": total, **terms}, measures

    def _generator_loss(self, batch, generated, training=True):
        recipe = self.recipe
        reference_features, gray_gram = self._targets(batch)
        generated_features = self.features(generated)
        # The published graph does a power iteration in this call too.
        logits = self.discriminator(generated, training=training)
        terms = {
            "content": losses.content_loss(reference_features, generated_features),
            "style": losses.gram_style_loss(gray_gram, generated_features),
            "color": losses.color_loss(_reference(batch), generated),
            "tv": losses.total_variation_loss(generated),
            "adversarial": losses.generator_adversarial_loss(recipe.gan, logits),
        }
        total = (
            recipe.content_weight * terms["content"]
            + recipe.style_weight * terms["style"]
            + recipe.color_weight * terms["color"]
            + recipe.tv_weight * terms["tv"]
            + recipe.generator_adversarial_weight * terms["adversarial"]
        )
        return total, terms

    def _targets(self, batch):
        """Features of the reference, Gram matrices of the gray anime."""
        # Both need no gradient, so one pass of the feature network does them.
        both = self.features(tf.concat([_reference(batch), batch["anime_gray"]], 0))
        reference_features, gray_features = tf.split(both, 2)
        return reference_features, losses.gram_matrix(gray_features)

    def _update_discriminator(self, batch, generated):
        with tf.GradientTape() as tape:
            loss, measures = self._discriminator_loss(batch, generated)
            scaled = scale_loss(self.discriminator_optimizer, loss)
        norm = self._apply(self.discriminator_optimizer, tape, scaled, self.discriminator)
        return loss, {**measures, "discriminator_gradient_norm": norm}

    def _discriminator_loss(self, batch, generated, training=True):
        recipe = self.recipe
        penalty = 0.0
        if recipe.gan in losses.PENALIZED_GAN_TYPES:
            images = self._penalty_images(batch["anime"], generated)
            # Before the main pass and without storing `u`, so that both use the same sigma.
            penalty = losses.gradient_penalty(recipe.gan, self.discriminator, images)
        inputs = (batch["anime"], generated, batch["anime_gray"], batch["smooth_gray"])
        logits = tf.split(self.discriminator(tf.concat(inputs, 0), training=training), 4)
        adversarial = losses.discriminator_adversarial_loss(
            recipe.gan, *logits, recipe.discriminator_weights
        )
        names = ("d_real", "d_generated", "d_gray", "d_smooth")
        measures = {name: tf.reduce_mean(part) for name, part in zip(names, logits, strict=True)}
        total = (
            recipe.discriminator_adversarial_weight * adversarial
            + recipe.gradient_penalty_weight * penalty
        )
        return total, measures

    def _penalty_images(self, real, generated):
        """The penalty's images, which do not depend on the number of replicas."""
        replica = tf.distribute.get_replica_context()
        count, size = replica.num_replicas_in_sync, tf.shape(real)[0]
        moments = tf.stack([tf.reduce_mean(real), tf.reduce_mean(tf.square(real))])
        if count > 1:
            moments = replica.all_reduce(tf.distribute.ReduceOp.MEAN, moments)
        return losses.penalty_images(
            self.recipe.gan,
            real,
            generated,
            seed=(self.seed, tf.cast(self.discriminator_optimizer.iterations, tf.int64)),
            first=replica.replica_id_in_sync_group * size,
            total=count * size,
            deviation=tf.sqrt(tf.maximum(moments[1] - tf.square(moments[0]), 0.0)),
        )

    def _apply(self, optimizer, tape, loss, network):
        """Apply the gradients of `loss`; returns their norm, on this replica."""
        variables = network.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        norm = tf.linalg.global_norm(gradients) / scale_loss(optimizer, 1.0)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return norm


def _output_range(generated):
    """0 if all outputs are constant: then the generator is dead and gets no gradient."""
    lowest, highest = (reduce(generated, (1, 2)) for reduce in (tf.reduce_min, tf.reduce_max))
    return tf.cast(tf.reduce_max(highest - lowest), tf.float32)


def _reference(batch):
    """The images that outputs are compared with."""
    return batch.get("reference", batch["photo"])
