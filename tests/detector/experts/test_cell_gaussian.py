import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import mahalanobis

from kerasad.detector.experts import CellGaussian
from kerasad.errors import InputError, NotFiniteError


def draw_features(count=30, height=3, width=2, channels=4, seed=0):
    """Correlated features whose mean and spread differ from place to place."""
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(height, width, channels, channels))
    noise = generator.normal(size=(count, height, width, channels, 1))
    features = (mixing @ noise)[..., 0] + generator.normal(size=(height, width, channels))
    return features.astype("float32")


def adapt(expert, features, weights=None, batch=None, tensor="z_mean"):
    """Feeds features in batches, as `ExpertMaps.fit` does."""
    if weights is None:
        weights = np.ones(features.shape[:3], "float32")
    if not expert.built:
        expert.build({tensor: (None, *features.shape[1:])})
    step = batch or len(features)
    for index in range(expert.passes):
        expert.start(index)
        for first in range(0, len(features), step):
            part = slice(first, first + step)

            def weights_of(grid, part=part):
                assert grid == features.shape[1:3]
                return tf.constant(weights[part])

            expert.update({tensor: tf.constant(features[part])}, weights_of, index)
        expert.finish(index)
    return expert


def distances(expert, features):
    result = np.asarray(expert({expert.tensor: tf.constant(features)}))
    assert result.shape == (*features.shape[:3], 1)
    assert result.dtype == "float32"
    return result[..., 0]


def expected_distances(train, weights, asked, ridge, position_free):
    """The docstring's formula, one cell at a time, in float64."""
    train, asked = train.astype("float64"), asked.astype("float64")
    height, width, dim = train.shape[1:]
    cells = {}
    for y in range(height):
        for x in range(width):
            place = () if position_free else (y, x)
            rows = train[weights[:, y, x] > 0, y, x]
            cells[place] = np.concatenate([cells.get(place, np.empty((0, dim))), rows])
    means = {place: rows.mean(axis=0) for place, rows in cells.items()}
    products = {p: (rows - means[p]).T @ (rows - means[p]) for p, rows in cells.items()}
    degrees = sum(len(rows) for rows in cells.values()) - len(cells)
    pooled = sum(products.values()) / degrees
    result = np.zeros(asked.shape[:3])
    for y in range(height):
        for x in range(width):
            place = () if position_free else (y, x)
            count = len(cells[place])
            covariance = (products[place] + dim * pooled) / (count + dim)
            covariance += ridge * np.trace(pooled) / dim * np.eye(dim)
            inverse = np.linalg.inv(covariance)
            for image in range(len(asked)):
                distance = mahalanobis(asked[image, y, x], means[place], inverse)
                result[image, y, x] = distance / np.sqrt(dim)
    return result


@pytest.mark.parametrize("weighted", [False, True], ids=["all cells", "some padded"])
@pytest.mark.parametrize("position_free", [False, True])
def test_distances_are_those_of_scipy(position_free, weighted):
    train, asked = draw_features(), 3 * draw_features(count=4, seed=1)
    weights = np.ones(train.shape[:3], "float32")
    if weighted:
        weights[::3, :, 1] = 0
        weights[1::3, 2] = 0
    ridge = 0.02
    expert = CellGaussian(ridge=ridge, position_free=position_free)
    adapt(expert, train, weights, batch=7)
    expected = expected_distances(train, weights, asked, ridge, position_free)
    np.testing.assert_allclose(distances(expert, asked), expected, rtol=2e-4)


