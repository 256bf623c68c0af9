"""The patch tokens of a vision transformer of keras-hub, as a layer."""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import keras
from keras import ops

from kerasad.backbones.taps import check_taps
from kerasad.errors import InputError, MissingPackageError, check_choice

FAMILIES = ("dinov2", "dinov3")
_NEEDED = ("family", "patch_size", "num_layers", "hidden_dim", "num_register_tokens")
IMAGENET = {"mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)}
# A frozen network drops nothing; size and precision are those of the layer.
_NOT_OF_THE_ARCHITECTURE = (
    "name",
    "trainable",
    "dtype",
    "image_shape",
    "dropout_rate",
    "drop_path_rate",
    "attention_dropout",
    "apply_layernorm",
)


def import_keras_hub() -> ModuleType:
    """Returns the package `keras_hub`.

    Raises:
        MissingPackageError: If it is not installed.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise MissingPackageError.of_extra(
            "This backbone", f"keras-hub ({error})", "hub"
        ) from error
    return keras_hub


@keras.saving.register_keras_serializable(package="kerasad")
class PatchTokens(keras.layers.Layer):
    """The tokens of an image's patches after some blocks of DINOv2 or DINOv3, as grids of features.

    Images are resized (bilinear, with antialiasing) if a side is not a multiple of the patch: to
    the next larger one, so that the patches cover the whole image evenly. The positions that DINOv2
    learned are interpolated to the grid, whatever its shape; DINOv3 computes them. Blocks after the
    last tap are left out. The class token and the registers are computed and dropped.

    Args:
        architecture: dict. `family` (`"dinov2"` or `"dinov3"`), the arguments of keras-hub's
            `DINOV2Backbone` or `DINOV3Backbone` other than sizes of images, and `mean` and
            `deviation` of the channels of images in [0, 1] (default: ImageNet's).
        image_shape: `(height, width, 3)`.
        taps: names of blocks: `stage1` is the first, as in keras-hub. None stands for those after a
            quarter, a half and three quarters of the depth.

    Call arguments:
        images: float32 tensor `(batch, *image_shape)` in [0, 1].

    Returns:
        features: dict of float32 tensors `(batch, ceil(height / patch), ceil(width / patch),
        channels)`, in the order of `taps`.

    Raises:
        InputError: If keras-hub is not installed, or an argument does not fit.

    References: Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", TMLR
    2024; Simeoni et al., "DINOv3", 2025.
    """

    def __init__(self, architecture, image_shape, taps=None, **kwargs):
        super().__init__(**{"trainable": False, "dtype": "float32", "autocast": False, **kwargs})
        self.architecture = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in {**IMAGENET, **architecture}.items()
        }
        self.image_shape = tuple(image_shape)
        missing = [name for name in _NEEDED if name not in architecture]
        if missing:
            raise InputError(f"The architecture of a backbone lacks {', '.join(missing)}.")
        stages = stage_names(self.architecture)
        chosen = middle_stages(self.architecture) if taps is None else taps
        self.taps = check_taps(self.architecture["family"], chosen, stages)
        patch = self.architecture["patch_size"]
        self.grid = tuple(-(-side // patch) for side in self.image_shape[:2])
        depth = 1 + max(stages.index(tap) for tap in self.taps)
        network = build_network({**self.architecture, "num_layers": depth})
        self.rope_embedding = None
        embeddings = network.embeddings
        if self.architecture["family"] == "dinov3":
            self.rope_embedding = network.rope_embedding
        else:
            # keras-hub builds square networks only; the layer itself takes any grid.
            config = {**embeddings.get_config(), "image_shape": self.network_size}
            embeddings = type(embeddings).from_config(config)
            embeddings.build((None, *self.network_size, 3))
        self.embeddings, self.encoder = embeddings, network.encoder
        for layer in (self.embeddings, self.encoder):
            layer.trainable = False  # its own flag does not reach layers that are added later

    def build(self, images_shape=None):
        """Does nothing: `__init__` has built everything."""

    @property
    def network_size(self) -> tuple[int, int]:
        """Height and width of the images that the network sees, in pixels."""
        rows, columns = self.grid
        return rows * self.architecture["patch_size"], columns * self.architecture["patch_size"]

    @property
    def remark(self) -> str | None:
        """A sentence for the user if images are resized, else None."""
        if self.network_size == self.image_shape[:2]:
            return None
        (height, width), (rows, columns) = self.network_size, self.image_shape[:2]
        patch = self.architecture["patch_size"]
        return (
            f"The backbone takes sides that are multiples of {patch}: it sees images of {rows} x "
            f"{columns} pixels (height x width) resized to {height} x {width}."
        )

    def call(self, images):
        """Returns the features; see the class."""
        mean, deviation = self.architecture["mean"], self.architecture["deviation"]
        images = (images - ops.convert_to_tensor(mean)) / ops.convert_to_tensor(deviation)
        if self.network_size != self.image_shape[:2]:
            images = ops.image.resize(
                images, self.network_size, interpolation="bilinear", antialias=True
            )
        options = {}
        prefix = 1 + self.architecture["num_register_tokens"]
        if self.rope_embedding is not None:
            positions = self.rope_embedding(images)
            options = {"position_embeddings": positions, "num_prefix_tokens": prefix}
        tokens = self.embeddings(images, training=False)
        _, stages = self.encoder(tokens, training=False, **options)
        shape = (-1, *self.grid, self.architecture["hidden_dim"])
        return {tap: ops.reshape(stages[tap][:, prefix:], shape) for tap in self.taps}

    def compute_output_spec(self, images):
        """Returns the shapes of the features; those that keras-hub states hold for squares."""
        shape = (images.shape[0], *self.grid, self.architecture["hidden_dim"])
        return {tap: keras.KerasTensor(shape, dtype="float32") for tap in self.taps}

    def copy_weights(self, network: keras.Model) -> None:
        """Takes the weights of a backbone of keras-hub of the same architecture."""
        patches = network.embeddings.patch_embeddings
        self.embeddings.patch_embeddings.set_weights(patches.get_weights())
        variables: dict[str, Any] = {}
        network.embeddings.save_own_variables(variables)
        self.embeddings.load_own_variables(variables)  # fits DINOv2's positions to the grid
        for block, other in zip(self.encoder.layers, network.encoder.layers, strict=False):
            block.set_weights(other.get_weights())

    def get_config(self):
        """Returns the arguments of `__init__`."""
        own = {
            "architecture": self.architecture,
            "image_shape": self.image_shape,
            "taps": self.taps,
        }
        return {**super().get_config(), **own}


def stage_names(architecture: Mapping[str, Any]) -> list[str]:
    """Returns the names of the blocks of an architecture, first to last."""
    return [f"stage{number}" for number in range(1, architecture["num_layers"] + 1)]


def middle_stages(architecture: Mapping[str, Any]) -> Sequence[str]:
    """Returns the blocks after a quarter, a half and three quarters of the depth."""
    depth = architecture["num_layers"]
    return [f"stage{number}" for number in sorted({max(1, depth * k // 4) for k in (1, 2, 3)})]


def build_network(architecture: Mapping[str, Any]) -> keras.Model:
    """Returns a backbone of keras-hub with random weights.

    Raises:
        InputError: If keras-hub is not installed, or the architecture is none of its.
    """
    arguments = {k: v for k, v in architecture.items() if k not in ("family", *IMAGENET)}
    check_choice("family", architecture["family"], FAMILIES)
    models = import_keras_hub().models
    build = {"dinov2": models.DINOV2Backbone, "dinov3": models.DINOV3Backbone}
    side = architecture["patch_size"]
    try:
        return build[architecture["family"]](
            **arguments, image_shape=(side, side, 3), dtype="float32"
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"keras-hub cannot build this network: {error}") from error


def architecture_of(network: keras.Model) -> dict[str, Any]:
    """Returns the architecture of a backbone of keras-hub, without mean and deviation."""
    models = import_keras_hub().models
    family = "dinov3" if isinstance(network, models.DINOV3Backbone) else "dinov2"
    config = network.get_config()
    own = {name: config[name] for name in config if name not in _NOT_OF_THE_ARCHITECTURE}
    return {"family": family, **own}
