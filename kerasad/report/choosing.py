"""Which images a report shows pictures of: errors, then what is nearest the threshold, a sample."""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from kerasad.report.collect import ScoredImage

MAX_PICTURES = 150
"""Images with pictures, in the reports of all runs of a page together."""


def rank_images(images: Sequence[ScoredImage], threshold: float) -> list[int]:
    """Returns the positions of all images, the ones most worth a look first.

    Errors come first: false alarms and misses in turn, each kind with the worst first. Of the
    others, one that is nearest the threshold and one of a sample follow in turn. The sample takes
    from each kind of defect in turn, evenly over its scores.

    Args:
        images: sequence of `ScoredImage`.
        threshold: float. The threshold in force.
    """
    scores = np.array([image.score for image in images])
    far = np.argsort(-np.abs(scores - threshold), kind="stable").tolist()
    false_alarms, misses = (
        [place for place in far if images[place].is_error and images[place].label == label]
        for label in (0, 1)
    )
    near = [place for place in far[::-1] if not images[place].is_error]
    turns = (
        *_in_turn([false_alarms, misses]),
        *_in_turn([near, _in_turn(_samples(images, scores))]),
    )
    return list(dict.fromkeys(turns))


def _samples(images, scores) -> list[list[int]]:
    """Returns for each kind of image its positions so that any number of the first is spread."""
    kinds: dict[str, list[int]] = {}
    for place in np.argsort(scores, kind="stable").tolist():
        if not images[place].is_error:
            kinds.setdefault(images[place].defect, []).append(place)
    return [[own[place] for place in _spread(len(own))] for own in kinds.values()]


def _spread(count: int) -> list[int]:
    """Returns 0 to count - 1, the ends first, then the middle, the quarters and so on."""
    steps, order = 1, [0, count - 1]
    while steps < count:
        steps *= 2
        order += [round(step * (count - 1) / steps) for step in range(1, steps, 2)]
    return list(dict.fromkeys([*order, *range(count)]))


def _in_turn(lists: Sequence[Sequence[int]]) -> list[int]:
    rounds = zip_longest(*lists)
    return [place for each in rounds for place in each if place is not None]
