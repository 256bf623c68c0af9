"""A variational autoencoder with an adversary and an angular similarity term."""

import keras
import tensorflow as tf

from kerasad.data.geometry import unpack_inputs
from kerasad.layers import Sampling
from kerasad.models import feature_parts, pixel_parts
from kerasad.models.adacos_modes import ADACOS_MODES, build_adacos_mode
from kerasad.models.arguments import check_arguments, checked_image_shape, init_arguments
from kerasad.models.health import active_latents, assert_unit_range, reconstruction_contrast
from kerasad.models.networks import default_depth, seed_weights
from kerasad.models.two_player_model import TwoPlayerModel, loss_gradients
from kerasad.models.vae_gan_losses import discriminator_loss, generator_losses
from kerasad.models.vae_gan_tensors import build_attention_head
from kerasad.precision import dtype_policy_scope
from kerasad.synthetic.training import TrainingDefects

TERMS = ("reconstruction_loss", "kl_loss", "adversarial_loss", "adacos_loss")
SUMS = ("encoder_loss", "decoder_loss", "discriminator_loss", "loss")
HEALTH_NAMES = ("active_latents", "reconstruction_contrast")


@keras.saving.register_keras_serializable(package="kerasad")
class VAEGAN(TwoPlayerModel):
    """VAE-GAN with AdaCos, trained on good images alone.

    Encoder and decoder minimize `reconstruction_weight * R + kl_weight * KL + adversarial_weight
    * A + adacos_weight * S`, with

    - `R` binary cross-entropy per pixel value, plus `ssim_weight * (1 - SSIM) / 2`;
    - `KL` divergence of the latent code from the standard normal, in nats per pixel value, so
      that weights of 1 make `R + KL` the evidence lower bound; it grows from 0 to its weight over
      the first `kl_warmup_steps` steps. At a weight of 1 the code of photographs collapses (the
      cross-entropy of pixels takes them for coin flips, and so prices their detail too low);
    - `A` the non-saturating adversarial loss of the reconstruction's cells;
    - `S` the AdaCos term of the reconstruction's cells, see `kerasad.models.adacos_modes`.

    The discriminator minimizes its own adversarial loss and its own AdaCos term, each present
    where its weight is above 0. Inputs of the encoder carry synthetic defects with probability
    `corruption`, and the target is the image without them.

    With a `backbone`, all three networks work on cells of its frozen features at several scales
    (see `FeatureView`): the encoder reads them, the decoder restores those of the image without
    defects, and the discriminator judges single cells. `R` is then `FeatureReconstructionLoss`,
    and `KL` in nats per value of the features. An image head learns beside it to draw a small
    picture of the code (at most 64 pixels a side), for people to look at; no gradient leaves it.
    `fit` first measures mean and deviation of each channel, unless `adapt` has. Inputs may hold the
    clean images' raw features under `features` (see `kerasad.models.feature_cache`), which are then
    not computed again.

    Args:
        image_shape: `(height, width, 3)`, sides of at least 8 pixels.
        backbone: str or None. Name of a pretrained network, see `build_backbone`; None is from
            scratch, on pixels.
        taps: names of the backbone's features, or None for its own choice.
        backbone_weights: as `weights` of `build_backbone`. A saved model has its own, and reads
            none.
        latent: `"conv"` (a code for each cell) or `"dense"` (one for the image).
        latent_dim: int. Channels of the code.
        filters: int. Channels after the first halving, in each of the networks; on a backbone
            half of the channels of hidden layers.
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
        ssim_weight: float >= 0. Of pixels only.
        kl_warmup_steps: int >= 0.
        corruption: float in [0, 1].
        attention_layer: int or None. The halving whose activations the saliency explains; None is
            the last, for which it has a closed form. On a backbone there is only that one.
        seed: int >= 0 or None. Seed of weights, latent noise, synthetic defects and clusters.

    Call arguments:
        inputs: images, float tensor `(batch, height, width, 3)` in [0, 1]; or a dict with
            `images` and `valid` (`(batch, height, width, 1)`, 0 where an image was padded).
        training: bool.

    Returns:
        reconstruction: float32 tensor `(batch, height, width, 3)` in [0, 1], of the images' size
        or, on a backbone, a small one.

    Raises:
        InputError: For an argument outside its range.

    The logged `encoder_loss` is `R + KL` and `decoder_loss` is `R + A + S`, each term with its
    weight: what the reference gives to either. Here both minimize `loss`, the sum of all terms.

    Reference: Larsen et al., "Autoencoding beyond pixels using a learned similarity metric",
    ICML 2016, algorithm 1. Departures: cross-entropy of pixels instead of discriminator features,
    AdaCos as the learned similarity, and the adversarial gradient also reaches the encoder.

    A subclass with further terms names them in `further_terms` and returns them from
    `further_losses`; networks of its own are made in `build_networks`.
    """

    further_terms: tuple[str, ...] = ()

    def __init__(
        self,
        image_shape,
        backbone=None,
        taps=None,
        backbone_weights="imagenet",
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
        self.image_shape = checked_image_shape(image_shape)
        self.backbone = backbone
        self.taps = None if taps is None else list(taps)
        self.backbone_weights = backbone_weights
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
            self.build_networks()
        self.create_trackers((*TERMS, *self.further_terms, *SUMS), HEALTH_NAMES)
        # `train_step` never calls the model itself, and an unbuilt model cannot be saved.
        self(keras.Input(self.image_shape))

    @property
    def adacos_choices(self):
        """The AdaCos modes that this model can be trained with."""
        return (*ADACOS_MODES, "none")

    @property
    def parts(self):
        """The functions that differ with what the networks work on: pixels or features."""
        return pixel_parts if self.backbone is None else feature_parts

    @property
    def cell_grid(self):
        """`(h, w)` of the cells that `tensors` live on if they follow the real part of an image.

        None from scratch, where tensors have several sizes and padding is a part of the image.
        """
        return None if self.view is None else self.view.grid

    def build_coders(self):
        """Returns encoder and decoder, as of `build_encoder` and `build_decoder`."""
        return self.parts.build_coders(self)

    def build_networks(self):
        """Creates every network and layer with variables, drawn from `seed`."""
        seed = self.seed
        self.parts.build_view(self)
        self.encoder, self.decoder = self.build_coders()
        self.parts.build_judges(self)
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
            None if self.view is None else sum(self.view.scales),
            seed=None if seed is None else 1000 * seed + 300,
        )
        self.attention_head = build_attention_head(
            self.encoder, self.attention_layer or self.last_level, self.last_level
        )

    def build(self, input_shape=None):
        """Does nothing: `__init__` has built every network."""

    def call(self, inputs, training=False):
        """Returns the reconstruction; see the class."""
        images, valid = unpack_inputs(inputs)
        encoded = self.encoder(self.parts.view_images(self, images, valid), training=training)
        z = self.sampling((encoded["z_mean"], encoded["z_log_var"]), training=training)
        return self.parts.draw_reconstruction(self, z, valid, training)

    def adapt(self, data, max_images: int = 1024) -> None:
        """Measures mean and deviation of the backbone's features on good images.

        Args:
            data: images as of `call`, or a dataset of batches of them.
            max_images: int. So many images are enough.

        Raises:
            InputError: If there is no image, or no backbone.
        """
        feature_parts.adapt_view(self, data, max_images)

    def precompute(self, data, num_images: int, max_bytes: int):
        """Computes the backbone's features of all images once, see `FeatureView.precompute`."""
        return None if self.view is None else self.view.precompute(data, num_images, max_bytes)

    @property
    def warmup_steps(self):
        """Training steps before the KL term has its weight."""
        return self.kl_warmup_steps

    def reconstruct(self, inputs):
        """Returns the reconstruction; see the class."""
        return self(inputs)

    def fit(self, x=None, *args, **kwargs):
        """Trains as `TwoPlayerModel.fit` does; on a backbone it calls `adapt` first if need be."""
        if self.view is not None and not self.view.is_adapted:
            self.adapt(x)
        return super().fit(x, *args, **kwargs)

    @property
    def generator_variables(self):
        """The trainable variables of encoder and decoder."""
        variables = self.encoder.trainable_variables + self.decoder.trainable_variables
        if self.view is not None:
            variables = variables + self.image_head.trainable_variables
        return variables

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
    def has_discriminator(self):
        """Whether the discriminator is trained."""
        return self.adversarial_weight > 0 or self.has_adacos

    def read_batch(self, data, training):
        """Returns what the terms need to know of a batch, as a dict.

        `images` as of `unpack_inputs`; `inputs`, what the encoder sees of them (in training with
        synthetic defects); `target`, what the decoder should give; `mask` and `family` of the
        defects; `valid`, 0 where padded, or None. On a backbone, `mask` is the share of each cell.
        """
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        images, valid = unpack_inputs(x)
        with tf.control_dependencies([assert_unit_range(images)]):
            images = tf.identity(images)
        inputs, mask, family = self.defects(images, valid=valid, training=training)
        batch = {
            "images": images,
            "target": images,
            "inputs": inputs,
            "valid": valid,
            "mask": mask,
            "family": family,
        }
        return self.parts.view_batch(self, x, batch, training)

    def train_step(self, data):
        """Trains both players on one batch; returns the running means of the losses."""
        batch = self.read_batch(data, training=True)
        with tf.GradientTape() as tape:
            losses, reconstruction, encoded = generator_losses(self, batch, training=True)
            scaled = self.optimizer.scale_loss(losses["loss"])
        moves = [(self.optimizer, self.generator_variables)]
        gradients = [loss_gradients(tape, scaled, self.generator_variables)]

        if self.has_discriminator:
            with tf.GradientTape() as tape:
                loss = discriminator_loss(self, batch, reconstruction, training=True)
                scaled = self.discriminator_optimizer.scale_loss(loss)
            moves.append((self.discriminator_optimizer, self.discriminator_variables))
            gradients.append(loss_gradients(tape, scaled, self.discriminator_variables))
            losses["discriminator_loss"] = loss

        for (optimizer, variables), values in zip(moves, gradients, strict=True):
            optimizer.apply(values, variables)
        return self._track(losses, encoded, batch, reconstruction)

    def test_step(self, data):
        """Returns the running means of the losses on images without defects or noise."""
        batch = self.read_batch(data, training=False)
        losses, reconstruction, encoded = generator_losses(self, batch, training=False)
        if self.has_discriminator:
            losses["discriminator_loss"] = discriminator_loss(self, batch, reconstruction)
        return self._track(losses, encoded, batch, reconstruction)

    def further_losses(self, encoded, z, batch, training):
        """Returns the terms of `further_terms`: a dict of `(weight, loss)` by name.

        Args:
            encoded: dict, the encoder's outputs for the batch's `inputs`.
            z: the code that the decoder saw.
            batch: dict, see `read_batch`.
            training: bool.
        """
        return self.parts.further_losses(self, encoded, batch, training)

    def further_tensors(self, encoded):
        """Returns a subclass's own tensors for experts, by name."""
        return {}

    def _track(self, losses, encoded, batch, reconstruction):
        contrast = reconstruction_contrast(batch["target"], reconstruction)
        return self.track(
            {
                **losses,
                "active_latents": active_latents(encoded["z_mean"]),
                "reconstruction_contrast": contrast,
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
            and `class_logits` (`(batch, h, w, classes)`, class 0 is good). On a backbone, see
            `kerasad.models.feature_parts.describe`.
        """
        return self.parts.describe(self, *unpack_inputs(inputs))

    def residual_map(self, inputs):
        """Returns how far images are from their reconstruction, `(batch, height, width, 1)`.

        The mean over channels of `|x - r|` of pixels, or, on a backbone, the mean over scales of
        the angle between features and restored features, `1 - cos`.
        """
        return self.parts.residual(self, *unpack_inputs(inputs))

    def get_config(self):
        """Returns the arguments of `__init__`."""
        names = [name for name in init_arguments(type(self)) if hasattr(self, name)]
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), "image_shape": self.image_shape, **own}

    @classmethod
    def from_config(cls, config):
        """Creates a model from `get_config`; the backbone's weights are to be loaded."""
        model = super().from_config({**config, "backbone_weights": None})
        model.backbone_weights = config.get("backbone_weights")
        return model
