"""The codes that stand for images in a t-SNE: latents of a model, or its features."""

import numpy as np
import tensorflow as tf

from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.detector.expert_maps import tensor_shapes
from kerasad.layers.cells import OUTSIDE
from kerasad.tracing import compiled_for_batches

MAX_POINTS = 600
"""Points of a t-SNE: its cost grows faster than their number."""
MEAN, PEAK = "mean", "peak"
_MEANINGS = {"z_mean": "Latent means of the encoder", "features": "Features of the backbone"}
KINDS = {
    MEAN: "averaged over places: what an image as a whole looks like",
    PEAK: "at the peak of each map: what the model knows of the most unusual place",
}


class VectorReader:
    """Reads codes of images: `z_mean` of a model, or else its `features`.

    Where the tensor has places, there are two codes: its average over them, and its value at the
    peak of the anomaly map, which an average hides. A model that works on crops sees the crop
    around that peak, which decided the image's score.

    Args:
        model: `AnomalyModel`.
        region: `RegionOfInterest` of the detector, or None. Codes say nothing of what is outside.

    Attributes:
        meaning: str or None. What the codes are; None for a model that has neither tensor.
    """

    def __init__(self, model, region=None):
        self._region = region
        shapes = tensor_shapes(model)
        self.model = model
        name = next((name for name in _MEANINGS if name in shapes), None)
        self.meaning = _MEANINGS.get(name)
        # In a graph, the model's other tensors are not computed.
        self._encode = compiled_for_batches(lambda inputs: model.tensors(inputs)[name])

    def read(self, inputs, anomaly_map: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Returns the codes of a batch by kind, each a float array (batch, dimensions).

        Args:
            inputs: model inputs, see `unpack_inputs`.
            anomaly_map: float array (batch, height, width, 1), or None, where images have the
                model's size: there is no peak then.
        """
        images, valid = unpack_inputs(inputs)
        if self._region is not None:
            images, valid = self._region(tf.convert_to_tensor(images), valid)
        height, width = self.model.image_shape[:2]
        if tuple(images.shape[1:3]) != (height, width):
            crops = [
                _crop_around_peak(image, values, height, width)
                for image, values in zip(np.asarray(images), anomaly_map, strict=True)
            ]
            inputs, anomaly_map = (np.stack(parts) for parts in zip(*crops, strict=True))
            valid = None
        else:
            inputs = images if self.model.cell_grid is None else pack_inputs(images, valid)
        codes = self._encode(inputs).numpy()
        if codes.ndim != 4:
            return {MEAN: codes.reshape(len(codes), -1)}
        found = {MEAN: codes.mean(axis=(1, 2))}
        if anomaly_map is not None:
            follows = valid is not None and self.model.cell_grid is not None
            places = _peaks(anomaly_map, codes.shape[1:3], np.asarray(valid) if follows else None)
            found[PEAK] = codes[np.arange(len(codes)), places[:, 0], places[:, 1]]
        return found

    def read_dataset(self, dataset, num_images: int) -> np.ndarray:
        """Returns the average codes of a dataset's first images, float array (points, dimensions).

        Args:
            dataset: iterable of batches of model inputs, of the model's size.
            num_images: int. Batches are read until they hold as many images.
        """
        found: list[np.ndarray] = []
        for inputs in dataset:
            found.append(self.read(inputs)[MEAN])
            if sum(map(len, found)) >= num_images:
                break
        return np.concatenate(found)[:num_images]


def embed(vectors: np.ndarray) -> np.ndarray | None:
    """Returns the t-SNE of vectors, float array (points, 2), or None below five points.

    Args:
        vectors: float array (points, dimensions).
    """
    from sklearn.manifold import TSNE

    if len(vectors) < 5:
        return None
    spread = vectors.std(axis=0)
    vectors = vectors[:, spread > 0] if np.any(spread > 0) else vectors
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    start = "pca" if vectors.shape[1] >= 2 and np.any(spread > 0) else "random"
    return TSNE(perplexity=perplexity, init=start, random_state=0).fit_transform(vectors)


def _peaks(maps: np.ndarray, grid, valid: np.ndarray | None) -> np.ndarray:
    """Returns row and column of the cell that holds each map's peak, int (batch, 2).

    Args:
        maps: float array (batch, height, width, 1).
        grid: (rows, columns) of the cells.
        valid: array (batch, height, width, 1) that the cells follow, or None.
    """
    places = []
    for row, values in enumerate(maps):
        size = values.shape[:2]
        if valid is not None:
            real = valid[row][..., 0] > 0
            values = np.where(valid[row] > OUTSIDE, values, -np.inf)
            size = [max(1, int(real.any(axis).sum())) for axis in (1, 0)]
        peak = np.unravel_index(np.argmax(values), values.shape)[:2]
        cells = zip(peak, grid, size, strict=True)
        places.append([min(at * count // side, count - 1) for at, count, side in cells])
    return np.asarray(places)


def _crop_around_peak(image: np.ndarray, values: np.ndarray, height: int, width: int):
    row, column, _ = np.unravel_index(np.argmax(values), values.shape)
    top = int(np.clip(row - height // 2, 0, image.shape[0] - height))
    left = int(np.clip(column - width // 2, 0, image.shape[1] - width))
    crop = np.s_[top : top + height, left : left + width]
    return image[crop], values[crop]
