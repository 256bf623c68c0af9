"""CSV manifests: what a line says, and the sentence about each line that says nothing."""

import csv

import pytest

from kerasad.data import load_category, read_category, read_images
from kerasad.data.geometry import Geometry
from kerasad.data.layouts import find_layout, is_category
from kerasad.data.loading import load_good_images
from kerasad.errors import InputError
from kerasad.training.locations import find_categories


@pytest.fixture
def manifest(tmp_path, write_images, write_masks):
    """Writes a CSV beside 8 images and 3 masks: `manifest("path,label", "images/0.png,ok")`."""
    write_images(*(f"images/{number}.png" for number in range(8)))
    write_masks("masks/6.png", "masks/7a.png", "masks/7b.png")
    write_masks("masks/empty.png", value=0)

    def write(*lines, encoding="utf-8", name="bolts.csv", newline="\n"):
        path = tmp_path / name
        path.write_bytes(newline.join([*lines, ""]).encode(encoding))
        return path

    return write


GOOD = [f"images/{number}.png,good,," for number in range(6)]
LINES = [
    "path,label,mask,split",
    "images/0.png,good,,train",
    "images/1.png,OK,,train",
    "images/2.png,0,masks/empty.png,val",
    "images/3.png,normal,,",
    "images/4.png,good,,Test",
    "images/5.png,scratch,,test",
    "images/6.png,dent,masks/6.png,test",
    "images/7.png,dent,masks/7a.png;masks/7b.png,",
]


def refusal(path, **options):
    with pytest.raises(InputError) as info:
        read_category(path, **options)
    return str(info.value)


def test_a_csv_file_lists_images_labels_masks_and_the_split(manifest, tmp_path, summary):
    path = manifest(*LINES)
    index = read_category(path)
    assert (index.name, index.root, index.layout) == ("bolts", str(path), "csv")
    assert summary(index) == {
        ("train", "good"): 2,
        ("validation", "good"): 1,
        ("any", "good"): 1,
        ("test", "good"): 1,
        ("test", "scratch"): 1,
        ("test", "dent"): 1,
        ("any", "dent"): 1,
    }
    assert [len(record.mask_paths) for record in index.test] == [0, 0, 1, 2]
    assert index.test[3].mask_paths[1] == str(tmp_path / "masks/7b.png")
    assert index.test[3].relative_path == "images/7.png"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("semicolons", [False, True])
def test_a_spreadsheet_may_have_written_it(
    semicolons, encoding, newline, manifest, tmp_path, summary
):
    lines = LINES
    if semicolons:
        rows = list(csv.reader(LINES))
        with open(tmp_path / "rows.csv", "w", newline="") as file:
            csv.writer(file, delimiter=";", lineterminator="\n").writerows(rows)
        lines = (tmp_path / "rows.csv").read_text().splitlines()
        assert '"masks/7a.png;masks/7b.png"' in lines[-1]
    lines = [*lines, ";;;;" if semicolons else ",,,,", ""]
    index = read_category(manifest(*lines, encoding=encoding, newline=newline))
    assert summary(index) == summary(read_category(manifest(*LINES, name="plain.csv")))
    assert [len(record.mask_paths) for record in index.test] == [0, 0, 1, 2]


def test_columns_may_come_in_any_order_and_group_images(manifest):
    lines = ["Label,Group,Path"] + [f"good,item{n // 2},images/{n}.png" for n in range(6)]
    index = read_category(manifest(*lines))
    assert [record.group for record in index.good] == [f"item{n // 2}" for n in range(6)]


def test_paths_may_lead_elsewhere_and_be_written_on_windows(manifest, tmp_path):
    (tmp_path / "lists").mkdir()
    lines = ["path,label", "..\\images\\0.png,good", f"{tmp_path}/images/1.png,good"]
    index = read_category(manifest(*lines, name="lists/bolts.csv"))
    assert [record.relative_path for record in index.good] == [
        "../images/0.png",
        "../images/1.png",
    ]


def test_defective_training_images_neither_train_nor_test(manifest, summary):
    index = read_category(manifest("path,label,mask,split", *GOOD, "images/6.png,dent,,train"))
    assert summary(index) == {("any", "good"): 6}
    assert "defective images among the training images: 1; left out" in index.problems[0].message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "images/9.png,good,,",
            "line 8: the image .*/9.png does not exist; correct",
        ),
        ("images/6.png,dent,masks/9.png,", "line 8: the mask .*masks/9.png does not exist"),
        ("images/0.png,good,,", "line 8: images/0.png is already in line 2; keep one"),
        ("images/../images/0.png,dent,,", "line 8: .* is already in line 2"),
        ("images/6.png,,,", "line 8: no label; write good or the kind of defect"),
        ("images/6.png", "line 8: no label"),
        ("images/6.png,unknown,,", "line 8: the label 'unknown' does not say"),
        ("images/6.png,-1,,", "line 8: the label '-1' does not say"),
        (",good,,", "line 8: the path of the image is missing"),
        ("images/6.png,dent,,holdout", "line 8: unknown split 'holdout'; write train"),
        ("images/6.png,dent,,test,more", "line 8: 5 cells for 4 columns"),
        ('images/6.png,"dent,,', "line 8: the line is not CSV"),
        ("images/6.png,good,masks/6.png,", "line 8: the label is good, but the mask 6.png marks"),
        (
            "images/6.png,dent,images/0.png,",
            "line 2: 0.png is an image here and the mask of line 8",
        ),
    ],
)
def test_a_line_that_cannot_be_used_is_named(line, message, manifest):
    path = manifest("path,label,mask,split", *GOOD, line)
    assert refusal(path).startswith(f"{path}, line ")
    with pytest.raises(InputError, match=message):
        read_category(path)


