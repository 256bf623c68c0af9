import numpy as np

from kerasad.layers.content_grid import align_cells, content_size, enlarge_maps


def valid_of(rows, columns, frame=(16, 24)):
    valid = np.zeros((1, *frame, 1), "float32")
    valid[:, :rows, :columns] = 1.0
    return valid


def test_size_counts_the_rows_and_columns_of_real_pixels():
    rows, columns = content_size(valid_of(5, 9))
    assert (float(rows[0]), float(columns[0])) == (5.0, 9.0)


def test_an_image_without_padding_is_aligned_as_it_is():
    cells = np.random.default_rng(0).random((1, 2, 3, 4), "float32")
    np.testing.assert_allclose(align_cells(cells, valid_of(16, 24)), cells, atol=1e-6)


def test_aligned_cells_are_interpolated_inside_the_real_part_by_hand():
    cells = np.array([[[0.0], [1.0], [2.0], [3.0]]], "float32").reshape(1, 1, 4, 1)
    # 16 of 32 pixels are real: two cells of the frame become four.
    aligned = np.asarray(align_cells(cells, valid_of(8, 16, (8, 32))))[0, 0, :, 0]
    np.testing.assert_allclose(aligned, [0.0, 0.25, 0.75, 1.0], atol=1e-6)


def test_padding_changes_nothing_of_an_aligned_image():
    rng = np.random.default_rng(1)
    cells = rng.random((1, 4, 6, 2), "float32")
    other = cells.copy()
    other[:, 2:] = 9.0
    other[:, :, 3:] = 9.0
    valid = valid_of(8, 12)
    np.testing.assert_allclose(align_cells(cells, valid), align_cells(other, valid), atol=1e-6)


def test_an_enlarged_map_stays_between_its_extremes_and_keeps_a_constant():
    maps = np.random.default_rng(2).random((2, 2, 3, 1), "float32")
    large = np.asarray(enlarge_maps(maps, (16, 24)))
    assert large.shape == (2, 16, 24, 1)
    assert maps.min() <= large.min()
    assert large.max() <= maps.max()
    np.testing.assert_allclose(enlarge_maps(np.full_like(maps, 3.0), (16, 24)), 3.0, rtol=1e-5)


def test_an_enlarged_map_of_a_padded_image_is_that_of_its_real_part_alone():
    maps = np.random.default_rng(3).random((1, 2, 3, 1), "float32")
    padded = np.asarray(enlarge_maps(maps, (16, 24), valid_of(8, 12)))
    alone = np.asarray(enlarge_maps(maps, (8, 12)))
    np.testing.assert_allclose(padded[:, :8, :12], alone, atol=1e-5)


def test_a_single_cell_can_be_enlarged():
    np.testing.assert_allclose(enlarge_maps(np.full((1, 1, 1, 1), 2.0), (4, 4)), 2.0, rtol=1e-5)


def test_validity_may_have_another_resolution_than_the_map():
    maps = np.random.default_rng(4).random((1, 2, 3, 1), "float32")
    fine = enlarge_maps(maps, (8, 12), valid_of(8, 12))
    np.testing.assert_allclose(fine, enlarge_maps(maps, (8, 12), valid_of(4, 6, (8, 12))), 1e-5)
