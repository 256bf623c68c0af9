"""A list of labels in or beside a folder of images is never overlooked."""

import json
import zipfile

import pytest

from kerasad.data import read_category
from kerasad.errors import InputError

SAYS = "it seems to list which images are good"
COCO = {"images": [{"id": 1, "file_name": "1.png"}], "annotations": [], "categories": []}
LABELME = {"version": "5", "shapes": [], "imagePath": "..\\photos\\1.png"}
VOC = "<annotation><filename>1.png</filename><object><name>dent</name></object></annotation>"
# What names no image counts only in the folder.
NAMELESS = {"labels.csv", "Train.CSV", "list.csv", "parts.csv", "pass_fail.csv", "Protokoll.csv"}
YOLO = "0 0.5 0.5 0.25 0.1\n"

# Files in a folder of 0.png to 4.png that tell their labels.
LISTS = {
    "labels.csv": "path,label",
    "Train.CSV": "\ufeffImage;Class;Remark",
    "list.csv": '"file name","defect type"',
    "parts.csv": "ImageId\tis_defective",
    "no_header.csv": "0.png,0\n1.png,1\n",
    "german.csv": "Datei;Bewertung\n0.png;0\n1.png;1\n",
    "index.csv": "nr,image,result\n1,0.png,ok\n2,1.png,nok\n",
    "pass_fail.csv": "0,P\n1,F\n",
    "Protokoll.csv": "Nr;Zeit;Prüfergebnis\n0;12:00;5\n",
    "via_region_data.csv": "filename,file_size,region_shape_attributes\n0.png,9,{}\n",
    "train.jsonl": '{"path": "0.png", "label": "good"}',
    "train.manifest": '{"source-ref": "s3://b/0.png", "anomaly-label": 0}',
    "labels.txt": "path,label\n0.png,good\n1.png,dent\n",
    "train.txt": "images/0.png 0\nimages/1.png 1\n",
    "list.txt": "# checked by Ann\n0.png\tok\n",
    "bad.txt": "0.png\n",
    "1.txt": YOLO,
    "2.txt": "nok",
    "annotations.json": json.dumps(COCO),
    "_annotations.coco.json": json.dumps(COCO, indent=1),
    "1.json": json.dumps(LABELME),
    "via.json": json.dumps({"1.png9": {"filename": "1.png", "regions": []}}),
    "by_class.json": '{"good": ["0.png"], "x": ["1.png"]}',
    "by_name.json": '{"0.png": 0, "1.png": 1}',
    "escaped.json": '[{"f": "a\\/0.\\u0070ng", "category_id": 3}]',
    "1.xml": VOC,
    "cvat.xml": '<?xml version="1.0"?>\n<annotations>\n<image name="1.png"/></annotations>',
}
# Files that say nothing of that kind.
OTHERS = {
    "camera.csv": "file,exposure,gain",
    "exposures.csv": "file,exposure,gain\n0.png,3,1\n1.png,12,1\n",
    "empty.csv": "",
    "log.jsonl": '{"time": "now"}',
    "notes.csv": "path\nlabel",
    "predictions.csv": "path,anomaly_score,is_anomalous",
    "predictions.jsonl": '{"path": "0.png", "is_anomalous": true}',
    "README.txt": "0.png is good, and so are all others.\nlabel, class: none",
    "license.txt": "These images may be used for any good or bad purpose.",
    "classes.txt": "good\ndefective\n",
    "md5.txt": "d41d8cd98f00b204e9800998ecf8427e  0.png\n",
    "times.txt": "0.png 2024-05-01 12:00:03\n1.png 2024-05-01 12:00:09\n",
    "package.json": '{"name": "label-tool", "files": ["a.js"], "keywords": ["label", "good"]}',
    "0.png.json": '{"title": "0.png", "description": "", "geoData": {"latitude": 0.0}}',
    "deep.json": "[" * 100_000,
    "camera.xml": "<camera><gain>3</gain></camera>",
    "broken.xlsx": "no archive",
}


@pytest.fixture
def photos(tmp_path, write_images):
    write_images(*(f"shop/photos/{number}.png" for number in range(5)))
    return tmp_path / "shop/photos"


@pytest.mark.parametrize("folder", ["", "inner/deep", "labels"])
@pytest.mark.parametrize("name", LISTS)
def test_a_plain_folder_with_a_list_of_labels_is_refused(name, folder, photos):
    (photos / folder).mkdir(parents=True, exist_ok=True)
    is_sidecar = name in ("1.txt", "2.txt")
    folder = "" if is_sidecar and folder == "inner/deep" else folder
    (photos / folder / name).write_text(LISTS[name], encoding="utf-8")
    with pytest.raises(InputError, match=f"{name}: {SAYS}.*path,label.*--good"):
        read_category(photos)
    assert len(read_category(photos, good=["."]).good) == 5


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_no_reason_to_refuse(name, photos):
    (photos / name).write_text(OTHERS[name], encoding="utf-8")
    assert len(read_category(photos).good) == 5


