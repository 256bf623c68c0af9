"""Scores of frames in a row, smoothed in time."""

from collections import deque

import numpy as np

from kerasad.errors import check_whole


class RunningMedian:
    """The median of the last `length` scores, the newest included; of fewer at the beginning.

    Of an even number it is the smaller of the two in the middle. So it is above a threshold if and
    only if more than half of the scores are: a majority of frames decides. It looks back only, and
    a defect is called `length // 2` frames after it appears.

    If each single score of good frames is above the threshold with a probability of at most `a`,
    the median is so with less than `2 a`, however much the frames depend on each other: by Markov's
    inequality, `P(more than n / 2 of n) < n a / (n / 2)`. Independent frames would make it far
    rarer; frames in a row that all look alike leave it at `a`.

    Args:
        length: int >= 1. 1 changes nothing.

    Raises:
        InputError: `length` is smaller.
    """

    def __init__(self, length: int):
        check_whole("smooth", length, 1)
        self._scores: deque[float] = deque(maxlen=length)

    def add(self, score: float) -> float:
        """Adds the score of the next frame; returns the median."""
        self._scores.append(score)
        return float(np.sort(self._scores)[(len(self._scores) - 1) // 2])
