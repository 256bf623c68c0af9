import io

import numpy as np
import pytest
from PIL import Image

from kerasad.runs.caption import COLOURS, describe, encode_with_caption


def prediction(decision, score=3.0, threshold=2.5, review_threshold=2.0):
    return {
        "decision": decision,
        "anomaly_score": score,
        "threshold": threshold,
        "review_threshold": review_threshold,
    }


def test_the_caption_says_the_verdict_and_the_score_beside_its_threshold():
    assert describe(prediction("defective")) == ["DEFECTIVE", "score 3", "above 2.5"]
    assert describe(prediction("good", 1.23456)) == ["GOOD", "score 1.23", "not above 2"]
    assert describe(prediction("review", 2.25)) == [
        "REVIEW",
        "score 2.25",
        "above 2,",
        "not above 2.5",
    ]


def test_numbers_that_differ_look_different():
    assert describe(prediction("defective", 2.35167, 2.35166)) == [
        "DEFECTIVE",
        "score 2.35167",
        "above 2.35166",
    ]
    assert describe(prediction("good", 2.0))[1:] == ["score 2", "not above 2"]


@pytest.mark.parametrize("decision", list(COLOURS))
@pytest.mark.parametrize("size", [(256, 256), (256, 1200), (64, 64), (400, 8)])
def test_the_strip_hides_nothing_and_its_text_fits(decision, size):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype="uint8")
    file = Image.open(io.BytesIO(encode_with_caption(picture, prediction(decision))))
    pixels = np.asarray(file.convert("RGB"))
    np.testing.assert_array_equal(pixels[: size[0], : size[1]], picture)
    strip = pixels[size[0] :]
    background, _ = COLOURS[decision]
    text = np.any(strip != background, axis=-1)
    assert text.any()
    # A margin on all sides: no letter is cut off.
    assert not text[:3].any()
    assert not text[-3:].any()
    assert not text[:, :3].any()
    assert not text[:, -3:].any()
    assert file.text["Description"] == " ".join(describe(prediction(decision)))
    if size == (256, 1200):
        assert file.size[0] == 1200
        assert len(strip) < 40  # one line
