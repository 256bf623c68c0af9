"""Registered metrics read off one histogram, over all images and for each kind of defect."""

from collections.abc import Sequence

import keras
import numpy as np

from kerasad.metrics.histogram_metrics import AUPRO, ImageAUROC
from kerasad.metrics.registry import MEASURES, shared_measures


@keras.saving.register_keras_serializable(package="kerasad")
class ImageMetrics(ImageAUROC):
    """Every registered metric of image scores over all thresholds, as a dict.

    `update_state(label, anomaly_score)`, both (B,). Arguments are those of `HistogramMetric`.
    """

    key = "image_metrics"

    def result(self):
        """Returns a dict of scalars, NaN where undefined."""
        return _read_off(self, "image")


@keras.saving.register_keras_serializable(package="kerasad")
class PixelMetrics(AUPRO):
    """Every registered metric of maps over all thresholds, as a dict.

    `update_state(mask, anomaly_map, sample_weight=valid)`, each `(batch, height, width, 1)`.
    Arguments are those of `AUPRO`, and everything said there holds.
    """

    key = "pixel_metrics"

    def result(self):
        """Returns a dict of scalars, NaN where undefined."""
        return _read_off(self, "pixel")


def _read_off(metric, kind):
    counts = metric.counts()
    return {
        measure.name: metric.finish(measure.metric.from_counts(counts))
        for measure in shared_measures(kind)
    }


class DefectGroups:
    """Counts the good images and those of each defect separately, so that groups can be added up.

    Memory grows with the number of defects, not of images.

    Args:
        good: str. Name of the group of good images.
        fpr_limit: float in (0, 1]. Right end of AUPRO's area.
    """

    def __init__(self, good: str = "good", fpr_limit: float = 0.3):
        self.good = good
        self.fpr_limit = fpr_limit
        self.num_images: dict[str, int] = {}
        self._images: dict[str, ImageMetrics] = {}
        self._pixels: dict[str, PixelMetrics] = {}

    @property
    def defects(self) -> list[str]:
        """The names of the groups that are not the good one, sorted."""
        return sorted(set(self.num_images) - {self.good})

    def update(self, names: Sequence[str], scores, masks, maps, weights) -> None:
        """Counts a batch.

        Args:
            names: sequence of str. The group of each image.
            scores: float array `(batch,)`.
            masks: array `(batch, height, width, 1)`, 1 = anomalous.
            maps: float array of the same shape.
            weights: float array of the same shape, 0 = the pixel is ignored.
        """
        names = np.asarray(names, dtype=object)
        for name in dict.fromkeys(names):
            rows = np.flatnonzero(names == name)
            if name not in self.num_images:
                self._images[name], self._pixels[name] = self._empty()
            self.num_images[name] = self.num_images.get(name, 0) + len(rows)
            labels = np.full(len(rows), float(name != self.good))
            self._images[name].update_state(labels, scores[rows])
            self._pixels[name].update_state(masks[rows], maps[rows], weights[rows])

    def over_all(self) -> tuple[dict[str, float], dict[str, str]]:
        """Returns every metric over all images, and for each the reason if it is undefined."""
        return self._measure(list(self.num_images))

    def per_defect(self) -> dict[str, tuple[dict[str, float], dict[str, str]]]:
        """Returns the same for each defect and all good images, as far as `per_defect` is set."""
        good = [self.good] if self.good in self.num_images else []
        table = {}
        for defect in self.defects:
            values, reasons = self._measure([*good, defect])
            chosen = {name: values[name] for name in values if MEASURES[name].per_defect}
            table[defect] = (chosen, reasons)
        return table

    def _empty(self):
        return ImageMetrics(dtype="float64"), PixelMetrics(self.fpr_limit, dtype="float64")

    def _measure(self, names):
        images, pixels = self._empty()
        images.merge_state([self._images[name] for name in names])
        pixels.merge_state([self._pixels[name] for name in names])
        values = {**images.result(), **pixels.result()}
        defective = bool(set(names) - {self.good})
        reasons = {name: self._reason(name, defective, images, pixels) for name in values}
        return {name: float(value) for name, value in values.items()}, reasons

    def _reason(self, name, defective, images, pixels) -> str:
        """Returns why a metric would be undefined."""
        of_images = MEASURES[name].kind == "image"
        if not defective:
            return "no defective test image"
        if (images if of_images else pixels).histogram.has_nan():
            return f"{'a score' if of_images else 'a map'} contains NaN"
        if of_images:
            return "no good test image"
        if float(pixels.num_regions) == 0:
            return "no defective test image has a usable mask"
        return "no normal pixel"
