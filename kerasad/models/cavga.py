"""CAVGA: a VAE-GAN whose attention learns to cover all that is good."""

import os

import keras
from keras import ops

from kerasad.errors import InputError, check_at_least, check_choice
from kerasad.layers.cells import valid_cells
from kerasad.losses import attention_expansion_loss, mean_over_images
from kerasad.models.resnet_networks import (
    build_residual_decoder,
    build_resnet_encoder,
    load_resnet_encoder,
)
from kerasad.models.vae_gan import VAEGAN

ENCODERS = ("dcgan", "resnet18")


@keras.saving.register_keras_serializable(package="kerasad")
class CAVGA(VAEGAN):
    """Convolutional adversarial VAE with guided attention, trained on good images alone.

    Encoder and decoder minimize `reconstruction_weight * R + kl_weight * KL + adversarial_weight
    * A + attention_weight * E`: the terms of `VAEGAN`, and the attention expansion loss `E`, the
    mean of `1 - attention_map` over cells. The attention is Grad-CAM from the latent mean to the
    encoder's last activations (see `kerasad.layers.gradient_attention`); what it leaves out of an
    image is suspect.

    Args:
        image_shape: `(height, width, 3)`, sides of at least 8 pixels.
        encoder_type: `"dcgan"` (the paper's D: encoder and decoder of DCGAN) or `"resnet18"` (its
            R: a ResNet-18, and a decoder of residual blocks).
        encoder_weights: str or None. A local file of torchvision's ResNet-18 to start from; None
            starts from random weights. Not part of `get_config`: a saved model has its own.
        attention_weight: float >= 0.
        **kwargs: as in `VAEGAN`, with the defaults given here.

    Raises:
        InputError: For an argument outside its range, or weights for a DCGAN.

    Reference: Venkataramanan et al., "Attention Guided Anomaly Localization in Images", ECCV 2020,
    equations 1 to 5; the weights 1, 1, 0.01 of reconstruction, adversary and attention are the
    paper's. Its reconstruction term holds the KL with a weight of 1; here `kl_weight` and its
    warm-up are those of `VAEGAN`, for the reason given there. Further choices of ours: the latent
    code has a cell for each `2^depth` x `2^depth` pixels and 64 channels; `R` and `KL` are in nats
    per pixel value; the generator's loss is the non-saturating one; the attention is a sigmoid
    without the ReLU before it, after which it could never fall below 0.5, and is normalized neither
    by image nor by batch. The paper starts from ImageNet and CelebA weights; here all starts at
    random unless `encoder_weights` is given.
    """

    auxiliary_loss_names = ("attention_loss",)

    def __init__(
        self,
        image_shape,
        encoder_type="dcgan",
        encoder_weights=None,
        attention_weight=0.01,
        adversarial_weight=1.0,
        adacos="none",
        ssim_weight=0.0,
        corruption=0.0,
        **kwargs,
    ):
        check_choice("encoder_type", encoder_type, ENCODERS)
        check_at_least("attention_weight", attention_weight, 0)
        if not isinstance(encoder_weights, str | os.PathLike | None):
            raise InputError(
                f"`encoder_weights` must be the path of a file. Received: {encoder_weights!r}"
            )
        if encoder_weights is not None and encoder_type != "resnet18":
            raise InputError(
                f"`encoder_weights` are those of a ResNet-18. Received: {encoder_weights!r} for "
                f'encoder_type={encoder_type!r}; choose encoder_type="resnet18" or leave them out.'
            )
        # Before the base class makes the networks, which depend on them.
        self.encoder_type = encoder_type
        self.encoder_weights = encoder_weights
        self.attention_weight = attention_weight
        super().__init__(
            image_shape,
            adversarial_weight=adversarial_weight,
            adacos=adacos,
            ssim_weight=ssim_weight,
            corruption=corruption,
            **kwargs,
        )

    def build_coders(self):
        """Returns encoder and decoder of the paper's D or R."""
        if self.encoder_type == "dcgan":
            return super().build_coders()
        encoder = build_resnet_encoder(self.image_shape, self.latent, self.latent_dim, self.depth)
        decoder = build_residual_decoder(
            self.image_shape, self.latent, self.latent_dim, self.filters, self.depth
        )
        return encoder, decoder

    def build_networks(self):
        """Creates every network; weights from a file come after those drawn from `seed`."""
        super().build_networks()
        if self.encoder_weights is not None:
            load_resnet_encoder(self.encoder, self.encoder_weights)

    def auxiliary_losses(self, encoded, z, batch, training):
        """Returns the attention expansion loss; see the class."""
        loss = attention_loss(attention_expansion_loss, batch, self.attention(encoded))
        return {"attention_loss": (self.attention_weight, loss)}

    def get_config(self):
        """Returns the arguments of `__init__`, without the file of weights, which has served."""
        return {**super().get_config(), "encoder_weights": None}


def attention_loss(loss, batch, *attention_maps, chosen=None):
    """Returns a loss of attention maps, mean over the batch's images with a real pixel.

    Args:
        loss: function of maps and cell weights to float32 `(batch,)`.
        batch: `TrainingBatch`.
        attention_maps: float tensors `(batch, h, w, 1)`.
        chosen: float tensor `(batch,)` or None. Images of weight 0 are ignored.

    Returns:
        loss: float32 tensor `()`; 0 if no image counts.
    """
    cells = valid_cells(batch.valid, attention_maps[0])[..., None]
    counting = cells if chosen is None else cells * ops.reshape(chosen, (-1, 1, 1, 1))
    return mean_over_images(loss(*attention_maps, cells), counting)
