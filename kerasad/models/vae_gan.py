"""A variational autoencoder with an adversary and an angular similarity term."""

import inspect

import keras
import tensorflow as tf
from keras import ops

from kerasad.data.geometry import unpack_inputs
from kerasad.data.synthetic_training import TrainingDefects
from kerasad.layers import Sampling
from kerasad.losses import (
    ReconstructionLoss,
    discriminator_adversarial_loss,
    generator_adversarial_loss,
)
from kerasad.models.adacos_modes import build_adacos_mode, real_cells, valid_cells
from kerasad.models.arguments import check_arguments, checked_image_shape
from kerasad.models.health import active_latents, assert_unit_range, reconstruction_contrast
from kerasad.models.latent_loss import latent_loss
from kerasad.models.networks import (
    build_decoder,
    build_discriminator,
    build_encoder,
    default_depth,
    seed_weights,
)
from kerasad.models.precision import dtype_policy_scope
from kerasad.models.two_player_model import TwoPlayerModel, loss_gradients
from kerasad.models.vae_gan_tensors import build_attention_head, compute_tensors

# Terms come before the sums that hold them, so that the check names the one that broke.
LOSS_NAMES = (
    "reconstruction_loss",
    "kl_loss",
    "adversarial_loss",
    "adacos_loss",
    "encoder_loss",
    "decoder_loss",
    "discriminator_loss",
    "loss",
)
HEALTH_NAMES = ("active_latents", "reconstruction_contrast")


