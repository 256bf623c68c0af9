"""`--good`, `--bad` and `--masks` win over every name."""

import pytest

from kerasad.console import count_of
from kerasad.data import read_category
from kerasad.errors import InputError


def roles(index):
    good = {record.relative_path.rpartition("/")[0] for record in index.good}
    return good, {record.defect for record in index.test}


def test_options_win_over_names(draw):
    assert roles(read_category(draw("ok/2", "nok/2"), good=["nok"], bad=["ok"])) == (
        {"nok"},
        {"ok"},
    )


def test_good_ones_alone_settle_every_question(draw):
    data = draw("ok_ring/2", "nok_ring/1", "raw/1", "nok/1", "old-overlays/1", "a.png", "good/1")
    with pytest.raises(InputError, match="--good"):
        read_category(data)
    index = read_category(data, good=["ok_ring"])
    assert roles(index) == ({"ok_ring"}, {"nok"})
    unread = " ".join(problem.message for problem in index.problems)
    for name in ("nok_ring", "raw", "old-overlays", "good"):
        assert f"{name}: 1 image not read" in unread


def test_defects_named_by_hand_leave_the_rest_of_a_plain_folder_good(draw, draw_masks):
    data = draw("a.png", "b.png", "crack/2", "marks/1")
    draw_masks(data / "marks/0.png")
    index = read_category(data, bad=["crack"], masks=["marks"])
    assert roles(index) == ({""}, {"crack"})
    assert [len(record.mask_paths) for record in index.test] == [1, 0]


def test_folders_may_be_named_several_times_and_lie_elsewhere(draw, tmp_path):
    data = draw("a/2", "b/2", "c/1")
    (data / "c").rename(tmp_path / "c")
    index = read_category(data, good=["a", "b"], bad=[str(tmp_path / "c")])
    assert roles(index) == ({"a", "b"}, {"c"})
    assert index.test[0].relative_path == "../c/0.png"


@pytest.mark.parametrize("folder", ["train/label", "../elsewhere"])
def test_masks_named_by_hand_belong_to_images_anywhere(draw, draw_masks, folder):
    data = draw("train/a.png", "train/b.png", "test/c.png", "test/d.png")
    draw_masks(data / folder / "c.png")
    index = read_category(data, good=["train"], bad=["test"], masks=[folder])
    assert [len(record.mask_paths) for record in index.test] == [1, 0]


def test_masks_and_results_inside_a_named_folder_are_no_photos(draw):
    index = read_category(
        draw("mine/2", "mine/masks/2", "mine/predictions/1", "mine/badge/1"), good=["mine"]
    )
    assert roles(index) == ({"mine", "mine/badge"}, set())


@pytest.mark.parametrize("folder", [".", "mine"])
@pytest.mark.parametrize("name", ["bad", "NOK", "scratch"])
def test_a_folder_surely_called_defective_inside_a_named_one_is_defective(draw, folder, name):
    data = draw(f"{folder}/a.png", f"{folder}/bad_lot/b.png", f"{folder}/{name}/c.png")
    good, defects = roles(read_category(data, good=[folder]))
    assert (len(good), defects) == (2, {name})
    assert len(read_category(data, good=[folder, f"{folder}/{name}"]).good) == 3


def test_a_good_folder_inside_one_named_defective_is_asked_about(draw):
    with pytest.raises(InputError, match="ok: its name says good images, inside a folder of defec"):
        read_category(draw("x/2", "x/ok/1", "y/1"), bad=["x"])


def test_the_part_of_a_named_folder_follows_from_its_path(draw):
    index = read_category(
        draw("train/x/3", "test/x/2", "test/y/1"), good=["train/x", "test/x"], bad=["test/y"]
    )
    assert (len(index.good), [record.part for record in index.test]) == (3, ["test"] * 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"good": ["none"]}, "--good none: there is no folder .*starts from DATA"),
        ({"good": ["ok"], "bad": ["./ok"]}, "named by two of --good, --bad and --masks"),
    ],
)
def test_wrong_options_are_refused(draw, options, message):
    with pytest.raises(InputError, match=message):
        read_category(draw("ok/2"), **options)


