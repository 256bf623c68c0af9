import numpy as np
import pytest

from kerasad.scoring.fusion import FusionSample, choose_fusion, objective


def draw_sample(strengths, place_strengths=None, seed=0, images=12, side=16):
    """Maps of noise in which expert `i` lifts defective pixels by `strengths[i]`.

    The first half of the images is good; each of the others has one square defect.
    """
    generator = np.random.default_rng(seed)
    masks = np.zeros((images, side, side), bool)
    for index in range(images // 2, images):
        y, x = generator.integers(0, side - 6, size=2)
        masks[index, y : y + 6, x : x + 6] = True

    def draw(lifts):
        noise = generator.normal(size=(*masks.shape, len(lifts)))
        return (noise + masks[..., None] * np.array(lifts)).astype("float32")

    maps = draw(strengths)
    place_maps = maps if place_strengths is None else draw(place_strengths)
    return FusionSample(maps, place_maps, masks, np.ones_like(masks))


def with_padding(sample, value):
    """The sample with 4 padded columns of a value at the right."""

    def pad(array, fill):
        widths = [(0, 0), (0, 0), (0, 4)] + [(0, 0)] * (array.ndim - 3)
        return np.pad(array, widths, constant_values=fill)

    return FusionSample(
        pad(sample.maps, value),
        pad(sample.place_maps, value),
        pad(sample.masks, False),
        pad(sample.valid, False),
    )


@pytest.mark.parametrize("informative", [0, 1, 2])
def test_the_informative_expert_is_picked_out_of_noise(informative):
    strengths = [0.0, 0.0, 0.0]
    strengths[informative] = 4.0
    fusion = choose_fusion(draw_sample(strengths))
    assert fusion.weights[informative] > 0.8
    assert fusion.value > 0.9


def test_an_expert_that_lights_up_on_good_pixels_gets_nothing():
    assert choose_fusion(draw_sample([3.0, -3.0])).weights.tolist() == [1.0, 0.0]


def test_two_experts_that_complete_each_other_both_count():
    sample = draw_sample([0.0, 0.0])
    for expert, images in enumerate((slice(6, 9), slice(9, 12))):
        lift = 5.0 * sample.masks[images]
        sample.maps[images, ..., expert] += lift
    fusion = choose_fusion(sample)
    assert fusion.weights.min() > 0.25


@pytest.mark.parametrize(
    ("strengths", "place_strengths", "by_place"),
    [([0.0, 3.0], [0.0, 0.5], False), ([0.0, 0.5], [0.0, 3.0], True)],
)
def test_the_better_standardization_makes_the_map(strengths, place_strengths, by_place):
    fusion = choose_fusion(draw_sample(strengths, place_strengths))
    assert fusion.map_by_place is by_place


def test_weights_are_a_share_each():
    fusion = choose_fusion(draw_sample([1.0, 0.5, 0.8, 0.0]))
    assert fusion.weights.sum() == pytest.approx(1.0)
    assert (fusion.weights >= 0).all()
    assert 0.0 <= fusion.value <= 1.0


def test_one_expert_gets_all():
    assert choose_fusion(draw_sample([0.0])).weights.tolist() == [1.0]


def test_choice_is_deterministic():
    first, second = (choose_fusion(draw_sample([1.0, 0.5, 0.8])) for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)
    assert (first.value, first.map_by_place) == (second.value, second.map_by_place)


def test_weights_reach_the_objective_that_is_claimed():
    sample = draw_sample([1.0, 0.5, 0.8], [0.8, 0.9, 0.1])
    fusion = choose_fusion(sample)
    assert objective(sample, fusion.weights, fusion.map_by_place) == pytest.approx(fusion.value)
    for expert in range(3):  # and it is no worse than any expert alone
        assert fusion.value >= objective(sample, np.eye(3)[expert], False)
        assert fusion.value >= objective(sample, np.eye(3)[expert], True)


@pytest.mark.parametrize("value", [-1e6, 1e6])
def test_padded_pixels_count_nowhere(value):
    sample = draw_sample([1.0, 0.5])
    weights = np.array([0.5, 0.5])
    expected = objective(sample, weights)
    assert objective(with_padding(sample, value), weights) == pytest.approx(expected)


def test_objective_is_1_for_a_perfect_map_and_falls_with_it():
    sample = draw_sample([50.0, 1.0])
    assert objective(sample, np.array([1.0, 0.0])) == 1.0
    assert objective(sample, np.array([0.0, 1.0])) < 0.95


def test_a_sample_without_a_defect_decides_nothing_and_stays_finite():
    sample = draw_sample([0.0, 0.0])
    sample.masks[:] = False
    fusion = choose_fusion(sample)
    assert np.isfinite(fusion.value)
    assert fusion.weights.sum() == pytest.approx(1.0)
