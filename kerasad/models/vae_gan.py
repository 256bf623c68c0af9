"""A variational autoencoder with a discriminator and an angular similarity term."""

import dataclasses

import keras
import tensorflow as tf
from keras import ops

from kerasad.errors import checked_image_shape
from kerasad.layers import Sampling
from kerasad.layers.cells import counting, critic_weights, downsampled_cells, valid_cells
from kerasad.losses import (
    ReconstructionLoss,
    discriminator_adversarial_loss,
    generator_adversarial_loss,
    latent_kl_loss,
    mean_over_images,
)
from kerasad.models.adacos import ADACOS_MODES, build_adacos_classes
from kerasad.models.arguments import SMALLEST_SIDE, check_arguments
from kerasad.models.auxiliary_losses import add_auxiliary_losses, declared_losses
from kerasad.models.base import TrainingBatch
from kerasad.models.health import active_latents, reconstruction_contrast
from kerasad.models.networks import (
    LatentAttention,
    build_decoder,
    build_discriminator,
    build_encoder,
    default_depth,
    seed_weights,
)
from kerasad.models.sampled_cells import touched_cells
from kerasad.models.trained_model import loss_gradients, read_images
from kerasad.models.vae_gan_outputs import VAEGANOutputs
from kerasad.precision import dtype_policy_scope
from kerasad.synthetic.training import TrainingDefects

TERMS = ("reconstruction_loss", "kl_loss", "adversarial_loss", "adacos_loss")
SUMS = ("encoder_loss", "decoder_loss", "discriminator_loss", "loss")
HEALTH_NAMES = ("active_latents", "reconstruction_contrast")


