"""Maps of images by experts that have not seen them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kerasad.data.geometry import unpack_inputs
from kerasad.detector.descriptors import describe_sums, sum_cells
from kerasad.detector.fold_networks import FoldNetworks
from kerasad.detector.frames import iterate_inputs


class LeftOutLimits(NamedTuple):
    """Bytes that images left out may take.

    Attributes:
        maps: int. For their maps; further images train, but set no scale and no threshold.
        tensors: int. For tensors that are read twice; those of further images are made twice.
    """

    maps: int = 2**28
    tensors: int = 2**28


_BATCH_SIZE = 16


@dataclass
class LeftOutMaps:
    """Maps of images by experts that have not seen them, before they are standardized.

    Attributes:
        maps: list of float32 `(h, w, experts)`.
        valid: list of uint8 `(height, width, 1)` arrays, twice what `valid` is, or of None.
        descriptors: float array `(images, numbers)`.
    """

    maps: list
    valid: list
    descriptors: np.ndarray

    def select(self, rows):
        """Yields batches of maps and `valid` of some images."""
        for start in range(0, len(rows), _BATCH_SIZE):
            part = rows[start : start + _BATCH_SIZE]
            valid = None
            if self.valid[part[0]] is not None:
                valid = np.stack([self.valid[row] for row in part]).astype("float32") / 2
            yield np.stack([self.maps[row] for row in part]), valid

    def batches(self, rows, frame):
        """Yields what `MapCalibration.measure` reads of some images."""
        for maps, valid in self.select(rows):
            yield maps, frame.map_valid(valid)


class TensorBatches:
    """Batches of the model's tensors and of `valid`, kept of the first images.

    Args:
        detector: `AnomalyDetector`.
        images: batches of images, which are read again behind those that were kept.
        max_bytes: int. Memory for the tensors.
    """

    def __init__(self, detector, images, max_bytes: int):
        self._detector = detector
        self._images = images
        self._described = detector.descriptors.tensor
        needed = {name for expert in detector.experts for name in expert.requires}
        self._names = needed | {self._described}
        self._kept, self._left = [], max_bytes

    def keep(self, tensors: dict, inputs) -> None:
        """Keeps the tensors of the next batch, as long as there is room."""
        images, valid = unpack_inputs(inputs)
        chosen = self._choose(tensors, images)
        self._left -= sum(np.asarray(tensor).nbytes for tensor in chosen.values())
        if self._left >= 0:  # never again when once exceeded
            self._kept.append((chosen, None if valid is None else tf.convert_to_tensor(valid)))

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self):
        yield from self._kept
        if self._left >= 0:
            return
        for number, (inputs, _) in enumerate(iterate_inputs(self._images)):
            if number >= len(self._kept):
                images, valid = self._detector.prepare(inputs)
                tensors = self._detector.expert_maps.tensors(images, valid)
                yield self._choose(tensors, images), valid

    def _choose(self, tensors, images):
        # Images are described themselves where a model has no features.
        return {name: tensors.get(name, images) for name in self._names}

    def describe(self, tensors: dict, valid) -> np.ndarray:
        """Returns the descriptors of a batch."""
        frame = self._detector.frame
        return np.asarray(
            describe_sums(sum_cells(tensors[self._described], frame.tensor_valid(valid)))
        )


class NetworkTensors(TensorBatches):
    """Batches of tensors of networks that have not seen the images, and of `valid`.

    Args:
        detector, images: as in `TensorBatches`.
        networks: `FoldNetworks`.
    """

    def __init__(self, detector, images, networks: FoldNetworks):
        super().__init__(detector, images, 0)
        self._networks = networks

    def __iter__(self):
        start = 0
        for inputs, _ in iterate_inputs(self._images):
            images, valid = self._detector.prepare(inputs)
            fold_of = self._networks.fold_of[start : start + len(images)]
            start += len(images)
            order = np.argsort(fold_of, kind="stable")
            parts = [
                self._of_fold(fold, images, valid, np.flatnonzero(fold_of == fold))
                for fold in np.unique(fold_of)
            ]
            back = np.argsort(order)
            yield (
                {
                    name: tf.gather(tf.concat([part[name] for part in parts], axis=0), back)
                    for name in self._names
                },
                valid,
            )

    def _of_fold(self, fold, images, valid, rows):
        images, valid = tf.gather(images, rows), None if valid is None else tf.gather(valid, rows)
        with self._networks.without(fold, self._detector.model):
            return self._choose(self._detector.expert_maps.tensors(images, valid), images)


def read_left_out(
    detector, batches: TensorBatches, states, fold_of, max_bytes: int, verbose: int = 0
):
    """Returns `LeftOutMaps` of all images, or of the first that fit into memory.

    Args:
        detector: `AnomalyDetector`.
        batches: `TensorBatches`.
        states: for each fold the state of experts that have not seen its images.
        fold_of: int array `(images,)`.
        max_bytes: int. Memory for the maps.
        verbose: 0 or 1.
    """
    make_maps = detector.expert_maps.compile_maps()
    needed = {name for expert in detector.experts for name in expert.requires}
    maps, valid_of, descriptors, used, seen = [], [], [], 0, 0
    for tensors, valid in iterate_inputs(batches, verbose, "scoring left-out images"):
        described = batches.describe(tensors, valid)
        count = len(described)
        folds, seen = fold_of[seen : seen + count], seen + count
        descriptors.append(described)
        made = [None] * count
        for fold in np.unique(folds):
            rows = np.flatnonzero(folds == fold)
            own = {name: tf.gather(tensors[name], rows) for name in needed}
            seen_of = None if valid is None else tf.gather(valid, rows)
            maps_of_fold = np.asarray(make_maps(states[fold], own, seen_of))
            for row, image_map in zip(rows, maps_of_fold, strict=True):
                made[row] = image_map
        real = [None] * count
        if valid is not None:  # 0, 0.5 or 1, in a quarter of the bytes
            real = list(np.round(2 * np.asarray(valid)).astype("uint8"))
        maps += made
        valid_of += real
        used += sum(each.nbytes for each in (*made, *real) if each is not None)
        if used > max_bytes:
            break
    return LeftOutMaps(maps, valid_of, np.concatenate(descriptors))
