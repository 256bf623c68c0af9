"""Networks of the baselines that `kerasad.models.networks` lacks."""

import keras
from keras import layers

from kerasad.models.networks import LEAKY_SLOPE, build_encoder, latent_shape, resized


def build_code_encoder(*options) -> keras.Model:
    """Builds `build_encoder` without the log-variance, which only a variational code has."""
    return _with_outputs_but(build_encoder(*options), "z_log_var")


def build_image_discriminator(image_shape, filters: int, depth: int) -> keras.Model:
    """Builds the network that tells images from made ones, cell by cell.

    Spectrally normalized convolutions: no batch statistics, since its inputs come from two
    distributions.

    Args:
        image_shape: `(height, width, channels)`.
        filters: int. Channels after the first halving; doubled at each further one, up to 8x.
        depth: int >= 2. Number of halvings.

    Returns:
        discriminator: model from images to a dict of float32 `logits` `(batch, h, w, 1)` at the
        coarsest resolution and `features` `(batch, H / 4, W / 4, channels)`, all scales from the
        second on, resized to a quarter.

    Reference: Miyato et al., "Spectral Normalization for GANs", ICLR 2018; one decision for each
    cell after Isola et al., "pix2pix", CVPR 2017, section 3.2.2.
    """
    inputs = keras.Input(image_shape, name="images")
    x = layers.Rescaling(2.0, -1.0, name="centre")(inputs)
    scales = []
    for level in range(1, depth + 1):
        width = filters * min(2 ** (level - 1), 8)
        x = _normalized(layers.Conv2D(width, 4, 2, "same"), f"conv_{level}")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"features_{level}")(x)
        if level >= 2:
            scales.append(x)
    logits = _normalized(layers.Conv2D(1, 3, 1, "same"), "logits")(x)
    logits = layers.Activation("linear", dtype="float32", name="logits_float32")(logits)
    quarter = scales[0].shape[1:3]
    features = layers.Concatenate(name="features")([resized(scale, *quarter) for scale in scales])
    return keras.Model(inputs, {"logits": logits, "features": features}, name="discriminator")


def _with_outputs_but(network, left_out):
    outputs = {name: tensor for name, tensor in network.output.items() if name != left_out}
    return keras.Model(network.input, outputs, name=network.name)


def build_code_discriminator(
    image_shape, latent: str, latent_dim: int, depth: int, width: int
) -> keras.Model:
    """Builds the network that tells codes of images from draws of the prior.

    Args:
        image_shape, latent, latent_dim, depth: as in `build_encoder`.
        width: int. Channels of the two hidden layers.

    Returns:
        discriminator: model from codes `(batch, ..., latent_dim)` to float32 logits `(batch, ...,
        1)`, large where a code seems to be a draw of the prior. Each cell is judged by itself.
    """
    inputs = keras.Input(latent_shape(image_shape, latent, latent_dim, depth), name="z")
    x = inputs
    for number in (1, 2):
        x = layers.Dense(width, name=f"hidden_{number}")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"hidden_{number}_activation")(x)
    logits = layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="code_discriminator")


def build_pair_discriminator(
    image_shape, latent: str, latent_dim: int, filters: int, depth: int
) -> keras.Model:
    """Builds the network that judges pairs of an image and a code.

    The image is seen by the convolutions of `build_encoder`, spectrally normalized; the code joins
    at their coarsest cells, the same code in all of them if it is dense.

    Args:
        image_shape, latent, latent_dim, filters, depth: as in `build_encoder`.

    Returns:
        discriminator: model from `[images, codes]` to a dict of float32 `logits` `(batch, h, w,
        1)`, large where a code seems to be that of the image, and of `features` `(batch, h, w,
        channels)`, the last hidden layer.
    """
    images = keras.Input(image_shape, name="images")
    codes = keras.Input(latent_shape(image_shape, latent, latent_dim, depth), name="z")
    x = layers.Rescaling(2.0, -1.0, name="centre")(images)
    for level in range(1, depth + 1):
        width = filters * min(2 ** (level - 1), 8)
        x = _normalized(layers.Conv2D(width, 4, 2, "same"), f"conv_{level}")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"conv_{level}_activation")(x)
    height, columns, width = x.shape[1:]
    z = _normalized(layers.Dense(width), "code")(codes)
    z = layers.LeakyReLU(LEAKY_SLOPE, name="code_activation")(z)
    if latent == "dense":
        z = layers.Reshape((1, 1, width), name="code_cell")(z)
        z = layers.UpSampling2D((height, columns), name="code_cells")(z)
    x = layers.Concatenate(name="pair")([x, z])
    for number in (1, 2):
        x = _normalized(layers.Conv2D(width, 1), f"hidden_{number}")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"hidden_{number}_activation")(x)
    logits = _normalized(layers.Conv2D(1, 1), "logits")(x)
    logits = layers.Activation("linear", dtype="float32", name="logits_float32")(logits)
    return keras.Model([images, codes], {"logits": logits, "features": x}, name="discriminator")


def _normalized(layer, name):
    # The layer writes the normalized kernel back; in half precision that would round it for good.
    return layers.SpectralNormalization(layer, name=name, dtype="float32")
