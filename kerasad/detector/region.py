"""The region of interest of a detector: one for all images, or one that each image brings."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.data.geometry import unpack_inputs
from kerasad.data.region import paint_over, resize_region, restrict
from kerasad.errors import InputError
from kerasad.layers.cells import counting
from kerasad.layers.content_grid import content_size
from kerasad.precision import add_state

ALL = "all"
EACH = "each"


@keras.saving.register_keras_serializable(package="kerasad")
class RegionOfInterest(keras.layers.Layer):
    """Paints over what is outside, and marks it in `valid`; see `kerasad.data.region`.

    Args:
        image_size: `(height, width)` of the images.
        roi: array `(height, width)` of any size, nonzero = inside, the same region in all images;
            `"all"`, the same, which a file of weights brings; or `"each"`: every image brings its
            own as `valid`.

    Call arguments:
        images: float32 tensor `(batch, *image_size, 3)`.
        valid: float tensor `(batch, *image_size, 1)` or None.

    Returns:
        images: as given, but grey where a pixel does not count.
        valid: float32 tensor `(batch, *image_size, 1)`: 1 = counts, 0.5 = outside, 0 = padding.
    """

    def __init__(self, image_size, roi, **kwargs):
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self.image_size = tuple(image_size)
        if isinstance(roi, str):
            if roi not in (ALL, EACH):
                raise InputError(f'`roi` must be a mask or "{EACH}". Received: {roi!r}')
            inside = np.ones(self.image_size, bool)
        else:
            inside, roi = resize_region(roi, *self.image_size), ALL
        self.roi = roi
        self.mask = None
        if roi == ALL:
            self.mask = add_state(self, "mask", self.image_size, inside.astype("float32"))
        self.built = True

    def call(self, images, valid=None):
        """Returns painted images, and `valid`; see the class."""
        if self.roi == ALL:
            return restrict(images, valid, self._inside(valid))
        if valid is None:
            raise InputError(
                "Each image of this detector has a region of interest of its own, and these have "
                "none: give a dict of `images` and `valid` (1 = counts, 0.5 = outside, 0 = padding)"
                "."
            )
        valid = tf.cast(valid, tf.float32)
        return paint_over(images, valid), valid

    def _inside(self, valid):
        """Returns where the region is, bool `(batch or 1, height, width, 1)`.

        A region is relative to the picture, which fills a part of the frame if it is padded.
        """
        mask = ops.convert_to_tensor(self.mask)[None, ..., None]
        if valid is None:
            return mask > 0.5
        down, across = map(_resizing, self.image_size, content_size(valid))
        # Nothing of what a pixel is made of may be outside, see `resize_region`.
        outside = ops.matmul(ops.matmul(down, 1.0 - mask[..., 0]), ops.swapaxes(across, 1, 2))
        return outside[..., None] == 0.0

    @property
    def share(self) -> float | None:
        """The share of pixels that are inside, or None if each image has its own."""
        return None if self.mask is None else float(np.asarray(self.mask).mean())

    def get_config(self):
        """Returns the arguments of `__init__`; the mask itself is state."""
        return {**super().get_config(), "image_size": self.image_size, "roi": self.roi}


def find_counting(detector, inputs, maps) -> np.ndarray:
    """Returns float32 of the shape of maps, 1 where a pixel of inputs counts for a detector.

    Args:
        detector: `AnomalyDetector`.
        inputs: as in its `call`.
        maps: float array `(batch, height, width, 1)`.
    """
    valid = unpack_inputs(inputs)[1]
    if detector.region is not None:
        valid = detector.prepare(inputs)[1]
    return np.ones_like(maps) if valid is None else np.asarray(counting(valid))


def _resizing(side: int, content):
    """Returns `(batch, side, side)`: weights of an antialiased resize of a side to its content."""
    scale = side / content[:, None, None]
    places = ops.arange(side, dtype="float32") + 0.5
    distance = ops.abs(places[:, None] * scale - places)
    weights = ops.maximum(1.0 - distance / scale, 0.0)
    return weights / ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1e-6)