@pytest.mark.parametrize("folder", [".", "labels", "Annotations/all"])
@pytest.mark.parametrize("name", sorted(LISTS.keys() - NAMELESS))
def test_a_list_beside_the_folder_counts_if_it_names_an_image(name, folder, photos):
    if name in ("1.txt", "2.txt") and folder != "labels":
        pytest.skip("a text without a name in it belongs to an image only by its place")
    (photos.parent / folder).mkdir(parents=True, exist_ok=True)
    path = photos.parent / folder / name
    path.write_text(LISTS[name], encoding="utf-8")
    with pytest.raises(InputError, match=f"{name}: {SAYS}"):
        read_category(photos)
    for image in photos.iterdir():
        image.rename(image.with_name(f"other {image.name}"))
    assert len(read_category(photos).good) == 5


def test_a_list_of_other_images_of_the_same_names_does_not_count(photos, write_images):
    write_images("shop/other/0.png")
    (photos.parent / "labels.txt").write_text("other/0.png bad\n")
    assert len(read_category(photos).good) == 5


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"])
@pytest.mark.parametrize("cell", ["Label", "0.png"])
def test_a_spreadsheet_with_labels_is_refused(part, cell, photos):
    with zipfile.ZipFile(photos / "list.xlsx", "w") as sheet:
        sheet.writestr(part, f"<sst><si><t>{cell}</t></si></sst>")
    with pytest.raises(InputError, match=f"list.xlsx: {SAYS}"):
        read_category(photos)


def test_a_spreadsheet_of_something_else_is_no_reason(photos):
    with zipfile.ZipFile(photos / "prices.xlsx", "w") as sheet:
        sheet.writestr("xl/sharedStrings.xml", "<sst><si><t>Price</t></si></sst>")
    assert len(read_category(photos).good) == 5


def test_only_the_beginning_of_a_large_list_is_read(photos):
    (photos / "large.json").write_text(json.dumps(COCO) + " " * 3_000_000)
    with pytest.raises(InputError, match=f"large.json: {SAYS}"):
        read_category(photos)


@pytest.mark.parametrize("folder", ["train", "train/labels", "."])
def test_images_of_a_users_train_folder_are_not_good_if_a_list_tells_more(
    folder, tmp_path, write_images
):
    write_images("train/images/0.png", "train/images/1.png", "valid/images/2.png")
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "_annotations.coco.json").write_text(json.dumps(COCO))
    with pytest.raises(InputError, match=f"coco.json: {SAYS}"):
        read_category(tmp_path)


def test_boxes_in_a_folder_beside_the_training_images_are_seen(tmp_path, write_images):
    write_images("train/images/0.png", "train/images/1.png")
    (tmp_path / "train/labels").mkdir()
    (tmp_path / "train/labels/0.txt").write_text("")
    (tmp_path / "train/labels/1.txt").write_text(YOLO)
    for data in (tmp_path, tmp_path / "train/images"):
        with pytest.raises(InputError, match=f"1.txt: {SAYS}"):
            read_category(data)


def test_boxes_in_a_tree_of_the_same_parts_are_seen(tmp_path, write_images):
    write_images("images/train/0.png", "images/train/1.png", "images/val/2.png")
    (tmp_path / "labels/train").mkdir(parents=True)
    (tmp_path / "labels/train/1.txt").write_text(YOLO)
    for data in (tmp_path, tmp_path / "images", tmp_path / "images/train"):
        with pytest.raises(InputError, match=f"1.txt: {SAYS}"):
            read_category(data)


def test_annotations_of_a_tree_with_a_file_for_each_image_are_seen(tmp_path, write_images):
    write_images("set/img/0.png", "set/img/1.png")
    (tmp_path / "set/ann").mkdir()
    text = json.dumps({"tags": [], "objects": [{"classTitle": "scratch"}]})
    (tmp_path / "set/ann/0.png.json").write_text(text)
    with pytest.raises(InputError, match=r"0\.png\.json: "):
        read_category(tmp_path)


def test_a_file_called_annotations_need_not_name_the_images(photos):
    text = json.dumps({"shapes": [], "tags": [{"label": "scratch", "frame": 0}]})
    (photos / "annotations.json").write_text(text)
    with pytest.raises(InputError, match=r"annotations\.json: "):
        read_category(photos)


def test_a_folder_whose_names_tell_the_labels_may_have_a_list_too(tmp_path, write_images):
    write_images("train/good/0.png", "train/good/1.png", "test/dent/2.png")
    (tmp_path / "labels.csv").write_text("path,label\n")
    index = read_category(tmp_path)
    assert (len(index.good), len(index.test)) == (2, 1)


def test_the_results_and_the_folder_of_a_run_are_no_lists(photos):
    (photos / "run").mkdir()
    (photos / "run/detector.keras").write_bytes(b"")
    (photos / "run/split.json").write_text('{"train": [{"path": "0.png", "label": 0}]}')
    assert len(read_category(photos).good) == 5
