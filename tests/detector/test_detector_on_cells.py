import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kerasad.detector import AnomalyDetector
from kerasad.detector.experts import CellGaussian, Expert
from kerasad.layers.content_grid import enlarge_maps
from kerasad.models.base import AnomalyModel

SHAPE = (16, 24, 3)
GRID = (2, 3)


@keras.saving.register_keras_serializable(package="tests")
class CellModel(AnomalyModel):
    """Its cells are the means of eight by eight pixels of the real part."""

    image_shape = SHAPE
    cell_grid = GRID

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def tensors(self, inputs):
        images, valid = inputs, None
        if isinstance(inputs, dict):
            images, valid = inputs["images"], inputs.get("valid")
        if valid is not None:  # good enough for a test: padding is as black as it is absent
            images = images * valid
        cells = ops.average_pool(images, 8, strides=8)
        return {"features": cells, "attention_map": cells[..., :1]}

    def reconstruct(self, inputs):
        return self.tensors(inputs)["features"]

    def get_config(self):
        return keras.Model.get_config(self)


@keras.saving.register_keras_serializable(package="tests")
class Brightness(Expert):
    requires = ("features",)

    def call(self, tensors):
        return ops.mean(tensors["features"], axis=-1, keepdims=True)


@keras.saving.register_keras_serializable(package="tests")
class Whole(Expert):
    """One value for the whole image."""

    requires = ("features",)

    def call(self, tensors):
        return ops.max(tensors["features"], axis=(1, 2, 3), keepdims=True)


def images_of(cells):
    return np.kron(np.asarray(cells, "float32"), np.ones((8, 8)))[None, ..., None].repeat(3, -1)


CELLS = [[0.1, 0.2, 0.9], [0.3, 0.0, 0.4]]


def test_maps_are_added_up_cell_by_cell_and_the_sum_is_enlarged():
    detector = AnomalyDetector(CellModel(), [Brightness(name="one"), Whole(name="two")])
    detector.fusion_weights.assign([0.75, 0.25])
    detector.score_weights.assign([0.75, 0.25])
    outputs = detector.answer(images_of(CELLS))
    # Before it is measured, the mean is 0 and the scale 1.
    summed = 0.75 * np.arcsinh(CELLS) + 0.25 * np.arcsinh(0.9)
    expected = enlarge_maps(summed[None, ..., None].astype("float32"), SHAPE[:2])
    np.testing.assert_allclose(outputs["anomaly_map"], expected, atol=1e-5)
    np.testing.assert_allclose(outputs["anomaly_score"], [np.max(expected)], atol=1e-5)
    attention = enlarge_maps(np.asarray(CELLS, "float32")[None, ..., None], SHAPE[:2])
    np.testing.assert_allclose(outputs["attention_map"], attention, atol=1e-5)


def test_the_score_is_the_largest_value_of_real_pixels():
    detector = AnomalyDetector(CellModel(), [Brightness(name="one")], keep_aspect=True)
    valid = np.ones((1, 16, 24, 1), "float32")
    valid[:, :, 16:] = 0.0
    inputs = {"images": images_of(CELLS), "valid": valid}
    outputs = detector.score_on_batch(inputs)
    inside = outputs["anomaly_map"][valid > 0]
    np.testing.assert_allclose(outputs["anomaly_score"], [inside.max()], rtol=1e-6)
    # Beyond the real part, maps go on as its last column.
    np.testing.assert_allclose(
        outputs["anomaly_map"][:, :, 16:],
        outputs["anomaly_map"][:, :, 15:16].repeat(8, 2),
        atol=0.02,
    )


def test_places_mean_something_in_padded_images():
    detector = AnomalyDetector(CellModel(), [CellGaussian("features")], keep_aspect=True)
    assert not detector.expert_maps.position_free
    assert detector.map_calibration.place_mean.shape == (1, *GRID, 1)


def test_what_is_usual_at_a_cell_is_measured_there():
    detector = AnomalyDetector(CellModel(), [Brightness(name="one")])
    generator = np.random.default_rng(0)
    cells = [np.asarray(CELLS) + generator.uniform(0, 0.05, GRID) for _ in range(6)]
    good = np.concatenate([images_of(image) for image in cells])
    data = tf.data.Dataset.from_tensor_slices(good).batch(2)
    detector.adapt(data, data, num_defects=8, verbose=0)
    mean = np.asarray(detector.map_calibration.place_mean)[0, ..., 0]
    assert mean.shape == GRID
    # Neighbours are smoothed into each other, the order stays.
    assert mean[0, 2] > mean[0, 1] > mean[1, 1]
    detector.calibrate(data, false_alarm_rate=0.2, verbose=0)
    assert np.isfinite(detector.threshold)


def test_tiles_are_put_together_pixel_by_pixel():
    detector = AnomalyDetector(
        CellModel(), [Brightness(name="one")], image_size=(16, 40), overlap=8, smoothing=0.0
    )
    assert detector.frame.cell_grid is None
    assert detector.expert_maps.position_free
    image = np.full((1, 16, 40, 3), 0.25, "float32")
    outputs = detector.score_on_batch(image)
    np.testing.assert_allclose(outputs["anomaly_map"], np.arcsinh(0.25), atol=1e-5)


def test_a_small_picture_is_enlarged_to_the_size_of_the_images():
    detector = AnomalyDetector(CellModel(), [Brightness(name="one")])
    assert detector.reconstruct(images_of(CELLS)).shape == (1, *SHAPE)


def test_a_detector_on_cells_comes_back_the_same(tmp_path):
    detector = AnomalyDetector(CellModel(), [Brightness(name="one")], smoothing=3.0)
    detector.map_calibration.mean.assign([0.3])
    detector.save(tmp_path / "detector.keras")
    loaded = keras.saving.load_model(tmp_path / "detector.keras")
    expected = detector.score_on_batch(images_of(CELLS))
    for name, value in loaded.score_on_batch(images_of(CELLS)).items():
        np.testing.assert_array_equal(value, expected[name], name)
    assert loaded.frame.cell_grid == GRID
    other = AnomalyDetector(CellModel(), [Brightness(name="one")])
    found = other.score_on_batch(images_of(CELLS))["anomaly_map"]
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(found, expected["anomaly_map"])
