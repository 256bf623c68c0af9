"""Encoder, decoder and discriminator of DCGAN type, as functional Keras models."""

import math
from collections.abc import Sequence

import keras
from keras import layers, ops

from kerasad.layers.gradient_attention import linear_head_attention, tape_attention

# With the default of .99, running averages would not settle in a short training.
BATCH_NORM_MOMENTUM = 0.9

LOG_VAR_BOUND = 4.0
"""Upper bound of `z_log_var`."""

LEAKY_SLOPE = 0.2
"""Slope of every `LeakyReLU` below 0.

oneDNN fuses convolution + bias + add + LeakyReLU into one kernel that ignores the slope and uses
0.2 (TensorFlow 2.21), so any other slope is one function in eager mode and another in a graph.
"""


DIFFERENCE_GAIN = 4.0
"""What the discriminator multiplies differences by; those of images and good reconstructions are
small."""


def default_depth(height: int, width: int) -> int:
    """Returns how many times to halve an image so that about 8 cells are left on a side.

    Args:
        height: int, pixels.
        width: int, pixels.

    Returns:
        depth: int in 2..4 (a 64 px image is halved 3 times, 128 px and larger 4 times).
    """
    return min(4, max(2, round(math.log2(min(height, width) / 8))))


def halved_sizes(height: int, width: int, depth: int) -> list[tuple[int, int]]:
    """Returns the sizes of an image halved 0, 1, ... `depth` times, odd sizes rounded up."""
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes


def build_encoder(
    image_shape: Sequence[int], latent: str, latent_dim: int, filters: int, depth: int
) -> keras.Model:
    """Builds the network from an image to the mean and log-variance of its latent code.

    Args:
        image_shape: `(height, width, channels)`.
        latent: `"conv"` (one code per cell, by 1x1 convolutions) or `"dense"` (one code an image).
        latent_dim: int. Channels of the code.
        filters: int. Channels after the first halving; doubled at each further one, up to 8x.
        depth: int. Number of halvings.

    Returns:
        encoder: model from `(batch, *image_shape)` to a dict of `z_mean`, `z_log_var`
        (`(batch, h, w, latent_dim)` or `(batch, latent_dim)`) and `features_1` ...
        `features_<depth>`, the activations after each halving.
    """
    inputs = keras.Input(image_shape, name="images")
    x = layers.Rescaling(2.0, -1.0, name="centre")(inputs)
    outputs = {}
    for level in range(1, depth + 1):
        width = filters * min(2 ** (level - 1), 8)
        x = layers.Conv2D(width, 4, strides=2, padding="same", name=f"conv_{level}")(x)
        x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"norm_{level}")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"features_{level}")(x)
        outputs[f"features_{level}"] = x
    return keras.Model(inputs, {**outputs, **latent_heads(x, latent, latent_dim)}, name="encoder")


def latent_heads(features, latent: str, latent_dim: int) -> dict:
    """Returns the float32 outputs `z_mean` and `z_log_var` on an encoder's last activations.

    Both are linear in the features, except that `z_log_var` is bounded:
    `LOG_VAR_BOUND - softplus(LOG_VAR_BOUND - v)`, which is `v` far below the bound. A wider code is
    useless under a prior of variance 1, and `exp(v)` would overflow on images unlike any in
    training.

    Args:
        features: Keras tensor `(batch, h, w, channels)`.
        latent: `"conv"` or `"dense"`, as in `build_encoder`.
        latent_dim: int. Channels of the code.
    """
    if latent == "dense":
        # A step of Adam moves every weight by the same amount, and so a sum over h * w cells h * w
        # times as far as one cell: without this scale the code jumps and exp(z_log_var) explodes.
        scale = 1.0 / math.sqrt(features.shape[1] * features.shape[2])
        features = layers.Flatten(name="flatten")(features)
        features = layers.Rescaling(scale, name="per_cell", dtype="float32")(features)
        head = layers.Dense
        options = {}
    else:
        head = layers.Conv2D
        options = {"kernel_size": 1}
    # Half precision is too coarse for exp(z_log_var), and a low start keeps the noise small.
    z_mean = head(latent_dim, name="z_mean", dtype="float32", **options)(features)
    z_log_var = head(
        latent_dim,
        name="z_log_var",
        dtype="float32",
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(-2.0),
        **options,
    )(features)
    bounded = LOG_VAR_BOUND - ops.softplus(LOG_VAR_BOUND - z_log_var)
    return {"z_mean": z_mean, "z_log_var": bounded}


