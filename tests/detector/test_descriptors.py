"""Descriptors: by hand, with padding, in tiles, and as state."""

import keras
import numpy as np
import pytest

from kerasad import AnomalyDetector
from kerasad.data.geometry import pack_inputs
from kerasad.detector.descriptors import (
    CalibrationDescriptors,
    make_descriptors,
)
from kerasad.detector.experts import CellGaussian, PixelResidual
from kerasad.models.base import AnomalyModel

SHAPE = (32, 48, 3)


def make_detector(model, **options):
    return AnomalyDetector(
        model, [PixelResidual(name="residual", position_free=bool(options))], **options
    )


def test_mean_and_deviation_of_each_channel_by_hand(make_model, good_images):
    images = good_images(3, *SHAPE[:2])
    cells = images.reshape(3, 8, 4, 12, 4, 3).mean(axis=(2, 4))[..., :2]
    expected = np.concatenate([cells.mean(axis=(1, 2)), cells.std(axis=(1, 2))], axis=-1)
    found = make_detector(make_model(SHAPE)).expert_maps.describe(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_padding_is_no_part_of_a_descriptor(make_model, good_images):
    images = good_images(2, *SHAPE[:2])
    valid = np.zeros((2, 32, 48, 1), "float32")
    valid[:, :16, :24] = 1.0
    detector = make_detector(make_model(SHAPE), keep_aspect=True)
    other = np.where(valid > 0, images, 1.0 - images)
    found = detector.expert_maps.describe(images, valid)
    np.testing.assert_allclose(found, detector.expert_maps.describe(other, valid), atol=1e-6)
    cells = images[:, :16, :24].reshape(2, 4, 4, 6, 4, 3).mean(axis=(2, 4))[..., :2]
    np.testing.assert_allclose(found[:, :2], cells.mean(axis=(1, 2)), atol=1e-5)


def test_tiles_that_do_not_overlap_describe_the_whole_image(make_model, good_images):
    images = good_images(3, 64, 96)
    tiled = make_detector(make_model(SHAPE), image_size=(64, 96), overlap=0)
    whole = make_detector(make_model((64, 96, 3)))
    np.testing.assert_allclose(
        tiled.expert_maps.describe(images), whole.expert_maps.describe(images), atol=1e-5
    )


@pytest.mark.parametrize(
    ("shapes", "tensor", "size"),
    [
        ({"features": (None, 4, 4, 7), "encoder_features": (None, 4, 4, 5)}, "features", 14),
        ({"z_mean": (None, 3), "encoder_features": (None, 4, 4, 5)}, "encoder_features", 10),
        ({"z_mean": (None, 3)}, "images", 6),
    ],
)
def test_the_first_tensor_that_a_model_has_is_described(shapes, tensor, size):
    made = make_descriptors(shapes)
    assert (made.tensor, made.size) == (tensor, size)
    assert made.values.shape == (512, size)


def test_state_is_bounded_and_what_is_left_out_does_not_depend_on_the_values():
    layer = CalibrationDescriptors("features", size=50, width=8, capacity=20)
    layer.build()
    descriptors = np.arange(30 * 50.0).reshape(30, 50)
    kept = layer.choose(descriptors)
    assert kept.shape == (20, 8)
    rows, columns = (kept // 50).astype(int), (kept % 50).astype(int)
    assert (rows == rows[:, :1]).all()
    assert (columns == columns[:1]).all()
    np.testing.assert_array_equal(layer.choose(-descriptors), -kept)
    layer.keep(descriptors)
    np.testing.assert_array_equal(layer.stored(), kept)
    layer.keep(descriptors[:3])
    np.testing.assert_array_equal(layer.stored(), layer.choose(descriptors[:3]))
    layer.forget()
    assert len(layer.stored()) == 0
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


def test_calibrating_remembers_descriptors_and_adapting_forgets_them(
    make_model, good_images, batched, tmp_path
):
    detector = make_detector(make_model(SHAPE))
    train, images = good_images(8, *SHAPE[:2]), good_images(9, *SHAPE[:2], seed=1)
    detector.adapt(batched(train[:4]), batched(train[4:]), num_defects=8, verbose=0)
    detector.calibrate(batched(images), verbose=0)
    expected = detector.expert_maps.describe(images)
    np.testing.assert_allclose(detector.descriptors.stored(), expected, atol=1e-6)
    detector.calibrate(None, false_alarm_rate=0.3, verbose=0)
    detector.save(tmp_path / "detector.keras")
    loaded = keras.saving.load_model(tmp_path / "detector.keras")
    np.testing.assert_array_equal(loaded.descriptors.stored(), detector.descriptors.stored())
    detector.adapt(batched(train[:4]), batched(train[4:]), num_defects=8, verbose=0)
    assert len(detector.descriptors.stored()) == 0


def test_padded_images_are_described_from_their_real_part(make_model, good_images, batched):
    detector = make_detector(make_model(SHAPE), keep_aspect=True)
    images = good_images(6, *SHAPE[:2])
    valid = np.ones((6, 32, 48, 1), "float32")
    valid[:, :, 24:] = 0.0
    data = batched(pack_inputs(images, valid))
    detector.adapt(data, data, num_defects=8, verbose=0)
    detector.calibrate(data, verbose=0)
    np.testing.assert_allclose(
        detector.descriptors.stored(), detector.expert_maps.describe(images, valid), atol=1e-6
    )


class AlignedModel(AnomalyModel):
    """Its cells follow the real part of an image: here, halves of it from top to bottom."""

    image_shape = SHAPE
    cell_grid = (2, 1)

    def tensors(self, inputs):
        images = inputs["images"] if isinstance(inputs, dict) else inputs
        real = images[:, :16] if isinstance(inputs, dict) else images
        cells = keras.ops.average_pool(real, (real.shape[1] // 2, 48), padding="valid")
        return {"features": cells, "attention_map": cells[..., :1]}

    def get_config(self):
        return keras.Model.get_config(self)


def test_all_of_the_cells_that_follow_the_real_part_are_described(good_images):
    model = AlignedModel()
    model.built = True
    detector = AnomalyDetector(model, [CellGaussian("features", name="gaussian")])
    images = good_images(2, *SHAPE[:2])
    valid = np.zeros((2, 32, 48, 1), "float32")
    valid[:, :16] = 1.0
    for inputs in ((images,), (images, valid)):
        rows = images if len(inputs) == 1 else images[:, :16]
        cells = rows.reshape(2, 2, -1, 48, 3).mean(axis=(2, 3))
        expected = np.concatenate([cells.mean(axis=1), cells.std(axis=1)], axis=-1)
        np.testing.assert_allclose(detector.expert_maps.describe(*inputs), expected, atol=1e-4)
