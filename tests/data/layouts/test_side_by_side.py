"""Good and bad side by side: who is what, and where masks belong."""

import contextlib

import pytest

from kerasad.data import read_category
from kerasad.errors import InputError


def kinds(index):
    return sorted({(record.defect, record.by_position) for record in index.test})


def masked(index):
    return {record.relative_path: len(record.mask_paths) for record in index.test}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("ok", "nok"),
        ("GOOD", "Bad"),
        ("pass", "fail"),
        ("normal", "anomaly"),
        ("nominal", "abnormal"),
        ("i.O.", "n.i.O."),
        ("negative", "positive"),
        ("Gutteile", "Ausschuss"),
        ("fehlerfrei", "Fehler"),
        ("bons", "défauts"),
        ("sans défaut", "de\u0301fauts"),
        ("buenos", "malos"),
        ("buono", "scarto"),
        ("良品", "不良品"),
        ("合格", "不合格"),
        ("正常", "異常"),
        ("OK品", "NG品"),
        ("no_defect", "defect"),
        ("zero-defects", "defects"),
        ("non-defective", "non_ok"),
        ("un-damaged", "damaged"),
        ("without_anomalies", "not_normal"),
        ("not bad", "not ok"),
        ("ok_front", "def_front"),
        ("01_good", "02_bad"),
        ("correct", "incorrect"),
        ("inlier", "outliers"),
        ("годные", "брак"),
        ("dobre", "złe"),
        ("sağlam", "hatal\u0131"),
        ("goed", "fout"),
        ("godkänd", "underkänd"),
        ("goods", "bads"),
        ("OKs", "NOKs"),
        ("qualified", "unqualified"),
        ("perfect", "imperfect"),
        ("brauchbar", "unbrauchbar"),
        ("heil", "kaputt"),
        ("好的", "坏的"),
    ],
)
def test_words_for_good_and_bad_in_several_languages(draw, good, bad):
    index = read_category(draw(f"{good}/4", f"{bad}/2"))
    assert index.layout == "good and bad side by side"
    assert (len(index.good), kinds(index)) == (4, [(bad, False)])


def test_another_folder_beside_good_ones_is_a_defect_by_its_position(draw):
    index = read_category(draw("ok/3", "nok/1", "crack/1", "foo/1", "Bad things/1"))
    assert kinds(index) == [("Bad things", True), ("crack", False), ("foo", True), ("nok", False)]


def test_the_kind_is_named_by_the_folders_inside(draw):
    index = read_category(
        draw(
            "ok/monday/3", "nok/1", "nok/scratch/1", "nok/images/1", "nok/scratch/deep/1", "foo/x/1"
        )
    )
    assert len(index.good) == 3
    assert {name for name, _ in kinds(index)} == {"nok", "scratch", "scratch/deep", "foo/x"}


@pytest.mark.parametrize("name", ["raw", "All", "unlabelled", "unsorted", "backup", "old", "new"])
@pytest.mark.parametrize("suffix", ["", "_2024"])
def test_a_name_that_says_nothing_of_quality_is_asked_about(draw, name, suffix):
    with pytest.raises(InputError, match=f"{name}{suffix}: beside nok and ok, .* says .*--good"):
        read_category(draw("ok/3", "nok/1", f"{name}{suffix}/1"))


@pytest.mark.parametrize("name", ["mask", "Masks", "ground_truth", "gt", "label", "annotation"])
@pytest.mark.parametrize("ending", ["", "_mask", "_gt", "_label", "_seg"])
def test_masks_in_folders_belong_to_the_image_of_their_name(draw, draw_masks, name, ending):
    data = draw("good/2", "crack/2", "dent/2")
    draw_masks(data / name / f"crack/0{ending}.png", data / name / f"dent/1{ending}.png")
    assert masked(read_category(data)) == {
        "crack/0.png": 1,
        "crack/1.png": 0,
        "dent/0.png": 0,
        "dent/1.png": 1,
    }


@pytest.mark.parametrize("ending", ["_mask", "_gt", "_label", "_seg"])
def test_masks_beside_their_images_are_never_photos(draw, draw_masks, ending):
    data = draw("good/2", "bad/2", f"good/0{ending}.png")
    draw_masks(data / f"bad/0{ending}.png", data / f"bad/7{ending}.png")
    index = read_category(data)
    assert len(index.good) == 2
    assert masked(index) == {"bad/0.png": 1, "bad/1.png": 0}
    assert any("bad: 1 image not read: named like masks" in p.message for p in index.problems)


def test_a_mask_of_two_images_is_of_neither(draw, draw_masks):
    data = draw("good/2", "crack/1", "dent/1")
    draw_masks(data / "masks/0.png")
    index = read_category(data)
    assert set(masked(index).values()) == {0}
    assert any("masks that fit more than one" in problem.message for problem in index.problems)


