"""Outside a region of interest nothing counts, whatever is there."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasad.data.geometry import unpack_inputs
from kerasad.data.region import without_outside
from kerasad.detector import AnomalyDetector
from kerasad.detector.experts import CellGaussian, CellMemory
from kerasad.detector.region import RegionOfInterest
from kerasad.errors import InputError
from kerasad.layers.content_grid import align_cells
from kerasad.models import FeatureExtractor
from kerasad.models.base import AnomalyModel

SIDE = 32


def disc(side=SIDE, radius=0.35):
    places = (np.arange(side) + 0.5) / side - 0.5
    return places[:, None] ** 2 + places**2 < radius**2


def draw(count, seed=0, side=SIDE):
    generator = np.random.default_rng(seed)
    coarse = np.kron(generator.uniform(0.4, 0.6, (1, side // 8, side // 8, 3)), np.ones((8, 8, 1)))
    return np.clip(coarse + generator.normal(0, 0.03, (count, side, side, 3)), 0, 1).astype("f4")


def disturb(images, inside, seed=9):
    noise = np.random.default_rng(seed).uniform(0, 1, images.shape).astype("f4")
    return np.where(inside[..., None], images, noise)


@keras.saving.register_keras_serializable(package="tests")
class WideCells(AnomalyModel):
    """Cells of four pixels, and of each the mean over twenty: it sees far around itself."""

    cell_grid = (SIDE // 4, SIDE // 4)

    def __init__(self, image_shape, **kwargs):
        super().__init__(**kwargs)
        self.image_shape = tuple(image_shape)
        self.built = True

    def tensors(self, inputs):
        images, valid = unpack_inputs(inputs)
        near = ops.average_pool(images, 4, strides=4)
        features = ops.concatenate([near, ops.average_pool(near, 5, 1, padding="same")], axis=-1)
        return {"features": align_cells(features, valid)}


def experts(shapes, position_free):
    gaussian = CellGaussian("features", position_free=position_free, counts=True, name="gaussian")
    memory = CellMemory("features", capacity=100, coreset="random", counts=True, name="memory")
    return [gaussian, memory]


def fit(images, roi, valid=None, model=None):
    model = model or WideCells((SIDE, SIDE, 3))
    train = images if valid is None else {"images": images, "valid": valid}
    detector = AnomalyDetector(model, experts, roi=roi, copy_model=False)
    detector.adapt_crosswise(train, verbose=0)
    return detector


def default_model():
    """The features of `feature_statistics`, of a backbone with weights that need no download."""
    model = FeatureExtractor((SIDE, SIDE, 3), backbone_weights=None)
    generator = np.random.default_rng(0)
    for weight in model.view.backbone.weights:
        if "kernel" in weight.path:
            scale = 1 / np.sqrt(np.prod(weight.shape[:-1]))
            weight.assign(generator.normal(0, scale, weight.shape))
    return model


def answers(detector, images):
    outputs = detector.predict(images, verbose=0)
    return {name: np.asarray(outputs[name]) for name in outputs}


@pytest.fixture(scope="module")
def fitted():
    return fit(draw(8), disc())


def test_pixels_outside_change_nothing_in_prediction(fitted):
    images = draw(3, seed=1)
    images[0, 14:18, 14:18] = 1.0
    expected = answers(fitted, images)
    found = answers(fitted, disturb(images, disc()))
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    assert expected["is_anomalous"][0]


def test_pixels_outside_change_nothing_in_training(fitted):
    other = fit(disturb(draw(8), disc()), disc())
    images = draw(2, seed=1)
    expected, found = (answers(detector, images) for detector in (fitted, other))
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.slow
def test_pixels_outside_change_nothing_of_the_default_model():
    models = [default_model() for _ in range(2)]
    trains = draw(8), disturb(draw(8), disc())
    for model, train in zip(models, trains, strict=True):
        # Means and deviations of channels are measured on what counts, too.
        valid = np.broadcast_to(np.where(disc(), 1.0, 0.5)[..., None], (8, SIDE, SIDE, 1))
        painted, valid = RegionOfInterest((SIDE, SIDE), "each")(train, valid.astype("f4"))
        model.adapt({"images": painted, "valid": valid})
    first, second = (
        fit(train, disc(), model=model) for model, train in zip(models, trains, strict=True)
    )
    images = draw(2, seed=1)
    expected, found = answers(first, images), answers(second, disturb(images, disc()))
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_a_defect_outside_is_neither_scored_nor_marked(fitted):
    images = draw(1, seed=1)
    defective = images.copy()
    defective[0, :4, :4] = 1.0
    outputs = answers(fitted, defective)
    np.testing.assert_array_equal(
        outputs["anomaly_score"], answers(fitted, images)["anomaly_score"]
    )
    outside = ~disc()
    assert np.all(outputs["anomaly_map"][0, outside] <= outputs["pixel_threshold"][0])
    assert np.all(outputs["attention_map"][0, outside] == 0)


def test_a_region_for_all_images_is_saved_with_the_detector(fitted, tmp_path):
    path = tmp_path / "detector.keras"
    fitted.save(path)
    again = keras.saving.load_model(path)
    assert again.roi == "all"
    assert again.region.share == pytest.approx(disc().mean())
    images = disturb(draw(2, seed=1), disc())
    expected, found = (answers(detector, images) for detector in (fitted, again))
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_a_region_of_each_image_comes_with_it():
    inside = np.stack([disc(radius=r) for r in (0.3, 0.35, 0.4, 0.45) * 2])
    valid = np.where(inside, 1.0, 0.5).astype("f4")[..., None]
    detector = fit(draw(8), "each", valid)
    images = draw(2, seed=1)
    expected = answers(detector, {"images": images, "valid": valid[:2]})
    disturbed = np.stack([disturb(x, i) for x, i in zip(images, inside[:2], strict=True)])
    found = answers(detector, {"images": disturbed, "valid": valid[:2]})
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    with pytest.raises(InputError, match="region of interest of its own"):
        detector.predict(images, verbose=0)


def test_a_region_is_relative_to_the_picture_in_a_padded_frame():
    mask = np.zeros((8, 8), bool)
    mask[:, 4:] = True
    region = RegionOfInterest((8, 8), mask)
    valid = np.zeros((1, 8, 8, 1), "f4")
    valid[:, :, :4] = 1  # the picture fills the left half
    images, found = region(np.full((1, 8, 8, 3), 0.25, "f4"), valid)
    expected = np.full((8, 8), 0.0)
    expected[:, :4] = [0.5, 0.5, 0.5, 1.0]  # a half of column 2 is made of pixels outside
    np.testing.assert_array_equal(np.asarray(found)[0, ..., 0], expected)
    painted = np.asarray(images)[0, 0, :, 0]
    np.testing.assert_array_equal(painted, np.where(expected[0] == 1, 0.25, 0.5))


def test_images_of_the_size_of_the_mask_take_nothing_from_outside_when_resized():
    mask, images = disc(2 * SIDE), draw(2, seed=3, side=2 * SIDE)
    detector = AnomalyDetector(WideCells((SIDE, SIDE, 3)), experts, roi=mask)
    seen, valid = map(np.asarray, detector.prepare(images))
    other, _ = map(np.asarray, detector.prepare(disturb(images, mask)))
    np.testing.assert_array_equal(seen, other)
    assert 0.8 < (valid == 1).mean() / mask.mean() < 1.0  # the rim is made of both sides


@pytest.mark.parametrize(
    ("roi", "sentence"),
    [
        (np.zeros((8, 8)), "is empty"),
        (np.ones((8, 8, 3)), "must be a mask"),
        (np.eye(64)[:1] * np.ones((64, 1)), "so narrow"),
        ("some", "must be a mask or"),
    ],
)
def test_a_region_of_no_use_is_refused_in_a_sentence(roi, sentence):
    with pytest.raises(InputError, match=sentence):
        RegionOfInterest((8, 8), roi)


def test_metrics_leave_out_what_is_outside_by_hand():
    # Left column outside. The first defect has a pixel inside, the second none, the third no mask.
    counts = np.tile(np.array([0.0, 1.0, 1.0])[:, None], (3, 3, 1, 1))
    mask = np.zeros((3, 3, 3, 1))
    mask[0, 0, :2] = mask[1, :, 0] = 1
    targets = {
        "mask": mask,
        "has_mask": np.array([True, True, False]),
        "label": np.array([1, 1, 1], "int32"),
        "index": np.arange(3),
    }
    found = without_outside(targets, counts)
    np.testing.assert_array_equal(found["label"], [1, 0, 1])
    assert found["mask"].sum() == 1
