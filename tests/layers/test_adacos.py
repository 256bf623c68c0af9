import keras
import numpy as np
import pytest
from helpers import check_layer

from kerasad import InputError
from kerasad.layers.adacos import AdaCos, adapted_adacos_scale, fixed_adacos_scale, weighted_median

CLASSES, SUB_CENTERS, DIM = 3, 2, 4
LABELS = np.array([0, 2, 2, 1, 0], "int32")
WEIGHTS = np.array([1.0, 0.25, 0.0, 3.0, 0.5], "float32")


def random_embeddings(count=5, dim=DIM, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dim)).astype("float32")


def naive_cosine(embeddings, kernel):
    """Cosines (n, classes, sub-centers); the columns of the kernel go class by class."""
    cosine = np.zeros((len(embeddings), CLASSES, SUB_CENTERS))
    for i, embedding in enumerate(embeddings.astype("float64")):
        for c in range(CLASSES):
            for k in range(SUB_CENTERS):
                center = kernel[:, c * SUB_CENTERS + k].astype("float64")
                norms = np.linalg.norm(embedding) * np.linalg.norm(center)
                cosine[i, c, k] = embedding @ center / norms
    return cosine


def naive_scale(cosine, labels, weights, scale):
    others, angles = [], []
    for values, label in zip(cosine, labels, strict=True):
        angles.append(np.arccos(values[label].max()))
        others.append(np.exp(scale * np.delete(values, label, axis=0)).sum())
    mean = sum(w * b for w, b in zip(weights, others, strict=True)) / sum(weights)
    median = min(
        angle
        for angle in angles
        if sum(w for a, w in zip(angles, weights, strict=True) if a <= angle) >= sum(weights) / 2
    )
    return np.log(mean) / np.cos(min(np.pi / 4, median))


def built_layer(**options):
    layer = AdaCos(CLASSES, SUB_CENTERS, **options)
    layer.build((None, DIM))
    return layer


@pytest.mark.parametrize(
    ("centers", "scale"),
    [
        (3, 0.980),
        (4, 1.554),
        (5, 1.961),
        (6, 2.276),
        (15, 3.732),
        (16, 3.830),
        (30, 4.762),
        (60, 5.767),
        (64, 5.859),
        (240, 7.745),
        (256, 7.837),
    ],
)
def test_fixed_scale_has_the_published_values(centers, scale):
    assert fixed_adacos_scale(centers) == pytest.approx(scale, abs=5e-4)
    layer = AdaCos(centers)
    layer.build((None, 2))
    assert float(layer.scale) == pytest.approx(scale, abs=5e-4)


@pytest.mark.parametrize("centers", [-1, 0, 1, 2])
def test_fewer_than_three_centers_are_refused(centers):
    with pytest.raises(InputError, match=f"at least 3 centers.*Received: {centers};"):
        fixed_adacos_scale(centers)


