"""The vectors that stand for images in a t-SNE: latent means of a model, or its features."""

import numpy as np
import tensorflow as tf

from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.detector.expert_maps import tensor_shapes
from kerasad.tracing import compiled_for_batches

MAX_POINTS = 1000
"""Points of a t-SNE: its cost grows faster than their number."""
_MEANINGS = {
    "z_mean": "Latent means of the encoder, averaged over places.",
    "features": "Features of the backbone, averaged over places.",
}


class VectorReader:
    """Reads one vector for each image: `z_mean` of a model, or else its `features`.

    Where the tensor has places, it is averaged over them. A model that works on crops sees the
    crop around the peak of the anomaly map, which decided the image's score.

    Args:
        model: `AnomalyModel`.

    Attributes:
        meaning: str or None. What the vectors are; None for a model that has neither tensor.
    """

    def __init__(self, model):
        shapes = tensor_shapes(model)
        self.model = model
        name = next((name for name in _MEANINGS if name in shapes), None)
        self.meaning = _MEANINGS.get(name)

        # In a graph, the model's other tensors are not computed.
        def encode(inputs):
            values = model.tensors(inputs)[name]
            return tf.reduce_mean(values, axis=tuple(range(1, len(values.shape) - 1)))

        self._encode = compiled_for_batches(encode)

    def read(self, inputs, anomaly_map: np.ndarray | None = None) -> np.ndarray:
        """Returns the vectors of a batch, float array (batch, dimensions).

        Args:
            inputs: model inputs, see `unpack_inputs`.
            anomaly_map: float array (batch, height, width, 1); needed where images exceed the
                model's size.
        """
        images, valid = unpack_inputs(inputs)
        height, width = self.model.image_shape[:2]
        if tuple(images.shape[1:3]) != (height, width):
            pairs = zip(np.asarray(images), anomaly_map, strict=True)
            inputs = np.stack([_crop_around_peak(*pair, height, width) for pair in pairs])
        elif self.model.cell_grid is None:
            inputs = images
        else:
            inputs = pack_inputs(images, valid)
        return self._encode(inputs).numpy()

    def read_dataset(self, dataset, num_images: int) -> list[np.ndarray]:
        """Returns the vectors of each of a dataset's first batches.

        Args:
            dataset: iterable of batches of model inputs, of the model's size.
            num_images: int. Batches are read until they hold as many images.
        """
        vectors: list[np.ndarray] = []
        for inputs in dataset:
            vectors.append(self.read(inputs))
            if sum(map(len, vectors)) >= num_images:
                break
        return vectors


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


def _crop_around_peak(image: np.ndarray, values: np.ndarray, height: int, width: int):
    row, column, _ = np.unravel_index(np.argmax(values), values.shape)
    top = int(np.clip(row - height // 2, 0, image.shape[0] - height))
    left = int(np.clip(column - width // 2, 0, image.shape[1] - width))
    return image[top : top + height, left : left + width]
