import base64
import io

import numpy as np
import pytest
from PIL import Image

from kerasad.overlay import ColourScale
from kerasad.report.collect import collect
from kerasad.report.pictures import draw_pictures, encode_within


def read(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


@pytest.fixture
def draw(detector, category):
    def draw():
        images = collect(detector, category.test, category.index.test).images
        scale = ColourScale(detector.pixel_threshold)
        return draw_pictures(detector, category.test, images, scale, 10**7)

    return draw


def test_a_good_part_looks_cold_and_a_defect_hot(draw):
    pictures = draw()
    assert read(pictures[0]["map"]).mean() < 20
    hot = read(pictures[2]["map"])
    height, width = hot.shape[:2]
    assert hot[height // 4, width // 4].mean() > 120
    assert hot[-height // 4 :, -width // 4 :].mean() < 20


def test_pictures_are_large_and_keep_their_shape(draw):
    shape = read(draw()[0]["input"]).shape
    assert min(shape[:2]) > 188
    assert shape[1] / shape[0] == pytest.approx(48 / 32, rel=0.01)
    assert shape[0] * shape[1] == pytest.approx(320**2, rel=0.01)


def test_padding_is_cut_off(draw, category):
    valid = np.ones((*category.images.shape[:3], 1), "float32")
    valid[:, 24:] = 0.0
    category.images = {"images": category.images, "valid": valid}
    shape = read(draw()[0]["map"]).shape
    assert shape[1] / shape[0] == pytest.approx(48 / 24, rel=0.01)


def test_what_does_not_fit_is_coarser_and_at_last_left_out():
    noise = np.random.default_rng(0).integers(0, 255, (320, 320, 3)).astype("uint8")
    sizes = [len(encode_within({"a": noise}, budget).get("a", "")) for budget in (10**6, 20_000, 9)]
    assert sizes[0] > 20_000 * 4 / 3 >= sizes[1] > sizes[2] == 0
