"""Signs that a training is going wrong, cheap enough to watch at every step."""

import contextlib
import warnings
from collections.abc import Iterator

import tensorflow as tf
from keras import ops

from kerasad.errors import InputError

# A latent channel whose mean varies less than this from image to image counts as unused.
ACTIVE_VARIANCE = 0.01

NOT_IN_UNIT_RANGE = "Images must be in [0, 1]; divide pixels of 0 to 255 by 255."
NOT_CALIBRATED = (
    "The detector is not calibrated, so it cannot tell good from defective: call its `calibrate` "
    "with good images first."
)


class CollapseWarning(UserWarning):
    """A training ended, but with a model that has learnt nothing of use; the message says what."""


@contextlib.contextmanager
def noted_collapses() -> Iterator[list[str]]:
    """Collects the texts of `CollapseWarning`s, which are shown all the same."""
    found: list[str] = []
    with warnings.catch_warnings():
        show = warnings.showwarning

        def note(message, category, *rest, **options):
            if issubclass(category, CollapseWarning):
                found.append(str(message))
            show(message, category, *rest, **options)

        warnings.showwarning = note
        yield found


@contextlib.contextmanager
def name_failed_checks() -> Iterator[None]:
    """Turns TensorFlow's error about a failed check in a graph into one sentence.

    Raises:
        InputError: Images are not in [0, 1], or a detector is not calibrated.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        for sentence in (NOT_IN_UNIT_RANGE, NOT_CALIBRATED):
            if sentence in str(error):
                raise InputError(sentence) from error
        raise


def assert_unit_range(images) -> tf.Operation:
    """Returns an operation that stops the step if images are not in [0, 1].

    The cross-entropy of pixels from 0 to 255 has no lower bound, so a training would look fine.
    NaN passes: the loss that it spoils is named instead.

    Args:
        images: float tensor of any shape.

    Raises:
        InputError: For another dtype.
    """
    if not tf.as_dtype(images.dtype).is_floating:
        raise InputError(
            f"Images must be floats in [0, 1]. Received: {images.dtype}; divide by the largest "
            "value, such as 255."
        )
    outside = tf.logical_or(tf.reduce_min(images) < -0.001, tf.reduce_max(images) > 1.001)
    return tf.debugging.Assert(tf.logical_not(outside), [NOT_IN_UNIT_RANGE])


def active_latents(z_mean):
    """Returns the share of latent channels that tell images apart.

    A channel is active if its mean code varies over the batch by more than `ACTIVE_VARIANCE`, the
    prior's variance being 1; a conv latent's variance is averaged over its cells. 0 is a collapsed
    latent: every image has the same code.

    Args:
        z_mean: float tensor `(batch, ..., latent_dim)`.

    Returns:
        share: float32 tensor `()` in [0, 1]; 1 for a batch of one, which shows nothing.

    Reference: Burda et al., "Importance weighted autoencoders", ICLR 2016, section 5.2.
    """
    variance = ops.var(ops.cast(z_mean, "float32"), axis=0)
    variance = ops.mean(variance, axis=tuple(range(len(variance.shape) - 1)))
    share = ops.mean(ops.cast(variance > ACTIVE_VARIANCE, "float32"))
    return ops.where(ops.shape(z_mean)[0] > 1, share, 1.0)


def reconstruction_contrast(images, reconstruction):
    """Returns how much reconstructions differ among each other, relative to their images.

    The mean over all places of the deviation over the batch, of `r` over that of `x`; near 0 the
    output is the same whatever goes in.

    Args:
        images: float tensor `(batch, height, width, channels)`.
        reconstruction: float tensor of the same shape.

    Returns:
        contrast: float32 tensor `()`, >= 0; 1 where the images do not differ either.
    """
    spread = ops.mean(ops.std(ops.cast(images, "float32"), axis=0))
    made = ops.mean(ops.std(ops.cast(reconstruction, "float32"), axis=0))
    return ops.where(spread > 1e-4, made / ops.maximum(spread, 1e-4), 1.0)
