import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist

from kerasad.detector.experts import CellMemory
from kerasad.detector.experts.base import Expert
from kerasad.errors import InputError


def draw_features(count=6, height=3, width=4, channels=5, seed=0):
    """Correlated features around a mean that is large against their spread."""
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(channels, channels))
    features = generator.normal(size=(count, height, width, channels)) @ mixing
    return (features + 3.0).astype("float32")


def adapt(expert, features, weights=None, batch=None):
    """Feeds features in batches, as `ExpertMaps.fit` does."""
    if weights is None:
        weights = np.ones(features.shape[:3], "float32")
    if not expert.built:
        expert.build({expert.tensor: (None, *features.shape[1:])})
    expert.start(0)
    step = batch or len(features)
    for first in range(0, len(features), step):
        part = slice(first, first + step)

        def weights_of(grid, part=part):
            assert grid == features.shape[1:3]
            return tf.constant(weights[part])

        expert.update({expert.tensor: tf.constant(features[part])}, weights_of, 0)
    expert.finish(0)
    return expert


def distances(expert, features):
    result = np.asarray(expert({expert.tensor: tf.constant(features)}))
    assert result.dtype == "float32"
    assert result.shape[-1] == 1
    return result[..., 0]


def keep_all(**options):
    """A memory of every cell, compared in all channels one by one."""
    return CellMemory(
        **{"capacity": 500, "coreset": "random", "max_channels": None, "pool": 1, **options}
    )


def unit_of(cells):
    """The docstring's `u`, in float64."""
    cells = cells.reshape(-1, cells.shape[-1]).astype("float64")
    return np.sqrt(np.mean(np.sum((cells - cells.mean(axis=0)) ** 2, axis=1)))


def test_distance_is_that_of_the_nearest_stored_cell_by_hand():
    # Good cells (0, 0), (4, 0), (0, 2), (0, 0): mean (1, .5), squared distances from it 1.25,
    # 9.25, 3.25, 1.25, so that u^2 = 15 / 4.
    good = np.array([[[[0, 0], [4, 0]], [[0, 2], [0, 0]]]], "float32")
    asked = np.array([[[[0, 1], [7, 4]], [[4, 0], [-1, 3]]]], "float32")
    # Nearest: (0, 0) or (0, 2) at 1; (4, 0) at 5; (4, 0) at 0; (0, 2) at sqrt(2).
    expected = np.array([[[1, 5], [0, 2**0.5]]]) / (15 / 4) ** 0.5
    result = distances(adapt(keep_all(), good), asked)
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("products", [2**20, 400], ids=["one chunk", "many chunks"])
@pytest.mark.parametrize("neighbors", [1, 3])
def test_distances_are_those_of_scipy(neighbors, products):
    train, asked = draw_features(), 2 * draw_features(count=3, seed=1)
    expert = adapt(keep_all(neighbors=neighbors, max_products=products), train, batch=4)
    assert expert._chunks == {2**20: 1, 400: 16}[products]
    table = cdist(asked.reshape(-1, 5).astype("float64"), train.reshape(-1, 5).astype("float64"))
    nearest = np.sort(table, axis=1)[:, :neighbors]
    expected = np.sqrt(np.mean(nearest**2, axis=1)) / unit_of(train)
    np.testing.assert_allclose(distances(expert, asked).ravel(), expected, rtol=2e-3)


def test_more_neighbours_than_a_chunk_would_hold_are_found():
    train, asked = draw_features(), draw_features(count=2, seed=1)
    # 20 cells in chunks of at most 16 would be 10 each.
    options = {"neighbors": 12, "coreset": "random", "max_products": 16 * 12}
    expert = adapt(keep_all(capacity=20, **options), train)
    stored = np.asarray(expert.cells)[: int(expert.count), :-1]
    assert len(stored) == 20
    queries = (asked.reshape(-1, 5) - np.asarray(expert.mean)) / np.asarray(expert.unit)
    nearest = np.sort(cdist(queries, stored), axis=1)[:, :12]
    expected = np.sqrt(np.mean(nearest**2, axis=1))
    np.testing.assert_allclose(distances(expert, asked).ravel(), expected, rtol=2e-3)


