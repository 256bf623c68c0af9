import numpy as np
import pytest

from kerasad import InputError
from kerasad.detector.tiling import TileGrid, tile_starts


@pytest.mark.parametrize(
    ("length", "tile", "overlap", "starts"),
    [
        (10, 10, 3, [0]),
        (10, 4, 0, [0, 3, 6]),
        (12, 4, 0, [0, 4, 8]),
        (11, 10, 3, [0, 1]),
        (20, 8, 2, [0, 6, 12]),
        (21, 8, 2, [0, 4, 9, 13]),
    ],
)
def test_starts_by_hand(length, tile, overlap, starts):
    assert tile_starts(length, tile, overlap) == starts


@pytest.mark.parametrize("tile", [1, 2, 7, 16])
def test_tiles_cover_everything_and_overlap_at_least_as_asked(tile):
    for length in range(tile, 60):
        for overlap in range(tile):
            starts = tile_starts(length, tile, overlap)
            assert starts[0] == 0
            assert starts[-1] == length - tile
            steps = np.diff(starts)
            assert (steps > 0).all()
            assert (steps <= tile - overlap).all()


@pytest.mark.parametrize("overlap", [-1, 8, 100])
def test_overlap_outside_the_tile_names_the_argument(overlap):
    with pytest.raises(InputError, match=rf"`overlap` must be in 0..7.*Received: {overlap}"):
        tile_starts(20, 8, overlap)


def test_tile_larger_than_the_image_is_refused():
    with pytest.raises(InputError, match=r"`tile` \(9 px\) is larger.*\(8 px\)"):
        tile_starts(8, 9, 2)


@pytest.mark.parametrize(
    ("image_size", "tile_size", "overlap"),
    [
        ((8, 8), (8, 8), 0),
        ((16, 24), (8, 8), 0),
        ((17, 23), (8, 10), 3),
        ((9, 31), (9, 4), 2),
        ((13, 13), (5, 1), 0),
        ((20, 20), (8, 8), 7),
    ],
)
def test_merging_what_was_cut_gives_the_image_back(image_size, tile_size, overlap):
    grid = TileGrid(image_size, tile_size, overlap)
    images = np.random.default_rng(0).normal(size=(3, *image_size, 2)).astype("float32")
    tiles = grid.cut(images)
    assert tiles.shape == (len(grid.starts), 3, *tile_size, 2)
    np.testing.assert_allclose(np.asarray(grid.merge(tiles)), images, atol=1e-6)


def test_tiles_come_tile_by_tile_and_then_image_by_image():
    images = np.arange(2 * 4 * 6).reshape(2, 4, 6, 1).astype("float32")
    grid = TileGrid((4, 6), (4, 3), 0)
    tiles = np.asarray(grid.cut(images))
    assert grid.starts == [(0, 0), (0, 3)]
    np.testing.assert_array_equal(tiles[0], images[:, :, :3])
    np.testing.assert_array_equal(tiles[1], images[:, :, 3:])


def test_overlap_is_blended_linearly():
    # Two tiles of 4 columns share 2; their weights there are 2 : 1 and 1 : 2.
    grid = TileGrid((3, 6), (3, 4), 2)
    tiles = np.zeros((2, 1, 3, 4, 1), "float32")
    tiles[1] = 3.0
    np.testing.assert_allclose(np.asarray(grid.merge(tiles))[0, 1, :, 0], [0, 0, 1, 2, 3, 3])


def test_merged_map_is_between_the_maps_of_the_tiles():
    grid = TileGrid((30, 22), (12, 10), 5)
    tiles = np.random.default_rng(0).uniform(size=(len(grid.starts), 2, 12, 10, 1))
    merged = np.asarray(grid.merge(tiles.astype("float32")))
    assert merged.shape == (2, 30, 22, 1)
    assert merged.min() >= tiles.min() - 1e-6
    assert merged.max() <= tiles.max() + 1e-6
