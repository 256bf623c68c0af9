"""Which test images the report shows, chosen while the predictions stream past."""

import bisect
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Example:
    """One test image with everything that was predicted for it.

    Args:
        name: str. Path relative to the data.
        defect: str. `good` or the defect's name.
        label: int. 0 good, 1 defective.
        score: float. The image's anomaly score.
        p_value: float. Share of good images expected to score at least as high.
        is_anomalous: bool. Whether it was decided to be defective.
        needs_review: bool. Whether it was not, but is in the review band.
        iou: float or None. Overlap of the thresholded map with the mask; None without a mask.
        image: float array (height, width, 3) in [0, 1].
        reconstruction: float array (height, width, 3), or None if the model has none.
        anomaly_map: float array (height, width, 1).
        mask: bool array (height, width), or None if unknown.
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
    reconstruction: np.ndarray | None
    anomaly_map: np.ndarray
    mask: np.ndarray | None

    @property
    def called_good(self) -> bool:
        """Whether it was decided to be good."""
        return not (self.is_anomalous or self.needs_review)

    @property
    def verdict(self) -> str:
        """The decision, in words."""
        if self.is_anomalous:
            return "called defective"
        return "to be reviewed" if self.needs_review else "called good"


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
    """Returns the report's groups: errors first, then the review band, then what went well.

    Args:
        size: int. Examples of each.
        review: bool. Whether there is a review band.
    """

    def localized(example: Example) -> bool:
        return bool(example.label and example.is_anomalous and example.iou is not None)

    kinds = [
        (
            "False alarms",
            "Good images that were called defective, highest score first.",
            lambda example: not example.label and example.is_anomalous,
            lambda example: -example.score,
        ),
        (
            "Misses",
            "Defective images that were called good, lowest score first.",
            lambda example: example.label and example.called_good,
            lambda example: example.score,
        ),
        (
            "To be reviewed",
            "Images between the two thresholds, good or defective, highest score first.",
            lambda example: example.needs_review,
            lambda example: -example.score,
        ),
        (
            "Found, worst outlined",
            "Defects that were found, lowest IoU with the mask at the pixel threshold first.",
            lambda example: localized(example) and example.iou < 0.5,
            lambda example: example.iou,
        ),
        (
            "Best found",
            "Defects that were found, highest IoU with the mask at the pixel threshold first.",
            localized,
            lambda example: -example.iou,
        ),
        (
            "Quietest good images",
            "Good images that were called good, lowest score first.",
            lambda example: not example.label and example.called_good,
            lambda example: example.score,
        ),
    ]
    return [Group(*kind, size) for kind in kinds if review or kind[0] != "To be reviewed"]


def overlap(mask: np.ndarray, region: np.ndarray) -> float:
    """Returns the intersection over union of two bool arrays; 1 when both are empty."""
    union = np.count_nonzero(mask | region)
    return np.count_nonzero(mask & region) / union if union else 1.0