def test_digits_survive_a_mean_that_is_large_against_the_spread():
    train, asked = draw_features(count=20) + 300.0, draw_features(count=3, seed=1) + 300.0
    expert = adapt(keep_all(), train)
    stored = np.asarray(expert.cells)[: int(expert.count), :-1].astype("float64")
    queries = (asked.reshape(-1, 5).astype("float64") - np.asarray(expert.mean)) / np.asarray(
        expert.unit
    )
    expected = cdist(queries, stored).min(axis=1)
    np.testing.assert_allclose(distances(expert, asked).ravel(), expected, rtol=1e-4, atol=1e-5)
    # Also against the cells as they came, before float16.
    truth = cdist(asked.reshape(-1, 5).astype("float64"), train.reshape(-1, 5).astype("float64"))
    truth = truth.min(axis=1) / unit_of(train)
    np.testing.assert_allclose(distances(expert, asked).ravel(), truth, rtol=1e-2, atol=1e-3)


def test_rows_without_a_cell_are_never_nearest():
    train = draw_features(count=1) + 50.0
    expert = adapt(keep_all(capacity=100), train)
    assert int(expert.count) == 12
    assert expert.cells.shape[0] == 100
    asked = np.broadcast_to(train.mean(axis=(0, 1, 2)), train.shape)  # where the empty rows lie
    table = cdist(asked.reshape(-1, 5), train.reshape(-1, 5))
    expected = table.min(axis=1) / unit_of(train)
    np.testing.assert_allclose(distances(expert, asked).ravel(), expected, rtol=2e-3)


def test_a_memory_is_trusted_by_the_channels_it_compares_if_it_shall_be():
    expert = adapt(CellMemory(capacity=20, max_channels=3, counts=True), draw_features())
    assert (expert.degrees, adapt(CellMemory(capacity=20), draw_features()).degrees) == (3, 0)


def test_fewer_cells_than_neighbors_are_averaged_as_they_are():
    train = draw_features(count=1, height=1, width=2)
    asked = draw_features(count=1, height=1, width=2, seed=1)
    table = cdist(asked.reshape(-1, 5), train.reshape(-1, 5)) / unit_of(train)
    result = distances(adapt(keep_all(neighbors=4), train), asked)
    np.testing.assert_allclose(result.ravel(), np.sqrt(np.mean(table**2, axis=1)), rtol=2e-3)


def test_map_is_finite_before_anything_is_stored():
    expert = CellMemory(pool=1)
    expert.build({"features": (None, 3, 4, 5)})
    asked = draw_features()
    np.testing.assert_allclose(distances(expert, asked), np.linalg.norm(asked, axis=-1), rtol=1e-5)


def test_far_cells_are_kept_where_chance_would_lose_them():
    train = np.random.default_rng(0).normal(size=(10, 8, 8, 3)).astype("float32")
    train[4, 2, 6] = 60.0
    expert, chance = (
        adapt(CellMemory(capacity=4, coreset=coreset, pool=1), train)
        for coreset in ("k_center", "random")
    )
    asked = np.full((1, 8, 8, 3), 60.0, "float32")
    assert distances(expert, asked).max() < 0.1
    assert distances(chance, asked).min() > 10


def test_principal_directions_keep_the_distances_of_good_cells():
    generator = np.random.default_rng(0)
    plane = np.linalg.qr(generator.normal(size=(9, 9)))[0][:2]
    train = (generator.normal(size=(8, 3, 4, 2)) @ plane + 1.0).astype("float32")
    asked = (3 * generator.normal(size=(2, 3, 4, 2)) @ plane + 1.0).astype("float32")
    reduced = adapt(keep_all(max_channels=2), train)
    assert reduced.directions.shape == (9, 2)
    assert reduced.cells.shape[1] == 2 + 1  # beside each, minus half its square
    expected = distances(adapt(keep_all(), train), asked)
    np.testing.assert_allclose(distances(reduced, asked), expected, rtol=5e-3, atol=2e-3)


