"""What TensorBoard shows of a training: curves, pictures of the same images, their codes."""

import importlib.util
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.errors import InputError, MissingPackageError
from kerasad.files import replace_file
from kerasad.layers.content_grid import enlarge_maps
from kerasad.models.base import AnomalyModel
from kerasad.overlay import ColourScale, draw_colours, to_uint8
from kerasad.synthetic.choosing import ChoosingDefects
from kerasad.tracing import compiled_for_batches
from kerasad.training.callbacks import draw_pairs
from kerasad.training.recipes import find_recipe

PICTURES = 4
"""Images in a picture, side by side."""
THUMBNAIL = 64
"""Side of an image beside its code, in pixels."""
KINDS = "good", "damaged"
_COMMON = 0.99
"""The share of good pixels below the middle of the colour scale."""
_PROJECTOR = """embeddings {{
  tensor_name: "z_mean"
  tensor_path: "codes.tsv"
  metadata_path: "metadata.tsv"
  sprite {{
    image_path: "sprite.png"
    single_image_dim: {side}
    single_image_dim: {side}
  }}
}}
"""


class TensorBoardWriter(keras.callbacks.Callback):
    """Writes the curves of a training, and what the model makes of the same few images.

    * Curves: every log of an epoch; those that begin with `val_` are under `validation`, so that
      TensorBoard draws them into one chart with those of `train`.
    * Pictures under `validation`: the first images, `good` and again with a synthetic defect
      (`damaged`) of the family that no training sees: `images`, `reconstruction`, `anomaly_map` (of
      the model, or its residual) and `attention`, as far as the model has them. Maps have one scale
      for both kinds: its middle is what 99 % of the pixels of the good images are below, in the
      same epoch. No detector is calibrated yet, so it is not a threshold. The colours of the
      attention go from the least to the largest of the good images, which are close to each other.
    * Codes under `validation`, for the projector, as the training ends: `z_mean` of each image,
      good and damaged. Where it has places, that of the place where the two differ most.

    Callbacks that add to the logs must come before this one.

    Args:
        folder: str or Path. For the files; one for each training.
        dataset: `tf.data.Dataset` of model inputs: images, or `{"images", "valid"}`.
        max_images: int. Number of images to take from it. Defaults to `32`.
        seed: int. Seed of the defects. Defaults to `0`.
        epochs: collection of ints from 1, or None. Epochs to draw pictures after; None is all.

    Raises:
        MissingPackageError: The package tensorboard is not installed.
    """

    def __init__(
        self, folder: str | Path, dataset, max_images: int = 32, seed: int = 0, epochs=None
    ):
        super().__init__()
        require_tensorboard()
        self.folder = Path(folder)
        self.epochs = epochs
        self._writers = {
            part: tf.summary.create_file_writer(str(self.folder / part))
            for part in ("train", "validation")
        }
        pairs = [pair[:2] for pair in draw_pairs(dataset, ChoosingDefects(), max_images, seed)]
        self._inputs = {kind: [pair[i] for pair in pairs] for i, kind in enumerate(KINDS)}

    def set_model(self, model: AnomalyModel) -> None:
        """Compiles what is drawn of the model, and its codes."""
        super().set_model(model)
        self._draw = compiled_for_batches(lambda inputs: _tensors_to_draw(model, inputs))
        self._encode = compiled_for_batches(lambda inputs: model.tensors(inputs).get("z_mean"))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Writes the logs and, after an epoch that is asked for, the pictures."""
        for name, value in (logs or {}).items():
            part = "validation" if name.startswith("val_") else "train"
            with self._writers[part].as_default(step=epoch + 1):
                tf.summary.scalar(name.removeprefix("val_"), float(value))
        if self.epochs is None or epoch + 1 in self.epochs:
            with self._writers["validation"].as_default(step=epoch + 1):
                self._write_pictures()
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Writes the codes, and closes the files."""
        codes = self._read_codes()
        if codes is not None:
            thumbnails = [
                thumbnail
                for kind in KINDS
                for inputs in self._inputs[kind]
                for thumbnail in _thumbnails(unpack_inputs(inputs)[0])
            ]
            write_projector(self.folder / "validation", codes, thumbnails)
        for writer in self._writers.values():
            writer.close()

    def _write_pictures(self):
        drawn = {kind: self._draw(_first(self._inputs[kind][0])) for kind in KINDS}
        scale = _scale_of(drawn["good"].get("anomaly_map"))
        low, span = _range_of(drawn["good"].get("attention"))
        for kind, tensors in drawn.items():
            for name, values in tensors.items():
                if name == "anomaly_map":
                    values = [draw_colours(each, scale) for each in values]
                elif name == "attention":
                    values = [
                        draw_colours((each - low) / span, ColourScale(0.5)) for each in values
                    ]
                else:
                    values = [to_uint8(each) for each in values]
                tf.summary.image(f"{kind}/{name}", tf.concat(values, axis=1)[None])

    def _read_codes(self):
        """Returns the codes of all good images, then of all damaged ones, or None."""
        found: dict[str, list] = {kind: [] for kind in KINDS}
        for pair in zip(*self._inputs.values(), strict=True):
            codes = [self._encode(inputs) for inputs in pair]
            if codes[0] is None:
                return None
            good, damaged = (
                np.asarray(each).reshape(len(each), -1, each.shape[-1]) for each in codes
            )
            place = np.argmax(np.sum((good - damaged) ** 2, axis=-1), axis=1)
            for kind, each in zip(KINDS, (good, damaged), strict=True):
                found[kind].append(each[np.arange(len(each)), place])
        return np.concatenate([each for kind in KINDS for each in found[kind]])


