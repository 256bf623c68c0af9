"""One forward pass of a VAE-GAN with everything that it knows about images."""

import keras
from keras import ops

from kerasad.layers.gradient_attention import linear_head_attention, tape_attention
from kerasad.models.networks import latent_kernel


def compute_tensors(model, images):
    """Returns the named tensors of `VAEGAN.tensors`.

    Args:
        model: `VAEGAN`.
        images: float tensor `(batch, height, width, 3)` in [0, 1].

    Returns:
        tensors: dict of float32 tensors.
    """
    encoded = model.encoder(images, training=False)
    reconstruction = model.decoder(encoded["z_mean"], training=False)
    judged = model.discriminator(
        ops.concatenate([ops.cast(images, "float32"), reconstruction], axis=0), training=False
    )
    features, made_features = ops.split(judged["features"], 2, axis=0)
    embedding, made_embedding = ops.split(judged["embedding"], 2, axis=0)
    fine, coarse = encoded["features_2"], encoded["features_" + str(min(3, model.depth))]
    coarse = ops.image.resize(coarse, fine.shape[1:3], interpolation="bilinear")
    tensors = {
        "images": images,
        "reconstruction": reconstruction,
        "z_mean": encoded["z_mean"],
        "z_log_var": encoded["z_log_var"],
        "encoder_features": ops.concatenate([fine, coarse], axis=-1),
        "discriminator_features": features,
        "reconstruction_discriminator_features": made_features,
        "embedding": embedding,
        "reconstruction_embedding": made_embedding,
        "attention_map": compute_attention(model, encoded),
        **model.further_tensors(encoded),
    }
    return finish_tensors(model, tensors)


def finish_tensors(model, tensors: dict) -> dict:
    """Returns tensors with those of AdaCos, if it is trained, all in float32, without None."""
    if model.has_adacos:  # centers that were never trained say nothing
        tensors["prototypes"] = model.adacos_mode.normal_prototypes()
        tensors["class_logits"] = model.adacos_mode.class_logits(tensors["embedding"])
    return {
        name: ops.cast(value, "float32") for name, value in tensors.items() if value is not None
    }


def build_attention_head(encoder: keras.Model, level: int, depth: int) -> keras.Model | None:
    """Returns the part of an encoder behind its `level`-th halving; None if that is linear."""
    if level == depth:
        return None
    layer = encoder.get_layer(f"features_{level}")
    # A ResNet's features are named by activations beside its trunk; the latent hangs on the trunk.
    features = layer.input if isinstance(layer, keras.layers.Activation) else layer.output
    return keras.Model(features, encoder.get_layer("z_mean").output, name="attention_head")


def compute_attention(model, encoded):
    """Returns the attention map of the latent mean, float32 `(batch, h, w, 1)` in [0, 1].

    Args:
        model: `VAEGAN`.
        encoded: dict, the encoder's outputs.
    """
    features = encoded[f"features_{model.attention_layer or model.last_level}"]
    if model.attention_head is None:
        return linear_head_attention(latent_kernel(model.encoder), features)
    return tape_attention(lambda x: model.attention_head(x, training=False), features)
