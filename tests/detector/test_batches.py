"""`adapt`, `calibrate` and `evaluate` take images as `fit` does, and name what they cannot use."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad import AnomalyDetector, InputError, evaluate
from kerasad.detector.batches import as_batches
from kerasad.detector.experts import CellGaussian, PixelResidual

SIZE = (32, 48)


@pytest.fixture(scope="module")
def images(good_images):
    return good_images(20, *SIZE)


def make_detector(make_model, **options):
    experts = [PixelResidual(name="residual"), CellGaussian("features", name="gaussian")]
    return AnomalyDetector(make_model((*SIZE, 3)), experts, **options)


def calibrated_on(detector, train, validation, calibration, **options):
    options["verbose"] = 0
    detector.adapt(train, validation, num_defects=8, **options)
    detector.calibrate(calibration, **options)
    return detector.calibration_summary()


class Turns(keras.utils.PyDataset):
    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return len(self.images) // 4

    def __getitem__(self, index):
        return self.images[4 * index : 4 * index + 4], np.zeros(4)


def test_arrays_are_as_good_as_datasets(make_model, images, batched):
    parts = (images[:8], images[8:12], images[12:])
    detector = make_detector(make_model)
    new = detector.get_weights()
    expected = calibrated_on(detector, *map(batched, parts))
    for convert in (
        lambda part: part,
        tf.constant,
        lambda part: part.astype("float64"),
        lambda part: {"images": part},
        lambda part: (part, np.zeros(len(part))),
        Turns,
        lambda part: [part[:3], part[3:]],
    ):
        detector.set_weights(new)  # all that it learnt: its graphs need not be traced anew
        assert not detector.decision.is_calibrated
        found = calibrated_on(detector, *map(convert, parts), batch_size=4)
        assert found["num_images"] == 8
        for name, expert in expected["experts"].items():
            assert found["experts"][name] == pytest.approx(expert, rel=1e-4)
        assert found["threshold"] == pytest.approx(expected["threshold"], rel=1e-4)


def test_a_batch_of_fewer_images_is_computed_by_the_same_graph(make_model, images, monkeypatch):
    traced, answer = [], AnomalyDetector.answer

    def record(self, inputs):
        traced.append(inputs.shape)
        return answer(self, inputs)

    detector = make_detector(make_model)
    monkeypatch.setattr(AnomalyDetector, "answer", record)
    for count in (4, 1):
        assert len(detector.score_on_batch(images[:count])["anomaly_score"]) == count
    assert traced == [(None, *SIZE, 3)]


def test_arrays_with_padding_count_its_pixels_nowhere(make_model, images):
    detector = AnomalyDetector(
        make_model((*SIZE, 3)), [PixelResidual(position_free=True)], keep_aspect=True, smoothing=0.0
    )
    valid = np.ones((20, *SIZE, 1), bool)
    valid[:, 20:] = False
    spoilt = np.where(valid, images, 1.0)
    calibrated_on(detector, *[{"images": spoilt, "valid": valid}] * 3)
    expected = detector.threshold
    calibrated_on(detector, *[{"images": images, "valid": valid}] * 3)
    assert detector.threshold == expected


def test_batches_cover_an_array_once_and_again(images):
    batches = as_batches((images, np.arange(20)), "x", 8)
    assert len(batches) == 3
    for _ in range(2):
        parts = list(batches)
        assert [len(part) for part, _ in parts] == [8, 8, 4]
        np.testing.assert_array_equal(np.concatenate([part for part, _ in parts]), images)
        np.testing.assert_array_equal(np.concatenate([rows for _, rows in parts]), np.arange(20))


UNUSABLE = {
    "one image": (lambda x: x[0], r"Received: \(32, 48, 3\); that is one image: add the batch ax"),
    "unbatched": (
        tf.data.Dataset.from_tensor_slices,
        r"that is one image: add the batch axis, as images\[None\], or batch the dataset",
    ),
    "list of images": (list, r"Received: \(32, 48, 3\); that is one image"),
    "grey": (lambda x: x[..., :1], r"\(20, 32, 48, 1\); repeat a grey channel three times"),
    "no channels": (lambda x: x[..., 0], r"\(20, 32, 48\); repeat a grey channel three times"),
    "alpha": (lambda x: x[..., [0, 1, 2, 2]], "leave out the alpha channel"),
    "channels first": (lambda x: np.moveaxis(x, -1, 1), "the channels come last"),
    "bytes": (
        lambda x: (255 * x).astype("uint8"),
        "must hold floats.*uint8; divide by the largest",
    ),
    "0 to 255": (lambda x: 255 * x, r"must be in \[0, 1\]. Received: .* divide pixels of 0 to 255"),
    "below 0": (lambda x: 2 * x - 1, r"must be in \[0, 1\]. Received: -"),
    "NaN": (lambda x: np.where(x > x.mean(), np.nan, x), "not finite; check its images for NaN"),
    "texts": (lambda x: ["a.png", "b.png"], "Received: str; make one array of the images of a bat"),
    "path": (lambda x: "photos/good", "Received: str; `kerasad.data.load_category`"),
    "None": (lambda x: None, "must be an array of images.*Received: NoneType"),
    "no images": (lambda x: {"image": x}, "has a dict without `images`; it has 'image'"),
    "objects": (lambda x: np.array([x[0], x[0, 1:]], object), r"Received: \(2,\)"),
    "lengths": (lambda x: (x, np.zeros(3)), r"differ in length: \[20, 3\]"),
    "wrong valid": (
        lambda x: {"images": x, "valid": np.ones((20, *SIZE))},
        r"`valid` of `\w+` must be \(20, 32, 48, 1\).*Received: \(20, 32, 48\)",
    ),
    "endless": (
        lambda x: tf.data.Dataset.from_tensor_slices(x).batch(4).repeat(),
        r"never ends: leave out `repeat\(\)`",
    ),
}


@pytest.fixture(scope="module")
def detector(make_model):
    return make_detector(make_model)


@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_cannot_be_used_is_one_sentence_that_names_the_argument(detector, images, kind):
    spoil, message = UNUSABLE[kind]
    spoilt = spoil(images)
    cases = {
        "train": lambda: detector.adapt(spoilt, images, num_defects=8, verbose=0),
        "validation": lambda: detector.adapt(images, spoilt, num_defects=8, verbose=0),
        "calibration": lambda: detector.calibrate(spoilt, verbose=0),
    }
    if spoilt is None:  # keeps the stored scores
        del cases["calibration"]
    for name, run in cases.items():
        with pytest.raises(InputError, match=message) as raised:
            run()
        assert f"`{name}`" in str(raised.value)
        assert "\n" not in str(raised.value)
    assert not detector.decision.is_calibrated


def test_an_empty_array_is_no_image(detector, images):
    with pytest.raises(InputError, match="There is no training image"):
        detector.adapt(images[:0], images, verbose=0)
    with pytest.raises(InputError, match="no calibration image"):
        detector.calibrate(images[:0], verbose=0)


@pytest.fixture(scope="module")
def calibrated(make_model, images):
    detector = make_detector(make_model)
    calibrated_on(detector, images[:8], images[8:12], images[12:])
    return detector


def test_evaluate_takes_arrays_with_labels_or_masks(calibrated, images):
    detector = calibrated
    x = images[:6].copy()
    x[3:, 8:16, 8:16] = 1.0
    masks = np.zeros((6, *SIZE, 1), "uint8")
    masks[3:, 8:16, 8:16] = 1
    labels = np.array([0, 0, 0, 1, 1, 1])
    by_label = evaluate(detector, (x, labels), verbose=0, timing_batches=0)
    assert (by_label["num_images"], by_label["num_defective_images"]) == (6, 3)
    assert by_label["image_auroc"] == 1.0
    assert by_label["pixel_auroc"] is None
    by_mask = evaluate(detector, (x, masks), verbose=0, timing_batches=0)
    assert by_mask["image_auroc"] == 1.0
    assert by_mask["pixel_auroc"] > 0.9
    in_batches = tf.data.Dataset.from_tensor_slices((x, masks[..., 0])).batch(4)
    again = evaluate(detector, in_batches, verbose=0, timing_batches=0)
    assert again["pixel_auroc"] == pytest.approx(by_mask["pixel_auroc"])
    good = evaluate(detector, x[:3], verbose=0, timing_batches=0)
    assert good["num_good_images"] == good["num_images"] == 3


def test_evaluate_names_targets_that_it_cannot_read(calibrated, images):
    detector = calibrated
    for targets, message in (
        (np.zeros((20, 2)), r"targets of `dataset`.*Received: \(20, 2\)"),
        (np.full(20, "good"), "targets of `dataset` must be numbers"),
        ({"label": np.zeros(20)}, "targets of `dataset` have no 'mask'"),
    ):
        with pytest.raises(InputError, match=message):
            evaluate(detector, (images, targets), verbose=0)
