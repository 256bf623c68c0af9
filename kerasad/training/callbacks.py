"""Callbacks that watch over a training, and its curves: `history.csv`, written and read."""

import csv
import math
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.errors import InputError
from kerasad.files import replace_file
from kerasad.layers.cells import counting
from kerasad.metrics import OracleIoU, PixelAUROC
from kerasad.models.base import AnomalyModel
from kerasad.models.health import CollapseWarning
from kerasad.synthetic.choosing import ChoosingDefects
from kerasad.tracing import compiled_for_batches

_ADVICE = {
    "kl_weight": "Lower `kl_weight` or warm it up for longer.",
    "reconstruction_weight": "Raise `reconstruction_weight`, lower the learning rate or train for "
    "longer.",
}


class CollapseNotice(keras.callbacks.Callback):
    """Warns once if the reconstructions no longer depend on the images.

    Two kinds of collapse are told apart by the logs of the model: no latent dimension carries
    information (`active_latents` is 0: the decoder ignores the latent), or every reconstruction
    looks the same (`reconstruction_contrast` below `min_contrast`).

    Args:
        warmup_epochs: int. Number of epochs to wait, while the weight of the KL term rises. The
            last epoch is always checked.
        min_contrast: float. Standard deviation of the reconstructions over that of the images.
            Defaults to `0.05`.
    """

    def __init__(self, warmup_epochs: int = 0, min_contrast: float = 0.05):
        super().__init__()
        self.warmup_epochs = warmup_epochs
        self.min_contrast = min_contrast
        self.message: str | None = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Looks at the two logs until it has warned."""
        is_last = epoch + 1 == (self.params or {}).get("epochs")
        if self.message is not None or (epoch < self.warmup_epochs and not is_last):
            return
        logs = logs or {}
        if logs.get("active_latents", 1.0) == 0.0:
            self.message = (
                f"The latent collapsed (epoch {epoch + 1}: `active_latents` is 0): the "
                f"reconstruction ignores the image. {self._advice('kl_weight')}"
            )
        elif (contrast := logs.get("reconstruction_contrast", 1.0)) < self.min_contrast:
            self.message = (
                f"The reconstructions are nearly constant (epoch {epoch + 1}: "
                f"`reconstruction_contrast` is {contrast:.3f}). "
                f"{self._advice('reconstruction_weight')}"
            )
        if self.message is not None:
            warnings.warn(self.message, CollapseWarning, stacklevel=2)

    def _advice(self, weight):
        """Returns what to do, which depends on whether the model has the weight to blame."""
        is_known = isinstance(self.model, AnomalyModel)
        if is_known and weight not in self.model.init_arguments():
            return "Lower the learning rate or train for longer."
        return _ADVICE[weight]


class SyntheticLocalization(keras.callbacks.Callback):
    """Logs how well the residual of the model finds synthetic defects on validation images.

    The defects are drawn once, of the family that no training sees. After an epoch the model's
    `residual_map` is compared with their masks: `synthetic_iou` (pooled pixels, best threshold)
    and `synthetic_pixel_auroc`. These curves need no real defect. A model without a residual map
    has none.

    Args:
        dataset: `tf.data.Dataset` of model inputs: images, or `{"images", "valid"}`.
        max_images: int. Number of images to take from it. Defaults to `32`.
        seed: int. Seed of the defects. Defaults to `0`.
        defects: object with `draw(images, seed, valid) -> (images, mask)`. Defaults to
            `ChoosingDefects()`.
        epochs: collection of ints from 1, or None. Epochs to measure after; None is all.
    """

    def __init__(self, dataset, max_images: int = 32, seed: int = 0, defects=None, epochs=None):
        super().__init__()
        self.epochs = epochs
        self.batches = draw_batches(dataset, defects or ChoosingDefects(), max_images, seed)

    def set_model(self, model: AnomalyModel) -> None:
        """Compiles the residual map of the model."""
        super().set_model(model)
        self._residual_map = compiled_for_batches(model.residual_map)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Adds the two values to `logs`, where the callbacks after this one see them."""
        if logs is None or (self.epochs is not None and epoch + 1 not in self.epochs):
            return
        iou = OracleIoU()
        for inputs, mask, counts in self.batches:
            residual = self._residual_map(inputs)
            if residual is None:
                return
            iou.update_state(mask, residual, sample_weight=counts)
        logs["synthetic_iou"] = float(iou.result())
        # From the same counts, since sorting the pixels takes most of the time.
        logs["synthetic_pixel_auroc"] = float(PixelAUROC.from_counts(iou.counts()))


