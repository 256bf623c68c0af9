"""From images to the maps of a model's experts, before any calibration."""

from collections.abc import Callable
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
from kerasad.tracing import compiled, compiled_for_batches, for_any_batch

NO_IMAGE = "There is no training image to adapt to."


class ExpertMaps(keras.layers.Layer):
    """A model and its experts: one forward pass, one map of each expert.

    Args:
        model, experts, overlap, keep_aspect, smoothing: as in `AnomalyDetector`.
        region: `RegionOfInterest` or None. It is applied to what the experts learn from; what is
            called on has passed it.
        image_size: `(height, width)` of the images.

    Call arguments:
        images: float tensor `(batch, height, width, 3)` of `image_size`.
        valid: float tensor `(batch, height, width, 1)` or None, see `AnomalyModel.tensors`.

    Returns:
        maps: float32 tensor `(batch, h, w, experts)`; `(h, w)` is the frame's `cell_grid`. Where it
            has none, it is the size of the images, and maps are smoothed.
        attention: float32 tensor `(batch, h, w, 1)` in [0, 1], or None if the model has none.
    """

    def __init__(
        self, model, experts, image_size, overlap, keep_aspect, smoothing, region=None, **kwargs
    ):
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self.model = model
        self.region = region
        self.frame = make_frame(self.model, image_size, overlap, smoothing, region is not None)
        # Tiles show other things at the same place; so do padded images, unless cells follow them.
        is_tiled = self.frame.tiles is not None
        self.position_free = is_tiled or (keep_aspect and self.frame.cell_grid is None)
        self._may_be_padded = keep_aspect or is_tiled or region is not None
        tensors = compiled(self.model.tensors, reduce_retracing=True)
        shapes = tensor_shapes(self.model, tensors)
        self.has_attention = "attention_map" in shapes
        experts = default_experts if experts is None else experts
        self.experts = experts(shapes, self.position_free) if callable(experts) else experts
        check_experts(self.experts, shapes)
        for expert in self.experts:
            if not expert.built:
                expert.build({name: shapes[name] for name in expert.requires})
        self.descriptors = make_descriptors(shapes)
        # A namespace, since Keras would track functions and dicts as parts of the layer.
        self._graphs = SimpleNamespace(
            shapes=shapes,
            tensors=for_any_batch(tensors),
            maps=compiled_for_batches(self._maps),
            descriptors=compiled_for_batches(self._descriptors),
        )
        self.built = True

    def call(self, images, valid=None):
        """Returns maps and attention; see the class."""

        def make(inputs):
            tensors = self.model.tensors(inputs)
            made = [self.maps_of(tensors, self.experts)]
            if self.has_attention:
                made.append(self.frame.fit(tensors["attention_map"], "bilinear"))
            return made

        channels = [len(self.experts), 1] if self.has_attention else [len(self.experts)]
        maps, *attention = self.frame.run(make, images, valid, channels)
        return self.frame.smooth(maps, valid), *(attention or [None])

    def maps_of(self, tensors, experts):
        """Returns the maps that experts make of the model's tensors, before they are smoothed."""
        read = [{name: tensors[name] for name in expert.requires} for expert in experts]
        maps = [expert(own) for expert, own in zip(experts, read, strict=True)]
        return ops.concatenate([self.frame.fit(each) for each in maps], axis=-1)

    def compile_maps(self):
        """Returns the compiled function that makes maps by experts in any state.

        It is a function of a state, as `fit_crosswise` returns some, of a dict of those of the
        model's tensors that experts read, and of `valid` or None.
        """
        variables = [variable for expert in self.experts for variable in expert.variables]
        needed = {name for expert in self.experts for name in expert.requires}
        state_specs = [tf.TensorSpec(variable.shape, variable.dtype) for variable in variables]
        tensor_specs = {
            name: tf.TensorSpec((None, *self._graphs.shapes[name][1:]), "float32")
            for name in needed
        }

        def make(state, tensors, valid):
            pairs = zip(variables, state, strict=True)
            with keras.StatelessScope(state_mapping=list(pairs)):
                return self.frame.smooth(self.maps_of(tensors, self.experts), valid)

        # Without a region nothing asks for it.
        size = self.frame.size if self.frame.has_region else (0, 0)
        specs = [state_specs, tensor_specs, tf.TensorSpec((None, *size, 1), "float32")]
        function = compiled(make, input_signature=specs)

        def call(state, tensors, valid=None):
            used = valid if self.frame.has_region else tf.zeros((0, 0, 0, 1))
            return function(state, tensors, used)

        return call

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

    def tensors(self, images, valid=None) -> dict:
        """Returns the model's tensors of whole images, by a compiled function."""
        return self._graphs.tensors(self.frame.inputs(images, valid))

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
            for tensors, weights, _ in self._read(train, verbose, f"adapting, pass {index + 1}"):
                for expert in learning:
                    expert.update(tensors, weights, index)
                is_empty = False
            if is_empty:
                reason = READ_ONCE if index else NO_IMAGE
                raise InputError(reason)
            for expert in learning:
                expert.finish(index)
                expert.forget()

    def fit_crosswise(
        self,
        train,
        fold_of: np.ndarray,
        verbose: int = 0,
        resume: bool = False,
        keep: Callable | None = None,
    ) -> list[list[tf.Tensor]]:
        """Lets the experts learn from all images; before that, from all but those of each fold.

        Each fold's images are gathered once. What several folds have gathered is then absorbed.

        Args:
            train: iterable of inputs.
            fold_of: int array `(images,)`, in the order of `train`.
            verbose: 0 or 1.
            resume: bool. Whether the experts go on from what they have learnt before.
            keep: function of each batch's tensors and inputs, or None.

        Returns:
            For each fold the state of experts that have not seen its images, see `compile_maps`.

        Raises:
            InputError: As `fit`, if an expert needs two passes, cannot `absorb` or cannot go on, or
                for another number of images.
        """
        for expert in self.experts:
            if expert.passes > 1 or (expert.passes and not expert.absorbs):
                raise InputError(
                    f"The expert {expert.name!r} cannot learn crosswise; call `adapt` and "
                    "`calibrate` with different images, or leave the expert out."
                )
        learning = [expert for expert in self.experts if expert.passes]
        gathered = self._gather(learning, train, fold_of, verbose, keep)
        former, states = _state_of(learning), []
        for fold in range(int(fold_of.max()) + 1):
            others = [part for number, part in gathered.items() if number != fold]
            _learn(learning, others, resume)
            states.append(_state_of(self.experts))
            if resume:
                _restore(learning, former)
        _learn(learning, list(gathered.values()), resume)
        return states

    def _gather(self, experts, train, fold_of, verbose, keep):
        """Returns by fold what each of the experts has gathered from its images."""
        gathered = {}
        for stream, fold in enumerate(range(int(fold_of.max()) + 1)):
            for expert in experts:
                expert.start(0, stream=stream)
            gathered[fold] = [expert.gathered for expert in experts]
        seen = 0
        for tensors, weights, inputs in self._read(train, verbose, "gathering statistics"):
            count = len(unpack_inputs(inputs)[0])
            part = fold_of[seen : seen + count]
            _check_count(len(part) == count, fold_of)
            for fold in np.unique(part):
                own = _weights_of_rows(weights, part == fold)
                for expert, kept in zip(experts, gathered[fold], strict=True):
                    expert.resume(kept)
                    expert.update(tensors, own, 0)
            if keep is not None:
                keep(tensors, inputs)
            seen += count
        _check_count(seen == len(fold_of), fold_of)
        return gathered

    def _read(self, train, verbose, title):
        """Yields the model's tensors, the function for the weights of cells, and the inputs."""
        for inputs, _ in iterate_inputs(train, verbose, title):
            images, valid = unpack_inputs(inputs)
            self._check_train_images(images, valid)
            if self.region is not None and self.frame.tiles is None:
                images, valid = self.region(tf.convert_to_tensor(images), valid)
                inputs = pack_inputs(images, valid)
            weights = _cell_weights(len(images), self.frame, valid)
            yield self.tensors(images, valid), weights, inputs

    def _check_train_images(self, images, valid):
        found = tuple(images.shape[1:3])
        if found != self.frame.size:
            raise InputError(
                f"`train` must have images of the model's size {self.frame.size}, crops if the "
                f"detector cuts tiles. Received: {found}"
            )
        if valid is None and self.region is not None and self.frame.tiles is not None:
            raise InputError(
                "`train` has crops, and nobody knows where they lie in the region of interest: "
                "give dicts of `images` and `valid`, as `load_category(..., roi=...)` does."
            )
        if valid is not None and not self._may_be_padded:
            raise InputError(
                "`train` has padded images, where a place means nothing; give the detector "
                "keep_aspect=True, or `roi` if these are regions of interest."
            )