def test_one_mask_never_belongs_to_two_images(manifest):
    lines = ["images/6.png,dent,masks/6.png,", "images/7.png,dent,masks/6.png,"]
    message = refusal(manifest("path,label,mask,split", *GOOD, *lines))
    assert "line 9: the mask 6.png belongs to the image of line 8" in message


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("path,label,mask,split,weight", "line 1: unknown column 'weight'; the first"),
        ("path,mask", "line 1: there is no column 'label'"),
        ("path,label,path", "line 1: the column 'path' appears twice"),
        ("images/6.png,good", "line 1: unknown column 'images/6.png'"),
        ("path\tlabel", "line 1: unknown column "),
    ],
)
def test_a_header_that_cannot_be_used_is_named(header, message, manifest):
    with pytest.raises(InputError, match=message):
        read_category(manifest(header, *GOOD))


def test_a_file_in_another_encoding_or_without_lines_is_refused(manifest):
    path = manifest("path,label", "images/0.png,good", "images/é.png,good", encoding="latin-1")
    assert "line 3: the file is not UTF-8; save it in UTF-8" in refusal(path)
    assert "the file is empty" in refusal(manifest(""))
    assert "no usable good image" in refusal(manifest("path,label"))


def test_only_files_called_csv_are_manifests(manifest, tmp_path):
    assert is_category(manifest(*LINES))
    assert is_category(manifest(*LINES, name="upper.CSV"))
    (tmp_path / "folder.csv").mkdir()
    assert not is_category(tmp_path / "folder.csv")
    assert not is_category(tmp_path / "missing.csv")
    assert not is_category(tmp_path)  # a folder that holds manifests
    with pytest.raises(InputError, match="it is a file; give the folder"):
        find_layout(tmp_path / "images/0.png")


def test_every_reader_of_data_takes_a_manifest(manifest):
    path = manifest(*LINES)
    data = load_category(path, image_size=(32, 24), batch_size=2)
    assert len(data.index.good) == 4
    assert "use: 4 good images" in data.split_table()
    records, problems = read_images(path)
    assert (len(records), problems) == (8, ())
    good = load_good_images(path, Geometry(32, 24), 2)
    assert [record.defect for record in good.records] == ["good"] * 4  # never a defective one
    assert find_categories([str(path)]) == {"bolts": str(path)}


@pytest.mark.parametrize(
    "label",
    ["Gut", "良品", "OK", "0", "0.0", "good part", "正常", "okay", "accept", "conforming"]
    + ["Good part", "Gutteil", "no defect"],
)
def test_a_label_is_good_in_the_words_that_folders_may_have(manifest, label):
    index = read_category(manifest("path,label", *(f"images/{n}.png,{label}" for n in range(6))))
    assert (len(index.good), len(index.test)) == (6, 0)


@pytest.mark.parametrize(("ones", "count"), [(4, 1), (2, 0)])
def test_most_labels_being_1_is_remarked(manifest, ones, count):
    labels = [*"1" * ones, *"0" * (7 - ones)]
    lines = [f"images/{n}.png,{label}" for n, label in enumerate(labels)]
    index = read_category(manifest("path,label", *lines))
    messages = [problem.message for problem in index.problems]
    assert sum("if 1 means good here, write good" in message for message in messages) == count


@pytest.mark.parametrize(
    "label", ["1", "7", "NOK", "foo", "欠陥", "scratch", "not good", "ok_ring"]
)
def test_another_label_is_a_kind_of_defect(manifest, label):
    lines = [*(f"images/{n}.png,OK" for n in range(6)), f"images/6.png,{label}"]
    (record,) = read_category(manifest("path,label", *lines)).test
    assert (record.label, record.defect) == (1, label)


@pytest.mark.parametrize("label", ["unknown", "raw", "All", "unsorted", "ok or nok", "no crack"])
def test_a_label_that_says_nothing_of_quality_is_refused(manifest, label):
    lines = [*(f"images/{n}.png,OK" for n in range(6)), f"images/6.png,{label}"]
    message = refusal(manifest("path,label", *lines))
    assert f"line 8: the label {label!r} does not say what the image is" in message