def test_a_mask_without_an_image_is_reported(draw, draw_masks):
    data = draw("good/2", "crack/1")
    draw_masks(data / "masks/crack/0.png", data / "masks/crack/5.png")
    messages = [problem.message for problem in read_category(data).problems]
    assert messages == [
        f"{data}/masks: masks without a defective image of their name: 1, such as 5.png."
    ]


def test_a_test_folder_alone_is_read_with_the_masks_beside_it(draw, draw_masks):
    data = draw("train/good/4", "test/good/3", "test/bad/2")
    draw_masks(data / "ground_truth/bad/0_mask.png", data / "ground_truth/bad/1_mask.png")
    index = read_category(data / "test", for_test=True)
    assert (len(index.good), masked(index)) == (3, {"bad/0.png": 1, "bad/1.png": 1})
    assert len(read_category(data / "test").good) == 3


@pytest.mark.parametrize(
    ("link", "target", "options"),
    [
        ("good/more", "nok", {}),
        ("good/more", "nok", {"good": ["good"]}),
        ("nok/more", "good", {}),
        ("z", "good", {}),
    ],
)
def test_a_link_never_makes_good_images_of_defective_ones(draw, link, target, options):
    data = draw("good/3", "nok/2")
    (data / link).symlink_to(data / target)
    with pytest.raises(InputError, match=r"it is the same folder as .*remove the link"):
        read_category(data, **options)


def test_a_link_to_a_folder_of_the_same_label_is_read_once(draw):
    data = draw("good/3", "nok/2")
    (data / "good/again").symlink_to(data / "good")
    (data / "good/top").symlink_to(data)
    (data / "nok/again").symlink_to(data / "nok")
    index = read_category(data)
    assert (len(index.good), len(index.test)) == (3, 2)


@pytest.mark.parametrize("name", ["good/unlabelled", "good/thumbs", "good/zurückgewiesen"])
def test_doubtful_folders_inside_good_ones_are_asked_about(draw, name):
    with pytest.raises(InputError, match="inside a folder of good images"):
        read_category(draw("good/3", "nok/2", f"{name}/1"))


def test_masks_beside_good_images_are_remarked(draw, draw_masks):
    data = draw("good/3", "bad/2")
    draw_masks(data / "good/0_mask.png", data / "good/1_mask.png", data / "bad/0_mask.png")
    index = read_category(data)
    assert (len(index.good), masked(index)) == (3, {"bad/0.png": 1, "bad/1.png": 0})
    sentence = f"{data / 'good'}: masks beside good images, which are not used: 2."
    assert sentence in [problem.message for problem in index.problems]


@pytest.mark.parametrize("name", ["review", "maybe", "rework", "uncracked", "augmented", "crops"])
def test_a_folder_of_doubtful_images_is_no_kind_of_defect(draw, name):
    with pytest.raises(InputError, match=f"{name}: beside bad and good, its name says"):
        read_category(draw("good/3", "bad/1", f"{name}/2"))


@pytest.mark.parametrize("pair", [("goodbottle", "badbottle"), ("goodimages", "nokimages")])
def test_joined_words_never_train_on_the_defects(draw, pair):
    data = draw(*(f"{name}/3" for name in pair))
    read = {}
    with contextlib.suppress(InputError):  # to ask is as good
        index = read_category(data)
        read = {"good": len(index.good), "test": len(index.test)}
    assert read in ({}, {"good": 3, "test": 3})


def test_the_question_says_which_options_leave_a_folder_out(draw):
    data = draw("ok/3", "raw/2", "nok/1")
    with pytest.raises(InputError, match=r"raw: .* \(--good ok leaves raw out\); name the folders"):
        read_category(data)
    index = read_category(data, good=["ok"])
    assert (len(index.good), [record.defect for record in index.test]) == (3, ["nok"])
    assert any("2 images not read: " in problem.message for problem in index.problems)


def test_all_good_folders_are_named_in_the_question(draw):
    data = draw("train/o k/3", "train/raw/2", "test/ok/1", "test/ko/1")
    with pytest.raises(
        InputError,
        match=r"--good 'train/o k' --good test/ok leave raw out|"
        r"--good test/ok --good 'train/o k' leave raw out",
    ):
        read_category(data)
    index = read_category(data, good=["train/o k", "test/ok"])
    assert (len(index.good), len(index.test)) == (3, 2)


def test_images_beside_the_folders_are_left_out_by_the_same_options(draw):
    data = draw("ok/3", "0.png")
    with pytest.raises(InputError, match=r"\(--good ok leaves these images out\)"):
        read_category(data)
    assert len(read_category(data, good=["ok"]).good) == 3