def latent_kernel(encoder: keras.Model):
    """Returns the gradient of `z_mean` with respect to an encoder's last activations.

    `(1, 1, channels, latent_dim)` of a convolutional code, `(h * w * channels, latent_dim)` of a
    dense one, as `kerasad.layers.gradient_attention` reads it.
    """
    layer = encoder.get_layer("z_mean")
    if isinstance(layer, layers.Dense):
        return layer.kernel * encoder.get_layer("per_cell").scale
    return layer.kernel


def build_decoder(
    image_shape: Sequence[int], latent: str, latent_dim: int, filters: int, depth: int
) -> keras.Model:
    """Builds the network from a latent code to an image.

    Args:
        image_shape: `(height, width, channels)`.
        latent: `"conv"` or `"dense"`, as the encoder's.
        latent_dim: int. Channels of the code.
        filters: int. Channels before the last doubling; doubled at each earlier one, up to 8x.
        depth: int. Number of doublings.

    Returns:
        decoder: model from the code to float32 `(batch, *image_shape)` in [0, 1].
    """
    sizes = halved_sizes(*image_shape[:2], depth)
    inputs, x = cells_of_code(latent, latent_dim, *sizes[-1], filters * min(2 ** (depth - 1), 8))
    for level in range(depth - 1, -1, -1):
        x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"norm_{level}")(x)
        x = layers.ReLU(name=f"relu_{level}")(x)
        last = level == 0
        channels = image_shape[-1] if last else filters * min(2 ** (level - 1), 8)
        x = layers.Conv2DTranspose(channels, 4, strides=2, padding="same", name=f"conv_{level}")(x)
        surplus = [
            doubled - wanted for doubled, wanted in zip(x.shape[1:3], sizes[level], strict=True)
        ]
        if any(surplus):
            x = layers.Cropping2D(((0, surplus[0]), (0, surplus[1])), name=f"crop_{level}")(x)
    outputs = layers.Activation("sigmoid", dtype="float32", name="reconstruction")(x)
    return keras.Model(inputs, outputs, name="decoder")


def cells_of_code(latent: str, latent_dim: int, height: int, width: int, channels: int) -> tuple:
    """Builds the start of a decoder: a latent code, widened to the coarsest grid of cells.

    Args:
        latent: `"conv"` or `"dense"`, as the encoder's.
        latent_dim: int. Channels of the code.
        height: int, rows of the grid.
        width: int, columns of the grid.
        channels: int. Channels of a cell.

    Returns:
        (inputs, cells): the code, `(batch, height, width, latent_dim)` or `(batch, latent_dim)`,
        and `(batch, height, width, channels)`, both symbolic.
    """
    if latent == "dense":
        inputs = keras.Input((latent_dim,), name="z")
        cells = layers.Dense(height * width * channels, name="unflatten")(inputs)
        return inputs, layers.Reshape((height, width, channels))(cells)
    inputs = keras.Input((height, width, latent_dim), name="z")
    return inputs, layers.Conv2D(channels, 3, padding="same", name="widen")(inputs)


