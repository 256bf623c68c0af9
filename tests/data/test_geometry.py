"""Sizes, resizing, padding and validity, against values worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from kerasad.data import geometry
from kerasad.data.geometry import Geometry, whole_batch_size
from kerasad.errors import InputError
from kerasad.tracing import compiled


def records(*sizes):
    return [SimpleNamespace(height=height, width=width) for height, width in sizes]


@pytest.mark.parametrize(
    ("text", "aspect", "expected"),
    [
        ("256x640", 9.0, (256, 640)),  # exact, whatever the data look like
        ((100, 37), 1.0, (100, 37)),
        ([7, 1], 1.0, (7, 1)),
        (256, 1.0, (256, 256)),
        ("256", 1.0, (256, 256)),
        (256, 4.0, (128, 512)),
        (256, 0.25, (512, 128)),
        (256, 1.5, (224, 320)),  # 209.0 and 313.5
        (100, 1.0, (96, 96)),
        (64, 100.0, (32, 640)),  # 6.4 would round to 0
        (np.int64(64), 1.0, (64, 64)),
        (" 32 X 64 ", 1.0, (32, 64)),
    ],
)
def test_sizes_are_read_as_documented(text, aspect, expected):
    assert geometry.parse_image_size(text, aspect) == expected


@pytest.mark.parametrize(
    "wrong", ["", "big", "0", "0x32", "-5", "3x4x5", 2.5, None, True, (1, 2, 3), (1.5, 2), -32]
)
def test_what_is_no_size_is_refused_by_name(wrong):
    with pytest.raises(InputError, match="image_size="):
        geometry.parse_image_size(wrong)


def test_a_lone_number_takes_the_median_aspect_of_the_data():
    data = records((100, 400), (100, 400), (100, 300))
    assert geometry.plan_geometry(data, 256) == Geometry(128, 512, keep_aspect=True)


def test_aspect_is_kept_only_where_it_varies_by_more_than_a_quarter():
    # With two images the percentiles are 1 + .05 r and 1 + .95 r for aspects 1 and 1 + r.
    assert not geometry.plan_geometry(records((100, 100), (100, 127)), 64).keep_aspect
    assert geometry.plan_geometry(records((100, 100), (100, 130)), 64).keep_aspect
    assert geometry.plan_geometry(records((100, 100), (130, 100)), "64x64").keep_aspect


def test_one_odd_image_among_hundreds_decides_nothing():
    data = records(*[(100, 100)] * 99, (100, 300))
    assert geometry.plan_geometry(data, 64) == Geometry(64, 64, keep_aspect=False)


def test_a_geometry_is_returned_unchanged():
    frame = Geometry(48, 80, keep_aspect=True)
    assert geometry.plan_geometry([], frame) is frame
    with pytest.raises(InputError, match="no image"):
        geometry.plan_geometry([], 256)


def test_inner_size_keeps_the_aspect_and_touches_the_frame():
    rng = np.random.default_rng(0)
    height, width = rng.integers(1, 5000, (2, 500))
    inner_height, inner_width = (s.numpy() for s in geometry.fit_inside(height, width, 96, 160))
    assert ((inner_height == 96) | (inner_width == 160)).all()
    assert (inner_height <= 96).all()
    assert (inner_width <= 160).all()
    exact = np.minimum(96 / height, 160 / width)
    assert (abs(inner_height - np.maximum(1, height * exact)) <= 0.5 + 1e-9).all()
    assert (abs(inner_width - np.maximum(1, width * exact)) <= 0.5 + 1e-9).all()


def test_halving_averages_with_the_triangle_of_width_four():
    row = np.array([0.0, 0.0, 0.0, 0.8, 0.0, 0.0, 0.0, 0.0], "float32")
    image = np.tile(row[None, :, None], (2, 1, 3))
    small, valid = geometry.resize_image(image, 2, 4)
    # Output j sits at 2j + 1/2 of the input; weights 1/8, 3/8, 3/8, 1/8 at -1.5 ... +1.5.
    np.testing.assert_allclose(small[0, :, 0], [0, 0.3, 0.1, 0], atol=1e-6)
    assert valid is None


@pytest.mark.parametrize("keep_aspect", [False, True])
@pytest.mark.parametrize("static", [False, True])
def test_an_image_of_the_right_size_is_not_touched(keep_aspect, static):
    image = np.random.default_rng(0).random((37, 61, 3), dtype="float32")
    shape = image.shape if static else (None, None, None)
    resize = compiled(
        lambda x: geometry.resize_image(x, 37, 61, keep_aspect)[0],
        input_signature=[tf.TensorSpec(shape, tf.float32)],
    )
    np.testing.assert_array_equal(resize(image), image)
    names = {op.type for op in resize.get_concrete_function().graph.get_operations()}
    if static and not keep_aspect:
        assert "ScaleAndTranslate" not in names


def test_a_resized_image_stays_in_range():
    rng = np.random.default_rng(1)
    for _ in range(30):
        height, width, new_height, new_width = rng.integers(1, 200, 4)
        image = tf.ones((height, width, 3))
        white, _ = geometry.resize_image(image, int(new_height), int(new_width))
        assert white.shape == (new_height, new_width, 3)
        np.testing.assert_allclose(white, 1, atol=1e-5)
        assert white.numpy().max() <= 1


def test_padding_mirrors_as_often_as_needed():
    image = np.array([[1, 2, 3], [4, 5, 6]], "float32")[..., None] / 10
    padded = geometry.reflect_to(image, 5, 8)[..., 0] * 10
    top, bottom = [1, 2, 3, 3, 2, 1, 1, 2], [4, 5, 6, 6, 5, 4, 4, 5]
    np.testing.assert_allclose(padded, [top, bottom, bottom, top, top])
    dot = image[:1, :1]
    np.testing.assert_array_equal(geometry.reflect_to(dot, 3, 2), np.tile(dot, (3, 2, 1)))


def test_real_pixels_are_top_left_and_marked_valid():
    image = np.random.default_rng(0).random((2, 20, 10, 3), dtype="float32")
    images, valid = geometry.resize_image(image, 20, 32, keep_aspect=True)
    assert images.shape == (2, 20, 32, 3)
    assert valid.shape == (2, 20, 32, 1)
    np.testing.assert_array_equal(images[:, :, :10], image)
    np.testing.assert_array_equal(images[:, :, 10:20], image[:, :, ::-1])
    expected = np.zeros((2, 20, 32, 1))
    expected[:, :, :10] = 1
    np.testing.assert_array_equal(valid, expected)
    one, one_valid = geometry.resize_image(image[1], 20, 32, keep_aspect=True)
    np.testing.assert_array_equal(one, images[1])
    np.testing.assert_array_equal(one_valid, valid[1])


def test_resizing_in_a_graph_of_unknown_sizes_equals_resizing_at_once():
    frame = Geometry(24, 40, keep_aspect=True)
    resize = compiled(frame.resize, input_signature=[tf.TensorSpec((None, None, 3))])
    rng = np.random.default_rng(0)
    for size in [(100, 30), (7, 90), (24, 40), (1, 1)]:
        image = rng.random((*size, 3), dtype="float32")
        for graph, eager in zip(resize(image), frame.resize(image), strict=True):
            assert graph.shape[:2] == (24, 40)
            np.testing.assert_array_equal(graph, eager)


def test_masks_take_the_nearest_pixel_and_no_new_value():
    mask = np.array([[0, 7, 0, 0, 0, 9]], "uint8")[..., None]
    # Pixel i of 4 comes from floor((i + 1/2) * 6 / 4) = 0, 2, 3, 5.
    np.testing.assert_array_equal(geometry.resize_mask(mask, 1, 4)[0, :, 0], [0, 0, 0, 9])
    doubled = geometry.resize_mask(mask, 2, 12)[1, :, 0]
    np.testing.assert_array_equal(doubled, np.repeat(mask[0, :, 0], 2))
    assert doubled.dtype == tf.uint8


def test_a_mask_lies_where_its_image_lies():
    mask = np.zeros((90, 60, 1), "float32")
    mask[30:60, 12:48] = 1
    for keep_aspect in (False, True):
        image, valid = geometry.resize_image(np.tile(mask, 3), 64, 96, keep_aspect)
        small = geometry.resize_mask(mask, 64, 96, keep_aspect).numpy()
        real = np.ones_like(small) if valid is None else valid.numpy()
        # Away from the blurred edge the two agree.
        clear = (np.abs(image.numpy()[..., :1] - 0.5) > 0.45) & (real == 1)
        np.testing.assert_array_equal(small[clear], image.numpy()[..., :1][clear].round())
        assert clear.sum() > 0.8 * real.sum()
        assert not small[real == 0].any()


def test_regions_that_vanish_are_counted():
    mask = np.zeros((8, 8, 1))
    mask[0, 0] = mask[1, 1] = 1  # touch at a corner: one region, and (1, 1) is kept
    mask[4, 4] = 1  # between the pixels that are kept
    mask[5:8, 0:3] = 1
    # 8 -> 4 keeps the odd rows and columns.
    assert geometry.count_vanished_regions(mask, 4, 4) == 1
    assert geometry.count_vanished_regions(mask[..., 0], 4, 4, keep_aspect=True) == 1
    assert geometry.count_vanished_regions(mask, 8, 8) == 0
    assert geometry.count_vanished_regions(np.zeros((8, 8)), 4, 4) == 0


def test_packing_undoes_unpacking():
    images, valid = np.ones((1, 2, 2, 3)), np.ones((1, 2, 2, 1))
    assert geometry.unpack_inputs(images) == (images, None)
    assert geometry.unpack_inputs({"images": images, "valid": valid}) == (images, valid)
    assert geometry.unpack_inputs({"images": images}) == (images, None)
    assert geometry.pack_inputs(images) is images
    assert geometry.pack_inputs(images, valid) == {"images": images, "valid": valid}


@pytest.mark.parametrize(
    ("whole", "crop", "expected"),
    [((64, 96), (64, 96), 16), ((64, 96), (32, 32), 2), ((768, 768), (64, 64), 1)],
)
def test_whole_images_come_in_batches_of_as_many_pixels_as_crops(whole, crop, expected):
    assert whole_batch_size(16, whole, crop) == expected


def test_one_number_below_the_smallest_side_is_refused_and_not_made_larger():
    for size in (4, "31"):
        with pytest.raises(InputError, match=rf"A size of {size} is below 32"):
            geometry.parse_image_size(size)
    assert geometry.parse_image_size("4x4") == (4, 4)
