import numpy as np

from kerasad.prediction import find_regions, overlay_names, read_prediction


def test_overlays_mirror_the_relative_paths():
    paths = ["a/x.png", "a/y.png", "a/y.jpg", "b/x.png", "v1.2.png"]
    assert [str(name) for name in overlay_names(paths)] == [
        "a/x_overlay.png",
        "a/y.png_overlay.png",
        "a/y.jpg_overlay.png",
        "b/x_overlay.png",
        "v1.2_overlay.png",
    ]


def test_regions_by_hand_largest_first():
    anomaly_map = np.array(
        [
            [0, 0, 0, 0, 0, 7],
            [0, 5, 0, 0, 0, 0],
            [0, 0, 6, 6, 0, 0],
            [0, 0, 0, 0, 0, 2],
        ],
        "float32",
    )
    # 5 touches 6 6 at a corner only; 2 is not strictly above the threshold
    assert find_regions(anomaly_map, 2.0) == [
        {"x": 1, "y": 1, "width": 3, "height": 2, "area": 3, "peak": 6.0},
        {"x": 5, "y": 0, "width": 1, "height": 1, "area": 1, "peak": 7.0},
    ]


def test_a_map_below_the_threshold_has_no_regions():
    assert find_regions(np.full((3, 4), 5.0), 5.0) == []


def test_padding_is_no_part_of_a_prediction():
    images = np.random.default_rng(0).random((2, 6, 8, 3)).astype("float32")
    valid = np.zeros((2, 6, 8, 1), "float32")
    valid[0, :4, :5] = valid[1] = 1.0
    outputs = {
        "anomaly_map": np.full((2, 6, 8, 1), 5.0, "float32"),
        "pixel_threshold": np.full(2, 1.0),
        "anomaly_score": np.array([3.0, 4.0]),
        "threshold": np.array([3.5, 3.5]),
        "p_value": np.array([0.5, 0.1]),
        "is_anomalous": np.array([False, True]),
    }
    image, prediction = read_prediction(outputs, {"images": images, "valid": valid}, 0)

    np.testing.assert_array_equal(image, images[0, :4, :5])
    assert prediction["image_size"] == [4, 5]
    assert prediction["defect_area"] == 20
    assert prediction["boxes"][0] | {"peak": 0} == {
        "x": 0, "y": 0, "width": 5, "height": 4, "area": 20, "peak": 0
    }  # fmt: skip
    assert prediction["is_anomalous"] is False
    assert read_prediction(outputs, images, 1)[1]["defect_area"] == 48


def test_p_value_of_a_twentieth_is_not_above_a_rate_of_5_percent():
    outputs = {
        "anomaly_map": np.zeros((1, 4, 4, 1), "float32"),
        "pixel_threshold": np.ones(1),
        "anomaly_score": np.array([3.0], "float32"),
        "threshold": np.array([2.0], "float32"),
        "p_value": np.array([1 / 20], "float32"),
        "is_anomalous": np.array([True]),
    }
    assert float(outputs["p_value"][0]) > 0.05
    assert read_prediction(outputs, np.zeros((1, 4, 4, 3)), 0)[1]["p_value"] == 0.05
