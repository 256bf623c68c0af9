import numpy as np
import pytest

from kerasad.data.folds import choose_folds, fold_by_group, network_fold_by_group
from kerasad.errors import InputError


def test_folds_are_runs_of_whole_groups_by_hand():
    assert fold_by_group(np.array([7, 7, 3, 3, 5, 9]), 3).tolist() == [0, 0, 1, 1, 2, 2]
    assert fold_by_group(np.array([4, 1, 4, 2]), 5).tolist() == [0, 1, 0, 2]
    assert fold_by_group(np.arange(10), 5).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize("seed", range(5))
def test_no_fold_cuts_a_group_and_none_is_empty(seed):
    groups = np.random.default_rng(seed).integers(0, 9, 40)
    folds = fold_by_group(groups, 5)
    assert sorted(set(folds)) == [0, 1, 2, 3, 4]
    for group in set(groups):
        assert len(set(folds[groups == group])) == 1


@pytest.mark.parametrize(("groups", "folds"), [(3, 3), (9, 9), (99, 10), (100, 5), (20_000, 5)])
def test_few_groups_make_more_folds_but_never_more_than_groups(groups, folds):
    assert choose_folds(groups) == folds
    assert len(set(fold_by_group(np.arange(groups)))) == folds


def test_one_group_cannot_be_left_out():
    with pytest.raises(InputError, match="two groups"):
        fold_by_group(np.zeros(6, int))


def test_folds_of_networks_are_made_of_whole_folds_of_statistics():
    assert network_fold_by_group(np.arange(10)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert network_fold_by_group(np.array([4, 1, 4, 2])).tolist() == [0, 1, 0, 2]
    groups = np.random.default_rng(0).integers(0, 70, 300)
    of_statistics, of_networks = fold_by_group(groups), network_fold_by_group(groups)
    assert (len(set(of_statistics)), len(set(of_networks))) == (10, 5)
    for fold in range(10):
        assert len(set(of_networks[of_statistics == fold])) == 1