@pytest.mark.parametrize("position_free", [False, True])
def test_padded_cells_leave_no_trace(position_free):
    train = draw_features()
    weights = np.ones(train.shape[:3], "float32")
    weights[5:, 2] = 0
    spoilt = np.where(weights[..., None] > 0, train, 1e3).astype("float32")
    clean, other = (
        adapt(CellGaussian(position_free=position_free), features, weights)
        for features in (train, spoilt)
    )
    for one, two in zip(clean.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_good_cells_are_about_1_on_average():
    train = draw_features(count=200)
    expert = adapt(CellGaussian(), train)
    squares = distances(expert, draw_features(count=200)) ** 2
    assert squares.mean() == pytest.approx(1.0, abs=0.25)  # borrowing and ridge lower it


def test_many_cells_are_averaged_to_at_most_so_many_places():
    train = draw_features(height=5, width=3)
    pooled = np.stack([train[:, 0:2], train[:, 2:4]], axis=1).mean(axis=2)
    pooled = np.concatenate([pooled, train[:, 4:5]], axis=1)  # the last place has one row of cells
    expert = CellGaussian(max_side=3)
    expert.build({"z_mean": (None, 5, 3, 4)})
    assert expert.mean.shape == (9, 4)
    weights = np.ones((len(train), 3, 3), "float32")
    for index in range(expert.passes):
        expert.start(index)
        expert.update({"z_mean": tf.constant(train)}, lambda grid: tf.constant(weights), index)
        expert.finish(index)
    result = np.asarray(expert({"z_mean": tf.constant(train)}))[..., 0]
    expected = distances(adapt(CellGaussian(), pooled), pooled)
    np.testing.assert_allclose(result, expected, rtol=1e-4)


def test_a_place_means_nothing_so_no_cells_are_averaged():
    expert = CellGaussian(max_side=2, position_free=True)
    expert.build({"z_mean": (None, 5, 3, 4)})
    assert expert({"z_mean": tf.zeros((1, 5, 3, 4))}).shape == (1, 5, 3, 1)


def test_place_tells_what_is_usual_there_unless_position_free():
    train = np.random.default_rng(0).normal(size=(50, 1, 2, 1)).astype("float32")
    train[:, :, 1] += 10.0
    swapped = train[:1, :, ::-1]
    by_place = adapt(CellGaussian(), train)
    anywhere = adapt(CellGaussian(position_free=True), train)
    assert by_place.mean.shape == (2, 1)
    assert anywhere.mean.shape == (1, 1)
    assert distances(by_place, swapped).min() > 5
    assert distances(anywhere, swapped).max() < 2


def test_few_images_borrow_the_covariance_of_other_places():
    # Two images at each of 64 places, 8 channels: on its own no place has an invertible one.
    train = draw_features(count=2, height=8, width=8, channels=8)
    result = distances(
        adapt(CellGaussian(), train), draw_features(count=5, height=8, width=8, channels=8, seed=3)
    )
    assert np.isfinite(result).all()


@pytest.mark.parametrize("position_free", [False, True])
def test_one_image_is_enough(position_free):
    train = draw_features(count=1)
    expert = adapt(CellGaussian(position_free=position_free), train)
    here, elsewhere = distances(expert, train), distances(expert, train + 1.0)
    assert np.isfinite(here).all()
    assert np.isfinite(elsewhere).all()
    assert (elsewhere > 0).all()
    if not position_free:
        assert (here < 1e-3 * elsewhere).all()


def test_constant_features_stay_finite_and_a_change_stands_out():
    train = np.full((6, 3, 2, 4), 0.1, "float32")
    expert = adapt(CellGaussian(), train, batch=2)
    assert np.isfinite(distances(expert, train)).all()
    assert (distances(expert, train + 0.01) > 100 * distances(expert, train)).all()


def test_dead_channel_does_not_drown_the_others():
    train = draw_features(count=100)
    train[..., 2] = 0.5
    expert = adapt(CellGaussian(), train)
    asked = train[:3].copy()
    asked[..., 2] += 1e-3
    np.testing.assert_allclose(distances(expert, asked), distances(expert, train[:3]), rtol=0.05)


def test_more_channels_than_allowed_are_cut_down_to_saved_ones():
    train = draw_features(channels=9)
    expert = adapt(CellGaussian(max_channels=4, seed=3), train)
    chosen = np.asarray(expert.channels)
    assert expert.mean.shape == (6, 4)
    assert len(set(chosen.tolist())) == 4
    assert (np.diff(chosen) > 0).all()
    small = adapt(CellGaussian(max_channels=4), train[..., chosen])
    assert small.channels is None
    asked = draw_features(count=2, channels=9, seed=1)
    np.testing.assert_allclose(
        distances(expert, asked), distances(small, asked[..., chosen]), rtol=1e-5
    )


def test_choice_of_channels_is_restored_from_state_not_from_the_seed():
    train = draw_features(channels=9)
    expert = adapt(CellGaussian(max_channels=4, seed=3), train)
    other = CellGaussian(max_channels=4, seed=4)
    other.build({"z_mean": (None, *train.shape[1:])})
    assert np.asarray(other.channels).tolist() != np.asarray(expert.channels).tolist()
    other.set_weights(expert.get_weights())
    np.testing.assert_array_equal(distances(other, train), distances(expert, train))


def test_adapting_again_forgets_what_was_learnt():
    expert = adapt(CellGaussian(), draw_features(seed=1))
    adapt(expert, draw_features(seed=2))
    fresh = adapt(CellGaussian(), draw_features(seed=2))
    for one, two in zip(expert.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_batches_of_any_size_give_the_same_gaussians():
    train = draw_features()
    whole, single = adapt(CellGaussian(), train), adapt(CellGaussian(), train, batch=1)
    asked = draw_features(seed=1)
    np.testing.assert_allclose(distances(whole, asked), distances(single, asked), rtol=1e-4)


def test_digits_survive_a_mean_that_is_large_against_the_spread():
    train = draw_features(count=100) + 1e3
    expert = adapt(CellGaussian(), train, batch=10)
    reference = adapt(CellGaussian(), draw_features(count=100))
    np.testing.assert_allclose(
        distances(expert, train[:5]), distances(reference, draw_features(count=100)[:5]), rtol=0.02
    )


def test_only_tensors_with_cells_can_be_modelled():
    assert CellGaussian().available({"z_mean": (None, 4, 4, 8)})
    assert not CellGaussian().available({"z_mean": (None, 8)})
    assert not CellGaussian().available({"embedding": (None, 4, 4, 8)})
    assert CellGaussian("embedding").available({"embedding": (None, 4, 4, 8)})


def test_layer_round_trips_through_its_config():
    expert = CellGaussian(
        "embedding", max_channels=5, ridge=0.1, seed=2, position_free=True, name="mine"
    )
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(expert))
    assert again.requires == ("embedding",)
    assert again.name == "mine"
    assert again.position_free
    assert (again.max_channels, again.ridge, again.seed) == (5, 0.1, 2)


@pytest.mark.parametrize("shape", [(4, 6), (3, 5)], ids=["whole blocks", "cut blocks"])
def test_places_of_a_block_share_a_covariance_and_keep_their_means(shape):
    train, asked = draw_features(50, *shape), draw_features(3, *shape, seed=1)
    expert = adapt(CellGaussian(shared=2, ridge=0.05), train, batch=7)
    assert expert.whitening.shape == (-(-shape[0] // 2) * -(-shape[1] // 2), 4, 4)
    centred = train - train.mean(axis=0)
    pooled = np.einsum("nyxc,nyxd->cd", centred, centred) / (49 * shape[0] * shape[1])
    result = distances(expert, asked)
    for y, x in np.ndindex(shape):
        block = np.s_[:, y - y % 2 : y - y % 2 + 2, x - x % 2 : x - x % 2 + 2]
        own = centred[block].reshape(-1, 4)
        covariance = (own.T @ own + 4 * pooled) / (len(own) + 4)
        covariance += 0.05 * np.trace(pooled) / 4 * np.eye(4)
        for image in range(3):
            expected = mahalanobis(
                asked[image, y, x], train[:, y, x].mean(axis=0), np.linalg.inv(covariance)
            )
            assert result[image, y, x] == pytest.approx(expected / 2, rel=2e-3)


@pytest.mark.parametrize(
    ("max_bytes", "blocks"),
    [(24 * 36, 24), (24 * 36 - 1, 6), (6 * 36 - 1, 2), (0, 1)],
)
def test_places_share_covariances_until_they_fit_the_bytes(max_bytes, blocks):
    expert = CellGaussian(max_bytes=max_bytes)
    expert.build({"z_mean": (None, 4, 6, 3)})  # 3 x 3 values of 4 bytes at each of 24 places
    assert expert.whitening.shape == (blocks, 3, 3)
    assert expert.mean.shape == (24, 3)
    again = CellGaussian.from_config(expert.get_config())
    again.build({"z_mean": (None, 4, 6, 3)})
    assert again.whitening.shape == expert.whitening.shape
    again.set_weights(expert.get_weights())
    assert again({"z_mean": tf.zeros((2, 4, 6, 3))}).shape == (2, 4, 6, 1)


def test_covariances_shared_for_want_of_bytes_are_those_shared_on_demand():
    train, asked = draw_features(30, 4, 6), draw_features(3, 4, 6, seed=1)
    bound = adapt(CellGaussian(max_bytes=4 * 4 * 4 * 6), train, batch=7)
    shared = adapt(CellGaussian(shared=2), train, batch=7)
    assert bound.whitening.shape == shared.whitening.shape == (6, 4, 4)
    np.testing.assert_array_equal(distances(bound, asked), distances(shared, asked))


@pytest.mark.parametrize("wrong", [None, "1 MB", -1])
def test_bytes_that_are_none_are_refused(wrong):
    with pytest.raises(InputError, match="`max_bytes`"):
        CellGaussian(max_bytes=wrong)


def test_places_are_whole_pools_where_there_would_be_too_many():
    expert = CellGaussian(pool=2, max_side=3)
    expert.build({"z_mean": (None, 9, 4, 3)})
    # Nine cells are five pools, so two of them make a place.
    assert expert({"z_mean": tf.zeros((1, 9, 4, 3))}).shape == (1, 3, 2, 1)


def test_so_many_cells_down_and_across_are_one_place():
    expert = CellGaussian(pool=2)
    expert.build({"z_mean": (None, 5, 4, 3)})
    assert expert.mean.shape == (6, 3)
    assert expert({"z_mean": tf.zeros((2, 5, 4, 3))}).shape == (2, 3, 2, 1)


def test_it_says_how_many_channels_it_sums_up_only_where_asked():
    plain, counting = CellGaussian(max_channels=3), CellGaussian(max_channels=3, counts=True)
    for expert in (plain, counting):
        expert.build({"z_mean": (None, 2, 2, 5)})
    assert (plain.degrees, counting.degrees) == (0, 3)
    assert CellGaussian.from_config(counting.get_config()).counts


@pytest.mark.parametrize("shared", [1, 2])
def test_sums_of_several_sets_of_images_merge_to_those_of_all(shared):
    features = draw_features(count=12)
    whole = adapt(CellGaussian(shared=shared), features)
    merged = CellGaussian(shared=shared)
    merged.build({"z_mean": (None, *features.shape[1:])})
    merged.start(0)
    gathered = []
    for first, last in ((0, 2), (2, 7), (7, 12)):
        part = CellGaussian(shared=shared)
        part.build({"z_mean": (None, *features.shape[1:])})
        part.start(0)
        own = features[first:last]
        ones = np.ones(own.shape[:3], "float32")
        part.update({"z_mean": tf.constant(own)}, lambda grid, ones=ones: ones, 0)
        gathered.append(part.gathered)
    merged.absorb(gathered[:1])
    merged.absorb(gathered[1:])
    merged.finish(0)
    np.testing.assert_allclose(merged.mean, whole.mean, atol=1e-5)
    asked = draw_features(count=3, seed=1)
    np.testing.assert_allclose(distances(merged, asked), distances(whole, asked), rtol=1e-3)


def test_features_that_are_not_finite_are_refused():
    features = draw_features(count=4)
    features[0, 0, 0, 0] = np.nan
    with pytest.raises(NotFiniteError, match="not finite"):
        adapt(CellGaussian(), features)


def test_a_window_averages_each_cell_with_its_neighbours_first():
    features, asked = draw_features(count=12), draw_features(count=2, seed=1)

    def averaged(values):
        padded = np.pad(values, [(0, 0), (1, 1), (1, 1), (0, 0)])  # 0 beyond the border
        return tf.nn.avg_pool2d(padded, 3, 1, "VALID").numpy()

    windowed = adapt(CellGaussian(window=3), features)
    plain = adapt(CellGaussian(), averaged(features))
    expected = distances(plain, averaged(asked))
    np.testing.assert_allclose(distances(windowed, asked), expected, rtol=1e-4)
    with pytest.raises(InputError, match="`window` must be odd"):
        CellGaussian(window=2)


def resume(expert, features):
    """Feeds further features to an expert that has forgotten the former ones."""
    further = adapt(CellGaussian.from_config(expert.get_config()), features)
    expert.forget()
    expert.recall()
    expert.absorb([further.gathered])
    expert.finish(0)
    return expert


@pytest.mark.parametrize("options", [{}, {"shared": 4}, {"position_free": True}, {"window": 3}])
def test_statistics_that_go_on_are_those_of_all_images_at_once(options):
    features = draw_features(40, 6, 8, 5)
    features[25:] += 0.5
    expert = resume(adapt(CellGaussian(**options), features[:20]), features[20:33])
    expert = resume(expert, features[33:])
    whole = adapt(CellGaussian(**options), features)
    asked = draw_features(7, 6, 8, 5, seed=1)
    found, expected = (np.asarray(each({"z_mean": tf.constant(asked)})) for each in (expert, whole))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_array_equal(expert.count, whole.count)


def test_digits_suffice_to_go_on_where_variances_differ_much_and_images_are_few():
    features = draw_features(12, 4, 4, 32) * np.geomspace(1e-3, 1e3, 32).astype("float32")
    expert = resume(adapt(CellGaussian(), features[:6]), features[6:])
    found, expected = (
        distances(each, features) for each in (expert, adapt(CellGaussian(), features))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-3)