def _check_count(agrees: bool, fold_of) -> None:
    """Refuses another number of images than `groups` has."""
    if not agrees:
        raise InputError(
            f"`groups` must have one number for each image. Received: {len(fold_of)}, which is not "
            "the number of images."
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


def tensor_shapes(model, tensors=None) -> dict:
    """Returns the shapes of the model's tensors, batch as None, without running it.

    Args:
        model: `AnomalyModel`.
        tensors: `tf.function` of `model.tensors`, which keeps the graph; None makes one for now.
    """
    spec = tf.TensorSpec((None, *model.image_shape), "float32")
    traced = (tensors or compiled(model.tensors)).get_concrete_function(spec)
    return {name: tuple(t.shape) for name, t in traced.structured_outputs.items()}


def _cell_weights(count, frame, valid):
    """Returns the function from a grid to the weights of its cells, see `Expert.update`."""

    def weights(grid):
        found = frame.cell_weights(valid, grid)
        return ops.ones((count, *grid), dtype="float32") if found is None else found

    return weights


def _weights_of_rows(weights, rows):
    """Returns weights that are 0 for the images of a batch that are not chosen."""
    chosen = np.asarray(rows, "float32")[:, None, None]
    return lambda grid: weights(grid) * chosen


def _learn(experts, gathered, resume):
    """Lets experts learn from what was gathered in several parts, given as `_gather` returns it."""
    for expert in experts:
        if resume:
            expert.recall()
        else:
            expert.start(0)
    for index, expert in enumerate(experts):
        expert.absorb([part[index] for part in gathered])
        expert.finish(0)
        expert.forget()


def _state_of(experts):
    """Returns the values of all variables of experts, as tensors of their own."""
    variables = (variable for expert in experts for variable in expert.variables)
    return [tf.constant(np.asarray(variable).copy()) for variable in variables]


def _restore(experts, state):
    variables = [variable for expert in experts for variable in expert.variables]
    for variable, value in zip(variables, state, strict=True):
        variable.assign(value)
