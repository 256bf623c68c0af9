"""What a trained VAE-GAN says of images."""

from keras import ops

from kerasad.data.geometry import unpack_inputs
from kerasad.layers.cells import mean_of_cells
from kerasad.models.two_player_model import TwoPlayerModel

DISCRIMINATOR_TENSORS = {"discriminator_features": "features", "embedding": "embedding"}


class VAEGANOutputs(TwoPlayerModel):
    """Base class of `VAEGAN`: everything but its training, from the networks that it builds."""

    def judge(self, candidate, other) -> dict:
        """Returns what the discriminator says of the cells of `candidate`.

        Args:
            candidate: images, or their reconstructions.
            other: what a candidate is compared with: reconstructions, or their images.
        """
        return self.discriminator([candidate, candidate - other])

    def restore(self, inputs) -> tuple:
        """Returns what the encoder reads of images, its reconstruction, and `valid` or None."""
        images, valid = unpack_inputs(inputs)
        images = ops.cast(images, "float32")
        encoded = self.encoder(images, training=False)
        return images, self.decoder(encoded["z_mean"], training=False), valid

    def image_logits(self, inputs) -> dict | None:
        """Returns the mean logit of each image and of its reconstruction, see `AnomalyModel`."""
        if not self.has_discriminator or self.adversarial_weight == 0:
            return None
        images, restored, valid = self.restore(inputs)
        pairs = {"image": (images, restored), "reconstruction": (restored, images)}
        logits = {name: self.judge(*pair)["logits"] for name, pair in pairs.items()}
        return {name: mean_of_cells(values, valid) for name, values in logits.items()}

    def call(self, inputs, training=False):
        """Returns the reconstruction; see the class."""
        images, _ = unpack_inputs(inputs)
        encoded = self.encoder(images, training=training)
        z = self.sampling((encoded["z_mean"], encoded["z_log_var"]), training=training)
        return self.decoder(z, training=training)

    def reconstruct(self, inputs):
        """Returns the reconstruction, or what stands for it as a picture."""
        return self(inputs)

    def tensors(self, inputs) -> dict:
        """Returns what one forward pass knows about images, for the experts of a detector.

        Returns:
            tensors: dict of float32 tensors: `images`, `reconstruction` (`(batch, H, W, 3)`),
            `z_mean`, `z_log_var` (`(batch, h, w, latent_dim)` or `(batch, latent_dim)`),
            `encoder_features` (the activations after two and three halvings, at a quarter of
            the image's resolution), `discriminator_features`, `embedding` and the same of the
            reconstruction under `reconstruction_discriminator_features` and
            `reconstruction_embedding`, `attention_map` (`(batch, h, w, 1)` in [0, 1]); if it is
            trained as such, `discriminator_logits` (`(batch, H / 4, W / 4, 1)`); with AdaCos, where
            the mode has them, `prototypes` (`(n, embedding_dim)`, unit length) and `class_logits`
            (`(batch, h, w, classes)`, class 0 is good).
        """
        images, _ = unpack_inputs(inputs)
        encoded = self.encoder(images, training=False)
        reconstruction = self.decoder(encoded["z_mean"], training=False)
        images = ops.cast(images, "float32")
        both = ops.concatenate([images, reconstruction], axis=0)
        outputs = self.judge(both, ops.concatenate([reconstruction, images], axis=0))
        fine, coarse = encoded["features_2"], encoded[f"features_{min(3, self.depth)}"]
        coarse = ops.image.resize(coarse, fine.shape[1:3], interpolation="bilinear")
        tensors = {
            "images": images,
            "reconstruction": reconstruction,
            "encoder_features": ops.concatenate([fine, coarse], axis=-1),
        }
        for name, key in DISCRIMINATOR_TENSORS.items():
            real, fake = ops.split(outputs[key], 2, axis=0)
            tensors |= {name: real, f"reconstruction_{name}": fake}
        if self.adversarial_weight > 0:  # logits that were never trained say nothing
            tensors["discriminator_logits"] = ops.split(outputs["logits"], 2, axis=0)[0]
        return self.finish_tensors(tensors, encoded)

    def finish_tensors(self, tensors: dict, encoded: dict) -> dict:
        """Returns tensors with those of the code and of AdaCos, all in float32."""
        tensors |= {name: encoded[name] for name in ("z_mean", "z_log_var")}
        tensors["attention_map"] = self.attention(encoded)
        if self.has_adacos:  # untrained centers are meaningless
            tensors |= self.adacos_classes.tensors(tensors["embedding"])
        return {name: ops.cast(value, "float32") for name, value in tensors.items()}
