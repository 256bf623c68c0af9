import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kerasad import AnomalyDetector, InputError
from kerasad.detector.adaptation import draw_fusion_samples
from kerasad.detector.experts import CellGaussian, Expert, PixelResidual
from kerasad.detector.fusion import GOOD
from kerasad.detector.map_calibration import MapCalibration
from kerasad.synthetic.choosing import KINDS


@keras.saving.register_keras_serializable(package="tests")
class Recorder(Expert):
    """Writes down what it is given."""

    requires = ("features",)

    def __init__(self, passes=2, **kwargs):
        super().__init__(**kwargs)
        self.passes = passes
        self.events, self.weights_seen, self.cells_seen = [], [], []

    def call(self, tensors):
        return ops.mean(tensors["features"], axis=-1, keepdims=True)

    def start(self, pass_index, stream=0):
        self.events.append(f"start {pass_index}")

    def update(self, tensors, weights, pass_index):
        features = tensors["features"]
        self.events.append(f"update {pass_index}: {features.shape[0]}")
        self.weights_seen.append(np.asarray(weights(features.shape[1:3])))
        self.cells_seen.append(np.asarray(features))

    def finish(self, pass_index):
        self.events.append(f"finish {pass_index}")


@pytest.fixture
def make_detector(make_model):
    def make(experts, image_shape=(32, 48, 3), **options):
        return AnomalyDetector(make_model(image_shape), experts, smoothing=0.0, **options)

    return make


def measure(detector, data):
    detector.map_calibration.measure(detector.iterate_maps(data))


def draw(detector, data, num_defects=8, **options):
    (sample,) = draw_fusion_samples(
        detector, data, [detector.map_calibration], num_defects=num_defects, **options
    )
    return sample


def pad_rows(images, rows):
    """The images with all but so many rows declared as padding."""
    valid = np.zeros_like(images[..., :1])
    valid[:, :rows] = 1
    return {"images": images, "valid": valid}


def test_every_pass_shows_all_images_once_to_the_experts_that_want_it(
    make_detector, good_images, batched
):
    once, twice = Recorder(1, name="once"), Recorder(2, name="twice")
    never = PixelResidual(name="never")
    images = good_images(10, 32, 48)
    make_detector([once, never, twice]).expert_maps.fit(batched(images))
    updates = ["update 0: 4", "update 0: 4", "update 0: 2"]
    assert once.events == ["start 0", *updates, "finish 0"]
    second = [event.replace("update 0", "update 1") for event in updates]
    assert twice.events == ["start 0", *updates, "finish 0", "start 1", *second, "finish 1"]
    cells = images.reshape(10, 8, 4, 12, 4, 3).mean(axis=(2, 4))[..., :2]
    np.testing.assert_allclose(np.concatenate(once.cells_seen), cells, atol=1e-6)
    np.testing.assert_array_equal(np.concatenate(once.weights_seen), np.ones((10, 8, 12)))


def test_cells_with_any_padding_have_weight_0(make_detector, good_images, batched):
    expert = Recorder(1)
    detector = make_detector([expert], keep_aspect=True)
    detector.expert_maps.fit(batched(pad_rows(good_images(3, 32, 48), rows=18)))
    weights = expert.weights_seen[0]
    # Four rows a cell: the fifth row of cells holds rows 16 to 19, of which two are padding.
    assert (weights[:, :4] == 1).all()
    assert (weights[:, 4:] == 0).all()


def test_targets_are_ignored(make_detector, good_images):
    expert = Recorder(1)
    images = good_images(2, 32, 48)
    make_detector([expert]).expert_maps.fit([(images, "targets")])
    assert expert.events == ["start 0", "update 0: 2", "finish 0"]


def test_no_training_image_is_an_error(make_detector):
    with pytest.raises(InputError, match="no training image"):
        make_detector([Recorder()]).expert_maps.fit([])


def test_images_of_another_size_name_the_argument(make_detector, good_images):
    with pytest.raises(InputError, match=r"`train` must have images of the model's size \(32, 48"):
        make_detector([Recorder()]).expert_maps.fit([good_images(2, 32, 32)])


