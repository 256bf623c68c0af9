import keras
import numpy as np
import pytest

from kerasad import AnomalyDetector
from kerasad.detector.experts import CellGaussian, CellMemory, PixelResidual
from kerasad.errors import InputError

SHAPE = (16, 24, 3)


@pytest.fixture(scope="module")
def new_detector(make_model):
    def make(**options):
        experts = [
            CellGaussian("features", name="gaussian"),
            CellMemory("features", coreset="random", name="memory"),
            PixelResidual(name="pixels"),
        ]
        model = make_model(SHAPE, trainable=False)
        return AnomalyDetector(model, options.pop("experts", experts), **options)

    return make


@pytest.fixture(scope="module")
def images(good_images):
    return good_images(32, *SHAPE[:2])


@pytest.fixture(scope="module")
def saved(images, new_detector, tmp_path_factory):
    """A detector of the first 20 images, in a file."""
    path = tmp_path_factory.mktemp("updating") / "detector.keras"
    detector = new_detector()
    detector.adapt_crosswise(images[:20], verbose=0)
    detector.save(path)
    return path


@pytest.fixture(scope="module")
def updated(saved, images):
    detector = keras.saving.load_model(saved)
    return detector, detector.update_crosswise(images[20:], verbose=0)


def test_updated_statistics_are_those_of_all_images_at_once(updated, images, new_detector):
    whole = new_detector()
    whole.adapt_crosswise(images, verbose=0)
    maps = [np.asarray(each.expert_maps.compute(images)).copy() for each in (updated[0], whole)]
    memories = [each.experts[1] for each in (updated[0], whole)]
    for one in (0, 1):
        maps[one][..., 1] *= float(memories[one].unit)  # a memory keeps its first measure
    np.testing.assert_allclose(*maps, rtol=2e-3, atol=1e-3)
    # Scales are of left-out maps, which differ by what was left out.
    scales = [np.asarray(each.map_calibration.scale) for each in (updated[0], whole)]
    np.testing.assert_allclose(scales[0][[0, 2]], scales[1][[0, 2]], rtol=0.1)
    assert float(updated[0].map_calibration.num_images) == 32


def test_only_the_new_images_calibrate_and_the_note_says_so(updated):
    detector, summary = updated
    assert summary["num_images"] == len(detector.decision.stored_scores()) == 12
    assert summary["false_alarm_rate"]["guaranteed"] is None
    assert "the rate is that of images like these" in summary["note"]
    assert len(detector.descriptors.stored()) == 12


def test_a_new_image_is_scored_by_statistics_that_have_not_seen_it(saved, images):
    strange = images[20:].copy()
    strange[3, 4:12, 8:16] = [0.9, 0.1, 0.2]
    detector = keras.saving.load_model(saved)
    detector.update_crosswise(strange, verbose=0)
    left_out = detector.decision.stored_scores()[0]
    seen = detector.predict(strange[3:4], verbose=0)["anomaly_score"][0]
    assert left_out > 1.5 * seen


def test_a_change_that_all_new_images_share_is_learnt(saved, images):
    darker = images * 0.8
    detector = keras.saving.load_model(saved)
    before = detector.predict(darker[:20], verbose=0)
    detector.update_crosswise(darker[20:], verbose=0)
    after = detector.predict(darker[:20], verbose=0)
    assert before["is_anomalous"].mean() > 0.9
    assert after["is_anomalous"].mean() < 0.3


def test_new_images_calibrate_an_updated_detector_as_any_other(saved, images, good_images):
    detector = keras.saving.load_model(saved)
    detector.update_crosswise(images[20:], verbose=0)
    summary = detector.calibrate(good_images(19, *SHAPE[:2], seed=5), strict=True, verbose=0)
    assert "like these" not in (summary["note"] or "")


def test_few_new_images_and_near_copies_of_few_are_refused(saved, images):
    detector = keras.saving.load_model(saved)
    before = detector.decision.calibration_id
    with pytest.raises(InputError, match="needs at least 5 new good images"):
        detector.update_crosswise(images[20:24], verbose=0)
    with pytest.raises(InputError, match="Received: 4"):
        detector.update_crosswise(images[20:], np.arange(12) // 3, verbose=0)
    assert detector.decision.calibration_id == before


def test_a_detector_that_has_learnt_nothing_cannot_go_on(images, new_detector):
    with pytest.raises(InputError, match="calibrate"):
        new_detector().update_crosswise(images, verbose=0)


def test_an_expert_that_keeps_too_little_refuses(images, new_detector):
    detector = new_detector(experts=[CellMemory("features", name="memory")])
    detector.adapt_crosswise(images[:20], verbose=0)
    with pytest.raises(InputError, match="train with all images"):
        detector.update_crosswise(images[20:], verbose=0)


def test_tiles_are_refused(images, make_model, good_images):
    detector = AnomalyDetector(
        make_model(SHAPE), [PixelResidual(name="pixels")], image_size=(32, 48), overlap=4
    )
    large = good_images(6, 32, 48)
    detector.adapt(images[:6], large, num_defects=8, verbose=0)
    detector.calibrate(large, verbose=0)
    with pytest.raises(InputError, match="tiles"):
        detector.update_crosswise(large, verbose=0)
