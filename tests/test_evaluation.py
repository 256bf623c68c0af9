import copy
import json
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from kerasad import InputError
from kerasad.evaluation import evaluate, format_metrics_table, write_metrics
from kerasad.metrics import AUPRO
from kerasad.metrics.intervals import clopper_pearson

HEIGHT, WIDTH = 12, 10
CONTRACT = {
    *("image_auroc", "pixel_auroc", "aupro", "aupro_fpr_limit", "image_f1_max", "pixel_f1_max"),
    *("iou_oracle", "iou_pooled", "iou_per_image", "balanced_accuracy", "detection_rate"),
    "false_alarm_rate",
    *("threshold", "pixel_threshold", "per_defect", "num_images", "image_size"),
    *("milliseconds_per_image", "notes"),
}


@dataclass
class FakeRecord:
    defect: str
    relative_path: str


class FakeDetector:
    """Takes the first channel for the map and its maximum over real pixels for the score."""

    threshold = 2.5
    pixel_threshold = 1.5
    image_size = (HEIGHT, WIDTH)
    region = None

    def __init__(self, guaranteed=0.0476, note=None, review_threshold=None):
        self.guaranteed, self.note = guaranteed, note
        self.review_threshold = review_threshold
        self.batches_seen = 0

    def predict_stream(self, dataset, verbose=0, title="scoring"):
        for element in dataset:
            inputs, targets = element if isinstance(element, tuple) else (element, None)
            images, valid = inputs, 1.0
            if isinstance(inputs, dict):
                images, valid = inputs["images"], inputs["valid"].numpy()
            maps = images.numpy()[..., :1]
            scores = np.where(valid > 0, maps, -np.inf).max(axis=(1, 2, 3))
            self.batches_seen += 1
            yield {"anomaly_map": maps, "anomaly_score": scores}, inputs, targets

    def calibration_summary(self):
        band = {}
        if self.review_threshold is not None:
            rates = {"requested": 0.2, "expected": 0.19, "guaranteed": 0.19}
            rates["interval_95"] = [0.1, 0.3]
            band = {"review_rate": rates, "review_threshold": self.review_threshold}
        return {
            **band,
            "false_alarm_rate": {
                "requested": 0.05,
                "expected": 0.0476,
                "guaranteed": self.guaranteed,
                "interval_95": [0.0116, 0.1068],
            },
            "note": self.note,
        }


class TestSet:
    """Four good images, three scratches, two holes; the last hole has no mask."""

    __test__ = False

    def __init__(self, seed=0):
        generator = np.random.default_rng(seed)
        self.defects = ["good"] * 4 + ["scratch"] * 3 + ["hole"] * 2
        count = len(self.defects)
        self.label = np.array([defect != "good" for defect in self.defects], "int32")
        self.mask = np.zeros((count, HEIGHT, WIDTH, 1), "float32")
        for image in range(4, count - 1):
            self.mask[image, image : image + 3, 2:5] = 1
            self.mask[image, 1, 8] = 1
        self.has_mask = np.arange(count) < count - 1
        noise = generator.normal(size=(count, HEIGHT, WIDTH, 3)).astype("float32")
        self.images = noise + 1.5 * self.mask
        self.images[-1] += 3.0
        self.records = [
            FakeRecord(defect, f"test/{defect}/{index:03}.png")
            for index, defect in enumerate(self.defects)
        ]

    def dataset(self, batch_size=4, valid=None, rows=slice(None)):
        index = np.arange(len(self.defects), dtype="int32")
        targets = {
            "mask": self.mask[rows],
            "has_mask": self.has_mask[rows],
            "label": self.label[rows],
            "index": index[rows],
        }
        images = self.images[rows]
        inputs = images if valid is None else {"images": images, "valid": valid[rows]}
        return tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(batch_size)


@pytest.fixture
def photos():
    return TestSet()


@pytest.fixture(scope="module")
def metrics():
    photos = TestSet()
    return evaluate(FakeDetector(), photos.dataset(), records=photos.records, verbose=0)


def test_every_key_of_the_contract_is_there(metrics):
    assert set(metrics) >= CONTRACT


def test_image_metrics_use_every_image(photos, metrics):
    scores = photos.images[..., 0].max(axis=(1, 2))
    assert metrics["image_auroc"] == pytest.approx(roc_auc_score(photos.label, scores))
    hits = np.mean(scores[photos.label == 1] > 2.5)
    alarms = np.mean(scores[photos.label == 0] > 2.5)
    assert metrics["balanced_accuracy"] == pytest.approx((hits + 1 - alarms) / 2)
    assert metrics["false_alarm_rate"] == {
        "requested": 0.05,
        "expected": 0.0476,
        "guaranteed": 0.0476,
        "interval_95": [0.0116, 0.1068],
        "observed": pytest.approx(alarms),
    }