def build_discriminator(
    image_shape: Sequence[int], filters: int, depth: int, embedding_dim: int
) -> keras.Model:
    """Builds the network that classifies cells of 4 x 4 pixels: real or not, and by AdaCos class.

    It sees images and how they differ from their counterparts: of an image and its reconstruction,
    one is the candidate, the other the counterpart. It is U-shaped: halvings see wide, and what
    they find is added to finer cells, down to a quarter of the resolution. Nothing normalizes
    weights or activations: its inputs come from two distributions, and with spectral normalization
    it learns too slowly to matter in a few hundred steps.

    Args:
        image_shape: `(height, width, channels)`.
        filters: int. Channels after the first halving; twice as many after each further one.
        depth: int >= 2. Number of halvings.
        embedding_dim: int. Channels of the embedding.

    Returns:
        discriminator: model from a list of two tensors `(batch, *image_shape)`, candidate and
        difference, to a dict of float32 `logits` `(batch, H / 4, W / 4, 1)`, `features` `(batch,
        H / 4, W / 4, 2 * filters)` and `embedding` `(batch, H / 4, W / 4, embedding_dim)`.

    Reference: Ronneberger et al., "U-Net", MICCAI 2015, here with sums instead of
    concatenations; one decision for each cell after Schoenfeld et al., "A U-Net based
    discriminator for generative adversarial networks", CVPR 2020; image and reconstruction after
    Zavrtanik et al., "DRAEM", ICCV 2021.
    """
    inputs = [keras.Input(image_shape, name=name) for name in ("candidate", "difference")]
    centred = layers.Rescaling(2.0, -1.0, name="centre")(inputs[0])
    enlarged = layers.Rescaling(DIFFERENCE_GAIN, name="enlarge")(inputs[1])
    x = layers.Concatenate(name="pair")([centred, enlarged])
    scales = []
    for level in range(1, depth + 1):
        width = filters * min(2 ** (level - 1), 2)
        x = layers.Conv2D(width, 4, strides=2, padding="same", name=f"conv_{level}")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"features_{level}")(x)
        scales.append(x)
    for level in range(depth - 1, 1, -1):
        finer = scales[level - 1]
        x = layers.Add(name=f"add_{level}")([finer, resized(x, *finer.shape[1:3])])
        x = layers.Conv2D(2 * filters, 3, padding="same", name=f"up_{level}")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"up_features_{level}")(x)
    outputs = {
        "logits": layers.Conv2D(1, 1, dtype="float32", name="logits")(x),
        "features": x,
        "embedding": layers.Conv2D(embedding_dim, 1, dtype="float32", name="embedding")(x),
    }
    return keras.Model(inputs, outputs, name="discriminator")


def resized(features, height: int, width: int):
    """Returns features `(batch, h, w, c)` enlarged, bilinearly, to `(height, width)`."""
    if features.shape[1:3] == (height, width):
        return features
    factors = (-(-height // features.shape[1]), -(-width // features.shape[2]))
    x = layers.UpSampling2D(factors, interpolation="bilinear")(features)
    surplus = (x.shape[1] - height, x.shape[2] - width)
    if any(surplus):
        x = layers.Cropping2D(((0, surplus[0]), (0, surplus[1])))(x)
    return x


def latent_shape(image_shape: Sequence[int], latent: str, latent_dim: int, depth: int) -> tuple:
    """Returns the shape of one image's latent code."""
    if latent == "dense":
        return (latent_dim,)
    return (*halved_sizes(*image_shape[:2], depth)[-1], latent_dim)


def seed_weights(network: keras.layers.Layer, seed: int) -> None:
    """Redraws all randomly initialized weights, each from its own seed.

    Args:
        network: model or layer, built.
        seed: int. The `i`-th trainable variable, if it is a kernel that does not start at 0, gets
            Glorot uniform values from `seed + i`; the `i`-th other one, if it is the vector of a
            power iteration, normal values from `seed + i`.
    """
    for index, variable in enumerate(network.trainable_variables):
        if variable.name == "kernel" and ops.any(variable.value != 0):
            initializer = keras.initializers.GlorotUniform(seed=seed + index)
            variable.assign(initializer(variable.shape, dtype=variable.dtype))
    for index, variable in enumerate(network.non_trainable_variables):
        if variable.name == "vector_u":
            initializer = keras.initializers.TruncatedNormal(stddev=0.02, seed=seed + index)
            variable.assign(initializer(variable.shape, dtype=variable.dtype))


class LatentAttention:
    """Grad-CAM from the latent mean to the activations `features_<level>` of an encoder.

    For the last level it has a closed form, because the latent mean is linear in the activations.

    Args:
        encoder: keras.Model, as in `build_encoder`.
        level: int. The halving whose activations are explained.
        depth: int. The encoder's last level.

    Call arguments:
        encoded: dict, the encoder's outputs.

    Returns:
        attention_map: float32 tensor `(batch, h, w, 1)` in [0, 1].
    """

    def __init__(self, encoder: keras.Model, level: int, depth: int):
        self.encoder = encoder
        self.name = f"features_{level}"
        self.head = None if level == depth else self._build_head()

    def _build_head(self):
        layer = self.encoder.get_layer(self.name)
        # A ResNet's features are named by activations beside its trunk; the latent code hangs on
        # the trunk.
        features = layer.input if isinstance(layer, keras.layers.Activation) else layer.output
        return keras.Model(features, self.encoder.get_layer("z_mean").output, name="attention_head")

    def __call__(self, encoded: dict):
        """Returns the attention map; see the class."""
        if self.head is None:
            return linear_head_attention(latent_kernel(self.encoder), encoded[self.name])
        return tape_attention(lambda x: self.head(x, training=False), encoded[self.name])
