"""What a VAE-GAN does on the features of a backbone; `pixel_parts` has the same on pixels."""

from keras import ops

from kerasad.errors import InputError
from kerasad.layers.content_grid import align_cells, enlarge_maps
from kerasad.losses import FeatureReconstructionLoss, scale_angles, scale_slices
from kerasad.models.feature_networks import (
    build_feature_decoder,
    build_feature_discriminator,
    build_feature_encoder,
    build_image_head,
)
from kerasad.models.feature_view import FeatureView
from kerasad.models.networks import downsampled_cells, seed_weights
from kerasad.models.vae_gan_tensors import compute_attention, finish_tensors


def build_view(model) -> None:
    """Sets `view`, what the encoder sees images through."""
    options = (model.image_shape, model.taps, model.backbone_weights)
    model.view = FeatureView(model.backbone, *options, name="view")
    model.view.build()


def build_coders(model) -> tuple:
    """Returns encoder and decoder."""
    options = (_view_shape(model), model.latent_dim, _width(model))
    return build_feature_encoder(*options), build_feature_decoder(*options)


def build_judges(model) -> None:
    """Sets what else depends on what is restored: discriminator, loss and the head of pictures."""
    model.discriminator = build_feature_discriminator(
        _view_shape(model), _width(model), model.embedding_dim
    )
    model.reconstruction_loss = FeatureReconstructionLoss(model.view.scales)
    model.image_head = build_image_head(
        model.decoder.input.shape[1:], 2 * model.filters, model.image_shape[:2]
    )
    if model.seed is not None:
        seed_weights(model.image_head, 1000 * model.seed + 500)
    model.further_terms = (*model.further_terms, "image_loss")
    model.last_level = 1


def _view_shape(model):
    return (*model.view.grid, sum(model.view.scales))


def _width(model):
    return 2 * model.filters


def view_images(model, images, valid):
    """Returns what the encoder reads of images."""
    return model.view(images, valid)


def adapt_view(model, data, max_images: int) -> None:
    """Sets means and deviations of a model's features; see `VAEGAN.adapt`."""
    if model.view is None:
        raise InputError("`adapt` measures the features of a backbone, and this model has none.")
    model.view.adapt(data, max_images)


def view_batch(model, x, batch: dict, training: bool) -> dict:
    """Returns a batch of `VAEGAN.read_batch` with images replaced by features.

    Args:
        model: `VAEGAN` on a backbone.
        x: model inputs; may hold the clean images' raw features under `features`.
        batch: dict, of pixels.
        training: bool.
    """
    view, valid = model.view, batch["valid"]
    inputs = view(batch["inputs"], valid)
    if isinstance(x, dict) and "features" in x:
        target = view.standardize(x["features"])
    else:
        target = view(batch["images"], valid) if training else inputs
    return {
        **batch,
        "inputs": inputs,
        "target": target,
        "mask": view.align_mask(batch["mask"], valid),
        # Padding is not on an aligned grid.
        "valid": None,
        "frame_valid": valid,
    }


def further_losses(model, encoded, batch: dict, training: bool) -> dict:
    """Returns the squared error of the small picture of the code, which trains its head alone.

    Args:
        model: `VAEGAN` on a backbone.
        encoded: dict, the encoder's outputs.
        batch: dict, see `view_batch`.
        training: bool.
    """
    drawn = model.image_head(ops.stop_gradient(encoded["z_mean"]), training=training)
    small = ops.cast(batch["images"], "float32")
    size = drawn.shape[1:3]
    if small.shape[1] % size[0] or small.shape[2] % size[1]:
        small = ops.image.resize(small, size, interpolation="bilinear", antialias=True)
    else:
        small = downsampled_cells(small, *size)
    small = align_cells(small, batch["frame_valid"])
    return {"image_loss": (1.0, ops.mean(ops.square(drawn - small)))}


def draw_reconstruction(model, z, valid, training=False):
    """Returns the small picture of a code, where padded in the frame's corner; see `VAEGAN`."""
    drawn = model.image_head(z, training=training)
    if valid is None:
        return drawn
    return enlarge_maps(drawn, drawn.shape[1:3], valid, smoothing=0.4)


def residual(model, images, valid=None):
    """Returns the angle between features and restored features, see `VAEGAN.residual_map`."""
    features = model.view(images, valid)
    encoded = model.encoder(features, training=False)
    restored = model.decoder(encoded["z_mean"], training=False)
    angles = scale_angles(features, restored, model.view.scales)
    return enlarge_maps(angles, images.shape[1:3], valid)


def describe(model, images, valid=None) -> dict:
    """Returns what one forward pass on a backbone knows about images, for experts.

    Args:
        model: `VAEGAN` on a backbone.
        images: float tensor `(batch, height, width, 3)` in [0, 1].
        valid: float tensor `(batch, height, width, 1)` or None.

    Returns:
        tensors: dict of float32 tensors: `features` and `restored_features` `(batch, h, w,
        channels)`, the standardized features and what the decoder makes of them; the same of each
        tap as `features_1`, `restored_features_1`, ..., and their difference as
        `residual_features_1`, ...; `tap_1`, ..., the features of each tap on a grid of its own,
        `(batch, h_1, w_1, channels_1)`; `z_mean` and `z_log_var` `(batch, h / 2,
        w / 2, latent_dim)`; of the discriminator `discriminator_features`, `embedding` and
        `discriminator_logits` `(batch, h, w, 1)`, and the first two of the restored features under
        `reconstruction_discriminator_features` and `reconstruction_embedding`; `attention_map`;
        with AdaCos `prototypes` and `class_logits`, see `VAEGAN.tensors`. Where images are padded,
        the cells of all are aligned with their real part.
    """
    tensors = model.view.tensors(images, valid)
    features = tensors["features"]
    encoded = model.encoder(features, training=False)
    restored = model.decoder(encoded["z_mean"], training=False)
    judged = model.discriminator(features, training=False)
    judged_restored = model.discriminator(restored, training=False)
    tensors |= {
        "restored_features": restored,
        "z_mean": encoded["z_mean"],
        "z_log_var": encoded["z_log_var"],
        "discriminator_features": judged["features"],
        "reconstruction_discriminator_features": judged_restored["features"],
        "embedding": judged["embedding"],
        "reconstruction_embedding": judged_restored["embedding"],
        "attention_map": compute_attention(model, encoded),
    }
    if model.adversarial_weight > 0:  # a judge that was never trained says nothing
        tensors["discriminator_logits"] = judged["logits"]
    for index, channels in enumerate(scale_slices(model.view.scales), start=1):
        tensors[f"restored_features_{index}"] = restored[..., channels]
        tensors[f"residual_features_{index}"] = features[..., channels] - restored[..., channels]
    return finish_tensors(model, tensors)