@pytest.mark.parametrize("top", ["", "train/", "deep/er/"])
def test_images_of_named_folders_are_never_counted_as_not_read(draw, draw_masks, top):
    data = draw(f"{top}a/2", f"{top}b/2", f"{top}c/3")
    draw_masks(data / f"{top}m/0.png")
    index = read_category(data, good=[f"{top}a"], bad=[f"{top}b"], masks=[f"{top}m"])
    messages = [p.message for p in index.problems if "not read" in p.message]
    assert [message.split(": ", 1)[1] for message in messages] == [
        "3 images not read: not named by --good."
    ]


def test_a_folder_surely_called_masks_is_used_beside_named_ones(draw, draw_masks):
    data = draw("a/2", "b/2")
    draw_masks(data / "masks/0.png")
    index = read_category(data, good=["a"], bad=["b"])
    assert [len(record.mask_paths) for record in index.test] == [1, 0]
    assert not any("not read" in problem.message for problem in index.problems)


def test_a_good_folder_with_a_mask_that_marks_a_defect_is_refused_and_names_the_way_out(
    draw, draw_masks
):
    data = draw("a_0.png", "a_1.png", "b_0.png")
    draw_masks(data / "b_0_mask.png")
    with pytest.raises(InputError, match=r"b_0\.png: it is read as a good image.*CSV file"):
        read_category(data, good=["."])


def test_an_empty_mask_beside_a_good_image_is_no_contradiction(draw, write_masks):
    data = draw("ok/0.png", "ok/1.png", "nok/2.png")
    write_masks("shop/ok/0_mask.png", value=0)
    assert len(read_category(data).good) == 2


@pytest.mark.parametrize("option", ["good", "bad", "masks"])
def test_a_named_folder_without_an_image_is_refused(draw, option):
    data = draw("ok/3", "nok/1")
    (data / "empty/inner").mkdir(parents=True)
    (data / "empty/inner/notes.txt").write_text("no image")
    with pytest.raises(InputError, match=f"--{option} empty: there is no image in .*empty"):
        read_category(data, **{option: ["empty"]})
    (data / "empty/photo.webp").write_bytes(b"")
    with pytest.raises(InputError, match=f"--{option} empty: .* .webp images cannot be read"):
        read_category(data, **{option: ["empty"]})


def test_named_folders_leave_out_files_whose_names_say_defective(draw):
    data = draw("p_0_ok.png", "p_1_ok.png", "p_2_nok.png", "inner/a.png", "inner/b_scratch.png")
    with pytest.raises(InputError, match=r"p_2_nok.* \(--good \. leaves them out\); move .* CSV"):
        read_category(data)
    index = read_category(data, good=["."])
    assert sorted(record.relative_path for record in index.good) == [
        "inner/a.png",
        "p_0_ok.png",
        "p_1_ok.png",
    ]
    assert not index.test
    remarks = [problem.message for problem in index.problems]
    assert f"{data}: 1 image not read: their names say defective; list all" in remarks[0]


def test_a_word_for_defects_in_all_names_of_a_named_folder_is_the_products(draw):
    assert len(read_category(draw("x/hole_1.png", "x/hole_2.png"), good=["x"]).good) == 2


def test_good_images_of_a_test_folder_train_if_named_and_no_others_do(draw):
    data = draw("test/good/4", "test/bad/2")
    with pytest.raises(InputError, match="for tests: name the folder of good images with `good`"):
        read_category(data)
    assert roles(read_category(data, good=["test/good"])) == ({"test/good"}, {"bad"})


def test_good_images_of_a_test_folder_never_train_beside_training_images(draw):
    data = draw("train/x/2", "test/good/4", "test/bad/2")
    with pytest.raises(InputError, match="no usable good image"):
        read_category(data, good=["test/good"])


def test_defective_images_beside_a_named_folder_are_tested(draw):
    data = draw("monday/ok/4", "monday/nok/2", "tuesday/ok/3", "tuesday/nok/1", "old/nok/1")
    index = read_category(data, good=["monday/ok"])
    assert roles(index) == ({"monday/ok"}, {"nok"})
    assert {record.relative_path.rpartition("/")[0] for record in index.test} == {
        "monday/nok",
        "old/nok",
    }
    unread = [problem.message for problem in index.problems if "not read" in problem.message]
    assert unread == [f"{data}: 4 images not read: not named by --good."]


@pytest.mark.parametrize(("count", "words"), [(0, "0 images"), (1, "1 image"), (2, "2 images")])
def test_one_image_is_no_images(count, words):
    assert count_of(count, "image") == words
