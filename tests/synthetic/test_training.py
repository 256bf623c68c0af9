import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad.errors import InputError
from kerasad.synthetic.regions import edge_waves, place_density, reflect, window_mean
from kerasad.synthetic.training import FAMILIES, TrainingDefects
from kerasad.tracing import compiled


@pytest.fixture
def images():
    """Eight images of a wavy texture on coloured ground, (8, 48, 64, 3)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :64]
    waves = np.sin(x / 5 + rng.uniform(0, 6, (8, 1, 1))) * np.cos(y / 7)
    ground = 0.5 + 0.3 * waves[..., None] * np.array([1.0, 0.5, 0.2])
    return (ground + rng.normal(0, 0.02, (8, 48, 64, 3))).clip(0, 1).astype("float32")


def draw(images, **kwargs):
    return [np.asarray(part) for part in TrainingDefects(1.0, seed=1, **kwargs)(images)]


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_changes_outside_the_mask_and_most_changes_inside(images, family):
    corrupted, mask, _ = draw(images, families=(family,))
    different = np.abs(corrupted - images).max(axis=-1, keepdims=True)
    assert set(np.unique(mask)) <= {0.0, 1.0}
    assert np.all(different[mask == 0] == 0)
    assert np.mean(different[mask == 1] > 2 / 255) > 0.9
    assert corrupted.min() >= 0
    assert corrupted.max() <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_family_asked_for_is_drawn(images, family):
    number = 1 + FAMILIES.index(family)
    drawn = draw(images, families=(family,))[2]
    assert number in drawn
    assert set(drawn) <= {0, number}


def test_an_image_has_a_family_if_and_only_if_its_mask_has_pixels(images):
    layer = TrainingDefects(0.5, seed=3)
    for _ in range(5):
        corrupted, mask, family = (np.asarray(part) for part in layer(images))
        np.testing.assert_array_equal(mask.any(axis=(1, 2, 3)), family > 0)
        np.testing.assert_array_equal(corrupted[family == 0], images[family == 0])


def test_the_share_of_corrupted_images_is_the_probability(images):
    layer = TrainingDefects(0.4, seed=0)
    draw_family = compiled(lambda: layer(images)[2])
    family = np.concatenate([draw_family() for _ in range(100)])
    # 800 draws: a standard deviation of .017; invisible ones make it a little less.
    assert 0.33 < np.mean(family > 0) < 0.46
    assert set(family) == {0, 1, 2, 3}


def test_no_training_means_no_change(images):
    corrupted, mask, family = TrainingDefects(1.0)(images, training=False)
    np.testing.assert_array_equal(corrupted, images)
    assert mask.shape == (8, 48, 64, 1)
    assert not np.any(mask)
    np.testing.assert_array_equal(family, np.zeros(8, "int32"))


def test_probability_zero_means_no_change(images):
    corrupted, mask, family = TrainingDefects(0.0)(images)
    np.testing.assert_array_equal(corrupted, images)
    assert not np.any(mask)
    assert not np.any(family)


def test_padding_stays_whole(images):
    valid = np.zeros((8, 48, 64, 1), "float32")
    valid[:, :30, :41] = 1
    layer = TrainingDefects(1.0, seed=0)
    for _ in range(5):
        corrupted, mask, family = (np.asarray(part) for part in layer(images, valid))
        assert not np.any(mask[valid == 0])
        np.testing.assert_array_equal(corrupted[:, 30:], images[:, 30:])
        assert np.count_nonzero(family) >= 6


def test_the_same_seed_draws_the_same_defects_and_each_call_draws_others(images):
    first, second = TrainingDefects(seed=7), TrainingDefects(seed=7)
    once = first(images)
    for part, same in zip(once, second(images), strict=True):
        np.testing.assert_array_equal(part, same)
    assert not np.array_equal(first(images)[1], once[1])


def test_masks_of_cut_paste_have_the_area_asked_for(images):
    kwargs = {"families": ("cutpaste",), "cutpaste_area": (0.04, 0.04)}
    masks = [draw(np.roll(images, i, axis=2), **kwargs)[1] for i in range(3)]
    area = np.concatenate(masks).mean(axis=(1, 2, 3))
    # Rounding of corners, the image's border and places without change take some away.
    assert 0.015 < np.median(area) <= 0.05


def test_grey_images_stay_grey(images):
    grey = np.repeat(images[..., :1], 3, axis=-1)
    corrupted, mask, _ = draw(grey)
    assert mask.any()
    assert np.ptp(corrupted, axis=-1).max() < 1e-6


def test_edges_are_not_only_straight(images):
    """A rectangle fills its bounding box after turning back; irregular blobs differ in fill."""
    masks = draw(images, families=("blend",), blend_area=(0.1, 0.1))[1][..., 0] > 0
    fills = []
    for mask in masks[masks.any(axis=(1, 2))]:
        rows, columns = np.nonzero(mask)
        fills.append(mask.sum() / np.ptp(rows) / np.ptp(columns))
    assert np.std(fills) > 0.03


def test_it_runs_in_a_graph_with_unknown_batch_size(images):
    layer = TrainingDefects(1.0, seed=2)
    step = compiled(lambda x: layer(x), input_signature=[tf.TensorSpec((None, 48, 64, 3))])
    first, second = step(images), step(images[:3])
    assert first[1].shape == (8, 48, 64, 1)
    assert second[2].shape == (3,)
    assert np.count_nonzero(first[2]) >= 6
    assert not np.array_equal(first[1][:3], second[1])


@pytest.mark.slow
def test_it_compiles_under_xla(images):
    # XLA has a random generator of its own, so that the defects are others.
    step = compiled(TrainingDefects(1.0, seed=2), jit_compile=True)
    corrupted, mask, family = (np.asarray(part) for part in step(images))
    assert np.count_nonzero(family) >= 6
    np.testing.assert_array_equal(mask.any(axis=(1, 2, 3)), family > 0)
    whole = mask[..., 0] == 0
    np.testing.assert_array_equal(corrupted[whole], images[whole])


@pytest.mark.parametrize("shape", [(1, 33, 50, 3), (2, 8, 8, 3), (2, 1, 5, 3)])
def test_odd_and_tiny_images_are_accepted(shape):
    images = np.random.default_rng(0).uniform(size=shape).astype("float32")
    corrupted, mask, family = TrainingDefects(1.0, seed=0)(images)
    assert corrupted.shape == shape
    assert mask.shape == (*shape[:3], 1)
    assert np.all(np.isfinite(corrupted))
    assert family.shape == shape[:1]


def test_differences_survive_mixed_precision(images):
    layer = TrainingDefects(1.0, dtype="mixed_float16")
    corrupted, mask, family = layer(images)
    assert corrupted.dtype == mask.dtype == tf.float32
    assert family.dtype == tf.int32
    whole = np.asarray(mask)[..., 0] == 0
    np.testing.assert_array_equal(np.asarray(corrupted)[whole], images[whole])


def test_symbolic_outputs_have_the_dtypes_of_real_ones():
    parts = TrainingDefects()(keras.Input((16, 16, 3)))
    assert [part.dtype for part in parts] == ["float32", "float32", "int32"]
    assert [part.shape for part in parts] == [(None, 16, 16, 3), (None, 16, 16, 1), (None,)]


def test_config_and_state_of_the_seed_survive_saving(images, tmp_path):
    layer = TrainingDefects(0.9, ("scar", "blend"), scar_area=(0.01, 0.02), seed=4)
    inputs = keras.Input(images.shape[1:])
    model = keras.Model(inputs, layer(inputs, training=True))
    model(images)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert reloaded.layers[1].get_config() == layer.get_config()
    for part, same in zip(model(images), reloaded(images), strict=True):
        np.testing.assert_array_equal(part, same)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"probability": 1.5}, "`probability` must lie in"),
        ({"families": ("rust",)}, "`families` must be names"),
        ({"families": ()}, "`families` must be names"),
        ({"scar_area": (0.2, 0.1)}, "`scar_area` must be"),
        ({"blend_area": (0.0, 0.1)}, "`blend_area` must be"),
    ],
)
def test_wrong_arguments_are_named(kwargs, message):
    with pytest.raises(InputError, match=message):
        TrainingDefects(**kwargs)


def test_positions_are_mirrored_at_the_borders():
    # Size 4: ... 2 1 | 0 1 2 3 | 2 1 0 1 ...
    position = np.array([-2.0, -1.0, 0.0, 2.6, 3.0, 4.0, 5.0, 6.0, 7.0], "float32")
    np.testing.assert_array_equal(reflect(position, 4), [2, 1, 0, 3, 3, 2, 1, 0, 1])
    np.testing.assert_array_equal(reflect(position, 1), np.zeros(9))


def test_window_mean_agrees_with_scipy():
    from scipy import ndimage

    values = np.random.default_rng(0).uniform(size=(2, 9, 13)).astype("float32")
    expected = ndimage.uniform_filter(values, (0, 5, 5), mode="constant")
    np.testing.assert_allclose(window_mean(values), expected, rtol=1e-5)


def test_edge_waves_are_the_sum_of_plane_waves():
    rng = np.random.default_rng(0)
    shape = {name: rng.uniform(0.5, 3, (1, 1, 1)) for name in ("half_length", "half_height")}
    shape["angle"] = np.full((1, 1, 1), 0.7)
    for name in ("wave_u", "wave_v", "wave_phase", "wave_height"):
        shape[name] = rng.uniform(-2, 2, (1, 1, 6))
    dy, dx = np.arange(4.0).reshape(1, 4, 1) - 1.5, np.arange(7.0).reshape(1, 1, 7) - 2
    along, across = np.cos(0.7) * dx + np.sin(0.7) * dy, np.cos(0.7) * dy - np.sin(0.7) * dx
    length = np.sqrt(shape["half_length"] * shape["half_height"])
    expected = sum(
        shape["wave_height"][..., k]
        * np.sin(
            along / length * shape["wave_u"][..., k]
            + across / shape["half_height"] * shape["wave_v"][..., k]
            + shape["wave_phase"][..., k]
        )
        for k in range(6)
    )
    np.testing.assert_allclose(edge_waves(shape, dy, dx), expected, atol=1e-6)


def test_centers_favour_structure_and_avoid_padding():
    images = np.full((1, 32, 32, 3), 0.5, "float32")
    images[:, :8, 8:16:4] = 1.0
    density = np.asarray(place_density(images))[0]
    assert density.shape == (4, 4)
    assert density[0, 1] > 3 * density[3, 3] > 0
    valid = np.ones((1, 32, 32, 1), "float32")
    valid[:, :8] = 0
    density = np.asarray(place_density(images, valid))[0]
    assert np.all(density[0] == 0)
    assert np.all(density[1:] > 0)
