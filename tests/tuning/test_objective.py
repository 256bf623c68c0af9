import numpy as np
import pytest
import tensorflow as tf

from kerasad import VAEGAN, InputError
from kerasad.detector.fusion import fuse
from kerasad.synthetic.choosing import ChoosingDefects
from kerasad.synthetic.training import TrainingDefects
from kerasad.tuning import objective as tuning_objective
from kerasad.tuning.objective import deal_out, synthetic_localization


def batched(values, size=2):
    return tf.data.Dataset.from_tensor_slices(values).batch(size)


def numbers(dataset):
    return [int(value) for batch in dataset for value in np.asarray(batch).ravel()]


@pytest.mark.parametrize("count", [2, 5, 6])
def test_halves_share_no_image_and_have_all(count):
    even, odd = deal_out(batched(np.arange(count, dtype="float32")[:, None]))
    assert numbers(even) == list(range(0, count, 2))
    assert numbers(odd) == list(range(1, count, 2))
    assert numbers(even) == numbers(even)


def test_halves_of_padded_images_keep_their_validity():
    images = np.arange(3, dtype="float32")[:, None]
    even, odd = deal_out(batched({"images": images, "valid": 10 * images}))
    for part, expected in ((even, [0, 2]), (odd, [1])):
        assert numbers(batch["images"] for batch in part) == expected
        assert numbers(batch["valid"] for batch in part) == [10 * value for value in expected]


def test_one_image_is_both_halves():
    assert [numbers(part) for part in deal_out(batched(np.full((1, 1), 7.0)))] == [[7], [7]]


def test_no_validation_image_is_an_error():
    with pytest.raises(InputError, match="no validation image"):
        deal_out(batched(np.zeros((0, 1), "float32")))


@pytest.fixture(scope="module")
def model():
    return VAEGAN((16, 16, 3), latent_dim=2, filters=2, depth=2, adacos="none", seed=0)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    rows = np.linspace(0.3, 0.6, 16)[:, None, None]
    return (rows + rng.normal(0, 0.02, (10, 16, 16, 3))).astype("float32")


@pytest.mark.slow
def test_defects_are_of_the_choosing_family_on_validation_images_and_no_half_evaluates_itself(
    model, images, monkeypatch
):
    drawn = []
    draw = ChoosingDefects.draw

    def record(self, given, seed, valid=None):
        drawn.append(([image.tobytes() for image in given], seed))
        return draw(self, given, seed, valid)

    def refuse(*args, **kwargs):
        raise AssertionError("the family that training sees")

    monkeypatch.setattr(ChoosingDefects, "draw", record)
    monkeypatch.setattr(TrainingDefects, "call", refuse)
    train, validation = images[:6], images[6:]
    value = synthetic_localization(model, batched(train), batched(validation), num_defects=8)
    assert 0.0 < value <= 1.0

    known = {image.tobytes(): index % 2 for index, image in enumerate(validation)}
    halves = [{known[image] for image in given} for given, _ in drawn]
    assert sorted(halves, key=min) == [{0}] * (len(halves) // 2) + [{1}] * (len(halves) // 2)
    assert len({seed for _, seed in drawn}) == len(drawn)

    # The same again, and the same for every model, whatever random numbers were drawn between.
    first = list(drawn)
    drawn.clear()
    np.random.default_rng().normal()
    again = synthetic_localization(model, batched(train), batched(validation), num_defects=8)
    assert again == value
    assert drawn == first


@pytest.mark.parametrize("on_crops", [pytest.param(False, marks=pytest.mark.slow), True])
def test_windows_of_one_photo_are_one_source_in_both_halves(model, images, monkeypatch, on_crops):
    seen = []

    def record(sample, *trusted):
        seen.append(len(np.unique(sample.sources)))
        return fuse(sample, *trusted)

    monkeypatch.setattr(tuning_objective, "fuse", record)
    train, validation = batched(images[:4]), batched(images[4:8])
    synthetic_localization(model, train, validation.prefetch(1), on_crops=on_crops, num_defects=8)
    assert seen == ([1, 1] if on_crops else [2, 2])


def test_crosswise_weights_are_not_chosen(model, images, monkeypatch):
    rated = []

    def refuse(*arguments):
        raise AssertionError("weights are chosen")

    def record(sample, *weights):
        rated.append(weights)
        return 0.5

    monkeypatch.setattr(tuning_objective, "fuse", refuse)
    monkeypatch.setattr(tuning_objective, "objective", record)
    options = {"on_crops": True, "crosswise": True, "num_defects": 8}
    synthetic_localization(model, batched(images[:4]), batched(images[4:8]), **options)
    assert len(rated) == 2
    for weights, score_weights in rated:
        np.testing.assert_allclose(weights, 1.0 / len(weights))
        assert score_weights.sum() == pytest.approx(1.0)


def test_maps_that_are_not_finite_give_nan(model, images):
    broken = VAEGAN.from_config(model.get_config())
    broken.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    # Pixels alone decide nothing here: every expert reads a broken tensor.
    value = synthetic_localization(broken, batched(images[:6]), batched(images[6:]), num_defects=8)
    assert np.isnan(value)