def draw_batches(dataset, defects, max_images: int, seed: int) -> list[tuple]:
    """Returns batches of (inputs, mask, counts) with a synthetic defect on each image.

    Args:
        dataset: `tf.data.Dataset` of model inputs.
        defects: object with `draw(images, seed, valid) -> (images, mask)`.
        max_images: int. Number of images in all.
        seed: int. Seed of the defects.

    Returns:
        List of (inputs, mask (batch, height, width, 1), counts (batch, height, width, 1) or None),
        all NumPy arrays; inputs have the form that `dataset` gives them, and `counts` is 1 for
        pixels that count.
    """
    pairs = draw_pairs(dataset, defects, max_images, seed)
    valid_of = [(damaged, mask, unpack_inputs(damaged)[1]) for _, damaged, mask in pairs]
    return [
        (damaged, mask, None if valid is None else np.asarray(counting(valid)))
        for damaged, mask, valid in valid_of
    ]


def draw_pairs(dataset, defects, max_images: int, seed: int) -> Iterator[tuple]:
    """Yields batches of (inputs, the same with a synthetic defect on each image, mask).

    Args:
        dataset: as in `draw_batches`, like the other arguments.
    """
    count = 0
    for number, batch in enumerate(dataset.as_numpy_iterator()):
        images, valid = unpack_inputs(batch)
        rest = max_images - count
        images, valid = images[:rest], None if valid is None else valid[:rest]
        damaged, mask = defects.draw(images, seed + number, valid)
        yield pack_inputs(images, valid), pack_inputs(damaged, valid), mask
        count += len(images)
        if count >= max_images:
            return


class HistoryWriter(keras.callbacks.Callback):
    """Writes `history.csv`: one row for each epoch, complete after every epoch.

    The columns are `epoch` (from 1), the logs in the order of their first appearance, and
    `seconds`. A cell is empty if an epoch lacks the log. Callbacks that add to the logs must come
    before this one.

    Args:
        path: str or Path. The file to write.
    """

    def __init__(self, path: str | Path):
        super().__init__()
        self.path = Path(path)
        self.rows: list[dict[str, float]] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Adds a row and replaces the file, so that it never ends in half a line."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        seconds = round(time.perf_counter() - self._start, 3)
        self.rows.append({"epoch": epoch + 1, **values, "seconds": seconds})
        names = dict.fromkeys(name for row in self.rows for name in row if name != "seconds")
        with replace_file(self.path) as work, work.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*names, "seconds"])
            writer.writeheader()
            writer.writerows(self.rows)


def read_history(path: str | Path) -> dict[str, list[float]]:
    """Reads what `HistoryWriter` wrote.

    Returns:
        The columns by name, one number for each epoch; NaN for an empty cell.

    Raises:
        InputError: The file is missing, or is not such a table; the message names the line.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return _read_columns(csv.reader(file), path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _read_columns(reader, path: str | Path) -> dict[str, list[float]]:
    try:
        names = next(reader, [])
        columns = {name: [] for name in names}
        if not {"epoch", "seconds"} <= columns.keys() or len(columns) < len(names):
            raise ValueError("it is not the header of a history, with `epoch` and `seconds`")
        for row in reader:
            if len(row) != len(names):
                raise ValueError(f"it has {len(row)} cells, the header {len(names)}")
            for name, cell in zip(names, row, strict=True):
                columns[name].append(float(cell or "nan"))
                if name in ("epoch", "seconds") and not math.isfinite(columns[name][-1]):
                    raise ValueError(f"`{name}` must be a finite number, found {cell!r}")
        if not columns["epoch"]:
            raise ValueError("no epoch follows it")
    except (ValueError, csv.Error) as error:
        line = max(reader.line_num, 1)
        raise InputError(
            f"{path}, line {line}: {error}; restore the file from a copy, or remove it to go on "
            "without the curves."
        ) from error
    return columns
