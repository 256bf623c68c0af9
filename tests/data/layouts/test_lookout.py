"""Manifests of Amazon Lookout for Vision, with files that were downloaded."""

import json

import numpy as np
import pytest
from PIL import Image

from kerasad.data import read_category
from kerasad.data.layouts import is_category
from kerasad.data.masks import read_mask
from kerasad.errors import InputError


def line(image, class_name, mask=None, key="anomaly-label"):
    """A line as the service writes it; the number of the label does not count there."""
    values = {"source-ref": f"s3://bucket/cookies/{image}", key: 1}
    values[f"{key}-metadata"] = {"class-name": class_name, "type": "groundtruth/image"}
    if mask is not None:
        colours = {"0": {"class-name": "BACKGROUND", "hex-color": "#ffffff"}}
        colours["1"] = {"class-name": "crack", "hex-color": "#2ca02c"}
        values["anomaly-mask-ref"] = f"s3://bucket/cookies/{mask}"
        values["anomaly-mask-ref-metadata"] = {"internal-color-map": colours}
    return values


@pytest.fixture
def cookies(tmp_path, write_images):
    """Four normal images, two anomalous ones with masks on white, one that nobody labelled."""
    names = [f"images/normal-{number}.jpg" for number in range(4)]
    names += ["images/anomaly-1.jpg", "images/anomaly-2.jpg", "images/new.jpg"]
    write_images(*(f"set/{name}" for name in names))
    (tmp_path / "set/masks").mkdir()
    for name in ("normal-0", "anomaly-1", "anomaly-2"):
        mask = np.full((32, 24, 3), 255, "uint8")
        if name != "normal-0":
            mask[4:8, 3:20] = (0x2C, 0xA0, 0x2C)
        Image.fromarray(mask).save(tmp_path / f"set/masks/{name}.png")
    return [
        line(names[0], "normal", "masks/normal-0.png"),
        *(line(name, "normal") for name in names[1:4]),
        line(names[4], "anomaly", "masks/anomaly-1.png"),
        line(names[5], "anomaly", "masks/anomaly-2.png"),
        line(names[6], "to be checked"),
    ]


@pytest.fixture
def write(tmp_path):
    def write(lines, name="set/train.manifest"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(map(json.dumps, lines)) + "\n")
        return path

    return write


@pytest.mark.parametrize(
    "name", ["set/train.manifest", "set/train.jsonl", "set/manifests/train.manifest"]
)
def test_the_class_name_is_the_label_and_white_is_no_defect(name, cookies, write, summary):
    index = read_category(write(cookies, name))
    assert (index.name, index.layout) == ("train", "lookout")
    assert summary(index) == {("any", "good"): 4, ("any", "anomaly"): 2}
    assert [read_mask(record).sum() for record in index.test] == [4 * 17, 4 * 17]
    (problem,) = index.problems
    assert "images without a label: 1, such as new.jpg" in problem.message


def test_other_names_of_the_keys_are_understood(cookies, write, summary):
    renamed = [line(f"images/normal-{n}.jpg", "normal", key="my-job") for n in range(4)]
    assert summary(read_category(write(renamed))) == {("any", "good"): 4}


def test_a_line_that_cannot_be_used_is_named(cookies, write):
    for wrong, message in (
        (line("images/gone.jpg", "normal"), "line 8: the file of s3://bucket/cookies/images/gone"),
        ({"source-ref": "s3://bucket/new.jpg"}, "line 8: 0 class names; write one"),
        ({"label": 1}, "line 8: there is no key 'source-ref'"),
    ):
        with pytest.raises(InputError, match=message):
            read_category(write([*cookies, wrong]))


def test_other_manifests_are_not_taken(tmp_path, write):
    assert not is_category(write([{"Manifest-Version": "1.0"}], "set/java.manifest"))
    assert not is_category(write([line("0.jpg", "normal")], "set/train.json"))
