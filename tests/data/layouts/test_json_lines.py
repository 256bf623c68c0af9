"""JSON lines: the same keys as a CSV manifest."""

import json

import pytest

from kerasad.data import read_category
from kerasad.errors import InputError


@pytest.fixture
def manifest(tmp_path, write_images, write_masks):
    write_images(*(f"images/{number}.png" for number in range(6)))
    write_masks("masks/4.png", "masks/5a.png", "masks/5b.png")

    def write(*lines):
        path = tmp_path / "bolts.jsonl"
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("\n".join(texts) + "\n")
        return path

    return write


GOOD = [{"path": f"images/{number}.png", "label": 0, "split": "train"} for number in range(3)]


def test_json_lines_list_images_labels_masks_and_the_split(manifest, summary):
    path = manifest(
        *GOOD,
        "",
        {"path": "images/3.png", "label": "good", "split": "test", "mask": None},
        {"path": "images/4.png", "label": "dent", "mask": "masks/4.png", "group": 7},
        {"path": "images/5.png", "label": "dent", "mask": ["masks/5a.png", "masks/5b.png"]},
    )
    index = read_category(path)
    assert (index.name, index.layout, index.problems) == ("bolts", "jsonl", ())
    assert summary(index) == {("train", "good"): 3, ("test", "good"): 1, ("any", "dent"): 2}
    assert [len(record.mask_paths) for record in index.test] == [0, 1, 2]
    assert index.test[1].group == "7"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"path": ', "line 4: the line is not JSON"),
        ("[" * 100_000, "line 4: the line is not JSON .*nested"),
        ('["images/4.png"]', "line 4: the line is not an object"),
        ({"path": "images/4.png"}, "line 4: no label"),
        ({"path": "images/4.png", "label": True}, "line 4: the label 'True' does not say"),
        ({"path": "images/4.png", "label": {"name": "dent"}}, "line 4: the value of 'label' is no"),
        ({"path": "images/0.png", "label": "dent"}, "line 4: images/0.png is already in line 1"),
        ({"path": "x.png", "anomaly_score": 0.3}, "line 4: unknown key 'anomaly_score'"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(line, message, manifest):
    with pytest.raises(InputError, match=f"bolts.jsonl, {message}"):
        read_category(manifest(*GOOD, line))


def test_an_empty_file_is_refused(manifest):
    with pytest.raises(InputError, match=r"bolts\.jsonl: the file is empty"):
        read_category(manifest(""))
