"""Which good images are unusual, by scores of statistics that have not seen them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SHOWN = 5
"""How many of the most unusual images are shown."""
CHANCE = 0.05
"""Probability that one of the good images stands out though nothing is wrong with any."""

# Quartiles of the standard Gumbel distribution, the law of a maximum of many values.
_LOWER, _MEDIAN, _UPPER = (-math.log(-math.log(share)) for share in (0.25, 0.5, 0.75))
_MIN_IMAGES = 10


@dataclass(frozen=True)
class LeftOutScores:
    """Scores of good images by statistics that have not seen them, all on one scale.

    Args:
        scores: float32 array `(n,)`, in the order of the images. They are not those that calibrate,
            whose scales differ from fold to fold. There may be more images: maps beyond the memory
            for them set no threshold.
        maps: mapping from the position of each of the `SHOWN` most unusual images to its
            anomaly map, float32 `(height, width, 1)`, that made the score.
    """

    scores: np.ndarray
    maps: Mapping[int, np.ndarray]

    def p_value(self, position: int) -> float:
        """Returns the share of the scores that are as high as that of an image, its own included.

        It is the conformal p-value of the image among all others.
        """
        return float(np.mean(self.scores >= self.scores[position]))


def most_unusual(scores: np.ndarray, count: int = SHOWN) -> list[int]:
    """Returns the positions of the largest scores, largest first."""
    return np.argsort(-np.asarray(scores), kind="stable")[:count].tolist()


def standing_out(scores: np.ndarray) -> np.ndarray:
    """Returns for each score whether it is too high for one of so many good images, bool `(n,)`.

    A score is a maximum over places, so good images' scores are taken to follow a Gumbel
    distribution, whose tail is long. It is fitted to the quartiles, which a few defective images
    hardly move. A score stands out if, of `n` such images, one reaches it with a probability of
    at most 5 %. Fewer than 10 scores say nothing of a tail.

    Args:
        scores: float array `(n,)`.
    """
    scores = np.asarray(scores, "float64")
    if len(scores) < _MIN_IMAGES:
        return np.zeros(len(scores), bool)
    lower, median, upper = np.quantile(scores, (0.25, 0.5, 0.75))
    # Quartiles of few scores may lie too near to each other (5 % hold in simulations).
    room = 1.0 + 5.0 / len(scores)
    # Equal quartiles: rounding alone must not make a score stand out.
    spread = max(room * (upper - lower) / (_UPPER - _LOWER), 1e-3 * abs(median), 1e-12)
    reduced = (scores - (median - spread * _MEDIAN)) / spread
    return np.exp(-reduced) * len(scores) < CHANCE