@keras.saving.register_keras_serializable(package="kerasad")
class VAEGAN(TwoPlayerModel):
    """VAE-GAN with AdaCos, trained on good images alone.

    Encoder and decoder minimize `reconstruction_weight * R + kl_weight * KL + adversarial_weight
    * A + adacos_weight * S`, with

    - `R` binary cross-entropy per pixel value, plus `ssim_weight * (1 - SSIM) / 2`;
    - `KL` divergence of the latent code from the standard normal, in nats per pixel value, so
      that weights of 1 make `R + KL` the evidence lower bound; it grows from 0 to its weight over
      the first `kl_warmup_steps` steps;
    - `A` the non-saturating adversarial loss of the reconstruction's cells;
    - `S` the AdaCos term of the reconstruction's cells, see `kerasad.models.adacos_modes`.

    The discriminator minimizes its own adversarial loss and its own AdaCos term, each present
    where its weight is above 0. Inputs of the encoder carry synthetic defects with probability
    `corruption`, and the target is the image without them.

    Args:
        image_shape: `(height, width, 3)`, sides of at least 8 pixels.
        latent: `"conv"` (a code for each cell) or `"dense"` (one for the image).
        latent_dim: int. Channels of the code.
        filters: int. Channels after the first halving, in each of the networks.
        depth: int >= 2 or None. Number of halvings; None chooses by size, see `default_depth`.
        adacos: `"pretext"`, `"cluster"`, `"instance"` or `"none"`.
        adacos_scale: `"dynamic"` or `"fixed"`.
        num_sub_centers: int. AdaCos centers of each class.
        num_clusters: int. Classes of the mode `"cluster"`.
        embedding_dim: int. Channels of the AdaCos embedding.
        reconstruction_weight: float >= 0.
        kl_weight: float >= 0.
        adversarial_weight: float >= 0.
        adacos_weight: float >= 0.
        ssim_weight: float >= 0.
        kl_warmup_steps: int >= 0.
        corruption: float in [0, 1].
        attention_layer: int or None. The halving whose activations the saliency explains; None is
            the last, for which it has a closed form.
        seed: int >= 0 or None. Seed of weights, latent noise, synthetic defects and clusters.

    Call arguments:
        inputs: images, float tensor `(batch, height, width, 3)` in [0, 1]; or a dict with
            `images` and `valid` (`(batch, height, width, 1)`, 0 where an image was padded).
        training: bool.

    Returns:
        reconstruction: float32 tensor `(batch, height, width, 3)` in [0, 1].

    Raises:
        InputError: For an argument outside its range.

    The logged `encoder_loss` is `R + KL` and `decoder_loss` is `R + A + S`, each term with its
    weight: what the reference gives to either. Here both minimize `loss`, the sum of all terms.

    Reference: Larsen et al., "Autoencoding beyond pixels using a learned similarity metric",
    ICML 2016, algorithm 1. Departures: cross-entropy of pixels instead of discriminator features,
    AdaCos as the learned similarity, and the adversarial gradient also reaches the encoder.
    """

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
        kl_weight=1.0,
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
        self.image_shape = checked_image_shape(image_shape)
        self.latent = latent
        self.latent_dim = latent_dim
        self.filters = filters
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
        self.kl_warmup_steps = kl_warmup_steps
        self.corruption = corruption
        self.attention_layer = attention_layer
        self.seed = seed
        self.depth = default_depth(*self.image_shape[:2]) if depth is None else depth
        check_arguments(self)
        # A reloaded model must not depend on the policy of the process that loads it.
        with dtype_policy_scope(self.dtype_policy):
            self._build_networks()
        self.reconstruction_loss = ReconstructionLoss(ssim_weight)
        self.create_trackers(LOSS_NAMES, HEALTH_NAMES)
        # `train_step` never calls the model itself, and an unbuilt model cannot be saved.
        self(keras.Input(self.image_shape))

    def _build_networks(self):
        shape, seed = self.image_shape, self.seed
        code = (self.latent, self.latent_dim, self.filters, self.depth)
        self.encoder = build_encoder(shape, *code)
        self.decoder = build_decoder(shape, *code)
        self.discriminator = build_discriminator(
            shape, self.filters, self.depth, self.embedding_dim
        )
        if seed is not None:
            for offset, network in enumerate((self.encoder, self.decoder, self.discriminator)):
                seed_weights(network, 1000 * seed + 100 * offset)
        self.sampling = Sampling(seed=seed)
        self.defects = TrainingDefects(probability=self.corruption, seed=seed)
        self.adacos_mode = build_adacos_mode(
            self.adacos,
            self.discriminator.output["embedding"].shape,
            self.adacos_scale,
            self.num_sub_centers,
            self.num_clusters,
            seed=None if seed is None else 1000 * seed + 300,
        )
        self.attention_head = build_attention_head(
            self.encoder, self.attention_layer or self.depth, self.depth
        )

    def build(self, input_shape=None):
        """Does nothing: `__init__` has built every network."""

    def call(self, inputs, training=False):
        """Returns the reconstruction; see the class."""
        images, _ = unpack_inputs(inputs)
        encoded = self.encoder(images, training=training)
        z = self.sampling((encoded["z_mean"], encoded["z_log_var"]), training=training)
        return self.decoder(z, training=training)

    @property
    def generator_variables(self):
        """The trainable variables of encoder and decoder."""
        return self.encoder.trainable_variables + self.decoder.trainable_variables

    @property
    def discriminator_variables(self):
        """The trainable variables of the discriminator and the AdaCos centers."""
        variables = self.discriminator.trainable_variables
        if self.adacos_mode is not None:
            variables = variables + self.adacos_mode.trainable_variables
        return variables

    @property
    def has_adacos(self):
        """Whether AdaCos centers are trained."""
        return self.adacos_mode is not None and self.adacos_weight > 0

    @property
    def _has_discriminator(self):
        return self.adversarial_weight > 0 or self.has_adacos

    def train_step(self, data):
        """Trains both players on one batch; returns the running means of the losses."""
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        images, valid = unpack_inputs(inputs)
        corrupted, mask, family = self.defects(images, valid=valid, training=True)
        batch = {"images": images, "valid": valid, "mask": mask, "family": family}

        with tf.GradientTape() as tape:
            losses, reconstruction, encoded = self._generator_losses(
                corrupted, batch, training=True
            )
            scaled = self.optimizer.scale_loss(losses["loss"])
        moves = [(self.optimizer, self.generator_variables)]
        gradients = [loss_gradients(tape, scaled, self.generator_variables)]

        if self._has_discriminator:
            with tf.GradientTape() as tape:
                loss = self._discriminator_loss(batch, reconstruction, corrupted, training=True)
                scaled = self.discriminator_optimizer.scale_loss(loss)
            moves.append((self.discriminator_optimizer, self.discriminator_variables))
            gradients.append(loss_gradients(tape, scaled, self.discriminator_variables))
            losses["discriminator_loss"] = loss

        with tf.control_dependencies(self._checks(losses, images)):
            for (optimizer, variables), values in zip(moves, gradients, strict=True):
                optimizer.apply(values, variables)
            return self._track(losses, encoded, images, reconstruction)

    def test_step(self, data):
        """Returns the running means of the losses on images without defects or noise."""
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        images, valid = unpack_inputs(inputs)
        batch = {
            "images": images,
            "valid": valid,
            "mask": ops.zeros_like(images[..., :1]),
            "family": ops.zeros_like(images[:, 0, 0, 0], dtype="int32"),
        }
        losses, reconstruction, encoded = self._generator_losses(images, batch, training=False)
        if self._has_discriminator:
            losses["discriminator_loss"] = self._discriminator_loss(batch, reconstruction, images)
        with tf.control_dependencies(self._checks(losses, images)):
            return self._track(losses, encoded, images, reconstruction)

    def _generator_losses(self, inputs, batch, training):
        images, valid = batch["images"], batch["valid"]
        encoded = self.encoder(inputs, training=training)
        z = self.sampling((encoded["z_mean"], encoded["z_log_var"]), training=training)
        reconstruction = self.decoder(z, training=training)
        losses = {
            "reconstruction_loss": ops.mean(
                self.reconstruction_loss.call(images, reconstruction, valid)
            ),
            "kl_loss": latent_loss(encoded["z_mean"], encoded["z_log_var"], images, valid),
            "adversarial_loss": ops.zeros(()),
            "adacos_loss": ops.zeros(()),
            "discriminator_loss": ops.zeros(()),
        }
        if self._has_discriminator:
            # The discriminator stands still here: no step of its power iteration.
            fake = self.discriminator(reconstruction, training=False)
            if self.adversarial_weight:
                losses["adversarial_loss"] = generator_adversarial_loss(
                    fake["logits"], valid_cells(valid, fake["logits"])
                )
            if self.has_adacos:
                clean = None
                if self.adacos_mode.generator_needs_clean:
                    clean = self.discriminator(images, training=False)["embedding"]
                losses["adacos_loss"] = self.adacos_mode.generator_loss(
                    fake["embedding"], batch, clean
                )
        likelihood = self.reconstruction_weight * losses["reconstruction_loss"]
        prior = self._current_kl_weight(training) * losses["kl_loss"]
        game = self.adversarial_weight * losses["adversarial_loss"]
        game += self.adacos_weight * losses["adacos_loss"]
        losses["encoder_loss"] = likelihood + prior
        losses["decoder_loss"] = likelihood + game
        losses["loss"] = likelihood + prior + game
        return losses, reconstruction, encoded

    def _discriminator_loss(self, batch, reconstruction, inputs, training=False):
        # The encoder's inputs serve as the real images: cells without a synthetic defect are
        # real, and a third pass over the clean images is saved.
        stacked = ops.concatenate(
            [ops.cast(inputs, "float32"), ops.stop_gradient(reconstruction)], axis=0
        )
        # One call, so that the power iteration of the spectral norm makes one step.
        judged = self.discriminator(stacked, training=training)
        loss = ops.zeros(())
        if self.adversarial_weight:
            real_logits, fake_logits = ops.split(judged["logits"], 2, axis=0)
            real_weights = real_cells(batch["mask"], batch["valid"], real_logits.shape[1:3])
            loss += discriminator_adversarial_loss(
                real_logits, fake_logits, real_weights, valid_cells(batch["valid"], fake_logits)
            )
        if self.has_adacos:
            real, fake = ops.split(judged["embedding"], 2, axis=0)
            loss += self.adacos_mode.discriminator_loss(real, fake, batch, training=training)
        return loss

    def _current_kl_weight(self, training):
        # A latent that is priced before it is useful collapses, and stays so. Validation losses
        # carry the whole weight from the start, so that they compare over epochs.
        if not self.kl_warmup_steps or not training:
            return self.kl_weight
        step = ops.cast(self.optimizer.iterations, "float32")
        return self.kl_weight * ops.minimum(step / self.kl_warmup_steps, 1.0)

    def _checks(self, losses, images):
        return [assert_unit_range(images), *self.check_losses(losses)]

    def _track(self, losses, encoded, images, reconstruction):
        return self.track(
            {
                **losses,
                "active_latents": active_latents(encoded["z_mean"]),
                "reconstruction_contrast": reconstruction_contrast(images, reconstruction),
            }
        )

    def tensors(self, inputs):
        """Returns what one forward pass knows about images, for the experts of a detector.

        Args:
            inputs: as of `call`.

        Returns:
            tensors: dict of float32 tensors: `images`, `reconstruction` (`(batch, H, W, 3)`),
            `z_mean`, `z_log_var` (`(batch, h, w, latent_dim)` or `(batch, latent_dim)`),
            `encoder_features` (the activations after two and three halvings, at a quarter of
            the image's resolution), `discriminator_features`, `embedding` and the same of the
            reconstruction under `reconstruction_discriminator_features` and
            `reconstruction_embedding`, `attention_map` (`(batch, h, w, 1)` in [0, 1]); with
            AdaCos, where the mode has them, `prototypes` (`(n, embedding_dim)`, unit length)
            and `class_logits` (`(batch, h, w, classes)`, class 0 is good).
        """
        images, _ = unpack_inputs(inputs)
        return compute_tensors(self, images)

    def get_config(self):
        """Returns the arguments of `__init__`."""
        names = inspect.signature(VAEGAN.__init__).parameters
        own = {name: getattr(self, name) for name in names if name not in ("self", "kwargs")}
        return {**super().get_config(), **own}
