"""Files beside photos that are none, in every layout of folders."""

import pytest

from kerasad.data import read_category
from kerasad.errors import InputError

ENDINGS = ["{}_mask", "{}_mask1", "{}_mask_2", "{}.mask", "mask_{}", "{}.png_mask", "{}_defect"]
ENDINGS += ["{}_annotation", "{}_groundtruth", "{}_ground_truth", "{}-GT", "{}_segmentation"]

# The folders of good images and of defective ones, in each layout.
LAYOUTS = {
    "mvtec": ("train/good", "test/dent", ["test/good"]),
    "btad": ("train/ok", "test/ko", ["test/ok"]),
    "mvtec_ad2": ("train/good", "test_public/bad", ["test_public/good"]),
    "mvtec_loco": ("train/good", "test/logical_anomalies", ["validation/good"]),
    "visa": ("Data/Images/Normal", "Data/Images/Anomaly", []),
    "good and bad side by side": ("good", "bad", []),
}


def counts(index):
    defective = [record for record in index.test if record.label]
    return len(index.good), len(defective), sum(len(record.mask_paths) for record in defective)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_masks_beside_photos_are_their_masks_in_every_layout(layout, draw, draw_masks):
    good, bad, more = LAYOUTS[layout]
    data = draw(f"{good}/3", f"{bad}/3", *(f"{folder}/1" for folder in more))
    draw_masks(*(data / folder / f"{n}_mask.png" for folder in (good, bad) for n in range(3)))
    index = read_category(data)
    num_validation = more.count("validation/good")
    assert (index.layout, counts(index)) == (layout, (3 + num_validation, 3, 3))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_mask_is_known_by_every_usual_name(ending, draw, draw_masks):
    data = draw("good/3", "bad/2")
    draw_masks(data / "bad" / f"{ending.format(0)}.png", data / "good" / f"{ending.format(1)}.png")
    assert counts(read_category(data)) == (3, 2, 1)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_mask_in_a_folder_of_masks_may_have_every_usual_name(ending, draw, draw_masks):
    data = draw("good/3", "bad/2")
    draw_masks(data / "masks" / f"{ending.format(0)}.png")
    assert counts(read_category(data)) == (3, 2, 1)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("folder", ["", "train/"])
def test_masks_never_train_in_a_plain_folder(folder, ending, draw, draw_masks):
    data = draw(f"{folder}3")
    draw_masks(data / folder / f"{ending.format(0)}.png")
    with pytest.raises(InputError, match="it holds masks beside images"):
        read_category(data)


@pytest.mark.parametrize("folder", ["", "train/good/"])
def test_a_product_may_be_called_face_mask(folder, draw, draw_masks):
    data = draw(f"{folder}face_mask.png", f"{folder}face_mask_2.png", f"{folder}cap.png")
    index = read_category(data)
    assert len(index.good) == 3
    assert ["named like masks" in problem.message for problem in index.problems] == [True]


def test_a_product_called_mask_has_masks_of_its_own(draw, draw_masks):
    data = draw("good/2", "bad/face_mask_1.png", "bad/face_mask_2.png")
    draw_masks(data / "bad/face_mask_1_gt.png")
    assert counts(read_category(data)) == (2, 2, 1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_overlays_beside_photos_are_read_in_no_layout(layout, draw):
    good, bad, more = LAYOUTS[layout]
    data = draw(f"{good}/3", f"{bad}/3", *(f"{folder}/1" for folder in more))
    draw(f"{good}/0_overlay.png", f"{good}/1.png_overlay.jpg", f"{bad}/0_overlay.png")
    index = read_category(data)
    num_validation = more.count("validation/good")
    assert counts(index) == (3 + num_validation, 3, 0)
    messages = [problem.message for problem in index.problems]
    for folder, count in ((good, 2), (bad, 1)):
        images = "1 image" if count == 1 else f"{count} images"
        sentence = f"{data / folder}: {images} not read: overlays of `kerasad predict`."
        assert sentence in messages


def test_an_overlay_that_a_list_names_is_no_photo(draw):
    data = draw("train/good/3", "test/dent/1", "train/good/9_overlay.png")
    (data / "predictions.jsonl").write_text('{"overlay": "train/good/9_overlay.png"}\n')
    assert len(read_category(data).good) == 3


@pytest.mark.parametrize("name", ["__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found", ".Trash-1"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_folders_of_the_system_hold_no_images(layout, name, draw):
    good, bad, more = LAYOUTS[layout]
    data = draw(f"{good}/3", f"{bad}/2", *(f"{folder}/1" for folder in more))
    outer = (data / bad).parent
    draw(f"{name}/2", f"{bad}/{name}/1", f"{good}/{name}/1", f"{outer.relative_to(data)}/{name}/1")
    index = read_category(data)
    assert (index.layout, counts(index)[1]) == (layout, 2)
    assert len(index.good) == 3 + more.count("validation/good")


@pytest.mark.parametrize("name", ["Neuer Ordner", "documentation", "screenshots", "New folder (2)"])
def test_a_folder_that_says_nothing_is_no_kind_of_defect(name, draw):
    with pytest.raises(InputError, match="says nothing of quality"):
        read_category(draw("good/3", "bad/1", f"{name}/1"))
