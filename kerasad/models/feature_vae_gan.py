"""A VAE-GAN on the features of a frozen backbone."""

import dataclasses

import keras
from keras import ops

from kerasad.data.geometry import unpack_inputs
from kerasad.errors import InputError
from kerasad.layers.cells import downsampled_cells
from kerasad.layers.content_grid import align_cells, aligned_region, enlarge_maps
from kerasad.losses import FeatureReconstructionLoss, mean_over_images, scale_angles
from kerasad.losses.means import mean_of_image
from kerasad.models.backbone_model import BackboneModel
from kerasad.models.base import TrainingBatch
from kerasad.models.feature_networks import (
    build_feature_decoder,
    build_feature_discriminator,
    build_feature_encoder,
    build_image_head,
)
from kerasad.models.networks import seed_weights
from kerasad.models.precomputed_features import precompute_features, precomputed_batch
from kerasad.models.sampled_cells import SampledCells, cells_at, touched_cells
from kerasad.models.vae_gan import VAEGAN

PIXEL_ARGUMENTS = ("latent", "depth", "ssim_weight", "attention_layer")
"""Arguments of `VAEGAN` that do not apply to features."""


@keras.saving.register_keras_serializable(package="kerasad")
class FeatureVAEGAN(BackboneModel, VAEGAN):
    """`VAEGAN` whose networks work on cells of a frozen backbone's features at several scales.

    The encoder reads features (see `FeatureView`), the decoder restores those of the image without
    defects, and the discriminator rates single cells by their features and by what is not restored
    of them; in training it looks at some of each image (see `SampledCells`). `R` is
    `FeatureReconstructionLoss`, and `KL` is in nats per value of the features. An image head learns
    with them to draw a small picture of the code (at most 64 pixels a side), for people to look
    at; no gradient leaves it.

    `fit` first measures mean and deviation of each channel, unless `adapt` or `precompute` has.
    Its inputs may hold raw features of images, and of damaged copies, which are then not computed
    again, see `precompute`.

    Args:
        image_shape: `(height, width, 3)`, sides of at least 8 pixels.
        backbone: str. Name of the pretrained network, see `build_backbone`.
        taps: names of the backbone's features, or None for its own choice.
        backbone_weights: as `weights` of `build_backbone`. A saved model holds its weights and
            reads no file.
        backbone_architecture: as `architecture` of `build_backbone`. A saved model holds it.
        adacos: as in `VAEGAN`, with another default.
        **kwargs: as in `VAEGAN`, without those in `PIXEL_ARGUMENTS`. `filters` is half of the
            channels of hidden layers.

    Call arguments:
        inputs: as in `VAEGAN`.
        training: bool.

    Returns:
        picture: float32 tensor `(batch, h, w, 3)` in [0, 1], smaller than the images.

    Raises:
        InputError: For an argument outside its range, or one of `PIXEL_ARGUMENTS`.
    """

    auxiliary_loss_names = ("image_loss",)
    learning_rate = 2e-3
    discriminator_learning_rate = 2e-3  # at a tenth of the generator's it learns nothing
    restored_share = 0.5
    discriminator_beta = 0.0  # as in Projected GAN, see `build_feature_discriminator`

    def __init__(
        self,
        image_shape,
        backbone="efficientnet_lite0",
        taps=None,
        backbone_weights="imagenet",
        backbone_architecture=None,
        adacos="critic",
        **kwargs,
    ):
        for name in PIXEL_ARGUMENTS:
            if name in kwargs:
                raise InputError(
                    f"`{name}` is an argument of VAEGAN, on pixels; leave it out of FeatureVAEGAN. "
                    f"Received: {kwargs[name]!r}"
                )
        # Before the base class makes the networks, which depend on them.
        self.choose_backbone(backbone, taps, backbone_weights, backbone_architecture)
        super().__init__(image_shape, adacos=adacos, **kwargs)

    @classmethod
    def init_arguments(cls) -> dict:
        """Returns the arguments with defaults, without `PIXEL_ARGUMENTS`."""
        arguments = super().init_arguments()
        return {name: arguments[name] for name in arguments if name not in PIXEL_ARGUMENTS}

    def build_networks(self):
        """Creates the view, every network and the head that draws pictures."""
        self.build_view()
        self.feature_channels = sum(self.view.scales)
        self.depth = 1  # the encoder's only level
        super().build_networks()
        self.reconstruction_loss = FeatureReconstructionLoss(self.view.scales)
        self.sampled_cells = SampledCells(seed=self.seed)
        self.image_head = build_image_head(
            self.decoder.input.shape[1:], 2 * self.filters, self.image_shape[:2]
        )
        if self.seed is not None:
            seed_weights(self.image_head, 1000 * self.seed + 500)

    def build_coders(self):
        """Returns the encoder and the decoder of features."""
        options = ((*self.cell_grid, self.feature_channels), self.latent_dim, 2 * self.filters)
        return build_feature_encoder(*options), build_feature_decoder(*options)

    def build_discriminator(self):
        """Returns the discriminator of cells of features and their differences."""
        return build_feature_discriminator(
            (*self.cell_grid, self.feature_channels), self.embedding_dim
        )

    def precompute(self, data, num_images: int, max_bytes: int):
        """Computes features of images and damaged copies once, see `precompute_features`."""
        return precompute_features(self.view, self.defects, data, num_images, max_bytes)

    @property
    def trained_weights(self):
        """The weights of all networks but the backbone."""
        frozen = {id(weight) for weight in self.view.weights}
        return [weight for weight in super().trained_weights if id(weight) not in frozen]

    def fit(self, x=None, *args, **kwargs):
        """Trains as `VAEGAN.fit` does; first calls `adapt` if nothing has measured features."""
        if not self.view.is_adapted:
            self.adapt(x)
        return super().fit(x, *args, **kwargs)

    @property
    def generator_variables(self):
        """The trainable variables of encoder, decoder and image head."""
        return super().generator_variables + self.image_head.trainable_variables

    def read_batch(self, data, training: bool) -> TrainingBatch:
        """Returns a batch of features; `mask` is the share of each cell that is defective."""
        x = keras.utils.unpack_x_y_sample_weight(data)[0]
        if training and isinstance(x, dict) and "damaged_features" in x:
            return precomputed_batch(self.view, x)
        batch = super().read_batch(data, training)
        inputs = self.view(batch.inputs, batch.real)
        if isinstance(x, dict) and "features" in x:
            target = self.view.standardize(x["features"])
        else:
            target = self.view(batch.images, batch.real) if training else inputs
        mask = touched_cells(self.view.align_mask(batch.mask, batch.real))
        # No cell of an aligned grid is padding, but some may be outside the region of interest.
        counts = self.view.region(batch.real)
        return dataclasses.replace(batch, inputs=inputs, target=target, mask=mask, valid=counts)

    def sample_cells(self, batch: TrainingBatch, reconstruction, training: bool) -> tuple:
        """Returns some cells as `(batch, n, 1, channels)`, see `SampledCells`; all in a test."""
        if not training:
            return batch, reconstruction
        places = self.sampled_cells(batch.mask)
        cells = {
            "inputs": cells_at(batch.inputs, places),
            "target": cells_at(batch.target, places),
            "mask": cells_at(batch.mask, places),
            "valid": None if batch.valid is None else cells_at(batch.valid, places),
        }
        return dataclasses.replace(batch, **cells), cells_at(reconstruction, places)

    def restored_as_tested(self, batch: TrainingBatch, reconstruction):
        """Returns the reconstruction itself: these networks have no batch statistics."""
        return reconstruction

    def restore(self, inputs) -> tuple:
        """Returns features, those restored, and which cells count, or None."""
        images, valid = unpack_inputs(inputs)
        features = self.view(images, valid)
        code = self.encoder(features, training=False)["z_mean"]
        return features, self.decoder(code, training=False), self.view.region(valid)

    def auxiliary_losses(self, encoded, z, batch: TrainingBatch, training: bool) -> dict:
        """Returns the squared error of the code's picture, which trains the image head alone."""
        picture = self.image_head(ops.stop_gradient(encoded["z_mean"]), training=training)
        small = ops.cast(batch.images, "float32")
        size = picture.shape[1:3]
        if small.shape[1] % size[0] or small.shape[2] % size[1]:
            small = ops.image.resize(small, size, interpolation="bilinear", antialias=True)
        else:
            small = downsampled_cells(small, *size)
        small = align_cells(small, batch.real)
        error = ops.mean(ops.square(picture - small), axis=-1, keepdims=True)
        if batch.real is None:
            return {"image_loss": (1.0, ops.mean(error))}
        region = aligned_region(batch.real, size)
        return {"image_loss": (1.0, mean_over_images(mean_of_image(error, region), region))}

    def call(self, inputs, training=False):
        """Returns the code's picture; that of a padded image lies in the frame's corner."""
        images, valid = unpack_inputs(inputs)
        encoded = self.encoder(self.view(images, valid), training=training)
        z = self.sampling((encoded["z_mean"], encoded["z_log_var"]), training=training)
        picture = self.image_head(z, training=training)
        if valid is None:
            return picture
        return enlarge_maps(picture, picture.shape[1:3], valid, smoothing=0.4)

    def residual_map(self, inputs):
        """Returns the mean over scales of the angle to restored features, `1 - cos`."""
        images, valid = unpack_inputs(inputs)
        features, restored, _ = self.restore(inputs)
        angles = scale_angles(features, restored, self.view.scales)
        angles = ops.mean(angles, axis=-1, keepdims=True)
        return enlarge_maps(angles, images.shape[1:3], valid)

    def tensors(self, inputs) -> dict:
        """Returns what one forward pass knows about images, for the experts of a detector.

        Returns:
            tensors: dict of float32 tensors: those of `FeatureView.tensors`; `restored_features`;
            `restored_angles` `(batch, h, w, taps)`, `1 - cos` of the angle between features and
            restored ones at each tap; `z_mean`, `z_log_var` `(batch, h / 2, w / 2, latent_dim)`; of
            the discriminator `discriminator_features`, `embedding`, the same of the restored
            features under `reconstruction_discriminator_features` and
            `reconstruction_embedding`, and, if it is trained as such, `discriminator_logits`
            `(batch, h, w, 1)`; `attention_map`; with AdaCos `prototypes` and `class_logits`, see
            `VAEGAN.tensors`. The cells of a padded image are aligned with its real part.
        """
        tensors = self.view.tensors(*unpack_inputs(inputs))
        features = tensors["features"]
        encoded = self.encoder(features, training=False)
        restored = self.decoder(encoded["z_mean"], training=False)
        real, fake = self.judge(features, restored), self.judge(restored, features)
        tensors |= {
            "restored_features": restored,
            "restored_angles": scale_angles(features, restored, self.view.scales),
            "discriminator_features": real["features"],
            "reconstruction_discriminator_features": fake["features"],
            "embedding": real["embedding"],
            "reconstruction_embedding": fake["embedding"],
        }
        if self.adversarial_weight > 0:  # logits that were never trained say nothing
            tensors["discriminator_logits"] = real["logits"]
        return self.finish_tensors(tensors, encoded)