def test_padded_images_need_a_detector_that_knows(make_detector, good_images):
    with pytest.raises(InputError, match="keep_aspect=True"):
        make_detector([Recorder()]).expert_maps.fit([pad_rows(good_images(2, 32, 48), 20)])


def test_images_that_can_be_read_only_once_are_refused(make_detector, good_images):
    images = good_images(2, 32, 48)
    with pytest.raises(InputError, match="only once"):
        make_detector([Recorder(2)]).expert_maps.fit(batch for batch in [images])
    detector = make_detector([PixelResidual()])
    with pytest.raises(InputError, match="only once"):
        detector.adapt([images], (batch for batch in [images]), num_defects=8, verbose=0)


def test_map_scales_are_those_of_the_validation_maps(make_detector, good_images, batched):
    detector = make_detector([PixelResidual()])
    images = good_images(6, 32, 48)
    measure(detector, batched(images))
    residual = np.abs(images - 0.5).mean(axis=-1)
    np.testing.assert_allclose(
        np.asarray(detector.map_calibration.mean), residual.mean(), rtol=1e-4
    )
    np.testing.assert_allclose(
        np.asarray(detector.map_calibration.scale), residual.std(), rtol=1e-4
    )


def test_validation_images_of_another_size_are_resized_as_in_call(
    make_detector, good_images, batched
):
    detector = make_detector([PixelResidual()])
    measure(detector, batched(good_images(3, 64, 40)))
    images, _ = detector.prepare(tf.constant(good_images(3, 64, 40)))
    residual = np.abs(np.asarray(images) - 0.5).mean(axis=-1)
    np.testing.assert_allclose(
        np.asarray(detector.map_calibration.mean), residual.mean(), rtol=1e-4
    )


def test_no_validation_image_is_an_error(make_detector):
    with pytest.raises(InputError, match="no validation image"):
        measure(make_detector([PixelResidual()]), [])