def test_what_was_observed_has_a_95_percent_interval(photos, metrics):
    intervals = metrics["intervals_95"]
    for name in ("image_auroc", "pixel_auroc", "aupro"):
        assert intervals[name][0] <= metrics[name] <= intervals[name][1]
    good, defective = (int(np.sum(photos.label == label)) for label in (0, 1))
    alarms = round(metrics["false_alarm_rate"]["observed"] * good)
    assert intervals["false_alarm_rate"] == list(clopper_pearson(alarms, good))
    found = round(metrics["detection_rate"] * defective)
    assert intervals["detection_rate"] == list(clopper_pearson(found, defective))
    lines = format_metrics_table(metrics).splitlines()
    told = [line for line in lines if line.endswith("(95 % interval)")]
    assert [line.split()[0] for line in told] == [
        *("image_auroc", "pixel_auroc", "aupro", "detection_rate", "false_alarm_rate")
    ]


def test_pixel_metrics_leave_out_and_list_a_defect_without_mask(photos, metrics):
    maps, mask = photos.images[:-1, ..., 0], photos.mask[:-1, ..., 0] > 0
    assert metrics["pixel_auroc"] == pytest.approx(roc_auc_score(mask.ravel(), maps.ravel()))
    flagged = maps > 1.5
    assert metrics["iou_pooled"] == pytest.approx(np.sum(mask & flagged) / np.sum(mask | flagged))
    ious = [np.sum(m & f) / np.sum(m | f) for m, f in zip(mask, flagged, strict=True) if m.any()]
    assert metrics["iou_per_image"] == pytest.approx(np.mean(ious))
    assert metrics["iou_oracle"] == pytest.approx(
        metrics["pixel_f1_max"] / (2 - metrics["pixel_f1_max"])
    )
    assert metrics["defects_without_mask"] == ["test/hole/008.png"]


def test_pixels_outside_a_region_count_nowhere_by_hand():
    """The left column of 3 x 3 is outside; there are high values, and all of one defect."""
    valid = np.tile(np.array([0.5, 1.0, 1.0], "f4")[None, None, :, None], (3, 3, 1, 1))
    maps = np.ones((3, 3, 3, 1), "f4")
    maps[:, :, 0] = 9.0
    maps[0, :2, 1, 0] = 2.0, 3.0  # the defect that is inside is the first of these
    mask = np.zeros((3, 3, 3, 1), "f4")
    mask[0, 0, :2] = mask[1, :, 0] = 1
    targets = {
        "mask": mask,
        "has_mask": np.ones(3, bool),
        "label": np.array([1, 1, 0], "int32"),
        "index": np.arange(3, dtype="int32"),
    }
    inputs = {"images": np.repeat(maps, 3, axis=-1), "valid": valid}
    dataset = tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(3)
    metrics = evaluate(FakeDetector(), dataset, timing_batches=0, verbose=0)
    assert (metrics["num_good_images"], metrics["num_defective_images"]) == (2, 1)
    assert metrics["defects_outside_roi"] == ["test image 1"]
    # One defective pixel, 17 good ones: one of these is higher, none is equal.
    assert metrics["pixel_auroc"] == pytest.approx(16 / 17)
    assert metrics["iou_pooled"] == pytest.approx(1 / 2)


def test_each_defect_is_measured_against_all_good_images(photos, metrics):
    rows = np.array([0, 1, 2, 3, 4, 5, 6])
    scores = photos.images[rows, ..., 0].max(axis=(1, 2))
    expected = AUPRO(dtype="float64")
    expected.update_state(photos.mask[rows], photos.images[rows, ..., :1])
    scratch = metrics["per_defect"]["scratch"]
    assert scratch["num_images"] == 3
    assert scratch["image_auroc"] == pytest.approx(roc_auc_score(photos.label[rows], scores))
    assert scratch["aupro"] == pytest.approx(float(expected.result()))
    assert list(metrics["per_defect"]) == ["hole", "scratch"]


@pytest.mark.parametrize("batch_size", [1, 9])
def test_batch_size_changes_nothing(photos, metrics, batch_size):
    other = evaluate(FakeDetector(), photos.dataset(batch_size), records=photos.records, verbose=0)
    timing = ("milliseconds_per_image", "milliseconds_batch_size")
    assert {k: v for k, v in other.items() if k not in timing} == {
        k: pytest.approx(v) if isinstance(v, float) else v
        for k, v in metrics.items()
        if k not in timing
    }


