"""Folds of groups of images, each of which is left out in turn."""

import numpy as np

from kerasad.errors import InputError, check_whole

FOLDS = 5
"""Folds where there are many groups."""
FOLDS_OF_FEW = 10
"""Folds of fewer than `FEW_GROUPS` groups."""
FEW_GROUPS = 100
NETWORK_FOLDS = 5
"""Folds of networks, which take long to train."""


def choose_folds(num_groups: int) -> int:
    """Returns the number of folds for a number of groups.

    The fewer images statistics are made of, the larger are the scores of images that they have not
    seen. Statistics that score a fold should therefore have nearly all images where these are few:
    nine tenths, else four fifths. More folds take more time.

    Args:
        num_groups: int.
    """
    return min(FOLDS_OF_FEW if num_groups < FEW_GROUPS else FOLDS, num_groups)


def fold_by_group(groups: np.ndarray, folds: int | None = None) -> np.ndarray:
    """Returns the fold of each image, int `(images,)`; no fold cuts a group.

    Folds are runs of groups in the order of their first images, with about equally many images:
    images that lie side by side may be alike, though nobody has said that they are one group.

    Args:
        groups: int array `(images,)`.
        folds: int >= 2, or None for `choose_folds`. Fewer are made of fewer groups.

    Raises:
        InputError: If there are fewer than two groups.
    """
    groups = np.asarray(groups)
    _, first, inverse, counts = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    if len(first) < 2:
        raise InputError(
            f"Crosswise calibration needs at least two groups of images. Received: {len(first)}"
        )
    folds = choose_folds(len(first)) if folds is None else folds
    check_whole("folds", folds, 2)
    folds, order = min(folds, len(first)), np.argsort(first)
    fold_of_group, images, fold = np.zeros(len(first), int), 0, 0
    for position, group in enumerate(order):
        # The groups that are left must suffice for the folds that are left.
        left = len(order) - position
        due = images >= len(groups) * (fold + 1) / folds or left < folds - fold
        if due and fold < folds - 1 and images:
            fold += 1
        fold_of_group[group] = fold
        images += counts[group]
    return fold_of_group[inverse]


def network_fold_by_group(groups: np.ndarray) -> np.ndarray:
    """Returns the fold of each image for networks, each made of whole folds of `fold_by_group`.

    Args:
        groups: as in `fold_by_group`.

    Returns:
        int array `(images,)`, at most `NETWORK_FOLDS` different numbers from 0.
    """
    fold = fold_by_group(groups)
    count = int(fold.max()) + 1
    return fold * min(NETWORK_FOLDS, count) // count
