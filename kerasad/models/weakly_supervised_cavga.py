"""CAVGA with a few labelled defects."""

import dataclasses

import keras
from keras import layers, ops

from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.errors import InputError, check_at_least
from kerasad.layers.gradient_attention import classifier_attention
from kerasad.losses import complementary_guided_attention_loss
from kerasad.models.adacos import LABELLED_ADACOS_MODES
from kerasad.models.cavga import CAVGA, attention_loss
from kerasad.models.networks import latent_kernel, latent_shape, seed_weights

NORMAL, ANOMALOUS = 0, 1


@keras.saving.register_keras_serializable(package="kerasad")
class WeaklySupervisedCAVGA(CAVGA):
    """CAVGA with a classifier on the latent code, trained with a few images labelled defective.

    Encoder and decoder minimize `reconstruction_weight * R + kl_weight * KL + adversarial_weight
    * A + classification_weight * C + guidance_weight * G + adacos_weight * S`: `C` is the binary
    cross-entropy of the classifier, linear on the flattened code; `G` the complementary guided
    attention loss of normal images that are classified as normal, with Grad-CAM from the two
    logits; `S` the AdaCos term of the mode `"weak"`.

    `fit` takes images and labels `(batch,)`, 0 = good and 1 = defective. Images labelled defective
    train only the classifier and AdaCos: a decoder that learns to restore defects would show none.
    (Batch normalization sees them too.)

    Args:
        image_shape: `(height, width, 3)`, sides of at least 8 pixels.
        classification_weight: float >= 0.
        guidance_weight: float >= 0.
        attention_weight: float >= 0, see `CAVGA`; 0 in the paper.
        adacos: as in `VAEGAN`, or `"weak"`.
        **kwargs: as in `CAVGA`.

    Raises:
        InputError: For an argument outside its range, or a training without labels.

    Reference: Venkataramanan et al., "Attention Guided Anomaly Localization in Images", ECCV 2020,
    section 3.2; the weights 1, 1, 0.001, 0.01 are the paper's. Choices of ours: the attention is
    that of the logits at the latent mean; defective images are left out of reconstruction, prior
    and game; the AdaCos term is an addition.
    """

    auxiliary_loss_names = ("classification_loss", "guidance_loss", "attention_loss")
    learns_from_labels = True
    adacos_choices = (*CAVGA.adacos_choices, *LABELLED_ADACOS_MODES)

    def __init__(
        self,
        image_shape,
        classification_weight=0.001,
        guidance_weight=0.01,
        attention_weight=0.0,
        adacos="weak",
        **kwargs,
    ):
        check_at_least("classification_weight", classification_weight, 0)
        check_at_least("guidance_weight", guidance_weight, 0)
        self.classification_weight = classification_weight
        self.guidance_weight = guidance_weight
        super().__init__(image_shape, attention_weight=attention_weight, adacos=adacos, **kwargs)

    def build_networks(self):
        """Creates every network, the classifier among them."""
        super().build_networks()
        code = keras.Input(latent_shape(self.image_shape, self.latent, self.latent_dim, self.depth))
        # A logit of half precision would be coarse, and so would the attention that it explains.
        logits = layers.Dense(2, name="logits", dtype="float32")(layers.Flatten()(code))
        self.classifier = keras.Model(code, logits, name="classifier")
        if self.seed is not None:
            seed_weights(self.classifier, 1000 * self.seed + 400)

    @property
    def generator_variables(self):
        """The trainable variables of encoder, decoder and classifier."""
        return super().generator_variables + self.classifier.trainable_variables

    def read_batch(self, data, training):
        """Returns a batch with `labels`, whose `valid` is 0 on all of a defective image."""
        x, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        images, valid = unpack_inputs(x)
        if labels is None and training:
            raise InputError(
                f"{type(self).__name__} learns from labels, but `fit` was given none; give images "
                "with labels, 0 = good and 1 = defective."
            )
        if isinstance(labels, dict):  # the targets of a test set
            labels = labels["label"]
        if labels is None:
            labels = ops.zeros_like(images[:, 0, 0, 0])
        labels = ops.cast(ops.reshape(labels, (-1,)), "float32")
        good = ops.ones_like(images[..., :1]) if valid is None else ops.cast(valid, "float32")
        good *= ops.reshape(1.0 - labels, (-1, 1, 1, 1))
        batch = super().read_batch(pack_inputs(images, good), training)
        return dataclasses.replace(batch, labels=labels, real=valid)

    def auxiliary_losses(self, encoded, z, batch, training):
        """Returns classification, guidance and attention loss; see the class."""
        logits = self.classifier(z, training=training)
        truth = ops.cast(batch.labels, "int32")
        classification = keras.losses.sparse_categorical_crossentropy(
            truth, logits, from_logits=True
        )
        attention = self.class_attention(encoded)
        predicted = ops.cast(ops.argmax(logits, axis=-1), "int32")
        right = ops.logical_and(truth == NORMAL, predicted == NORMAL)
        guidance = attention_loss(
            complementary_guided_attention_loss,
            batch,
            attention[..., NORMAL : NORMAL + 1],
            attention[..., ANOMALOUS : ANOMALOUS + 1],
            chosen=ops.cast(right, "float32"),
        )
        return {
            "classification_loss": (self.classification_weight, ops.mean(classification)),
            "guidance_loss": (self.guidance_weight, guidance),
            **super().auxiliary_losses(encoded, z, batch, training),
        }

    def class_attention(self, encoded):
        """Returns the attention of the logits "normal" and "anomalous", `(batch, h, w, 2)`."""
        return classifier_attention(
            latent_kernel(self.encoder),
            self.classifier.get_layer("logits").kernel,
            encoded[f"features_{self.depth}"],
        )

    def finish_tensors(self, tensors, encoded):
        """Returns the tensors of `CAVGA`, and the attention of "anomalous"."""
        attention = self.class_attention(encoded)
        tensors["anomalous_attention"] = attention[..., ANOMALOUS : ANOMALOUS + 1]
        return super().finish_tensors(tensors, encoded)
