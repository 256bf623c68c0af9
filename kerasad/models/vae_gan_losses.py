"""What the two players of a VAE-GAN pay, term by term."""

from keras import ops

from kerasad.losses import discriminator_adversarial_loss, generator_adversarial_loss
from kerasad.models.adacos_modes import real_cells, valid_cells
from kerasad.models.latent_loss import latent_loss


def generator_losses(model, batch, training):
    """Returns what encoder and decoder pay for a batch.

    Args:
        model: `VAEGAN`.
        batch: dict, see `VAEGAN.read_batch`.
        training: bool.

    Returns:
        losses: dict of float32 tensors `()` by name, each term without its weight, and the sums;
        `discriminator_loss` is 0 there.
        reconstruction: float32 tensor of the shape of `batch["target"]`.
        encoded: dict, the encoder's outputs.
    """
    target, valid = batch["target"], batch["valid"]
    encoded = model.encoder(batch["inputs"], training=training)
    z = model.sampling((encoded["z_mean"], encoded["z_log_var"]), training=training)
    reconstruction = model.decoder(z, training=training)
    losses = {
        "reconstruction_loss": _mean_over_images(
            model.reconstruction_loss.call(target, reconstruction, valid), valid
        ),
        "kl_loss": latent_loss(encoded["z_mean"], encoded["z_log_var"], target, valid),
        "adversarial_loss": ops.zeros(()),
        "adacos_loss": ops.zeros(()),
        "discriminator_loss": ops.zeros(()),
    }
    if model.has_discriminator:
        # The discriminator stands still here: no step of its power iteration.
        fake = model.discriminator(reconstruction, training=False)
        if model.adversarial_weight:
            losses["adversarial_loss"] = generator_adversarial_loss(
                fake["logits"], valid_cells(valid, fake["logits"])
            )
        if model.has_adacos:
            clean = None
            if model.adacos_mode.generator_needs_clean:
                clean = model.discriminator(target, training=False)["embedding"]
            losses["adacos_loss"] = model.adacos_mode.generator_loss(
                fake["embedding"], batch, clean
            )
    likelihood = model.reconstruction_weight * losses["reconstruction_loss"]
    prior = _current_kl_weight(model, training) * losses["kl_loss"]
    game = model.adversarial_weight * losses["adversarial_loss"]
    game += model.adacos_weight * losses["adacos_loss"]
    guidance = ops.zeros(())
    for name, (weight, value) in model.further_losses(encoded, z, batch, training).items():
        losses[name] = value
        guidance += weight * value
    losses["encoder_loss"] = likelihood + prior + guidance
    losses["decoder_loss"] = likelihood + game
    losses["loss"] = likelihood + prior + game + guidance
    return losses, reconstruction, encoded


def discriminator_loss(model, batch, reconstruction, training=False):
    """Returns what the discriminator pays: its adversarial loss and its AdaCos term, `()`.

    Args:
        model: `VAEGAN`.
        batch: dict, see `VAEGAN.read_batch`.
        reconstruction: float32 tensor of the shape of `batch["target"]`.
        training: bool.
    """
    # The encoder's inputs serve as the real images: cells without a synthetic defect are
    # real, and a third pass over the clean images is saved.
    stacked = ops.concatenate(
        [ops.cast(batch["inputs"], "float32"), ops.stop_gradient(reconstruction)], axis=0
    )
    # One call, so that the power iteration of the spectral norm makes one step.
    judged = model.discriminator(stacked, training=training)
    loss = ops.zeros(())
    if model.adversarial_weight:
        real_logits, fake_logits = ops.split(judged["logits"], 2, axis=0)
        real_weights = real_cells(batch["mask"], batch["valid"], real_logits.shape[1:3])
        loss += discriminator_adversarial_loss(
            real_logits, fake_logits, real_weights, valid_cells(batch["valid"], fake_logits)
        )
    if model.has_adacos:
        real, fake = ops.split(judged["embedding"], 2, axis=0)
        loss += model.adacos_mode.discriminator_loss(real, fake, batch, training=training)
    return loss


def _current_kl_weight(model, training):
    # A latent that is priced before it is useful collapses, and stays so. Validation losses
    # carry the whole weight from the start, so that they compare over epochs.
    if not model.kl_warmup_steps or not training:
        return model.kl_weight
    step = ops.cast(model.optimizer.iterations, "float32")
    return model.kl_weight * ops.minimum(step / model.kl_warmup_steps, 1.0)


def _mean_over_images(values, valid):
    """Returns the mean of `(batch,)` values over images that have a real pixel."""
    if valid is None:
        return ops.mean(values)
    some = ops.cast(ops.max(valid, axis=(1, 2, 3)) > 0, "float32")
    return ops.sum(values * some) / ops.maximum(ops.sum(some), 1.0)
