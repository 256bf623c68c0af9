"""A plain folder is all good, or refused in one sentence."""

from pathlib import Path

import pytest
from PIL import Image

from kerasad.data import read_category
from kerasad.data.tables import format_test_table
from kerasad.errors import InputError


def test_a_plain_folder_is_searched_recursively(tmp_path, noise):
    for number, name in enumerate(["b.png", "a/x.jpg", "a/deep/y.BMP", "z.tif"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(16, 16, number)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image, and not reported")
    index = read_category(tmp_path)
    assert index.layout == "folder"
    assert [record.relative_path for record in index.good] == [
        "a/deep/y.BMP",
        "a/x.jpg",
        "b.png",
        "z.tif",
    ]
    assert [record.decoder for record in index.good] == ["graph", "graph", "graph", "pillow"]
    assert (index.test, index.problems) == ((), ())


@pytest.mark.parametrize(
    "folder",
    [
        "nok",
        "NG",
        "Bad parts",
        "line 2/Defects_2024",
        "n.i.O",
        "masks",
        "mask/crack",
        "ground truth",
    ]
    + [
        "old-overlays",
        "predictions",
        "scratch",
        "Kratzer",
        "Risse 2",
        "unsorted",
        "不良品",
        "line/nok_2",
    ],
)
def test_an_inner_folder_of_defects_masks_or_results_is_asked_about(draw, folder):
    data = draw("a.png", f"{folder}/b.png")
    for for_test in (False, True):
        with pytest.raises(InputError, match="--good, --bad and --masks") as caught:
            read_category(data, for_test=for_test)
        assert str(caught.value).startswith(str(data))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("good", ["ok", "Good", "io"])
def test_images_beside_a_folder_of_good_ones_are_asked_about(draw, good):
    with pytest.raises(InputError, match=f"holds 1 image beside the folders {good}"):
        read_category(draw(f"{good}/a.png", "b.png"))


def test_overlays_of_predict_are_no_photos(draw):
    index = read_category(draw("a.png", "a_overlay.png"))
    assert [record.relative_path for record in index.good] == ["a.png"]
    assert "1 image not read: overlays" in index.problems[0].message


def test_a_folder_that_predict_wrote_to_is_asked_about(draw):
    data = draw("b.png", "out/a.png")
    Path(data / "out" / "predictions.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"results of `kerasad predict` .--good \. leaves it out"):
        read_category(data)
    assert [record.relative_path for record in read_category(data, good=["."]).good] == ["b.png"]


def test_masks_beside_the_photos_of_a_plain_folder_are_asked_about(draw):
    with pytest.raises(InputError, match="masks beside images, so not all are good"):
        read_category(draw("a.png", "b.png", "b_mask.png"))


@pytest.mark.parametrize(
    "paths",
    [
        ("a.png", "monday/b.png", "camera 2/left/c.png"),
        ("good/a.png", "good/b.png"),
        ("ok/monday/a.png", "ok/b.png"),
        ("masked_ball/a.png",),
    ],
)
def test_folder_names_without_a_meaning_are_read(draw, paths):
    assert len(read_category(draw(*paths)).good) == len(paths)


@pytest.mark.parametrize("top", ["", "train/", "inner/"])
@pytest.mark.parametrize(
    "names",
    [
        ("burnt", "plain"),
        ("widget", "widget-burnt"),
        ("foo1", "bar1"),
        ("a", "b", "c"),
        ("tot", "loi"),
        ("camera1 foo", "camera1 bar"),
    ],
)
def test_folders_that_unknown_words_tell_apart_are_asked_about(draw, top, names):
    data = draw(*(f"{top}{name}/2" for name in names))
    with pytest.raises(InputError, match=r"may be good and defective images \(--good \. says"):
        read_category(data)
    assert len(read_category(data, good=["."]).good) == 2 * len(names)
    assert len(read_category(data, bad=["."], for_test=True).test) == 2 * len(names)
    good, bad = (f"{top}{name}" for name in names[:2])
    assert len(read_category(data, good=[good], bad=[bad]).test) == 2


@pytest.mark.parametrize(
    "names",
    [
        ("2024-05-01", "2024-05-02"),
        ("Monday", "Tuesday"),
        ("batch1", "batch2", "batch_17"),
        ("camera_left", "camera_right"),
        ("cam a", "cam b", "cam c"),
        ("3f21c0de", "77ab0e", "SN0071A"),
        ("IMG1", "IMG2"),
        ("line 3", "3. shift", "March"),
        ("widget 1", "widget 2"),
        ("foo", "monday"),
    ],
)
def test_folders_of_one_series_are_read(draw, names):
    assert len(read_category(draw(*(f"{name}/1.png" for name in names))).good) == len(names)


@pytest.mark.parametrize("name", ["masks", "label", "raw", "good", "test", "predictions"])
def test_the_name_of_the_folder_itself_may_be_that_of_a_product(draw, name):
    data = draw(f"{name}/a.png", f"{name}/b.png") / name
    assert (len(read_category(data).good), len(read_category(data, for_test=True).good)) == (2, 2)


@pytest.mark.parametrize("name", ["nok", "NG", "Fehler", "不良品"])
def test_a_folder_called_defective_is_tested_and_never_trained_on(draw, name):
    data = draw(f"{name}/a.png", f"{name}/deep/b.png") / name
    index = read_category(data, for_test=True)
    assert (index.good, [record.label for record in index.test]) == ((), [1, 1])
    assert "count as good" not in format_test_table(index)
    with pytest.raises(InputError, match=r"good images are needed.*--good \."):
        read_category(data)
    assert len(read_category(data, good=["."]).good) == 2


def test_one_defect_of_the_users_test_images_is_tested_with_its_masks(draw, draw_masks):
    data = draw("train/ok/2", "test/ok/1", "test/foo/2")
    draw_masks(data / "masks/foo/0.png")
    index = read_category(data / "test/foo", for_test=True)
    assert [len(record.mask_paths) for record in index.test] == [1, 0]
    with pytest.raises(InputError, match="good images are needed"):
        read_category(data / "test/foo")


@pytest.mark.parametrize("name", ["crack", "batch seven"])
def test_a_folder_of_which_neither_name_nor_place_tells_is_asked_about(draw, name):
    data = draw(f"{name}/a.png", *(["ok/b.png"] if name != "crack" else []))
    with pytest.raises(InputError, match=r"say so with --good \. or --bad \."):
        read_category(data / name, for_test=True)
    assert len(read_category(data / name, bad=["."], for_test=True).test) == 1


def test_a_kind_of_defect_beside_good_images_is_tested_alone(draw):
    data = draw("ok/a.png", "crack/b.png")
    assert [record.defect for record in read_category(data / "crack", for_test=True).test] == [
        "crack"
    ]


@pytest.mark.parametrize("name", ["ok_front", "unlabelled", "images", "0"])
def test_a_folder_of_test_images_whose_name_says_no_defect_is_asked_about(draw, name):
    data = draw("train/good/2", f"test/{name}/a.png", "test/scratch/1")
    for for_test in (False, True):
        with pytest.raises(InputError, match=r"say so with --good \. or --bad \."):
            read_category(data / "test" / name, for_test=for_test)


@pytest.mark.parametrize("name", ["masks", "ground_truth/foo", "nok_masks", "predictions", "seg"])
@pytest.mark.parametrize("beside", ["ok", "train/good"])
def test_masks_and_results_beside_photos_are_no_photos(draw, name, beside):
    data = draw(f"{beside}/2", f"{name}/a.png")
    for for_test in (False, True):
        with pytest.raises(InputError, match="and photos lie beside it; give the folder"):
            read_category(data / name, for_test=for_test)
    assert len(read_category(data / name, good=["."]).good) == 1


@pytest.mark.parametrize("top", ["", "train/", "inner/"])
@pytest.mark.parametrize(
    "pair",
    [("0", "1"), ("true", "false"), ("Yes", "No"), ("class_a", "class_b"), ("pos", "neg")]
    + [("regular", "irregular"), ("complete", "incomplete"), ("class0", "class1"), ("g", "b")]
    + [("P", "F"), ("ID", "OOD"), ("benign", "malignant"), ("Serie", "Reklamation")]
    + [("A-Ware", "B-Ware"), ("1. Wahl", "2. Wahl")],
)
def test_two_folders_named_like_two_classes_are_asked_about(draw, top, pair):
    data = draw(*(f"{top}{name}/2" for name in pair))
    with pytest.raises(InputError, match="seem to be good and defective images; name the folders"):
        read_category(data)
    good, bad = (f"{top}{name}" for name in pair)
    assert len(read_category(data, good=[good], bad=[bad]).test) == 2


@pytest.mark.parametrize("pair", [("camera_a", "camera_b"), ("batch 0", "batch 1"), ("0", "2")])
def test_two_folders_of_one_kind_are_read(draw, pair):
    assert len(read_category(draw(*(f"{name}/2" for name in pair))).good) == 4


@pytest.mark.parametrize("names", [("ok_0", "nok_0"), ("good0", "bad0"), ("a", "cam1-NG-7")])
def test_words_for_defects_in_file_names_are_asked_about(draw, names):
    data = draw(*(f"inner/{name}.png" for name in names))
    with pytest.raises(InputError, match=r"the name of .* says defective"):
        read_category(data)
    assert len(read_category(data, good=["."]).good) == 1


@pytest.mark.parametrize(
    "names",
    [
        ("dent_0", "dent_1"),
        ("0bad3f1", "7"),
        ("3f21c0de-0bad-4def-8bad-00c0ffee1def", "7"),
        ("badge", "okra"),
    ],
)
def test_file_names_that_tell_nothing_apart_are_read(draw, names):
    assert len(read_category(draw(*(f"{name}.png" for name in names))).good) == 2


@pytest.mark.parametrize("name", ["Schlecht", "nok", "不良品"])
def test_a_folder_called_defective_is_tested_with_all_kinds_inside(draw, name):
    data = draw(f"{name}/Kratzer/2", f"{name}/foo/1", f"{name}/a.png", f"{name}/images/1") / name
    index = read_category(data, for_test=True)
    assert {record.defect for record in index.test} == {"Kratzer", "foo", name}
    assert (len(index.good), len(index.test)) == (0, 5)
    with pytest.raises(InputError, match="good images are needed"):
        read_category(data)


def test_unknown_names_beside_kinds_of_defects_are_asked_about_with_the_way_out(draw):
    data = draw("Kratzer/2", "foo/1")
    with pytest.raises(InputError, match=r"foo: beside Kratzer, .*--bad \. says that all are def"):
        read_category(data, for_test=True)
    assert len(read_category(data, bad=["."], for_test=True).test) == 3


@pytest.mark.parametrize(
    "names",
    [
        ("g_1", "g_2", "b_3"),
        ("0_1", "1_2", "1_3"),
        ("1_pos", "2_neg"),
        ("IMG_1_OK", "IMG_2"),
        ("true-1", "false-2"),
    ],
)
def test_classes_in_file_names_are_asked_about(draw, names):
    data = draw(*(f"{name}.png" for name in names))
    with pytest.raises(InputError, match=r"names? of .*; move the defective images"):
        read_category(data)
    assert len(read_category(data, good=["."]).good) == len(names)


@pytest.mark.parametrize("names", [("1_0", "1_1"), ("a_1", "b_1"), ("0", "1"), ("ok_1", "ok_2")])
def test_numbers_and_cameras_in_file_names_are_no_classes(draw, names):
    assert len(read_category(draw(*(f"{name}.png" for name in names))).good) == 2


def test_archives_and_videos_are_remarked(draw):
    data = draw("good/3", "bad/1")
    for name in ("bad.zip", "more.ZIP", "bad/film.mp4"):
        (data / name).write_bytes(b"")
    messages = [problem.message for problem in read_category(data).problems]
    assert f"{data}: archives are not read: 2, such as bad.zip; unpack them" in messages[0]
    assert f"{data}/bad: videos are not read: 1, such as film.mp4;" in messages[1]
