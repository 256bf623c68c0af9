"""A region of interest is part of the served model."""

import numpy as np
import pytest

from kerasad.data.decoding import Decoding
from kerasad.export.parity import check_parity
from kerasad.export.samples import collect_samples
from kerasad.export.signatures import SERVING_BYTES, SERVING_DEFAULT

pytestmark = pytest.mark.slow


def disturbed(image, margin=0, seed=5):
    """The picture with other pixels outside the region of `OPTIONS["region"]` and a margin."""
    noise = np.random.default_rng(seed).uniform(0, 1, image.shape).astype("float32")
    height, width = image.shape[:2]
    rows, columns = (
        slice(side // 4 - margin, side - side // 4 + margin) for side in (height, width)
    )
    inside = rows, columns
    noise[inside] = image[inside]
    return noise


def test_what_is_outside_changes_no_answer_of_the_served_model(served, images, encode):
    made = served("region")
    picture = images(1, 32, 32, seed=4)[0]
    answers = [
        made.session.run(SERVING_DEFAULT, {"images": each[None]})
        for each in (picture, disturbed(picture))
    ]
    for name, values in answers[0].items():
        np.testing.assert_array_equal(answers[1][name], values, err_msg=name)
    whole = images(1, 96, 64, seed=4)[0]  # padded in the frame
    # The region was given at the size of the frame: a pixel at its rim is made of three of the
    # file, and of three on each side of these.
    pictures = whole, disturbed(whole, margin=3)
    files = [np.array([encode(each)], dtype=object) for each in pictures]
    answers = [made.session.run(SERVING_BYTES, {"image_bytes": each}) for each in files]
    for name in ("anomaly_score", "anomaly_map", "p_value", "is_anomalous"):
        np.testing.assert_array_equal(answers[1][name], answers[0][name], err_msg=name)


def test_the_gate_lets_a_model_with_a_region_pass(served, tmp_path):
    made = served("region")
    decoding = Decoding(pixel_limit=10_000)
    samples, _ = collect_samples((), made.detector.geometry, decoding)
    found = check_parity(made.detector, made.folder, samples[:4], 4, tmp_path)
    assert found["largest_difference"]