def test_fusion_sample_has_good_images_and_as_many_defects_as_wanted(
    make_detector, good_images, batched
):
    detector = make_detector([PixelResidual(name="a"), Recorder(name="b")])
    sample = draw(detector, batched(good_images(3, 32, 48), 2))
    # A round of each of the 5 kinds on 3 images reaches the 8 defects that the test asks for.
    assert sample.maps.shape == sample.place_maps.shape == (18, 32, 48, 2)
    assert sample.masks.shape == sample.valid.shape == (18, 32, 48)
    assert sample.masks.any(axis=(1, 2)).tolist() == [False] * 3 + [True] * 15
    assert sample.kinds.tolist() == [-1] * 3 + [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert sample.sources.tolist() == [0, 1, 2] * 6
    assert sample.valid.all()
    good = detector.expert_maps(tf.constant(good_images(3, 32, 48)))[0]
    np.testing.assert_allclose(
        sample.maps[:3], np.asarray(detector.map_calibration(good)[0]), atol=1e-5
    )
    outside = ~sample.masks[3:6]
    np.testing.assert_allclose(sample.maps[3:6, ..., 0][outside], sample.maps[:3, ..., 0][outside])


def test_windows_of_one_photo_have_one_source(make_detector, good_images, batched):
    windows = batched(good_images(3, 32, 48), 2)
    sample = draw(make_detector([PixelResidual()]), windows, on_crops=True)
    assert sample.sources.tolist() == [0] * 18


def test_fusion_sample_is_limited_whatever_the_number_of_images(
    make_detector, good_images, batched
):
    detector = make_detector([PixelResidual()])
    sample = draw(detector, batched(good_images(13, 32, 48), 3))
    images = 4  # half of the defects
    assert len(sample.maps) == images + 5 * images


def test_fusion_sample_of_large_images_is_thinned(make_detector, good_images, batched):
    detector = make_detector([PixelResidual()], image_shape=(64, 160, 3))
    sample = draw(detector, batched(good_images(2, 64, 160)))
    assert sample.maps.shape[1:3] == (21, 53)  # every third pixel, from the second on
    full = np.asarray(
        detector.map_calibration(detector.expert_maps(tf.constant(good_images(2, 64, 160)))[0])[0]
    )
    np.testing.assert_allclose(sample.maps[:2], full[:, 1::3, 1::3], atol=1e-5)


def test_defects_are_the_same_under_a_seed_and_others_under_another(
    make_detector, good_images, batched
):
    detector = make_detector([PixelResidual()])
    data = batched(good_images(3, 32, 48))
    one, two, other = (draw(detector, data, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.masks, two.masks)
    np.testing.assert_array_equal(one.maps, two.maps)
    assert (one.masks != other.masks).any()


def test_several_calibrations_share_images_and_defects(make_detector, good_images, batched):
    detector = make_detector([PixelResidual()])
    data, others = batched(good_images(3, 32, 48)), batched(good_images(3, 32, 48, seed=1))
    second = MapCalibration(detector.image_size, num_experts=1)
    second.build()
    measure(detector, data)
    own_mean = np.array(detector.map_calibration.mean)
    second.measure(detector.iterate_maps(others))
    np.testing.assert_array_equal(detector.map_calibration.mean, own_mean)
    assert float(second.mean[0]) != own_mean[0]

    calibrations = [detector.map_calibration, second]
    one, two = draw_fusion_samples(detector, data, calibrations, num_defects=8)
    alone = draw(detector, data)
    np.testing.assert_array_equal(one.maps, alone.maps)
    np.testing.assert_array_equal(one.masks, two.masks)
    assert (one.maps != two.maps).any()


def test_large_images_have_fewer_defects_but_of_each_kind(make_detector, good_images, batched):
    detector, data = make_detector([PixelResidual()]), batched(good_images(12, 32, 48))

    def drawn(allowed):
        sample = draw(detector, data, num_defects=40, max_pixels=allowed * 32 * 48)
        defects = np.bincount(sample.kinds[sample.kinds != GOOD]).tolist()
        return np.sum(sample.kinds == GOOD), defects

    assert drawn(1000) == (12, [12] * len(KINDS))
    assert drawn(59) == (11, [11] * len(KINDS))
    assert drawn(20) == (4, [4] * len(KINDS))
    # So many that the error of a gain can be measured.
    assert drawn(1) == (3, [3] * len(KINDS))


def test_padding_has_neither_defects_nor_a_vote(make_detector, good_images, batched):
    detector = make_detector([PixelResidual()], keep_aspect=True)
    data = batched(pad_rows(good_images(3, 32, 48), rows=20))
    measure(detector, data)
    sample = draw(detector, data)
    assert sample.valid[:, :20].all()
    assert not sample.valid[:, 20:].any()
    assert not sample.masks[:, 20:].any()
    residual = np.abs(good_images(3, 32, 48)[:, :20] - 0.5).mean(axis=-1)
    np.testing.assert_allclose(
        np.asarray(detector.map_calibration.mean), residual.mean(), rtol=1e-4
    )


def test_gaussian_of_the_detector_is_that_of_its_tensor(make_detector, good_images, batched):
    expert = CellGaussian("features", position_free=True)
    images = good_images(9, 32, 48)
    make_detector([expert]).expert_maps.fit(batched(images))
    cells = images.reshape(9, 8, 4, 12, 4, 3).mean(axis=(2, 4))[..., :2].reshape(-1, 2)
    np.testing.assert_allclose(np.asarray(expert.mean)[0], cells.mean(axis=0), rtol=1e-4)
    whitening = np.asarray(expert.whitening)[0]
    covariance = np.linalg.inv(whitening @ whitening.T)
    expected = np.cov(cells.T) + 0.01 * np.trace(np.cov(cells.T)) / 2 * np.eye(2)
    np.testing.assert_allclose(covariance, expected, rtol=0.01, atol=1e-7)


def test_progress_is_shown_if_asked(make_detector, good_images, batched, capsys):
    data = batched(good_images(3, 32, 48))
    detector = make_detector([CellGaussian("features")])
    detector.adapt(data, data, num_defects=8, verbose=0)
    assert capsys.readouterr().out == ""
    detector.adapt(data, data, num_defects=8, verbose=1)
    shown = capsys.readouterr().out
    for title in ("adapting, pass 1", "measuring scales", "choosing weights"):
        assert title in shown
