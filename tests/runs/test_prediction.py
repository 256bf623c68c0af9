import numpy as np
import pytest
from PIL import Image

from kerasad.data.decoding import decode_file
from kerasad.data.geometry import Geometry
from kerasad.data.image_files import read_record
from kerasad.errors import InputError
from kerasad.runs.prediction import add_places_in_file, find_regions, read_prediction


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
    assert find_regions(anomaly_map, anomaly_map > 2.0) == [
        {"x": 1, "y": 1, "width": 3, "height": 2, "area": 3, "peak": 6.0},
        {"x": 5, "y": 0, "width": 1, "height": 1, "area": 1, "peak": 7.0},
    ]


def test_nothing_marked_has_no_regions():
    assert find_regions(np.full((3, 4), 5.0), np.zeros((3, 4), bool)) == []


def decided(decision, anomaly_map, pixel_threshold):
    outputs = {
        "anomaly_map": np.asarray(anomaly_map, "float32")[None, ..., None],
        "pixel_threshold": np.array([pixel_threshold]),
        **{name: np.ones(1) for name in ("anomaly_score", "threshold", "review_threshold")},
        "p_value": np.ones(1),
        "is_anomalous": np.array([decision == "defective"]),
        "needs_review": np.array([decision == "review"]),
    }
    images = np.zeros((1, *np.shape(anomaly_map), 3), "float32")
    return read_prediction(outputs, images, 0)[1]


SPOT = [[0, 0, 0, 0], [0, 3, 4, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("decision", "threshold", "areas"),
    [
        ("good", 0.5, []),
        ("review", 0.5, [3]),
        ("review", 5.0, []),
        ("defective", 0.5, [3]),
        ("defective", 5.0, [2]),  # half way to the peak of 4
    ],
)
def test_boxes_follow_the_decision(decision, threshold, areas):
    prediction = decided(decision, SPOT, threshold)
    assert prediction["decision"] == decision
    assert [box["area"] for box in prediction["boxes"]] == areas
    assert prediction["defect_area"] == sum(areas)


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
        "needs_review": np.array([True, False]),
        "review_threshold": np.array([2.5, 2.5]),
    }
    image, prediction = read_prediction(outputs, {"images": images, "valid": valid}, 0)

    np.testing.assert_array_equal(image, images[0, :4, :5])
    assert prediction["image_size"] == [4, 5]
    assert prediction["defect_area"] == 20
    assert prediction["boxes"][0] | {"peak": 0} == {
        "x": 0, "y": 0, "width": 5, "height": 4, "area": 20, "peak": 0
    }  # fmt: skip
    assert prediction["is_anomalous"] is False
    assert (prediction["decision"], prediction["review_threshold"]) == ("review", 2.5)
    other = read_prediction(outputs, images, 1)[1]
    assert (other["defect_area"], other["decision"]) == (48, "defective")


def test_p_value_of_a_twentieth_is_not_above_a_rate_of_5_percent():
    outputs = {
        "anomaly_map": np.zeros((1, 4, 4, 1), "float32"),
        "pixel_threshold": np.ones(1),
        "anomaly_score": np.array([3.0], "float32"),
        "threshold": np.array([2.0], "float32"),
        "p_value": np.array([1 / 20], "float32"),
        "is_anomalous": np.array([True]),
        "needs_review": np.array([False]),
        "review_threshold": np.array([2.0], "float32"),
    }
    assert float(outputs["p_value"][0]) > 0.05
    assert read_prediction(outputs, np.zeros((1, 4, 4, 3)), 0)[1]["p_value"] == 0.05


def test_a_box_in_the_file_by_hand():
    box = {"x": 1, "y": 2, "width": 2, "height": 3, "area": 5, "peak": 6.0}
    found = add_places_in_file({"boxes": [box], "image_size": [6, 4]}, (9, 10))
    # 2.5 pixels of the file for one of the map across, 1.5 down: columns 2.5 to 7.5, rows 3 to 7.5
    assert found["boxes"][0]["in_file"] == {"x": 2, "y": 3, "width": 6, "height": 5, "area": 19}
    assert found["boxes"][0]["x"] == 1
    assert found["file_size"] == [9, 10]


@pytest.mark.parametrize("file_size", [(7, 5), (6, 4), (1, 1), (480, 31)])
def test_boxes_in_the_file_stay_inside_it_and_cover_something(file_size):
    boxes = [
        {"x": x, "y": y, "width": 1, "height": 1, "area": 1, "peak": 1.0}
        for x in range(4)
        for y in range(6)
    ]
    boxes.append({"x": 0, "y": 0, "width": 4, "height": 6, "area": 24, "peak": 1.0})
    found = add_places_in_file({"boxes": boxes, "image_size": [6, 4]}, file_size)
    places = [box["in_file"] for box in found["boxes"]]
    for place in places:
        assert 0 <= place["x"] < place["x"] + place["width"] <= file_size[1]
        assert 0 <= place["y"] < place["y"] + place["height"] <= file_size[0]
    area = file_size[0] * file_size[1]
    assert places[-1] == {
        "x": 0, "y": 0, "width": file_size[1], "height": file_size[0], "area": area
    }  # fmt: skip


@pytest.mark.parametrize("keep_aspect", [False, True])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_spot_is_found_again_in_the_photo_as_it_is_shown(tmp_path, keep_aspect, orientation):
    pixels = np.zeros((90, 200, 3), "uint8")
    pixels[20:40, 130:190] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    record = read_record(tmp_path / "photo.png")
    shown = decode_file(record)
    image, valid = Geometry(64, 96, keep_aspect).resize(shown)
    inputs = {"images": image[None], "valid": valid[None]} if keep_aspect else image[None]
    outputs = {
        "anomaly_map": np.asarray(image)[None, ..., :1],
        **{name: np.ones(1) for name in ("anomaly_score", "threshold", "review_threshold")},
        **{name: np.ones(1) for name in ("p_value", "is_anomalous", "needs_review")},
        "pixel_threshold": np.array([0.25]),
    }
    _, prediction = read_prediction(outputs, inputs, 0)
    found = add_places_in_file(prediction, (record.height, record.width))
    assert found["file_size"] == list(shown.shape[:2])
    (place,) = (box["in_file"] for box in found["boxes"])
    rows, columns = (np.flatnonzero((shown[..., 0] > 0.5).any(axis)) for axis in (1, 0))
    down, across = (
        side / size for side, size in zip(shown.shape[:2], found["image_size"], strict=True)
    )
    assert abs(place["y"] - rows[0]) <= down + 1
    assert abs(place["y"] + place["height"] - 1 - rows[-1]) <= down + 1
    assert abs(place["x"] - columns[0]) <= across + 1
    assert abs(place["x"] + place["width"] - 1 - columns[-1]) <= across + 1
    assert place["area"] == pytest.approx(1200, rel=0.25)


@pytest.mark.parametrize("name", ["anomaly_score", "anomaly_map"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_no_prediction(name, value):
    outputs = {
        "anomaly_map": np.zeros((1, 4, 4, 1), "float32"),
        **{name: np.ones(1) for name in ("anomaly_score", "threshold", "review_threshold")},
        **{name: np.ones(1) for name in ("p_value", "is_anomalous", "needs_review")},
        "pixel_threshold": np.ones(1),
    }
    read_prediction(outputs, np.zeros((1, 4, 4, 3)), 0)
    outputs[name].flat[-1] = value
    with pytest.raises(InputError, match="not a number"):
        read_prediction(outputs, np.zeros((1, 4, 4, 3)), 0)
