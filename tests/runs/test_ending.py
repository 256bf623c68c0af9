"""What the end of a training says of its threshold."""

from kerasad.detector.conformal import ON_CROPS_NOTE
from kerasad.runs.ending import describe_thresholds

RATE = {"requested": 0.05, "expected": 0.048, "guaranteed": None, "interval_95": (0.01, 0.125)}
SUMMARY = {
    "threshold": 3.21987,
    "review_threshold": 3.21987,
    "num_images": 209,
    "num_groups": 209,
    "false_alarm_rate": RATE,
    "review_rate": None,
    "note": None,
}


def test_what_is_expected_is_not_called_guaranteed():
    assert describe_thresholds(SUMMARY).splitlines() == [
        "Threshold 3.22: an image with a higher score is called defective.",
        "  Expected, not guaranteed: 4.8% of good images are called defective (5.0% asked for).",
        "  How sure: with 209 images the true share lies in about 1.0% to 12.5% (95 % interval).",
    ]


def test_a_guarantee_and_a_review_band_are_told():
    rate = {**RATE, "guaranteed": 0.048}
    review = {**rate, "requested": 0.2, "expected": 0.19, "guaranteed": 0.19}
    values = {"review_threshold": 2.5, "review_rate": review, "num_groups": 20}
    text = describe_thresholds({**SUMMARY, **values, "false_alarm_rate": rate})
    assert "Guaranteed on average: at most 4.8% of good images are called defective" in text
    assert "with 209 images of about 20 scenes the true share lies in 1.0% to 12.5%" in text
    assert "Above 2.5 an image is to be reviewed." in text
    assert (
        "at most 19.0% of good images are called defective or to be reviewed (20.0% asked" in text
    )


def test_a_threshold_from_crops_promises_nothing():
    nothing = {"requested": 0.05, "expected": None, "guaranteed": None, "interval_95": None}
    text = describe_thresholds({**SUMMARY, "false_alarm_rate": nothing, "note": ON_CROPS_NOTE})
    assert "It promises nothing about good images (5.0% asked for)." in text