@pytest.mark.parametrize(("stride", "grid"), [(1, (4, 6)), (2, (2, 3)), (4, (1, 2))])
def test_cells_are_averaged_over_their_neighbours(stride, grid):
    train, asked = draw_features(height=4, width=6), draw_features(2, 4, 6, seed=1)
    expert = adapt(keep_all(pool=3, query_stride=stride), train)

    def means(features, step):
        window = 3 + stride - 1
        pads = []
        for side in features.shape[1:3]:
            total = max((-(-side // step) - 1) * step + window - side, 0)
            pads.append((total // 2, total - total // 2))
        padded = np.pad(features.astype("float64"), [(0, 0), *pads, (0, 0)])  # 0 beyond the border
        windows = np.lib.stride_tricks.sliding_window_view(padded, (window, window), axis=(1, 2))
        return windows[:, ::step, ::step].mean(axis=(-1, -2))

    stored, queries = means(train, 1), means(asked, stride)
    table = cdist(queries.reshape(-1, 5), stored.reshape(-1, 5))
    expected = table.min(axis=1).reshape(2, *grid) / unit_of(stored)
    np.testing.assert_allclose(distances(expert, asked), expected, rtol=5e-3, atol=1e-3)


def test_padded_cells_are_not_remembered():
    train = draw_features()
    weights = np.ones(train.shape[:3], "float32")
    weights[1:, 2], weights[3, :, 3] = 0, 0
    spoilt = np.where(weights[..., None] > 0, train, 1e3).astype("float32")
    clean, other = (adapt(keep_all(), features, weights) for features in (train, spoilt))
    assert int(clean.count) == weights.sum()
    for one, two in zip(clean.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_images_of_nothing_but_padding_are_refused():
    train = draw_features()
    with pytest.raises(InputError, match="'mine' has no good cell to remember"):
        adapt(keep_all(name="mine"), train, np.zeros(train.shape[:3], "float32"))


@pytest.mark.parametrize("coreset", ["random", "k_center"])
def test_memory_does_not_depend_on_the_batches(coreset):
    train = draw_features()
    whole, single = (
        adapt(CellMemory(capacity=20, coreset=coreset, max_channels=3), train, batch=batch)
        for batch in (None, 1)
    )
    for one, two in zip(whole.get_weights(), single.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)


def test_distances_do_not_depend_on_batch_mates():
    expert = adapt(CellMemory(capacity=20), draw_features())
    asked = draw_features(count=5, seed=1)
    together = distances(expert, asked)
    for index in range(5):
        alone = distances(expert, asked[index : index + 1])
        np.testing.assert_allclose(alone[0], together[index], rtol=1e-5, atol=1e-6)


def test_adapting_again_forgets_what_was_learnt():
    expert = adapt(CellMemory(capacity=20), draw_features(seed=1))
    adapt(expert, draw_features(count=1, seed=2))
    fresh = adapt(CellMemory(capacity=20), draw_features(count=1, seed=2))
    for one, two in zip(expert.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_sample_is_bounded_by_cells_and_bytes():
    for size, expected in ((2**20, 30), (400, 20), (40, 4)):
        expert = CellMemory(capacity=4, sample_cells=30, sample_bytes=size)
        expert.build({"features": (None, 3, 4, 5)})
        expert.start(0)
        assert expert._pool.capacity == expected


def test_good_cells_that_are_all_alike_leave_finite_distances():
    expert = adapt(CellMemory(capacity=8, max_channels=2), np.full((2, 3, 4, 5), 7.0, "float32"))
    assert distances(expert, np.full((1, 3, 4, 5), 7.0, "float32")).max() < 0.01
    assert np.isfinite(distances(expert, draw_features())).all()


@keras.saving.register_keras_serializable(package="tests")
class Holder(keras.Model):
    """A model that has nothing but a memory."""

    def __init__(self, expert, shape, **kwargs):
        super().__init__(**kwargs)
        self.expert = expert
        self.shape = tuple(shape)
        if not expert.built:
            expert.build({expert.tensor: (None, *self.shape)})
        self(keras.Input(self.shape))

    def call(self, features):
        return self.expert({self.expert.tensor: features})

    def get_config(self):
        expert = keras.saving.serialize_keras_object(self.expert)
        return {**super().get_config(), "expert": expert, "shape": self.shape}

    @classmethod
    def from_config(cls, config):
        expert = keras.saving.deserialize_keras_object(config.pop("expert"))
        return cls(expert, **config)


@pytest.mark.parametrize("chunked", [False, True])
def test_saved_memory_is_small_and_answers_bit_identically(tmp_path, chunked):
    train = draw_features(count=30, height=8, width=8, channels=40)
    options = {"max_products": 2**12} if chunked else {}
    model = Holder(CellMemory(capacity=1000, max_channels=32, **options), (8, 8, 40))
    adapt(model.expert, train)
    model.save(tmp_path / "memory.keras")
    assert (tmp_path / "memory.keras").stat().st_size < 1000 * 32 * 2 + 40_000
    again = keras.saving.load_model(tmp_path / "memory.keras")
    asked = draw_features(count=2, height=8, width=8, channels=40, seed=1)
    np.testing.assert_array_equal(again.predict(asked, verbose=0), model.predict(asked, verbose=0))
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", model.call, [tf.TensorSpec((None, 8, 8, 40))])
    archive.write_out(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(tmp_path / "exported")
    result = served.serve(tf.constant(asked))
    np.testing.assert_allclose(result, model.predict(asked, verbose=0), rtol=1e-5, atol=1e-6)


def test_half_precision_policy_changes_nothing():
    train, asked = draw_features(), draw_features(count=2, seed=1)
    expected = distances(adapt(CellMemory(capacity=20), train), asked)
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        expert = adapt(CellMemory(capacity=20), train)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert all(weight.dtype == "float32" for weight in expert.get_weights())
    np.testing.assert_array_equal(distances(expert, asked), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"capacity": 0}, "`capacity` must be at least 1"),
        ({"capacity": 2, "neighbors": 3}, "`capacity` must be at least 3"),
        ({"coreset": "best"}, "`coreset` must be one of 'k_center', 'random'"),
        ({"pool": 2}, "`pool` must be odd"),
        ({"query_stride": 1.5}, "`query_stride` must be a whole number"),
        ({"max_channels": 0}, "`max_channels` must be at least 1"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        CellMemory(**options)


def test_layer_round_trips_through_its_config():
    options = {
        "tensor": "z_mean",
        "capacity": 7,
        "coreset": "random",
        "max_channels": None,
        "pool": 1,
        "query_stride": 2,
        "neighbors": 3,
        "counts": True,
        "seed": 5,
        "position_free": True,
    }
    expert = CellMemory(name="mine", **options)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(expert))
    assert again.requires == ("z_mean",)
    assert again.name == "mine"
    assert {name: getattr(again, name) for name in options} == options
    assert isinstance(again, Expert)


def test_only_tensors_with_cells_can_be_remembered():
    assert CellMemory().available({"features": (None, 4, 4, 8)})
    assert not CellMemory().available({"features": (None, 8)})
    assert CellMemory("embedding").available({"embedding": (None, 4, 4, 8)})


def test_a_memory_takes_over_what_others_have_gathered():
    features = draw_features(count=9)
    whole = adapt(keep_all(), features)
    parts = [keep_all() for _ in range(3)]
    for stream, part in enumerate(parts):
        part.build({part.tensor: (None, *features.shape[1:])})
        part.start(0, stream=stream)
        own = features[3 * stream : 3 * stream + 3]
        part.update({part.tensor: tf.constant(own)}, lambda grid: np.ones((3, *grid)), 0)
    merged = keep_all()
    merged.build({merged.tensor: (None, *features.shape[1:])})
    merged.start(0)
    merged.absorb([part.gathered for part in parts])
    merged.finish(0)
    asked = draw_features(count=2, seed=5)
    np.testing.assert_allclose(distances(merged, asked), distances(whole, asked), atol=0.003)


def resume(expert, features):
    """Feeds further features to a memory that has only its stored cells."""
    further = adapt(CellMemory.from_config(expert.get_config()), features)
    expert.forget()
    expert.recall()
    expert.absorb([further.gathered])
    expert.finish(0)
    expert.forget()
    return expert


def test_a_memory_with_room_goes_on_as_if_it_had_seen_all_images_at_once():
    features = draw_features(12)
    memory, whole = adapt(keep_all(), features[:7]), adapt(keep_all(), features)
    found = distances(resume(memory, features[7:]), features + 0.3) * float(memory.unit)
    expected = distances(whole, features + 0.3) * float(whole.unit)
    np.testing.assert_allclose(found, expected, atol=4e-3)  # stored cells are float16
    assert float(memory.seen) == float(memory.count) == 12 * 3 * 4


def test_a_full_memory_keeps_cells_of_former_and_further_images_in_proportion():
    features = draw_features(100)
    memory = adapt(keep_all(capacity=300, max_channels=3), features[:75])
    before = np.asarray(memory.cells)[:300]
    mean, directions = np.asarray(memory.mean).copy(), np.asarray(memory.directions).copy()
    resume(memory, features[75:])
    after = np.asarray(memory.cells)[:300]
    kept = len({tuple(cell) for cell in before} & {tuple(cell) for cell in after})
    assert 195 < kept < 255  # 225 are expected, with a deviation of 6
    assert float(memory.seen) == 100 * 3 * 4
    np.testing.assert_array_equal(memory.mean, mean)
    np.testing.assert_array_equal(memory.directions, directions)


def test_a_choice_that_is_no_random_sample_cannot_go_on():
    memory = adapt(keep_all(coreset="k_center"), draw_features())
    with pytest.raises(InputError, match="not a random sample"):
        memory.recall()