def test_two_classes_need_two_sub_centers():
    with pytest.raises(InputError, match="at least 3 centers"):
        AdaCos(2)
    assert AdaCos(2, 2).num_classes == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 1, "num_sub_centers": 8}, "`num_classes` must be at least 2.*1"),
        ({"num_classes": 4, "num_sub_centers": 0}, "`num_sub_centers` must be at least 1.*0"),
        ({"num_classes": 4, "scale_mode": "linear"}, "`scale_mode`.*'linear'"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        AdaCos(**arguments)


@pytest.mark.parametrize("dim", [CLASSES * SUB_CENTERS + 1, 2])
def test_contract(dim):
    check_layer(
        lambda **options: AdaCos(CLASSES, SUB_CENTERS, **options),
        random_embeddings(dim=dim).reshape(1, 5, dim),
        shape=(1, 5, CLASSES),
        mixed_dtype="float32",
    )


def test_logits_are_the_log_of_summed_exponentials_over_each_class():
    layer, embeddings = built_layer(), random_embeddings()
    cosine = naive_cosine(embeddings, layer.kernel.numpy())
    scale = fixed_adacos_scale(CLASSES * SUB_CENTERS)
    expected = np.log(np.exp(scale * cosine).sum(axis=-1))
    np.testing.assert_allclose(layer(embeddings), expected, rtol=1e-5)
    np.testing.assert_allclose(layer.compute_cosine(embeddings), cosine, atol=1e-6)


def test_centers_have_unit_length_and_go_class_by_class():
    layer = built_layer()
    kernel = layer.kernel.numpy()
    np.testing.assert_allclose(np.linalg.norm(layer.centers, axis=-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(
        layer.centers[3], kernel[:, 3] / np.linalg.norm(kernel[:, 3]), rtol=1e-5
    )


def test_only_directions_count():
    layer, embeddings = built_layer(), random_embeddings()
    lengths = np.array([[0.01], [1.0], [7.0], [100.0], [1e4]], "float32")
    np.testing.assert_allclose(layer(embeddings * lengths), layer(embeddings), rtol=1e-5)


def test_an_embedding_of_zero_is_at_right_angles_to_all_centers():
    layer = built_layer()
    np.testing.assert_allclose(layer.compute_cosine(np.zeros((1, DIM), "float32")), 0.0)


@pytest.mark.parametrize(
    ("classes", "probability"), [(3, 0.685), (5, 0.744), (15, 0.796), (64, 0.859), (256, 0.911)]
)
def test_fixed_scale_caps_the_probability_at_a_perfect_simplex(classes, probability):
    layer = AdaCos(classes, scale_mode="fixed")
    layer.build((None, classes))
    simplex = np.eye(classes) - 1.0 / classes
    layer.kernel.assign(simplex)
    logits = layer(simplex[:1].astype("float32"))
    assert float(keras.ops.softmax(logits)[0, 0]) == pytest.approx(probability, abs=5e-4)


def test_weighted_median_is_the_smallest_value_that_half_of_the_weight_reaches():
    values = np.array([5.0, 1.0, 3.0, 2.0], "float32")
    assert float(weighted_median(values, np.ones(4, "float32"))) == 2.0
    assert float(weighted_median(values, np.array([4.0, 1.0, 1.0, 1.0], "float32"))) == 5.0
    assert float(weighted_median(values, np.array([1.0, 0.0, 2.0, 0.0], "float32"))) == 3.0
    assert float(weighted_median(values[:1], np.ones(1, "float32"))) == 5.0


@pytest.mark.parametrize("weights", [np.ones(5, "float32"), WEIGHTS, 1e-5 * WEIGHTS])
@pytest.mark.parametrize("scale", [1.0, 2.5, 30.0])
def test_dynamic_scale_agrees_with_a_naive_loop(weights, scale):
    cosine = naive_cosine(random_embeddings(), built_layer().kernel.numpy()).astype("float32")
    adapted = adapted_adacos_scale(cosine, np.eye(CLASSES)[LABELS], scale, weights, -100.0)
    assert float(adapted) == pytest.approx(naive_scale(cosine, LABELS, weights, scale), rel=1e-5)


def test_training_steps_follow_the_naive_loop():
    layer, embeddings = built_layer(minimum_scale=-100.0), random_embeddings()
    cosine = naive_cosine(embeddings, layer.kernel.numpy())
    scale = fixed_adacos_scale(CLASSES * SUB_CENTERS)
    for _ in range(3):
        logits = layer(embeddings, LABELS, sample_weight=WEIGHTS, training=True)
        scale = naive_scale(cosine, LABELS, WEIGHTS, scale)
        assert float(layer.scale) == pytest.approx(scale, rel=1e-5)
        # The logits come from the scale after its step, as published.
        np.testing.assert_allclose(logits, np.log(np.exp(scale * cosine).sum(-1)), rtol=1e-4)


def test_labels_may_have_any_number_of_axes():
    flat, grid = built_layer(), built_layer()
    grid.set_weights(flat.get_weights())
    embeddings, labels = random_embeddings(6), np.array([0, 1, 2, 2, 1, 0], "int32")
    flat(embeddings, labels, training=True)
    grid(embeddings.reshape(1, 2, 3, DIM), labels.reshape(1, 2, 3), training=True)
    assert float(grid.scale) == float(flat.scale)


@pytest.mark.parametrize(
    ("options", "call"),
    [
        ({}, {"labels": LABELS}),
        ({}, {"training": True}),
        ({"scale_mode": "fixed"}, {"labels": LABELS, "training": True}),
        ({}, {"labels": LABELS, "training": True, "sample_weight": np.zeros(5, "float32")}),
    ],
    ids=["not training", "no labels", "fixed", "no weight"],
)
def test_scale_stands_still(options, call):
    layer = built_layer(**options)
    before = float(layer.scale)
    layer(random_embeddings(), **call)
    assert float(layer.scale) == before


def test_median_angle_below_a_quarter_turn_is_pinned_at_probability_one_half():
    # One class of five at .3 radians, the others at equal angles: B is the same for each example.
    cosine = np.full((3, 5, 1), 0.1, "float32")
    cosine[:, 0, 0] = np.cos([0.1, 0.3, 1.2])
    target = np.eye(5, dtype="float32")[[0, 0, 0]]
    scale = fixed_adacos_scale(5)
    for _ in range(30):
        scale = adapted_adacos_scale(cosine, target, scale, np.ones(3, "float32"))
    probability = keras.ops.softmax(scale * cosine[1, :, 0])[0]
    assert float(probability) == pytest.approx(0.5, abs=1e-5)


def test_large_median_angles_count_as_a_quarter_turn():
    cosine = np.full((1, 4, 1), 0.2, "float32")
    target = np.eye(4, dtype="float32")[:1]
    scales = []
    for own in (np.cos(np.pi / 4), 0.3, -0.9):
        cosine[0, 0, 0] = own
        scales.append(float(adapted_adacos_scale(cosine, target, 5.0, np.ones(1, "float32"))))
    np.testing.assert_allclose(scales, (np.log(3) + 1.0) * np.sqrt(2), rtol=1e-5)


@pytest.mark.parametrize("minimum", [1.0, 2.5])
def test_scale_never_falls_below_its_floor(minimum):
    # Three classes; the two others point away: B = 2 * exp(-s) < 1, and its logarithm is negative.
    cosine = np.array([[[1.0], [-1.0], [-1.0]]], "float32")
    target = np.eye(3, dtype="float32")[:1]
    scale = adapted_adacos_scale(cosine, target, 4.0, np.ones(1, "float32"), minimum)
    assert float(scale) == minimum


def test_scale_never_climbs_above_its_ceiling():
    layer = built_layer()
    same = np.ones((5, DIM), "float32")  # no class can be told from another
    layer.kernel.assign(np.ones(layer.kernel.shape, "float32"))
    for _ in range(30):
        layer(same, LABELS, training=True)
    assert float(layer.scale) == pytest.approx(4 * fixed_adacos_scale(CLASSES * SUB_CENTERS))
    layer = built_layer(maximum_scale=3.0)
    layer.kernel.assign(np.ones(layer.kernel.shape, "float32"))
    for _ in range(30):
        layer(same, LABELS, training=True)
    assert float(layer.scale) == 3.0


def test_scale_stays_finite_where_exponentials_overflow():
    cosine = np.array([[[0.9], [0.8], [0.7]]], "float32")
    target = np.eye(3, dtype="float32")[:1]
    scale = adapted_adacos_scale(cosine, target, 1000.0, np.ones(1, "float32"))
    assert float(scale) == pytest.approx(800.0 / 0.9, rel=1e-4)


def test_scale_is_state_that_survives_saving(tmp_path):
    layer = AdaCos(CLASSES, SUB_CENTERS)
    model = keras.Sequential([keras.Input((DIM,)), layer])
    layer(random_embeddings(), LABELS, training=True)
    assert float(layer.scale) != pytest.approx(fixed_adacos_scale(CLASSES * SUB_CENTERS))
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert float(reloaded.layers[0].scale) == float(layer.scale)
    np.testing.assert_array_equal(reloaded(random_embeddings()), model(random_embeddings()))


def test_scale_is_not_for_the_optimizer():
    layer = built_layer()
    assert [variable.name for variable in layer.trainable_variables] == ["kernel"]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_angles_and_scale_keep_all_digits_under_mixed_precision(policy):
    full, mixed = built_layer(), built_layer(dtype=policy)
    mixed.set_weights(full.get_weights())
    embeddings, weights = random_embeddings(), 1e-6 * WEIGHTS
    for layer in (full, mixed):
        layer(embeddings, LABELS, sample_weight=weights, training=True)
    assert float(mixed.scale) == float(full.scale)
    np.testing.assert_array_equal(mixed(embeddings), full(embeddings))
