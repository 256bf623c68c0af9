"""A list of labels in a folder of images is never overlooked."""

import pytest

from kerasad.data import read_category
from kerasad.errors import InputError


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("labels.csv", "path,label"),
        ("Train.CSV", "\ufeffImage;Class;Remark"),
        ("list.csv", '"file name","defect type"'),
        ("parts.csv", "ImageId\tis_defective"),
        ("train.jsonl", '{"path": "0.png", "label": "good"}'),
        ("train.manifest", '{"source-ref": "s3://b/0.png", "anomaly-label": 0}'),
    ],
)
def test_a_plain_folder_with_a_list_of_labels_is_refused(name, line, tmp_path, write_images):
    write_images(*(f"{number}.png" for number in range(5)))
    (tmp_path / name).write_text(line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"{name}: it seems to tell which images are good"):
        read_category(tmp_path)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("camera.csv", "file,exposure,gain"),
        ("labels.txt", "path,label"),
        ("empty.csv", ""),
        ("log.jsonl", '{"time": "now"}'),
        ("notes.csv", "path\nlabel"),
        ("predictions.csv", "path,anomaly_score,is_anomalous"),
    ],
)
def test_other_lists_are_no_reason_to_refuse(name, line, tmp_path, write_images):
    write_images(*(f"{number}.png" for number in range(5)))
    (tmp_path / name).write_text(line)
    assert len(read_category(tmp_path).good) == 5


def test_a_folder_whose_names_tell_the_labels_may_have_a_list_too(tmp_path, write_images):
    write_images("train/good/0.png", "train/good/1.png", "test/dent/2.png")
    (tmp_path / "labels.csv").write_text("path,label\n")
    index = read_category(tmp_path)
    assert (len(index.good), len(index.test)) == (2, 1)
