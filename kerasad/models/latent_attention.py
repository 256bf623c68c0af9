"""The attention of the latent mean to one of the encoder's activations."""

import keras

from kerasad.layers.gradient_attention import linear_head_attention, tape_attention
from kerasad.models.networks import latent_kernel


class LatentAttention:
    """Grad-CAM from the latent mean to the activations `features_<level>` of an encoder.

    For the last level it has a closed form, because the latent mean is linear in the activations.

    Args:
        encoder: keras.Model, as of `build_encoder`.
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
