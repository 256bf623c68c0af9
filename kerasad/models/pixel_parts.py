"""What a VAE-GAN does on pixels; `kerasad.models.feature_parts` has the same on features."""

from keras import ops

from kerasad.losses import ReconstructionLoss
from kerasad.models.networks import build_decoder, build_discriminator, build_encoder
from kerasad.models.vae_gan_tensors import compute_tensors


def build_coders(model) -> tuple:
    """Returns encoder and decoder."""
    code = (model.latent, model.latent_dim, model.filters, model.depth)
    return build_encoder(model.image_shape, *code), build_decoder(model.image_shape, *code)


def build_view(model) -> None:
    """Sets `view`, what the encoder sees images through: nothing."""
    model.view = None


def build_judges(model) -> None:
    """Sets what else depends on what is restored: the discriminator and the loss."""
    model.discriminator = build_discriminator(
        model.image_shape, model.filters, model.depth, model.embedding_dim
    )
    model.reconstruction_loss = ReconstructionLoss(model.ssim_weight)
    model.last_level = model.depth


def view_images(model, images, valid):
    """Returns what the encoder reads of images."""
    return images


def view_batch(model, x, batch, training):
    """Returns a batch of `VAEGAN.read_batch` as the networks see it."""
    return batch


def draw_reconstruction(model, z, valid, training):
    """Returns the reconstruction of a code as a picture."""
    return model.decoder(z, training=training)


def further_losses(model, encoded, batch, training):
    """Returns terms beside those of every VAE-GAN, as `VAEGAN.further_losses`."""
    return {}


def describe(model, images, valid):
    """Returns `VAEGAN.tensors`."""
    return compute_tensors(model, images)


def residual(model, images, valid):
    """Returns `VAEGAN.residual_map`."""
    reconstruction = model(images)
    return ops.mean(ops.abs(images - reconstruction), axis=-1, keepdims=True)
