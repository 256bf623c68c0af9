"""Which test images the report shows, chosen while the predictions stream past."""

import bisect
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Example:
    """One test image with all that was predicted for it.

    Args:
        name: str. Path relative to the data.
        defect: str. `good` or the defect's name.
        label: int. 0 good, 1 defective.
        score: float. The image's anomaly score.
        p_value: float. Share of good images that would score as high.
        is_anomalous: bool. Whether it was called defective.
        needs_review: bool. Whether it was not, but is to be looked at.
        iou: float or None. Overlap of the thresholded map with the mask; None without a mask.
        image: float array (height, width, 3) in [0, 1].
        reconstruction: float array (height, width, 3).
        anomaly_map: float array (height, width).
        mask: bool array (height, width), or None where it is not known.
    """

    name: str
    defect: str
    label: int
    score: float
    p_value: float
    is_anomalous: bool
    needs_review: bool
    iou: float | None
    image: np.ndarray
    reconstruction: np.ndarray
    anomaly_map: np.ndarray
    mask: np.ndarray | None


@dataclass
class Group:
    """The few examples of a kind that rank first; memory does not grow with the test set.

    Args:
        title: str. Heading.
        meaning: str. What is in it and in which order.
        belongs: function of an Example. Whether it is of this kind.
        rank: function of an Example. Small values come first.
        size: int. How many are kept.
    """

    title: str
    meaning: str
    belongs: Callable[[Example], bool]
    rank: Callable[[Example], float]
    size: int = 4
    total: int = 0
    examples: list[Example] = field(default_factory=list)

    def offer(self, example: Example) -> None:
        """Keeps the example if it is of this kind and ranks among the first."""
        if not self.belongs(example):
            return
        self.total += 1
        bisect.insort(self.examples, example, key=self.rank)
        del self.examples[self.size :]


def make_groups(size: int = 4, review: bool = False) -> list[Group]:
    """The report's groups: the errors first, then what is in between, then what went well.

    Args:
        size: int. Examples of each.
        review: bool. Whether some images are to be looked at.
    """
    found = "Defects that were found, "

    def localized(example: Example) -> bool:
        return bool(example.label and example.is_anomalous and example.iou is not None)

    def called_good(example: Example) -> bool:
        return not (example.is_anomalous or example.needs_review)

    groups = [
        Group(
            "False alarms",
            "Good images that were called defective, highest score first.",
            lambda example: not example.label and example.is_anomalous,
            lambda example: -example.score,
            size,
        ),
        Group(
            "Misses",
            "Defective images that were called good, lowest score first.",
            lambda example: example.label and called_good(example),
            lambda example: example.score,
            size,
        ),
        Group(
            "Found, worst outlined",
            found + "least overlap (IoU at the pixel threshold) with the mask first.",
            lambda example: localized(example) and example.iou < 0.5,
            lambda example: example.iou,
            size,
        ),
        Group(
            "Best found",
            found + "most overlap (IoU at the pixel threshold) with the mask first.",
            localized,
            lambda example: -example.iou,
            size,
        ),
        Group(
            "Quietest good images",
            "Good images that were called good, lowest score first.",
            lambda example: not example.label and called_good(example),
            lambda example: example.score,
            size,
        ),
    ]
    if review:
        in_band = Group(
            "To be looked at",
            "Images between the two thresholds, good or defective, highest score first.",
            lambda example: example.needs_review,
            lambda example: -example.score,
            size,
        )
        groups.insert(2, in_band)
    return groups


def overlap(mask: np.ndarray, region: np.ndarray) -> float:
    """Intersection over union of two bool arrays; 1 when both are empty."""
    union = np.count_nonzero(mask | region)
    return np.count_nonzero(mask & region) / union if union else 1.0