def test_padding_counts_nowhere(photos, metrics):
    padded = TestSet()
    valid = np.ones_like(padded.mask)
    padding = [(0, 0), (0, 3), (0, 2), (0, 0)]
    padded.images = np.pad(padded.images, padding, constant_values=50.0)
    padded.mask = np.pad(padded.mask, padding, constant_values=1.0)
    valid = np.pad(valid, padding)
    result = evaluate(
        FakeDetector(), padded.dataset(valid=valid), records=photos.records, verbose=0
    )
    for name in ("pixel_auroc", "aupro", "pixel_f1_max", "iou_pooled", "iou_per_image"):
        assert result[name] == pytest.approx(metrics[name]), name


def test_good_images_alone_give_the_observed_rate_and_reasons(photos):
    images = tf.data.Dataset.from_tensor_slices(photos.images[:4]).batch(2)
    metrics = evaluate(FakeDetector(), images, verbose=0)
    alarms = np.mean(photos.images[:4, ..., 0].max(axis=(1, 2)) > 2.5)
    assert metrics["false_alarm_rate"]["observed"] == pytest.approx(alarms)
    assert metrics["per_defect"] == {}
    for name in ("image_auroc", "aupro", "image_f1_max", "iou_pooled", "detection_rate"):
        assert metrics[name] is None
        assert metrics["notes"][name] == "no defective test image"


def test_defective_images_alone_leave_what_needs_good_ones_undefined(photos):
    dataset = photos.dataset(rows=slice(4, 9))
    metrics = evaluate(FakeDetector(), dataset, records=photos.records, verbose=0)
    # A threshold below all scores finds every defect, and nothing speaks against it.
    for name in ("image_auroc", "image_f1_max", "balanced_accuracy"):
        assert metrics[name] is None
        assert metrics["notes"][name] == "no good test image"
    assert metrics["false_alarm_rate"]["observed"] is None
    assert metrics["notes"]["false_alarm_rate.observed"] == "no good test image"
    found = np.mean(photos.images[4:9, ..., 0].max(axis=(1, 2)) > 2.5)
    assert metrics["detection_rate"] == pytest.approx(found)
    assert metrics["notes"]["per_defect.hole.image_auroc"] == "no good test image"
    assert metrics["pixel_auroc"] is not None


def test_defects_without_any_mask_leave_pixel_metrics_undefined(photos):
    photos.has_mask[4:] = False
    metrics = evaluate(FakeDetector(), photos.dataset(), records=photos.records, verbose=0)
    for name in ("pixel_auroc", "aupro", "pixel_f1_max", "iou_oracle", "iou_per_image"):
        assert metrics[name] is None
        assert "usable mask" in metrics["notes"][name]
    assert metrics["image_auroc"] is not None
    assert len(metrics["defects_without_mask"]) == 5


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("image", [2, 5, 8])
def test_a_map_that_is_not_a_number_is_refused_by_name(photos, image, value):
    photos.images[image, 0, 0, 0] = value
    name = photos.records[image].relative_path
    with pytest.raises(InputError, match=f"map of {name} is not a number"):
        evaluate(FakeDetector(), photos.dataset(), records=photos.records, verbose=0)
    with pytest.raises(InputError, match=f"map of test image {image} is not a number"):
        evaluate(FakeDetector(), photos.dataset(), verbose=0)


def test_padding_may_hold_anything(photos):
    valid = np.ones((9, HEIGHT, WIDTH, 1), "float32")
    valid[:, :, -2:] = 0
    photos.images[:, :, -1] = np.inf
    metrics = evaluate(FakeDetector(), photos.dataset(valid=valid), records=photos.records)
    assert metrics["image_auroc"] is not None


def test_missing_guarantee_is_null_with_the_calibration_s_reason(photos):
    detector = FakeDetector(guaranteed=None, note="calibrated on crops of one image")
    metrics = evaluate(detector, photos.dataset(), records=photos.records, verbose=0)
    assert metrics["false_alarm_rate"]["guaranteed"] is None
    reason = metrics["notes"]["false_alarm_rate.guaranteed"]
    assert reason == "calibrated on crops of one image"


def test_time_is_measured_on_batches_from_memory(photos):
    detector = FakeDetector()
    metrics = evaluate(detector, photos.dataset(4), timing_batches=3, verbose=0)
    assert detector.batches_seen == 3 + 1 + 3  # the test set, one to compile, three timed
    assert metrics["milliseconds_per_image"] > 0
    assert metrics["milliseconds_batch_size"] == 4
    without = evaluate(detector, photos.dataset(4), timing_batches=0, verbose=0)
    assert without["milliseconds_per_image"] is None


def test_without_records_defects_stay_unnamed(photos):
    metrics = evaluate(FakeDetector(), photos.dataset(), verbose=0)
    assert metrics["per_defect"] == {}
    assert metrics["notes"]["per_defect"] == "needs the `records` of the test images"
    assert metrics["defects_without_mask"] == ["test image 8"]