@keras.saving.register_keras_serializable(package="kerasad")
class VAEGAN(VAEGANOutputs):
    """VAE-GAN with AdaCos, trained on good images alone.

    Encoder and decoder minimize `reconstruction_weight * R + kl_weight * KL + adversarial_weight
    * A + adacos_weight * S`, with

    - `R` binary cross-entropy per pixel value, plus `ssim_weight * (1 - SSIM) / 2`;
    - `KL` divergence of the latent code from the standard normal, in nats per pixel value, so
      that weights of 1 make `R + KL` the evidence lower bound. It grows from 0 to its weight over
      the first `kl_warmup_steps` steps. At a weight of 1 the code of photographs collapses: the
      cross-entropy of pixels takes them for coin flips, and so undervalues their detail;
    - `A` the non-saturating adversarial loss of the reconstruction's cells;
    - `S` the AdaCos term of the reconstruction's cells, see `kerasad.models.adacos`.

    The discriminator minimizes its own adversarial loss and its own AdaCos term, each only if its
    weight is above 0. It sees what it rates and how that differs from its counterpart, see `judge`.
    Real are good cells of the inputs; fake are their damaged cells and, with the weight
    `restored_share`, those of the reconstruction, so that `A` pays for damage that is undone.
    Inputs of the encoder carry synthetic defects with probability `corruption`; the target is the
    image without them.

    Args:
        image_shape: `(height, width, 3)`, sides of at least 8 pixels.
        latent: `"conv"` (a code for each cell) or `"dense"` (one for the image).
        latent_dim: int. Channels of the code.
        filters: int. Channels after the first halving, in each of the networks.
        depth: int >= 2 or None. Number of halvings; None chooses by size, see `default_depth`.
        adacos: `"pretext"`, `"critic"`, `"cluster"`, `"instance"` or `"none"`.
        adacos_scale: `"dynamic"` or `"fixed"`.
        num_sub_centers: int. AdaCos centers of each class.
        num_clusters: int. Classes of the mode `"cluster"`.
        embedding_dim: int. Channels of the AdaCos embedding.
        reconstruction_weight, kl_weight, adversarial_weight, adacos_weight, ssim_weight: floats
            >= 0.
        kl_warmup_steps: int >= 0.
        corruption: float in [0, 1].
        attention_layer: int or None. The halving whose activations the attention explains; None is
            the last, for which the attention has a closed form.
        seed: int >= 0 or None. Seed of weights, latent noise, synthetic defects and clusters.

    Call arguments:
        inputs: images, float tensor `(batch, height, width, 3)` in [0, 1]; or a dict with
            `images` and `valid` (`(batch, height, width, 1)`, 0 where an image was padded).
        training: bool.

    Returns:
        reconstruction: float32 tensor `(batch, height, width, 3)` in [0, 1].

    Raises:
        InputError: For an argument outside its range.

    The logged `encoder_loss` is `R + KL` and auxiliary losses, `decoder_loss` is `R + A + S`, each
    term with its weight, as in the reference. Here both minimize `loss`, the sum of all terms.

    Reference: Larsen et al., "Autoencoding beyond pixels using a learned similarity metric",
    ICML 2016, algorithm 1. Departures: cross-entropy of pixels instead of discriminator features,
    AdaCos as the learned similarity, and the adversarial gradient also reaches the encoder.

    A subclass with auxiliary losses names them in `auxiliary_loss_names` and returns them from
    `auxiliary_losses`, together with its parent's; `docs/custom_losses.md` has an example. It makes
    its own networks in `build_networks`.
    """

    adacos_choices = (*ADACOS_MODES, "none")
    auxiliary_loss_names: tuple[str, ...] = ()
    feature_channels: int | None = None  # of the target; None where that is images
    discriminator_learning_rate = 1e-3  # at a fifth of the generator's it learnt too little
    # Of all that the discriminator learns as fake: damage is what it has to find, and blurry
    # reconstructions are easy to tell.
    restored_share = 0.1

    def __init__(
        self,
        image_shape,
        latent="conv",
        latent_dim=64,
        filters=32,
        depth=None,
        adacos="pretext",
        adacos_scale="dynamic",
        num_sub_centers=8,
        num_clusters=32,
        embedding_dim=64,
        reconstruction_weight=1.0,
        kl_weight=0.01,
        adversarial_weight=0.01,
        adacos_weight=0.01,
        ssim_weight=0.5,
        kl_warmup_steps=200,
        corruption=0.75,
        attention_layer=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.image_shape = checked_image_shape(image_shape, SMALLEST_SIDE)
        self.latent = latent
        self.latent_dim = latent_dim
        self.filters = filters
        self.depth = default_depth(*self.image_shape[:2]) if depth is None else depth
        self.adacos = adacos
        self.adacos_scale = adacos_scale
        self.num_sub_centers = num_sub_centers
        self.num_clusters = num_clusters
        self.embedding_dim = embedding_dim
        self.reconstruction_weight = reconstruction_weight
        self.kl_weight = kl_weight
        self.adversarial_weight = adversarial_weight
        self.adacos_weight = adacos_weight
        self.ssim_weight = ssim_weight
        self.kl_warmup_steps = self.warmup_steps = kl_warmup_steps
        self.corruption = corruption
        self.attention_layer = attention_layer
        self.seed = seed
        check_arguments(self)
        # A reloaded model must not depend on the policy of the process that loads it.
        with dtype_policy_scope(self.dtype_policy):
            self.build_networks()
        self.added_losses = declared_losses(type(self), (*TERMS, *SUMS, *HEALTH_NAMES))
        self.create_trackers((*TERMS, *self.added_losses, *SUMS), HEALTH_NAMES)
        # `train_step` never calls the model itself, and an unbuilt model cannot be saved.
        self(keras.Input(self.image_shape))

    def build_networks(self):
        """Creates every network and layer with variables, drawn from `seed`."""
        seed = self.seed
        self.encoder, self.decoder = self.build_coders()
        self.discriminator = self.build_discriminator()
        if seed is not None:
            for offset, network in enumerate((self.encoder, self.decoder, self.discriminator)):
                seed_weights(network, 1000 * seed + 100 * offset)
        self.reconstruction_loss = ReconstructionLoss(self.ssim_weight)
        self.sampling = Sampling(seed=seed)
        self.defects = TrainingDefects(probability=self.corruption, seed=seed)
        self.adacos_classes = build_adacos_classes(
            self.adacos,
            self.discriminator.output["embedding"].shape,
            *(self.adacos_scale, self.num_sub_centers, self.num_clusters, self.feature_channels),
            seed=None if seed is None else 1000 * seed + 300,
        )
        self.has_adacos = self.adacos_classes is not None and self.adacos_weight > 0
        self.has_discriminator = self.adversarial_weight > 0 or self.has_adacos
        self.attention = LatentAttention(
            self.encoder, self.attention_layer or self.depth, self.depth
        )

    def build_coders(self):
        """Returns encoder and decoder, as in `build_encoder` and `build_decoder`."""
        options = (self.image_shape, self.latent, self.latent_dim, self.filters, self.depth)
        return build_encoder(*options), build_decoder(*options)

    def build_discriminator(self):
        """Returns the discriminator, as in `build_discriminator`."""
        return build_discriminator(self.image_shape, self.filters, self.depth, self.embedding_dim)

    def train_step(self, data):
        """Trains both players on one batch; returns the running means of the losses."""
        batch = self.read_batch(data, training=True)
        with tf.GradientTape() as tape:
            logs, pair = self.generator_losses(batch, training=True)
            scaled = self.optimizer.scale_loss(logs["loss"])
        variables = self.generator_variables
        self.optimizer.apply(loss_gradients(tape, scaled, variables), variables)

        if self.has_discriminator:
            with tf.GradientTape() as tape:
                loss = self.discriminator_loss(*pair, training=True)
                scaled = self.discriminator_optimizer.scale_loss(loss)
            variables = self.discriminator_variables
            self.discriminator_optimizer.apply(loss_gradients(tape, scaled, variables), variables)
            logs["discriminator_loss"] = loss
        return self.track(logs)

    def generator_losses(self, batch: TrainingBatch, training: bool) -> tuple:
        """Returns all that is logged of encoder and decoder by name, and what both players judge.

        The latter is a pair of a batch and its reconstruction, see `sample_cells`.
        """
        encoded = self.encoder(batch.inputs, training=training)
        z = self.sampling((encoded["z_mean"], encoded["z_log_var"]), training=training)
        reconstruction = self.decoder(z, training=training)

        target, valid = batch.target, batch.valid
        error = self.reconstruction_loss.call(target, reconstruction, valid)
        pair = self.sample_cells(batch, reconstruction, training)
        logs = dict.fromkeys((*TERMS, *SUMS), ops.zeros(()))
        logs["reconstruction_loss"] = mean_over_images(error, valid)
        logs["kl_loss"] = latent_kl_loss(encoded["z_mean"], encoded["z_log_var"], target, valid)
        if self.has_discriminator:
            seen, made = pair
            fake = self.judge(made, seen.target)
            if self.adversarial_weight > 0:
                cells = valid_cells(seen.valid, fake["logits"])
                logs["adversarial_loss"] = generator_adversarial_loss(fake["logits"], cells)
            if self.has_adacos:
                logs["adacos_loss"] = self.adacos_classes.generator_loss(
                    fake["embedding"],
                    seen,
                    lambda: self.judge(seen.target, made)["embedding"],
                )
        likelihood = self.reconstruction_weight * logs["reconstruction_loss"]
        prior = self.current_kl_weight(training) * logs["kl_loss"]
        game = self.adversarial_weight * logs["adversarial_loss"]
        game += self.adacos_weight * logs["adacos_loss"]
        returned = self.auxiliary_losses(encoded, z, batch, training)
        auxiliary = add_auxiliary_losses(type(self).__name__, self.added_losses, returned, logs)
        logs["encoder_loss"] = likelihood + prior + auxiliary
        logs["decoder_loss"] = likelihood + game
        logs["loss"] = likelihood + prior + game + auxiliary
        logs["active_latents"] = active_latents(encoded["z_mean"])
        logs["reconstruction_contrast"] = reconstruction_contrast(target, reconstruction)
        return logs, pair

    def discriminator_loss(self, batch: TrainingBatch, reconstruction, training: bool = False):
        """Returns the loss of the discriminator: real against fake, and its AdaCos term.

        Real are good cells of the encoder's inputs; fake are their damaged cells, and
        reconstructions.
        """
        inputs = ops.cast(batch.inputs, "float32")
        made = ops.stop_gradient(self.restored_as_tested(batch, reconstruction))
        outputs = self.judge(
            ops.concatenate([inputs, made], axis=0),
            ops.concatenate([made, ops.cast(batch.target, "float32")], axis=0),
        )
        loss = ops.zeros(())
        if self.adversarial_weight > 0:
            logits = outputs["logits"]
            good, others = critic_weights(
                batch.mask, batch.valid, logits.shape[1:3], self.restored_share
            )
            real, _ = ops.split(logits, 2, axis=0)
            loss += discriminator_adversarial_loss(real, logits, good, others)
        if self.has_adacos:
            real, fake = ops.split(outputs["embedding"], 2, axis=0)
            loss += self.adacos_classes.discriminator_loss(real, fake, batch, training=training)
        return loss

    def restored_as_tested(self, batch: TrainingBatch, reconstruction):
        """Returns the reconstruction of a batch as a trained model would make it.

        That has no noise in its code and running averages for statistics, so that an image differs
        from it in another way than from the reconstruction that is trained.
        """
        return self.restore(batch.inputs)[1]

    def sample_cells(self, batch: TrainingBatch, reconstruction, training: bool) -> tuple:
        """Returns the part of a batch, and of its reconstruction, that both players look at.

        That is all of it, with `mask` on the cells of the discriminator, see `touched_cells`.
        """
        cells = downsampled_cells(batch.mask, *self.discriminator.output["logits"].shape[1:3])
        return dataclasses.replace(batch, mask=touched_cells(cells)), reconstruction

    def test_step(self, data):
        """Returns the running means of the losses on images without defects or noise."""
        batch = self.read_batch(data, training=False)
        logs, pair = self.generator_losses(batch, training=False)
        if self.has_discriminator:
            logs["discriminator_loss"] = self.discriminator_loss(*pair)
        return self.track(logs)

    def auxiliary_losses(self, encoded, z, batch: TrainingBatch, training: bool) -> dict:
        """Returns `(weight, scalar loss)` by the names of `auxiliary_loss_names`, for codes `z`."""
        return {}

    def read_batch(self, data, training: bool) -> TrainingBatch:
        """Returns a batch, in training with synthetic defects; stops if it is not in [0, 1]."""
        images, valid = read_images(data)
        inputs, mask, family = self.defects(images, valid=valid, training=training)
        counts = None if valid is None else counting(valid)
        return TrainingBatch(images, valid, inputs, images, mask, family, counts)

    def current_kl_weight(self, training: bool):
        """Returns the weight of the KL term at this step."""
        # Without a warm-up the KL term drives the code to the prior before it carries any
        # information. Validation losses have the whole weight, so that they compare over epochs.
        if not self.kl_warmup_steps or not training:
            return self.kl_weight
        step = ops.cast(self.optimizer.iterations, "float32")
        return self.kl_weight * ops.minimum(step / self.kl_warmup_steps, 1.0)

    @property
    def generator_variables(self):
        """The trainable variables of encoder and decoder."""
        return self.encoder.trainable_variables + self.decoder.trainable_variables

    @property
    def discriminator_variables(self):
        """The trainable variables of the discriminator and the AdaCos centers."""
        centers = [] if self.adacos_classes is None else self.adacos_classes.trainable_variables
        return self.discriminator.trainable_variables + centers
