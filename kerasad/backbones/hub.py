"""Networks of keras-hub by the name of a preset or the path of a folder."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasad.backbones.patch_tokens import (
    IMAGENET,
    PatchTokens,
    architecture_of,
    import_keras_hub,
)
from kerasad.errors import InputError, unknown_name
from kerasad.files import read_json

HUB_EXAMPLES = ("dinov2_small", "dinov2_base", "dinov3_vit_small_lvd1689m")
"""A few of the presets, for messages; keras-hub has the list."""

_CONFIG = "config.json"
_CLASSES = ("keras_hub>DINOV2Backbone", "keras_hub>DINOV3Backbone")
_MODEL_TYPES = ("dinov2", "dinov2_with_registers", "dinov3_vit")


def is_of_hub(name: str) -> bool:
    """Returns whether a backbone's name is that of a preset of keras-hub, or names a folder."""
    return is_network_folder(name) or re.match(r"dinov\d_", str(name)) is not None


def is_network_folder(name: str) -> bool:
    """Returns whether a backbone's name is the path of a folder with the files of a network."""
    return (Path(name) / _CONFIG).is_file()


def build_hub_backbone(
    name: str,
    image_shape: Sequence[int | None],
    taps: Sequence[str] | None = None,
    weights: str | None = "imagenet",
    architecture: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Builds the patch tokens of a network of keras-hub; see `build_backbone`.

    Args:
        name: a preset, such as `"dinov2_small"`, whose files keras-hub downloads once, or the path
            of a folder with its files, in keras-hub's or in Hugging Face's format (`config.json`,
            `model.safetensors` and, for other colours than ImageNet's, `preprocessor_config.json`).
            PyTorch is not needed, and its pickled files are not read.
        image_shape: `(height, width, 3)`.
        taps: as in `PatchTokens`.
        weights: `"imagenet"` stands for those of the preset or folder; None for random ones.
        architecture: as in `PatchTokens`, for random weights. With it neither a preset nor a folder
            is looked for: so a saved model opens without either.

    Returns:
        backbone: as `build_backbone`.

    Raises:
        InputError: If keras-hub is not installed, the preset or folder does not exist or cannot be
            read, or an argument does not fit.
    """
    if None in image_shape:
        raise InputError(
            f"{name} needs images of a fixed size: `image_shape` must have whole numbers, found "
            f"{tuple(image_shape)}."
        )
    if weights not in (None, "imagenet"):
        raise InputError(
            f"The weights of {name} come with it: leave `backbone_weights` out, or name another "
            f"folder as the backbone. Received: {weights!r}"
        )
    network = None
    if weights is not None or architecture is None:
        network, architecture = _load(name, weights is not None)
    layer = PatchTokens(architecture, image_shape, taps, name="patch_tokens")
    if weights is not None:
        layer.copy_weights(network)
    inputs = keras.Input(image_shape, name="images")
    # A folder's path has characters that the name of a model may not have.
    label = re.sub(r"\W+", "_", Path(name).name)
    return keras.Model(inputs, layer(inputs), name=label)


def patch_tokens_of(backbone: keras.Model) -> PatchTokens | None:
    """Returns the layer of a network of keras-hub in a backbone, or None."""
    return next((layer for layer in backbone.layers if isinstance(layer, PatchTokens)), None)


def _load(name, load_weights) -> tuple[keras.Model, dict[str, Any]]:
    """Returns a network of keras-hub and its architecture, with the colours it was trained on."""
    hub = import_keras_hub()
    presets = {**hub.models.DINOV2Backbone.presets, **hub.models.DINOV3Backbone.presets}
    in_folder = is_network_folder(name)
    model_type = _check_folder(Path(name)) if in_folder else None
    if not in_folder and name not in presets:
        raise InputError(unknown_name("DINO preset of keras-hub", name, presets))
    try:
        network = hub.models.Backbone.from_preset(
            str(name), load_weights=load_weights, dtype="float32"
        )
        colours = _colours_of_folder(Path(name)) if model_type else _colours_of_preset(hub, name)
    # Readers and downloaders of several packages, which share no class of exceptions.
    except Exception as error:
        advice = (
            "look whether its files are complete"
            if in_folder
            else "pass the path of a folder with its files, or a backbone that needs no network"
        )
        raise InputError(
            f"The backbone {name} cannot be fetched or read ({_first_line(error)}); {advice}."
        ) from error
    return network, {**architecture_of(network), **colours}


def _check_folder(folder: Path) -> str | None:
    """Returns the `model_type` of a folder in Hugging Face's format, None for keras-hub's."""
    config = read_json(folder / _CONFIG, keys=())
    if config.get("registered_name") in _CLASSES:
        return None
    if config.get("model_type") not in _MODEL_TYPES:
        found = config.get("registered_name") or config.get("model_type")
        raise InputError(
            f"{folder / _CONFIG} describes a network of the kind {found!r}; a backbone can be a "
            "DINOv2 or DINOv3."
        )
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            f"{folder} holds no *.safetensors; files of PyTorch are not read: fetch the network's "
            "model.safetensors too."
        )
    return config["model_type"]


def _colours_of_folder(folder: Path) -> dict[str, tuple[float, ...]]:
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return IMAGENET
    values = read_json(path, keys=())
    found = {"mean": values.get("image_mean"), "deviation": values.get("image_std")}
    return {name: tuple(found[name] or IMAGENET[name]) for name in IMAGENET}


def _colours_of_preset(hub, name) -> dict[str, tuple[float, ...]]:
    try:
        converter = hub.layers.ImageConverter.from_preset(str(name))
    except FileNotFoundError:
        return IMAGENET
    # It computes 255 x * scale + offset, which is (x - mean) / deviation.
    scale = 255.0 * np.broadcast_to(1.0 if converter.scale is None else converter.scale, 3)
    offset = np.broadcast_to(0.0 if converter.offset is None else converter.offset, 3)
    return {"mean": tuple(map(float, -offset / scale)), "deviation": tuple(map(float, 1 / scale))}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
