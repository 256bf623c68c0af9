"""Models of `keras.applications` by name."""

import inspect
import re
from collections import Counter
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import keras
import numpy as np
from keras import layers

from kerasad.errors import InputError, checked_image_shape


def application_names() -> list[str]:
    """Returns the names of all models of `keras.applications`."""
    functions = inspect.getmembers(keras.applications, inspect.isfunction)
    return [
        name for name, function in functions if "weights" in inspect.signature(function).parameters
    ]


def build_keras_application(
    name: str,
    image_shape: Sequence[int | None],
    weights: str | PathLike | None = "imagenet",
) -> tuple[keras.Model, dict[str, keras.KerasTensor]]:
    """Builds a model of `keras.applications` without its classifier, for images in [0, 1].

    Images are converted to the range, channel order and mean that the model was trained with, as
    its own `preprocess_input` defines them.

    Args:
        name: one of `application_names()`.
        image_shape: `(height, width, 3)`; a side may be None. Most models have a smallest size.
        weights: `"imagenet"` (downloaded once by Keras, into its cache), None (random), or the path
            of a file of the model's weights.

    Returns:
        network: model from images `(batch, *image_shape)` in [0, 1] to its last features.
        tensors: the output of each layer and operation, in order, by name. Numbers that Keras
            appends to names count from the model's first layer of that kind, so that they do not
            depend on models that the process built before.

    Raises:
        InputError: For an `image_shape` that the model does not take, or for `weights` that cannot
            be downloaded or read, or do not fit.
    """
    image_shape = checked_image_shape(image_shape)
    if weights not in (None, "imagenet") and not Path(weights).is_file():
        raise InputError(
            f"{weights} is not a file; `weights` must be 'imagenet', None, or the path of a file "
            f"of the weights of {name}."
        )
    inputs = keras.Input(image_shape, name="images")
    application = getattr(keras.applications, name)
    try:
        network = application(
            include_top=False,
            weights=weights if weights in (None, "imagenet") else str(weights),
            input_tensor=_preprocessed(inputs, name),
            input_shape=image_shape,
        )
    except ValueError as error:
        raise InputError(
            f"{name} cannot be built for images {image_shape} with the weights {weights!r}: {error}"
        ) from error
    except Exception as error:
        # Keras has no exception class for a failed download.
        if not isinstance(error, OSError) and "URL fetch failure" not in str(error):
            raise
        raise InputError(
            f"The weights {weights!r} of {name} cannot be fetched or read ({error}); pass the path "
            "of a file of its weights, or a backbone that needs no network."
        ) from error
    network = keras.Model(inputs, network.output, name=name)
    outputs = [operation.output for operation in network.operations]
    return network, dict(zip(_stable_names(network), outputs, strict=True))


def last_at_strides(
    network: keras.Model, tensors: dict[str, keras.KerasTensor], strides: Sequence[int]
) -> list[str]:
    """Returns the names of the last tensors of 1 / stride of the images' size, rounded up.

    Branches inside a block do not count, only tensors that all later ones depend on.

    Args:
        network, tensors: as in `build_keras_application`.
        strides: whole numbers.

    Raises:
        InputError: If the image size is open, or no tensor has such a size.
    """
    height, width = network.input.shape[1:3]
    found = {tensors[name].shape[1:3]: name for name in _trunk(network, tensors)}
    wanted = [
        None if None in (height, width) else found.get((-(-height // s), -(-width // s)))
        for s in strides
    ]
    if None in wanted or len(set(wanted)) != len(wanted):
        raise InputError(
            f"{network.name} for images {(height, width)} has no layers of exactly "
            f"{', '.join(f'1/{stride}' for stride in strides)} of their size; pass the names of "
            f"layers as `taps`, such as {', '.join(list(tensors)[-3:])}."
        )
    return wanted


def _trunk(network, tensors) -> list[str]:
    """Returns, in order, the names of the tensors that every path through the network crosses."""
    readers = Counter(id(tensor) for tensor in network.outputs)
    for operation in network.operations:
        readers.update(id(tensor) for tensor in keras.tree.flatten(operation.input))
    crossed, waiting = [], set()
    for name, operation in zip(tensors, network.operations, strict=True):
        for tensor in keras.tree.flatten(operation.input):
            readers[id(tensor)] -= 1
            if not readers[id(tensor)]:
                waiting.discard(id(tensor))
        waiting.add(id(operation.output))
        if len(waiting) == 1 and len(operation.output.shape) == 4:
            crossed.append(name)
    return crossed


def _preprocessed(images, name):
    """Applies to images in [0, 1] what a model's `preprocess_input` applies to [0, 255].

    All of them scale and shift each channel, and may reverse the order. As layers they are saved
    with the network, in full precision.
    """
    preprocess_input = inspect.getmodule(getattr(keras.applications, name)).preprocess_input
    # The function may overwrite its argument.
    offset = preprocess_input(np.zeros((1, 1, 3)))[0, 0]
    of_primaries = preprocess_input(255 * np.eye(3)[None])[0] - offset
    scale = of_primaries.sum(axis=0)
    if np.allclose(of_primaries, np.diag(scale)[::-1]):
        images = keras.ops.flip(images, axis=-1)
    elif not np.allclose(of_primaries, np.diag(scale)):
        raise ValueError("its `preprocess_input` mixes channels")
    return layers.Rescaling(
        scale.tolist(), offset.tolist(), dtype="float32", name="preprocess_input"
    )(images)


def _stable_names(network) -> list[str]:
    """Names of layers and operations, in which automatic numbers count from 0 in this network."""
    numbered = []
    for layer in network.operations:
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(layer).__name__).lower()
        match = re.fullmatch(rf"({kind})(?:_(\d+))?", layer.name)
        numbered.append((match[1], int(match[2] or 0)) if match else (layer.name, None))
    first = {}
    for kind, number in numbered:
        if number is not None:
            first[kind] = min(number, first.get(kind, number))
    return [
        kind if number in (None, first.get(kind)) else f"{kind}_{number - first[kind]}"
        for kind, number in numbered
    ]