def test_errors_say_what_does_not_fit(photos):
    with pytest.raises(InputError, match="`dataset` yields no images"):
        evaluate(FakeDetector(), photos.dataset().take(0), verbose=0)
    with pytest.raises(InputError, match="`records` has 5"):
        evaluate(FakeDetector(), photos.dataset(), records=photos.records[:5], verbose=0)
    photos.mask = photos.mask[:, :-1]
    with pytest.raises(InputError, match="load the data at the detector's image size"):
        evaluate(FakeDetector(), photos.dataset(), verbose=0)
    detector = FakeDetector()
    detector.threshold = float("inf")
    with pytest.raises(InputError, match="not calibrated"):
        evaluate(detector, photos.dataset(), verbose=0)


def test_file_is_strict_json_and_reads_back(metrics, tmp_path):
    path = tmp_path / "metrics.json"
    write_metrics(path, metrics)
    assert json.loads(path.read_text()) == metrics
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_what_json_lacks_becomes_null_with_a_note(tmp_path):
    path = tmp_path / "metrics.json"
    values = {
        "aupro": np.float32("nan"),
        "num_images": np.int64(3),
        "per_defect": {"hole": {"aupro": float("inf")}},
        "image_size": (np.int32(4), 5),
        "notes": {"aupro": "no region"},
    }
    write_metrics(path, values)
    assert json.loads(path.read_text()) == {
        "aupro": None,
        "num_images": 3,
        "per_defect": {"hole": {"aupro": None}},
        "image_size": [4, 5],
        "notes": {
            "aupro": "no region",
            "per_defect.hole.aupro": "not a finite number (inf)",
        },
    }


def test_table_shows_numbers_reasons_and_defects(metrics):
    metrics = {**metrics, "aupro": None, "notes": {"aupro": "for some reason"}}
    lines = format_metrics_table(metrics).splitlines()
    assert lines[0] == "9 test images, 5 of them defective, compared at 12x10 pixels"
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert rows["pixel_auroc"][1] == f"{metrics['pixel_auroc']:.3f}"
    assert rows["aupro"] == ["aupro", "-", "for", "some", "reason"]
    assert rows["scratch"][1] == "3"
    assert "test/hole/008.png" in lines[-1]


def test_what_evaluate_returns_prints_as_the_table_and_is_a_plain_dict_otherwise(metrics):
    assert isinstance(metrics, dict)
    assert str(metrics) == repr(metrics) == format_metrics_table(dict(metrics))
    assert f"{metrics}".startswith("9 test images, 5 of them defective")
    assert json.loads(json.dumps(metrics)) == metrics == dict(metrics)
    assert pickle.loads(pickle.dumps(metrics)) == copy.deepcopy(metrics) == metrics
    assert str(copy.deepcopy(metrics)) == str(metrics)


def test_table_of_good_images_alone_is_short_and_whole(photos):
    images = tf.data.Dataset.from_tensor_slices(photos.images[:4]).batch(2)
    text = format_metrics_table(evaluate(FakeDetector(), images, verbose=0))
    assert "no defective test image" in text
    assert "NaN" not in text


def test_the_table_tells_the_interval_of_the_true_rate(photos, metrics):
    lines = format_metrics_table(metrics).splitlines()
    assert any(line.split()[1:] == ["interval_95", "1.2", "to", "10.7", "%"] for line in lines)
    expected = evaluate(FakeDetector(guaranteed=None, note="crosswise"), photos.dataset())
    assert "about 1.2 to 10.7 %" in format_metrics_table(expected)


def test_a_review_band_is_measured_on_good_and_on_defective_images(photos, metrics):
    assert metrics["review_rate"] is metrics["needs_review"] is None
    assert "--review-rate" in metrics["notes"]["review_rate"]
    found = evaluate(FakeDetector(review_threshold=1.8), photos.dataset(), verbose=0)
    scores = photos.images[..., 0].max(axis=(1, 2))
    in_band, good = (scores > 1.8) & (scores <= 2.5), photos.label == 0
    assert in_band[good].mean() > 0
    assert found["needs_review"]["good"] == pytest.approx(in_band[good].mean())
    assert found["needs_review"]["defective"] == pytest.approx(in_band[~good].mean())
    assert found["review_rate"] == {
        "requested": 0.2,
        "expected": 0.19,
        "guaranteed": 0.19,
        "interval_95": [0.1, 0.3],
        "observed": pytest.approx(np.mean(scores[good] > 1.8)),
    }
    assert found["review_threshold"] == 1.8
    assert "needs_review good" in format_metrics_table(found)


def test_without_a_good_image_its_share_of_the_band_is_not_known(photos):
    data = photos.dataset(rows=slice(4, None))
    found = evaluate(FakeDetector(review_threshold=1.8), data, verbose=0)
    assert found["needs_review"]["good"] is found["review_rate"]["observed"] is None
    assert found["notes"]["needs_review.good"] == "no good test image"
