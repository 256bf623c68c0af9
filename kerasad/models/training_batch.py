"""A batch of images as the loss terms see it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingBatch:
    """Images, what the networks see of them, and what counts.

    All but `images` and `real` are of pixels or, in a model that works on features, of cells.

    Attributes:
        images: float tensor `(batch, height, width, 3)` in [0, 1], without synthetic defects.
        real: float tensor `(batch, height, width, 1)`, 0 where an image was padded, or None.
        inputs: what the encoder reads; in training, with synthetic defects.
        target: what the decoder is to restore: the same without defects.
        mask: float tensor `(batch, h, w, 1)`, where the defects are; of a cell, its share of
            defective pixels.
        family: int tensor `(batch,)`, the family of each image's defect, 0 = none.
        valid: float tensor `(batch, h, w, 1)`, 0 where neither target nor reconstruction counts, or
            None.
        labels: float tensor `(batch,)`, 1 = labelled defective, or None.
    """

    images: Any
    real: Any
    inputs: Any
    target: Any
    mask: Any
    family: Any
    valid: Any = None
    labels: Any = None
