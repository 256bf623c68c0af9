import numpy as np
import pytest

from kerasad.detector.fusion import (
    GOOD,
    FusionSample,
    choose_weights,
    fuse,
    image_objective,
    measure_gain,
    objective,
    pixel_objective,
    prior_weights,
)


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
    kinds = np.where(np.arange(images) < images // 2, GOOD, 2)
    sources = np.arange(images) % (images // 2)
    return FusionSample(maps, place_maps, masks, np.ones_like(masks), kinds, sources)


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
        sample.kinds,
        sample.sources,
    )


@pytest.mark.parametrize("informative", [0, 1, 2])
def test_the_informative_expert_is_picked_out_of_noise(informative):
    strengths = [0.0, 0.0, 0.0]
    strengths[informative] = 4.0
    sample = draw_sample(strengths)
    weights = choose_weights(sample)
    assert weights[informative] > 0.8
    assert objective(sample, weights) > 0.9


def test_an_expert_that_lights_up_on_good_pixels_gets_nothing():
    assert choose_weights(draw_sample([3.0, -3.0])).tolist() == [1.0, 0.0]


def test_two_experts_that_complete_each_other_both_count():
    sample = draw_sample([0.0, 0.0])
    for expert, images in enumerate((slice(6, 9), slice(9, 12))):
        lift = 5.0 * sample.masks[images]
        sample.maps[images, ..., expert] += lift
    weights = choose_weights(sample)
    assert weights.min() > 0.25


@pytest.mark.parametrize("better", [0, 1])
def test_pixels_are_judged_on_the_maps_and_images_on_the_place_maps(better):
    strengths = [[3.0, 0.5], [0.5, 3.0]]
    sample = draw_sample(strengths[better], strengths[1 - better])
    weights = np.eye(2)
    in_pixels, in_scores = (
        objective(sample, weights[better]),
        objective(sample, weights[1 - better]),
    )
    assert in_pixels > in_scores  # two of the three measures read pixels


def test_kinds_of_defects_count_alike_however_large_they_are():
    # Kind 0 is a pixel that expert 0 alone finds, kind 1 a square that expert 1 alone finds.
    sample = draw_sample([0.0, 0.0])
    sample.kinds[6:] = [0, 0, 0, 1, 1, 1]
    sample.masks[6:9] = False
    sample.masks[6:9, 4, 4] = True
    for kind, images in enumerate((slice(6, 9), slice(9, 12))):
        sample.maps[images, ..., kind] += 50.0 * sample.masks[images]
    one, other = (objective(sample, alone) for alone in np.eye(2))
    assert one == pytest.approx(other, abs=0.1)
    assert choose_weights(sample).min() > 0.25
    large = FusionSample(*(part[[*range(6), 9, 10, 11]] for part in vars(sample).values()))
    assert objective(large, np.eye(2)[1]) == 1.0
    small = FusionSample(*(part[:9] for part in vars(sample).values()))
    both = (objective(small, np.eye(2)[1]) + 1.0) / 2
    assert other == pytest.approx(both)


def test_weights_are_a_share_each():
    weights = choose_weights(draw_sample([1.0, 0.5, 0.8, 0.0]))
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()


def test_one_expert_gets_all():
    assert choose_weights(draw_sample([0.0])).tolist() == [1.0]


def test_the_fusion_is_no_worse_than_any_expert_alone():
    sample = draw_sample([1.0, 0.5, 0.8], [0.8, 0.9, 0.1])
    value = objective(sample, choose_weights(sample))
    assert value >= max(objective(sample, alone) for alone in np.eye(3))


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
    sample.kinds[:] = GOOD
    weights = choose_weights(sample)
    assert objective(sample, weights) == 0.5
    assert weights.sum() == pytest.approx(1.0)


def test_an_image_whose_defect_fell_through_the_thinning_still_counts_as_defective():
    sample = draw_sample([3.0, -3.0])
    sample.masks[6:] = False
    sample.place_maps[6:, 0, 0, 0] = 9.0
    assert image_objective(sample, np.array([1.0, 0.0])) == 1.0


def test_experts_that_say_nothing_of_themselves_have_what_the_defects_choose():
    sample = draw_sample([1.0, 0.5, 0.8])
    for weights in fuse(sample, [0, 0, 0]):
        np.testing.assert_array_equal(weights, choose_weights(sample))


def test_weights_are_half_of_the_defects_choice_and_half_of_what_experts_say():
    # The first expert is the only one that sees defects, the last sums up most values.
    sample = draw_sample([1.5, -1.0, -1.0], images=40)
    pixel_weights, score_weights = fuse(sample, [4, 1, 16])
    prior = np.array([2, 1, 4]) / 7
    chosen = choose_weights(sample, pixel_objective, prior)
    assert chosen.tolist() == [1.0, 0.0, 0.0]
    np.testing.assert_allclose(pixel_weights, (chosen + prior) / 2)
    chosen = choose_weights(sample, image_objective, np.eye(3)[2])
    assert chosen[2] < 1
    np.testing.assert_allclose(score_weights, (chosen + np.eye(3)[2]) / 2)


def test_pixels_and_scores_are_chosen_by_maps_of_their_own():
    sample = draw_sample([1.5, -1.0], [-1.0, 1.5], images=80)
    pixel_weights, score_weights = fuse(sample, [9, 9])
    np.testing.assert_allclose(pixel_weights, [0.75, 0.25])
    # Of two that say the same of themselves, both have the same share of the prior.
    prior = np.array([0.5, 0.5])
    chosen = choose_weights(sample, image_objective, prior)
    assert chosen[1] > 0.5
    np.testing.assert_allclose(score_weights, (chosen + prior) / 2)


def test_the_objective_counts_pixels_twice_and_images_once():
    sample, weights = draw_sample([1.0, 0.5]), np.array([0.5, 0.5])
    expected = (2 * pixel_objective(sample, weights) + image_objective(sample, weights)) / 3
    assert objective(sample, weights) == pytest.approx(expected)
    other = np.array([1.0, 0.0])
    expected = (2 * pixel_objective(sample, weights) + image_objective(sample, other)) / 3
    assert objective(sample, weights, other) == pytest.approx(expected)


def test_of_experts_that_do_alike_those_that_are_known_to_be_good_count():
    alike = draw_sample([6.0])
    repeated = [np.repeat(maps, 3, axis=-1) for maps in (alike.maps, alike.place_maps)]
    sample = FusionSample(*repeated, alike.masks, alike.valid, alike.kinds, alike.sources)
    pixel_weights, score_weights = fuse(sample, [1, 4, 16])
    np.testing.assert_allclose(score_weights, [0.0, 0.0, 1.0])
    np.testing.assert_allclose(pixel_weights, np.array([1, 2, 4]) / 7, atol=0.05)


def test_where_no_degrees_are_known_the_votes_are_the_prior():
    for weights in prior_weights([0, 0, 0, 0], [False] * 4, [0.5, 0.0, 0.5, 1.0]):
        np.testing.assert_array_equal(weights, [0.25, 0.0, 0.25, 0.5])
    sample = draw_sample([6.0, 6.0, 6.0])
    sample.sources[:] = 0  # of one image nothing is sure
    for weights in fuse(sample, [0, 0, 0], [False] * 3, [0.0, 1.0, 1.0]):
        np.testing.assert_array_equal(weights, [0.0, 0.5, 0.5])


def test_a_sure_choice_of_defects_is_averaged_with_the_votes():
    sample = draw_sample([1.5, -1.0, -1.0], images=40)
    pixel_weights, _ = fuse(sample, [0, 0, 0], [False] * 3, [0.0, 1.0, 1.0])
    np.testing.assert_allclose(pixel_weights, [0.5, 0.25, 0.25])


def test_an_expert_that_says_nothing_is_trusted_as_the_others_on_average():
    sample = draw_sample([6.0, 6.0, 6.0])
    sample.sources[:] = 0  # of one image nothing is sure
    pixel_weights, _ = fuse(sample, [4, 0, 16])
    np.testing.assert_allclose(pixel_weights, np.array([2, 3, 4]) / 9)


def test_experts_of_most_values_share_the_score():
    _, score_weights = fuse(draw_sample([0.0, 0.0, 0.0]), [16, 4, 16])
    np.testing.assert_allclose(score_weights, [0.5, 0.0, 0.5])


def make_scores(good, bad):
    """A sample of images of one pixel, a defective one made of each good one; columns: experts."""
    scores = np.concatenate([good, bad]).astype("float32")
    kinds = np.repeat([GOOD, 0], [len(good), len(bad)])
    maps, masks = scores[:, None, None], (kinds != GOOD)[:, None, None]
    sources = np.concatenate([np.arange(len(good)), np.arange(len(bad)) % max(1, len(good))])
    return FusionSample(maps, maps, masks, np.ones_like(masks), kinds, sources)


def test_a_gain_and_its_error_are_those_by_hand():
    # The first expert's defects are above all of three good images but one pair, the second's above
    # none but one: AUROCs 8/9 and 1/9. Without images 0, 1, 2: 3/4 and 1/4, 1 and 1/4, 3/4 and 0.
    sample = make_scores([[0.0, 4.0], [2.0, 5.0], [1.0, 3.0]], [[3.0, 1.0], [1.5, 2.0], [4.0, 3.5]])
    one, other = np.eye(2)
    assert image_objective(sample, one) == pytest.approx(8 / 9)
    assert image_objective(sample, other) == pytest.approx(1 / 9)
    gain, error, degrees = measure_gain(sample, image_objective, one, other)
    assert gain == pytest.approx(7 / 9)
    assert degrees == 2
    assert error == pytest.approx(np.sqrt(2 * np.var([0.5, 0.75, 0.75])))


def test_the_error_of_a_gain_is_that_over_samples_drawn_anew():
    gains, errors = [], []
    for seed in range(100):
        generator = np.random.default_rng(seed)
        good, bad = generator.normal(size=(40, 2)), generator.normal(1.0, 1.0, size=(40, 2))
        sample = make_scores(good, bad)
        weights = np.array([0.8, 0.2])
        gain, error, _ = measure_gain(sample, image_objective, weights, np.eye(2)[1])
        gains.append(gain)
        errors.append(error**2)
    assert np.sqrt(np.mean(errors)) == pytest.approx(np.std(gains), rel=0.2)


def test_defects_leave_with_the_image_they_were_made_of():
    sample = make_scores([[0.0], [1.0], [2.0]], [[3.0], [4.0], [5.0]])
    left = []
    measure_gain(sample, lambda part, _: left.append(part.maps.ravel().tolist()) or 0.0, [1], [1])
    assert left[::2] == [[1, 2, 4, 5], [0, 2, 3, 5], [0, 1, 3, 4], [0, 1, 2, 3, 4, 5]]


def test_equal_weights_gain_nothing_and_two_images_make_no_gain_sure():
    half = np.array([0.5, 0.5])
    assert measure_gain(draw_sample([3.0, 3.0]), pixel_objective, half, half)[:2] == (0.0, 0.0)
    # Without either image the gain is the same.
    sample = make_scores([[0.0, 3.0], [0.0, 3.0]], [[1.0, 2.0], [1.0, 2.0]])
    gain, error, _ = measure_gain(sample, image_objective, *np.eye(2))
    assert (gain, error) == (1.0, np.inf)
    assert fuse(sample, [1, 4])[1].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("lift", "alone"), [(0.0, True), (4.0, False)])
def test_the_score_is_that_of_the_most_values_until_others_are_surely_better(lift, alone):
    generator = np.random.default_rng(1)
    good = generator.normal(size=(30, 2))
    bad = generator.normal(size=(30, 2)) + [1.5, lift]
    sample, prior = make_scores(good, bad), np.eye(2)[0]
    _, weights = fuse(sample, [9, 1])
    half = (choose_weights(sample, image_objective, prior) + prior) / 2
    np.testing.assert_allclose(weights, prior if alone else half)


def test_critics_share_the_score_with_the_experts_of_most_values():
    _, score_prior = prior_weights([16, 4, 0], [False, False, True])
    np.testing.assert_allclose(score_prior, [0.5, 0.0, 0.5])