def write_projector(folder: Path, codes: np.ndarray, thumbnails: list[np.ndarray]) -> None:
    """Writes what TensorBoard's projector reads.

    Args:
        folder: Path.
        codes: float array (points, dimensions): the first half good, the second damaged.
        thumbnails: uint8 array (THUMBNAIL, THUMBNAIL, 3) of each point.
    """
    count = len(codes) // 2
    metadata = [f"{kind}\t{number}" for kind in KINDS for number in range(count)]
    texts = {
        "codes.tsv": ["\t".join(f"{value:.6g}" for value in code) for code in codes],
        "metadata.tsv": ["kind\timage", *metadata],
    }
    for name, lines in texts.items():
        with replace_file(folder / name) as work:
            work.write_text("\n".join(lines) + "\n", encoding="utf-8")
    side = int(np.ceil(np.sqrt(len(thumbnails))))  # the projector wants a square of them
    sprite = np.zeros((side, THUMBNAIL, side, THUMBNAIL, 3), "uint8")
    for number, thumbnail in enumerate(thumbnails):
        sprite[number // side, :, number % side] = thumbnail
    with replace_file(folder / "sprite.png") as work:
        Image.fromarray(sprite.reshape(side * THUMBNAIL, side * THUMBNAIL, 3)).save(work)
    with replace_file(folder / "projector_config.pbtxt") as work:
        work.write_text(_PROJECTOR.format(side=THUMBNAIL), encoding="utf-8")


def name_log_folder(parent: str | Path, run: str, model: str) -> Path:
    """Returns the folder of a training: TensorBoard would mix two that share one.

    Args:
        parent: str or Path. The folder that TensorBoard shows.
        run: str. Name of the run.
        model: str. Name of its recipe.

    Raises:
        InputError: The recipe trains nothing.
        MissingPackageError: The package tensorboard is not installed.
    """
    if not find_recipe(model).steps:
        raise InputError(
            f"{model} trains no network, so TensorBoard has nothing to show: leave out "
            "--tensorboard, or choose another model, such as --model feature_vae_gan."
        )
    require_tensorboard()
    return Path(parent) / f"{run}-{time.strftime('%Y%m%d-%H%M%S')}"


def require_tensorboard() -> None:
    """Raises `MissingPackageError` without tensorboard, which TensorFlow's pictures need."""
    if importlib.util.find_spec("tensorboard") is None:
        raise MissingPackageError.of_extra("TensorBoard", "tensorboard", "tensorboard")


def _tensors_to_draw(model, inputs) -> dict:
    """Returns images, reconstruction, map and attention, as large as the images."""
    images, valid = unpack_inputs(inputs)
    tensors, size = model.tensors(inputs), images.shape[1:3]
    cells = valid if model.cell_grid is not None else None
    anomaly_map = tensors.get("anomaly_map")
    found = {
        "images": tf.cast(images, tf.float32),
        "reconstruction": model.reconstruct(inputs),
        "anomaly_map": model.residual_map(inputs)
        if anomaly_map is None
        else enlarge_maps(anomaly_map, size, cells),
    }
    if "attention_map" in tensors:
        found["attention"] = enlarge_maps(tensors["attention_map"], size, cells)
    return {name: tf.cast(each, tf.float32) for name, each in found.items() if each is not None}


def _first(inputs):
    images, valid = unpack_inputs(inputs)
    return pack_inputs(images[:PICTURES], None if valid is None else valid[:PICTURES])


def _scale_of(good_maps) -> ColourScale | None:
    if good_maps is None:
        return None
    return ColourScale(max(float(np.quantile(good_maps, _COMMON)), 1e-6))


def _range_of(good_attention) -> tuple[float, float]:
    """Returns the least attention, and how far the largest is above it."""
    if good_attention is None:
        return 0.0, 1.0
    low, high = float(np.min(good_attention)), float(np.max(good_attention))
    return low, max(high - low, 1e-6)


def _thumbnails(images):
    small = tf.image.resize(images, (THUMBNAIL, THUMBNAIL), antialias=True)
    return to_uint8(small).numpy()
