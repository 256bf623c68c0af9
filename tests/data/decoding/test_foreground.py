"""Which pixels of a mask are defects, by hand on 3 x 3 arrays."""

import numpy as np
import pytest

from kerasad.data.decoding import Decoding, UnclearMaskError, foreground
from kerasad.errors import InputError

GREY = np.array([[0, 0, 0], [0, 1, 200], [0, 100, 255]], "uint8")
RED, GREEN, WHITE, BLACK = (255, 0, 0), (0x2C, 0xA0, 0x2C), (255, 255, 255), (0, 0, 0)
DRAWING = np.array([[WHITE] * 3, [WHITE, RED, (250, 250, 250)], [WHITE, GREEN, BLACK]], "uint8")
ALPHA = np.dstack([DRAWING, np.array([[0, 0, 0], [0, 255, 0], [0, 200, 100]], "uint8")])


@pytest.mark.parametrize(
    ("pixels", "rule", "marked"),
    [
        (GREY, "nonzero", [[0, 0, 0], [0, 1, 1], [0, 1, 1]]),
        (GREY, "bright", [[0, 0, 0], [0, 0, 1], [0, 0, 1]]),
        (GREY, "dark", [[1, 1, 1], [1, 1, 0], [1, 1, 0]]),
        (GREY, "not-white", [[1, 1, 1], [1, 1, 1], [1, 1, 0]]),
        (GREY, "100,1", [[0, 0, 0], [0, 1, 0], [0, 1, 0]]),
        (GREY, "0", [[1, 1, 1], [1, 0, 0], [1, 0, 0]]),
        (GREY.astype("uint16") * 257, "bright", [[0, 0, 0], [0, 0, 1], [0, 0, 1]]),
        (DRAWING, "not-white", [[0, 0, 0], [0, 1, 0], [0, 1, 1]]),
        (DRAWING, "#2ca02c", [[0, 0, 0], [0, 0, 0], [0, 1, 0]]),
        (DRAWING, "#2CA02C, #ff0000", [[0, 0, 0], [0, 1, 0], [0, 1, 0]]),
        (DRAWING, "dark", [[0, 0, 0], [0, 0, 0], [0, 0, 1]]),
        (ALPHA, "alpha", [[0, 0, 0], [0, 1, 0], [0, 1, 0]]),
        (ALPHA, "transparent", [[1, 1, 1], [1, 0, 1], [1, 0, 1]]),
        (ALPHA, "not-white", [[0, 0, 0], [0, 1, 0], [0, 1, 1]]),
    ],
)
def test_a_rule_marks_what_it_says(pixels, rule, marked):
    found = foreground(pixels, rule)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, np.array(marked, bool))


@pytest.mark.parametrize(
    ("values", "marked"),
    [
        ([[0, 0, 0], [0, 255, 255], [0, 0, 255]], [[0, 0, 0], [0, 1, 1], [0, 0, 1]]),
        ([[0, 0, 0], [0, 1, 1], [0, 0, 1]], [[0, 0, 0], [0, 1, 1], [0, 0, 1]]),
        ([[0, 0, 0], [0, 1, 2], [0, 0, 3]], [[0, 0, 0], [0, 1, 1], [0, 0, 1]]),
        ([[0, 0, 0], [0, 200, 200], [0, 0, 100]], [[0, 0, 0], [0, 1, 1], [0, 0, 1]]),
        ([[0, 5, 0], [8, 250, 247], [0, 3, 255]], [[0, 0, 0], [0, 1, 1], [0, 0, 1]]),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    ],
)
@pytest.mark.parametrize("depth", [8, 16])
def test_auto_understands_white_class_numbers_grey_classes_and_noise(values, marked, depth):
    pixels = np.array(values, "uint8")
    if depth == 16 and pixels.max() > 8:
        pixels = pixels.astype("uint16") * 257
    np.testing.assert_array_equal(foreground(pixels), np.array(marked, bool))


@pytest.mark.parametrize(
    ("rule", "pixels", "sentence"),
    [("alpha", GREY, "no alpha channel"), ("1,2", DRAWING, "names values of grey")],
)
def test_a_rule_that_does_not_apply_is_refused(rule, pixels, sentence):
    with pytest.raises(UnclearMaskError, match=sentence):
        foreground(pixels, rule)


@pytest.mark.parametrize("rule", ["white", "", "1,", "1;2", "#12", "-1", 1, None])
def test_an_unknown_rule_is_refused(rule):
    with pytest.raises(InputError, match="`mask_foreground` must be one of"):
        Decoding(mask_foreground=rule)
