"""From images to the maps of a model's experts, before any calibration."""

from types import SimpleNamespace

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.detector.descriptors import describe_sums, make_descriptors, sum_cells
from kerasad.detector.experts import default_experts
from kerasad.detector.frames import READ_ONCE, iterate_inputs, make_frame
from kerasad.errors import InputError
from kerasad.layers.cells import downsampled_cells
from kerasad.tracing import compiled


class ExpertMaps(keras.layers.Layer):
    """A model and its experts: one forward pass, one map of each expert.

    Args:
        model, experts, overlap, keep_aspect, smoothing: as in `AnomalyDetector`.
        image_size: `(height, width)` of the images.

    Call arguments:
        images: float tensor `(batch, height, width, 3)` of `image_size`.
        valid: float tensor `(batch, height, width, 1)` or None, 0 where an image was padded.

    Returns:
        maps: float32 tensor `(batch, h, w, experts)`; `(h, w)` is the frame's `cell_grid`. Where it
            has none, it is the size of the images, and maps are smoothed.
        attention: float32 tensor `(batch, h, w, 1)` in [0, 1], or None if the model has none.
    """

    def __init__(self, model, experts, image_size, overlap, keep_aspect, smoothing, **kwargs):
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self.model = model
        self.frame = make_frame(self.model, image_size, overlap, smoothing)
        # Tiles show other things at the same place; so do padded images, unless cells follow them.
        is_tiled = self.frame.tiles is not None
        self.position_free = is_tiled or (keep_aspect and self.frame.cell_grid is None)
        self._may_be_padded = keep_aspect or is_tiled
        shapes = tensor_shapes(self.model)
        self.has_attention = "attention_map" in shapes
        experts = default_experts if experts is None else experts
        self.experts = experts(shapes, self.position_free) if callable(experts) else experts
        check_experts(self.experts, shapes)
        for expert in self.experts:
            if not expert.built:
                expert.build({name: shapes[name] for name in expert.requires})
        self.descriptors = make_descriptors(shapes)
        # A namespace, since Keras would track functions as parts of the layer.
        self._graphs = SimpleNamespace(
            tensors=compiled(self.model.tensors, reduce_retracing=True),
            maps=compiled(self._maps, reduce_retracing=True),
            descriptors=compiled(self._descriptors, reduce_retracing=True),
        )
        self.built = True

    def call(self, images, valid=None):
        """Returns maps and attention; see the class."""

        def make(inputs):
            tensors = self.model.tensors(inputs)
            read = [{name: tensors[name] for name in expert.requires} for expert in self.experts]
            maps = [expert(own) for expert, own in zip(self.experts, read, strict=True)]
            made = [ops.concatenate([self.frame.fit(each) for each in maps], axis=-1)]
            if self.has_attention:
                made.append(self.frame.fit(tensors["attention_map"], "bilinear"))
            return made

        channels = [len(self.experts), 1] if self.has_attention else [len(self.experts)]
        maps, *attention = self.frame.run(make, images, valid, channels)
        return self.frame.smooth(maps), *(attention or [None])

    def compute(self, images, valid=None):
        """Returns the maps alone, by a compiled function."""
        return self._graphs.maps(pack_inputs(images, valid))

    def _maps(self, inputs):
        return self(*unpack_inputs(inputs))[0]

    def describe(self, images, valid=None) -> np.ndarray:
        """Returns `(batch, numbers)`, see `CalibrationDescriptors`, by a compiled function."""
        valid = None if valid is None else tf.constant(valid)
        return self._graphs.descriptors(pack_inputs(tf.constant(images), valid)).numpy()

    def _descriptors(self, inputs):
        def add_up(inputs, valid):
            tensors, (images, _) = self.model.tensors(inputs), unpack_inputs(inputs)
            return sum_cells(tensors.get(self.descriptors.tensor, images), valid)

        return describe_sums(self.frame.add_up(add_up, *unpack_inputs(inputs)))

    def fit(self, train, verbose: int = 0) -> None:
        """Lets the experts learn, one pass over good images at a time for all of them together.

        Raises:
            InputError: If there is no image, the second pass finds none, or images have another
                size than the model's or padding that they may not have.
        """
        for index in range(max((expert.passes for expert in self.experts), default=0)):
            learning = [expert for expert in self.experts if index < expert.passes]
            for expert in learning:
                expert.start(index)
            is_empty = True
            for inputs, _ in iterate_inputs(train, verbose, f"adapting, pass {index + 1}"):
                images, valid = unpack_inputs(inputs)
                self._check_train_images(images, valid)
                tensors = self._graphs.tensors(self.frame.inputs(images, valid))
                weights = _cell_weights(len(images), self.frame.map_valid(valid))
                for expert in learning:
                    expert.update(tensors, weights, index)
                is_empty = False
            if is_empty:
                reason = READ_ONCE if index else "There is no training image to adapt to."
                raise InputError(reason)
            for expert in learning:
                expert.finish(index)

    def _check_train_images(self, images, valid):
        found = tuple(images.shape[1:3])
        if found != self.frame.size:
            raise InputError(
                f"`train` must have images of the model's size {self.frame.size}, crops if the "
                f"detector cuts tiles. Received: {found}"
            )
        if valid is not None and not self._may_be_padded:
            raise InputError(
                "`train` has padded images, where a place means nothing; give the detector "
                "keep_aspect=True."
            )


def check_experts(experts, shapes: dict) -> None:
    """Refuses experts that share a name or read a tensor that is not among those of a model.

    Raises:
        InputError: If there is no expert, two have one name, or a tensor is missing.
    """
    names = [expert.name for expert in experts]
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"`experts` must be at least one layer, each with a name of its own. Received: {names}"
        )
    for expert in experts:
        missing = [name for name in expert.requires if name not in shapes]
        if missing:
            raise InputError(
                f"The expert {expert.name!r} needs the tensor {missing[0]!r}, which this model "
                f"does not have; it has {', '.join(sorted(shapes))}."
            )


def tensor_shapes(model) -> dict:
    """Returns the shapes of the model's tensors, batch as None, without running it."""
    spec = tf.TensorSpec((None, *model.image_shape), "float32")
    traced = compiled(model.tensors).get_concrete_function(spec)
    return {name: tuple(t.shape) for name, t in traced.structured_outputs.items()}


def _cell_weights(count, valid):
    """Returns the function from a grid to the weights of its cells, see `Expert.update`."""

    def weights(grid):
        if valid is None:
            return ops.ones((count, *grid), dtype="float32")
        return ops.cast(downsampled_cells(valid, *grid)[..., 0] > 0.999, "float32")

    return weights
