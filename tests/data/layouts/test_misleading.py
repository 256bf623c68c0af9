"""Trees with misleading names: each is read rightly, or a sentence asks."""

import pytest

from kerasad.data import read_category
from kerasad.errors import InputError

# The tree, the folder that is given, and the folders of good images and of defective ones; or what
# the sentence says.
TREES = {
    "a part called ok_ring": (
        ["ok_ring/4", "gear/2"],
        "",
        "ok_ring: a word of its name says good images",
    ),
    "a part called ok_ring alone": (["ok_ring/4"], "", ({"ok_ring"}, set())),
    "a part called ok_ring beside good ones": (["good/4", "ok_ring/2"], "", "ok_ring: beside good"),
    "a part called ok_ring is DATA": (
        ["ok_ring/ok/4", "ok_ring/ng/1"],
        "ok_ring",
        ({"ok"}, {"ng"}),
    ),
    "a product called mask": (["mask/good/4", "mask/bad/1"], "mask", ({"good"}, {"bad"})),
    "products, one called mask": (
        ["mask/good/4", "mask/bad/1", "ring/good/4", "ring/bad/1"],
        "",
        "categories mask, ring",
    ),
    "a plain product called label": (["label/4"], "label", ({""}, set())),
    "good as the only folder": (["good/4"], "", ({"good"}, set())),
    "bad as the only folder": (["bad/4"], "", "no usable good image"),
    "train inside good": (["good/train/4", "good/test/1"], "", ({"good/train"}, set())),
    "good inside bad": (["good/4", "bad/1", "bad/good/2"], "", "bad/good: its name says good"),
    "bad inside good": (["good/4", "good/bad/2"], "", "good/bad: its name says defective"),
    "scratch inside good": (["good/4", "good/scratch/2"], "", "its name says a kind of defect"),
    "German names": (["Gut/4", "Schlecht/Kratzer/2", "Masken/1"], "", ({"Gut"}, {"Kratzer"})),
    "Chinese names": (["良品/4", "不良品/划痕/2", "掩码/1"], "", ({"良品"}, {"划痕"})),
    "Chinese words in a name": (["良品/4", "不良品照片/1"], "", ({"良品"}, {"不良品照片"})),
    "good in Chinese in another name": (["良品/4", "良品照片/1"], "", "良品照片: beside 良品"),
    "ok and raw": (["ok/4", "raw/2"], "", "raw: beside ok"),
    "good and predictions": (["good/4", "predictions/2"], "", ({"good"}, set())),
    "good and old results": (["good/4", "old-results/2"], "", "old-results: beside good"),
    "good and its masks": (["good/4", "nok_masks/2"], "", "nok_masks: beside good"),
    "OK and Ok": (["OK/4", "Ok/2", "nok/1"], "", ({"OK", "Ok"}, {"nok"})),
    "OK beside nok in train, ok in test": (
        ["train/OK/4", "test/ok/2", "test/NOK/1"],
        "",
        ({"train/OK", "test/ok"}, {"NOK"}),
    ),
    "train beside good": (
        ["train/good/4", "good/2"],
        "",
        "good: its name says good images, beside",
    ),
    "masks among the training images": (
        ["Train/4", "Train/Label/2", "Test/2"],
        "",
        "Label: its name",
    ),
    "numbers beside good": (["good/4", "2024-05-01/2"], "", "2024-05-01: beside good"),
    "not good": (["good/4", "not_good_enough/2"], "", "not_good_enough: beside good"),
    "no crack": (["crack/4", "no_crack/2"], "", "no_crack: beside crack"),
    "a crossing of both": (["good/4", "good and bad/2"], "", "good and bad: beside good"),
    "images in a wrapper": (
        ["data/images/ok/4", "data/masks/1", "data/images/nok/2"],
        "",
        ({"data/images/ok"}, {"nok"}),
    ),
    "two days": (["monday/ok/4", "monday/nok/1", "tuesday/ok/4"], "", "categories monday, tuesday"),
    "two days further down": (
        ["line 1/monday/ok/4", "line 1/monday/nok/1", "line 1/tuesday/ok/4"],
        "",
        "line 1/monday/nok: its name says defective images, inside a folder of good",
    ),
    "a category called broken": (
        ["broken/train/good/2", "broken/test/crack/1", "bottle/train/good/2"],
        "",
        "holds the categories bottle, broken; give one",
    ),
    "the category called broken itself": (
        ["broken/train/good/2", "broken/test/crack/1", "bottle/train/good/2"],
        "broken",
        ({"train/good"}, {"crack"}),
    ),
    "categories called ok and hole": (
        ["ok/train/good/2", "hole/good/2", "hole/bad/1"],
        "",
        "holds the categories hole, ok; give one",
    ),
    "an archive that unfolds twice": (["good/good/2", "bad/bad/1"], "", ({"good/good"}, {"bad"})),
    "badges and okra": (
        ["badge 1/2", "badge 2/2"],
        "",
        ({"badge 1", "badge 2"}, set()),
    ),
    "words that nobody knows": (
        ["badge/2", "okra/2", "masked ball/1"],
        "",
        "badge, masked ball, okra may be good and defective images .--good . says that all are",
    ),
    "days, sides and cameras": (
        ["2024-05-01/2", "Montag/left/1", "Montag/right/1", "camera 2/3f21c0de/1", "camera_b/1"],
        "",
        (
            {"2024-05-01", "Montag/left", "Montag/right", "camera 2/3f21c0de", "camera_b"},
            set(),
        ),
    ),
    "flat names of a split": (
        ["train_good/4", "test_good/2", "test_bad/1", "test_scratch/1", "test_foo/1"],
        "",
        ({"train_good", "test_good"}, {"test_bad", "test_scratch", "test_foo"}),
    ),
    "flat names the other way round": (
        ["OK-Train/4", "NG-Test/1"],
        "",
        ({"OK-Train"}, {"NG-Test"}),
    ),
    "train beside flat names": (["train/4", "test_nok/2"], "", ({"train"}, {"test_nok"})),
    "flat names with one more word": (
        ["cap_train_good/4", "cap_test_bad/2"],
        "",
        ({"cap_train_good"}, {"cap_test_bad"}),
    ),
    "flat names with an unknown word": (
        ["train_good/4", "train_foo/2"],
        "",
        "train_foo: its name says train, but not whether its images are good .--good train_good",
    ),
    "flat names with a folder of good images": (
        ["train_good/4", "test_bad/2", "good/1"],
        "",
        "good: its name says good images, beside the folders of a split",
    ),
    "an unknown word beside one that says nothing": (
        ["Bilder/4", "Lunker/2"],
        "",
        "its folders Lunker, Bilder may be good and defective images .--good . says that all are",
    ),
    "an unknown word beside a date": (
        ["2024-05-01/4", "blem/2"],
        "",
        "its folders blem, 2024-05-01 may be good and defective images",
    ),
    "an unknown word beside one among the training images": (
        ["train/images/4", "train/blem/2", "test/good/1"],
        "",
        "its folders blem, images may be good and defective images",
    ),
    "two names that say nothing": (["photos/4", "backup/2"], "", ({"photos", "backup"}, set())),
    "an unknown word below photos": (["1.png", "batch seven/2"], "", ({"", "batch seven"}, set())),
    "parts to be tested again": (
        ["Accept/4", "Reject/2", "Retest/1"],
        "",
        "Retest: beside Accept and Reject, its name says images that nobody has sorted",
    ),
    "a split in German": (
        ["Trainingsdaten/gut/4", "Testdaten/gut/1", "Testdaten/Öl/1"],
        "",
        ({"Trainingsdaten/gut", "Testdaten/gut"}, {"Öl"}),
    ),
    "German names of a windows user": (
        ["Neuer Ordner (2)/Gutbilder/4", "Neuer Ordner (2)/Fehlerbilder/Kratzer groß/2"],
        "",
        ({"Neuer Ordner (2)/Gutbilder"}, {"Kratzer groß"}),
    ),
    "abbreviations with dots": (["i.O./4", "n.i.O./2"], "", ({"i.O."}, {"n.i.O."})),
    "released and blocked": (["freigegeben/4", "gesperrt/2"], "", ({"freigegeben"}, {"gesperrt"})),
    "a copy by a file manager": (["gut/4", "Kopie von gut/2"], "", "Kopie von gut: beside gut"),
    "a folder that windows has named": (
        ["gut/4", "Neuer Ordner (2)/2"],
        "",
        "Neuer Ordner .2.: beside gut, its name says nothing of quality",
    ),
    "days with results inside": (
        ["2024-01-01/good/4", "2024-01-02/good/2", "2024-01-02/bad/1"],
        "",
        "categories 2024-01-01, 2024-01-02",
    ),
    "days inside of the good images of a split": (
        ["train/good/4", "train/good/2024-01-02/4", "test/good/2024-01-01/1", "test/dent/2"],
        "",
        ({"train/good", "train/good/2024-01-02", "test/good/2024-01-01"}, {"dent"}),
    ),
    "days inside of good and bad": (
        ["good/2024-01-01/4", "good/2024-01-02/2", "bad/2024-01-01/1"],
        "",
        ({"good/2024-01-01", "good/2024-01-02"}, {"bad"}),
    ),
    "an export of masks": (
        ["JPEGImages/4", "SegmentationClass/2"],
        "",
        "SegmentationClass: a word of its name says masks",
    ),
    "other words of Chinese": (["合格/4", "不合格/2"], "", ({"合格"}, {"不合格"})),
    "Chinese words with photos behind": (
        ["合格品图片/4", "不合格品图片/2"],
        "",
        "不合格品图片 and 合格品图片 seem to be good and defective images",
    ),
    "Latin words before Japanese ones": (["OK画像/4", "NG画像/2"], "", ({"OK画像"}, {"NG画像"})),
    "abbreviations in names of files": (
        ["Teil 1 i.O..png", "Teil 2 i.O..png", "Teil_3_n.i.O..png"],
        "",
        "the name of Teil_3_n.i.O..png says defective",
    ),
    "photos in which defects are drawn": (
        ["gut/4", "schlecht/2", "markiert/2"],
        "",
        "markiert: beside gut and schlecht, its name says images that nobody has sorted",
    ),
    "what was made of the photos": (
        ["gut/4", "schlecht/2", "Auswertung/2"],
        "",
        "Auswertung: beside gut and schlecht, its name says nothing of quality",
    ),
    "photos of a target": (
        ["good/4", "bad/2", "calibration/2"],
        "",
        "calibration: beside bad and good, its name says nothing of quality",
    ),
    "small copies by a disk station": (
        ["good/4", "good/@eaDir/0.png/SYNOPHOTO_THUMB_M.png", "bad/2", "$RECYCLE.BIN/x.png"],
        "",
        ({"good"}, {"bad"}),
    ),
    "counts in names": (["OK (100)/4", "NOK (12)/2"], "", ({"OK (100)"}, {"NOK (12)"})),
    "a station of trains": (["test_bench/4"], "", "test_bench: a word of its name says test"),
}


@pytest.mark.parametrize("tree", TREES)
def test_a_misleading_tree_is_read_rightly_or_asked_about(tree, draw):
    names, given, answer = TREES[tree]
    data = draw(*names) / given
    if isinstance(answer, str):
        with pytest.raises(InputError, match=answer):
            read_category(data)
        return
    index = read_category(data)
    records = (*index.good, *index.test)
    good = {r.relative_path.rpartition("/")[0] for r in records if not r.label}
    defects = {record.defect for record in records if record.label}
    # Of a user's split, good test images are good too.
    assert (good - {"good/test"}, defects) == answer
