"""The losses of CAVGA's attention maps."""

from kerasad.losses.means import mean_of_image


def attention_expansion_loss(attention_map, weights=None):
    """Returns how much of each image the attention leaves out: `mean of (1 - A_ij)`.

    `A_ij` is the attention at cell `(i, j)`. On good images the attention learns to cover
    everything good, so that what it leaves out of a new image is suspect.

    Args:
        attention_map: float tensor `(batch, h, w, 1)` in [0, 1].
        weights: float tensor `(batch, h, w, 1)`, >= 0, or None. Cells of weight 0 are ignored.

    Returns:
        loss: float32 tensor `(batch,)` in [0, 1]; 0 for an image without a cell that counts.

    Reference: Venkataramanan et al., "CAVGA", ECCV 2020, section 3.1, attention expansion loss.
    """
    return mean_of_image(1.0 - attention_map, weights)


def complementary_guided_attention_loss(normal_attention, anomalous_attention, weights=None):
    """Returns `mean of (1 - N_ij + D_ij)` of each image.

    `N_ij` is the attention of the class "normal" at cell `(i, j)`, `D_ij` that of the class
    "anomalous". It applies to normal images that are classified as normal: the whole image should
    support that, and nothing contradict it. The caller picks these images.

    Args:
        normal_attention: float tensor `(batch, h, w, 1)` in [0, 1].
        anomalous_attention: float tensor of the same shape in [0, 1].
        weights: as in `attention_expansion_loss`.

    Returns:
        loss: float32 tensor `(batch,)` in [0, 2].

    Reference: Venkataramanan et al., "CAVGA", ECCV 2020, section 3.2, complementary guided
    attention loss.
    """
    return mean_of_image(1.0 - normal_attention + anomalous_attention, weights)
