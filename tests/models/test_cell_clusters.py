import keras
import numpy as np
import pytest

from kerasad import InputError
from kerasad.models.cell_clusters import CellClusters

GRID = (4, 4)


def coloured_images(seed=0):
    """Four images whose quarters (2 x 2 cells each) have one of three colours, plus noise."""
    generator = np.random.default_rng(seed)
    colours = np.array([[0.1, 0.1, 0.9], [0.9, 0.2, 0.1], [0.2, 0.9, 0.3]])
    kind = generator.integers(0, 3, size=(4, 2, 2))
    kind.flat[:3] = [0, 1, 2]
    images = colours[kind].repeat(8, axis=1).repeat(8, axis=2)
    noise = generator.normal(0, 0.02, size=images.shape)
    return np.clip(images + noise, 0, 1).astype("float32"), kind


def built_clusters(count=3, seed=0):
    layer = CellClusters(count, seed=seed)
    layer.build((None, 16, 16, 3))
    return layer


def cells_in_the_middle(images, layer):
    """Descriptors of the images' cells, (n, 48)."""
    return np.asarray(layer.describe(images, *GRID)).reshape(-1, 48)


ONES = np.ones((4, *GRID), "float32")


def test_a_cell_is_described_by_the_colours_in_and_around_it():
    images, _ = coloured_images()
    cells = np.asarray(CellClusters(2).describe(images, *GRID))
    assert cells.shape == (4, 4, 4, 48)
    # 16 px reduced to 8: the cell in row 1, column 2 covers rows 2-3 and columns 4-5 of it, and
    # one more to each side.
    reduced = images.reshape(4, 8, 2, 8, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(cells[0, 1, 2], reduced[0, 1:5, 3:7].reshape(-1), atol=1e-6)


def test_first_batch_draws_centers_from_its_own_cells_and_takes_their_means():
    layer, (images, _) = built_clusters(), coloured_images()
    labels = np.asarray(layer(images, ONES, grid=GRID, training=True)).reshape(-1)
    cells, counts = cells_in_the_middle(images, layer), layer.counts.numpy()
    assert counts.sum() == 4 * 16
    # One step of k-means: the centers are means, so they share the mean of all cells.
    weighted = (counts[:, None] * layer.centers.numpy()).sum(axis=0) / counts.sum()
    np.testing.assert_allclose(weighted, cells.mean(axis=0), atol=1e-5)
    assert set(labels) <= {0, 1, 2}


def test_later_batches_move_centers_by_their_share():
    layer, (images, _) = built_clusters(), coloured_images()
    layer(images, ONES, grid=GRID, training=True)
    centers, counts = layer.centers.numpy(), layer.counts.numpy()
    more = coloured_images(seed=1)[0]
    cells = cells_in_the_middle(more, layer)
    weights = np.random.default_rng(0).integers(0, 3, size=(4, *GRID)).astype("float32")
    nearest = ((cells[:, None] - centers[None]) ** 2).sum(axis=-1).argmin(axis=-1)
    for cell, label, weight in zip(cells, nearest, weights.reshape(-1), strict=True):
        # One by one, with a rate of one over the count: the mean of all that has been seen.
        if weight:
            counts[label] += weight
            centers[label] += weight / counts[label] * (cell - centers[label])
    layer(more, weights, grid=GRID, training=True)
    np.testing.assert_allclose(layer.counts, counts, rtol=1e-6)
    np.testing.assert_allclose(layer.centers, centers, atol=1e-5)


def test_labels_are_the_nearest_centers():
    layer, (images, _) = built_clusters(), coloured_images()
    layer(images, ONES, grid=GRID, training=True)
    cells = cells_in_the_middle(images, layer)
    nearest = ((cells[:, None] - layer.centers.numpy()[None]) ** 2).sum(axis=-1).argmin(axis=-1)
    labels = layer(images, ONES, grid=GRID)
    assert labels.dtype == "int32"
    np.testing.assert_array_equal(np.asarray(labels).reshape(-1), nearest)


@pytest.mark.parametrize("seed", range(5))
def test_well_separated_colours_are_told_apart(seed):
    layer = built_clusters(6, seed)
    for step in range(4):
        images, kind = coloured_images(seed=step)
        labels = np.asarray(layer(images, ONES, grid=GRID, training=True))
    colour = kind.repeat(2, axis=1).repeat(2, axis=2)
    for cluster in np.unique(labels[:, 1:3, 1:3]):
        inner = labels == cluster
        assert len(np.unique(colour[inner])) <= 2


def test_cells_of_weight_zero_move_nothing():
    images, _ = coloured_images()
    spoilt, weights = images.copy(), ONES.copy()
    spoilt[0] = 7.0
    weights[0] = 0.0
    layers = built_clusters(), built_clusters()
    for layer, batch in zip(layers, (images, spoilt), strict=True):
        layer(batch, weights, grid=GRID, training=True)
        assert layer.centers.numpy().max() <= 1.0
        assert layer.counts.numpy().sum() == 48
    np.testing.assert_array_equal(layers[0].counts, layers[1].counts)


def test_a_batch_without_weights_leaves_the_centers_to_the_next():
    layer, (images, _) = built_clusters(), coloured_images()
    layer(images, 0 * ONES, grid=GRID, training=True)
    np.testing.assert_array_equal(layer.counts, 0.0)
    layer(images, ONES, grid=GRID, training=True)
    assert layer.counts.numpy().sum() == 64


def test_outside_training_nothing_moves():
    layer, (images, _) = built_clusters(), coloured_images()
    layer(images, ONES, grid=GRID)
    np.testing.assert_array_equal(layer.counts, 0.0)
    np.testing.assert_array_equal(layer.centers, 0.0)


def test_fewer_different_cells_than_clusters_are_no_problem():
    layer = built_clusters(5)
    flat = np.full((2, 16, 16, 3), 0.5, "float32")
    for _ in range(2):
        labels = layer(flat, ONES[:2], grid=GRID, training=True)
    assert np.all(np.isfinite(layer.centers.numpy()))
    assert np.asarray(labels).max() < 5


def test_one_seed_gives_one_clustering():
    first, second = built_clusters(seed=3), built_clusters(seed=3)
    for layer in (first, second):
        layer(coloured_images()[0], ONES, grid=GRID, training=True)
    np.testing.assert_array_equal(first.centers, second.centers)


def test_odd_sizes_have_descriptors_too():
    images = np.random.default_rng(0).random((1, 37, 22, 3)).astype("float32")
    assert CellClusters(2).describe(images, 10, 6).shape == (1, 10, 6, 48)


def test_state_and_config_survive_saving(tmp_path):
    images, _ = coloured_images()
    layer = CellClusters(3, seed=4)
    inputs, weights = keras.Input((16, 16, 3)), keras.Input(GRID)
    model = keras.Model([inputs, weights], layer(inputs, weights, grid=GRID))
    layer(images, ONES, grid=GRID, training=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").layers[-1]
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again.centers, layer.centers)
    np.testing.assert_array_equal(again.counts, layer.counts)
    np.testing.assert_array_equal(again.seed_generator.state, layer.seed_generator.state)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_changes_nothing(policy):
    images, _ = coloured_images()
    layers = CellClusters(3, seed=0), CellClusters(3, seed=0, dtype=policy)
    for layer in layers:
        layer(images, ONES, grid=GRID, training=True)
    np.testing.assert_array_equal(layers[0].centers, layers[1].centers)


def test_fewer_than_two_clusters_are_refused():
    with pytest.raises(InputError, match=r"`num_clusters` must be at least 2.*1"):
        CellClusters(1)
