import numpy as np
import pytest

from kerasad.layers.cells import (
    counting,
    counting_cells,
    critic_weights,
    defective_cells,
    downsampled_cells,
    real_cells,
    valid_cells,
    window_means,
)
from kerasad.models.networks import halved_sizes


def make_mask():
    """Defects of 16 px images in 4 x 4 cells: none; a cell and a bit of one below; a small one."""
    mask = np.zeros((3, 16, 16, 1), "float32")
    mask[1, 0:4, 4:8] = 1.0
    mask[1, 4:5, 4:6] = 1.0
    mask[2, 12:14, 0:2] = 1.0
    return mask


def padded(columns=6):
    """Validity of images whose columns from `columns` on are padding."""
    valid = np.ones((3, 16, 16, 1), "float32")
    valid[:, :, columns:] = 0.0
    return valid


def test_a_cell_counts_with_one_pixel_in_the_region_and_none_of_padding():
    valid = np.full((1, 4, 16, 1), 0.5, "float32")
    valid[:, 0, 3] = 1.0  # a pixel of the first cell
    valid[:, :, 8:12] = 1.0
    valid[:, 3, 12:] = [[0.0], [1.0], [1.0], [1.0]]
    np.testing.assert_array_equal(counting_cells(valid, (1, 4)), [[[1, 0, 1, 0]]])
    expected = (valid == 1.0).astype("float32")
    np.testing.assert_array_equal(counting(valid), expected)


def test_a_cell_is_real_without_a_single_defective_pixel():
    cells = np.asarray(real_cells(make_mask(), None, (4, 4)))
    expected = np.ones((3, 4, 4))
    expected[1, 0, 1] = expected[1, 1, 1] = expected[2, 3, 0] = 0.0
    np.testing.assert_array_equal(cells, expected)


def test_a_cell_is_valid_without_a_single_padded_pixel():
    embedding = np.zeros((3, 4, 4, 5), "float32")
    np.testing.assert_array_equal(valid_cells(None, embedding), np.ones((3, 4, 4)))
    expected = np.zeros((3, 4, 4))
    expected[:, :, 0] = 1.0  # columns 4-7 hold two padded ones
    np.testing.assert_array_equal(valid_cells(padded(), embedding), expected)
    found = np.asarray(real_cells(make_mask(), padded(), (4, 4)))
    expected[2, 3, 0] = 0.0
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("length", range(1, 70))
def test_grids_of_halved_images_are_covered_exactly(length):
    values = np.zeros((1, length, 4, 1), "float32")
    for size, _ in halved_sizes(length, 4, 4):
        assert downsampled_cells(values, size, 2).shape == (1, size, 2, 1)


def test_cells_hold_the_mean_of_their_pixels():
    values = np.arange(2 * 4 * 5 * 1, dtype="float32").reshape(2, 4, 5, 1)
    cells = np.asarray(downsampled_cells(values, 2, 3))[1, :, :, 0]
    image = values[1, :, :, 0]
    # Five columns in three cells: two, two and one.
    for row in range(2):
        for column, span in enumerate((slice(0, 2), slice(2, 4), slice(4, 5))):
            expected = image[2 * row : 2 * row + 2, span].mean()
            assert cells[row, column] == pytest.approx(expected)


def test_a_cell_is_defective_with_more_than_a_quarter_of_its_pixels():
    mask = make_mask()
    found = np.asarray(defective_cells(mask, None, (4, 4)))
    assert np.argwhere(found).tolist() == [[1, 0, 1]]  # the small one covers a quarter
    mask[2, 14, 0] = 1.0
    found = np.asarray(defective_cells(mask, padded(), (4, 4)))
    assert np.argwhere(found).tolist() == [[2, 3, 0]]  # the other one is in the padding


def test_a_critic_learns_as_much_from_damage_as_from_reconstructions():
    good, others = (np.asarray(w) for w in critic_weights(make_mask(), None, (4, 4)))
    assert np.count_nonzero(good) == 3 * 16 - 3
    assert good.sum() == pytest.approx(1.0)
    assert others.shape == (6, 4, 4)
    assert others[1, 0, 1] == others[:3].sum() == pytest.approx(0.5)
    np.testing.assert_allclose(others[3:], 0.5 / 48, rtol=1e-5)
    _, others = critic_weights(make_mask(), None, (4, 4), restored_share=0.1)
    assert np.asarray(others)[3:].sum() == pytest.approx(0.1)
    # Without damage, reconstructions are all there is.
    _, others = critic_weights(0 * make_mask(), None, (4, 4))
    np.testing.assert_allclose(np.asarray(others)[3:], 1 / 48, rtol=1e-5)


def test_window_means_by_hand_count_0_beyond_the_border():
    cells = np.arange(1.0, 7.0, dtype="float32").reshape(1, 2, 3, 1)  # 1 2 3 above 4 5 6
    means = np.asarray(window_means(cells, 3))[0, ..., 0]
    np.testing.assert_allclose(means, np.array([[12, 21, 16], [12, 21, 16]]) / 9, rtol=1e-6)
    # Windows of 2 from each second cell: one column of zeros after the last.
    means = np.asarray(window_means(cells, 2, 2))[0, ..., 0]
    np.testing.assert_allclose(means, [[12 / 4, 9 / 4]], rtol=1e-6)


def test_standardized_cells_are_no_higher_on_the_border():
    cells = np.random.default_rng(0).normal(size=(400, 6, 6, 1)).astype("float32")
    deviations = np.asarray(window_means(cells, 3)).std(axis=0)[..., 0]
    assert deviations[0].max() < deviations[2, 2]
