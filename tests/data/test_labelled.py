import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasad.data import CategoryIndex, ImageRecord, load_category
from kerasad.data.index import choose_labelled, read_labelled
from kerasad.data.pipeline import mix_labelled
from kerasad.data.provenance import Provenance
from kerasad.errors import InputError
from kerasad.files import write_json


def record(name, defect="good", content=None):
    label = int(defect != "good")
    return ImageRecord(
        f"/data/{name}", name, label, defect, 9, 9, content or f"hash of {name}", "graph"
    )


def make_index(cuts=5, holes=1, good=3):
    test = [record(f"test/good/{i}.png") for i in range(2)]
    test += [record(f"test/cut/{i}.png", "cut") for i in range(cuts)]
    test += [record(f"test/hole/{i}.png", "hole") for i in range(holes)]
    train = tuple(record(f"train/good/{i}.png") for i in range(good))
    return CategoryIndex("thing", "/data", "mvtec", train, tuple(test), ())


def test_labelled_images_are_defective_and_spread_over_the_kinds_of_defects():
    chosen = choose_labelled(make_index(), 0.02, num_train=100, seed=0)
    assert sorted(one.defect for one in chosen) == ["cut", "hole"]
    chosen = choose_labelled(make_index(), 0.04, num_train=100, seed=0)
    assert sorted(one.defect for one in chosen) == ["cut", "cut", "cut", "hole"]


def test_at_least_one_image_is_labelled_and_a_seed_chooses_the_same_again():
    chosen = choose_labelled(make_index(), 0.02, num_train=3, seed=1)
    assert len(chosen) == 1
    assert chosen == choose_labelled(make_index(), 0.02, num_train=3, seed=1)
    drawn = {choose_labelled(make_index(), 0.02, num_train=3, seed=seed) for seed in range(20)}
    assert len(drawn) > 2


@pytest.mark.parametrize(("share", "message"), [(0.0, "above 0"), (0.5, "6 defective ones")])
def test_a_share_that_leaves_nothing_to_test_is_refused(share, message):
    with pytest.raises(InputError, match=message):
        choose_labelled(make_index(), share, num_train=100, seed=0)


def test_copies_of_labelled_images_leave_the_test_images_too():
    index = make_index()
    labelled = dataclasses.replace(record("elsewhere.png", "labelled"), content_hash="hash of x")
    copy = record("test/cut/copy.png", "cut", content="hash of x")
    index = dataclasses.replace(index, test=(*index.test, copy))
    assert copy not in index.set_apart([labelled]).test
    assert len(index.set_apart([labelled]).test) == len(index.test) - 1


def test_an_image_that_is_good_and_labelled_defective_is_refused():
    labelled = record("elsewhere.png", "labelled", content="hash of train/good/1.png")
    with pytest.raises(InputError, match=r"elsewhere\.png: labelled defective, but .* good ones"):
        make_index().set_apart([labelled])


def test_every_batch_has_labelled_images_after_the_good_ones():
    good = tf.data.Dataset.from_tensor_slices(np.zeros((21, 2, 2, 3), "float32")).batch(16)
    bad = tf.data.Dataset.from_tensor_slices(np.ones((3, 2, 2, 3), "float32")).batch(3)
    batches = list(mix_labelled(good, bad, 16))
    assert [len(x) for x, _ in batches] == [18, 7]
    for x, labels in batches:
        np.testing.assert_array_equal(labels, np.asarray(x)[:, 0, 0, 0])
    assert float(sum(labels.numpy().sum() for _, labels in batches)) == 4.0


def test_a_share_is_set_apart_when_a_category_is_loaded(category):
    whole = load_category(category, image_size=32, batch_size=2)
    data = load_category(category, image_size=32, batch_size=2, labelled_share=0.02)
    assert [one.defect for one in data.labelled] == ["scratch"]
    assert len(data.index.test) == len(whole.index.test) - 1
    assert data.labelled[0] not in data.index.test
    x, labels = next(iter(data.labelled_train_from(0)))
    assert (len(x), labels.numpy().tolist()) == (3, [0.0, 0.0, 1.0])
    assert "labelled defective, never test images: 1" in data.split_table()
    with pytest.raises(InputError, match="no image labelled defective"):
        whole.labelled_train_from(0)


def test_labelled_images_stay_out_of_a_test_set_that_split_json_restores(category, tmp_path):
    data = load_category(category, image_size=32, labelled_share=0.02)
    record = Provenance.from_split(data.split, data.labelled)
    write_json(tmp_path / "split.json", record.to_dict())
    again = load_category(category, image_size=32, split=tmp_path / "split.json")
    assert again.index.test == data.index.test


def test_labelled_images_are_not_cut_into_crops(category):
    data = load_category(category, image_size=32, crop_size=32, labelled_share=0.02)
    with pytest.raises(InputError, match="cannot be used for training on crops"):
        data.labelled_train_from(0)


def test_a_folder_of_labelled_images_is_read(category, noise, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    with pytest.raises(InputError, match="no usable image labelled defective"):
        load_category(category, image_size=32, labelled=folder)
    Image.fromarray(noise(32, 24, seed=99)).save(folder / "bad.png")
    (folder / "broken.png").write_bytes(b"no image")
    data = load_category(category, image_size=32, labelled=folder)
    assert [(one.label, one.relative_path) for one in data.labelled] == [(1, "bad.png")]
    assert any("broken.png" in problem.message for problem in data.index.problems)
    with pytest.raises(InputError, match="both given"):
        load_category(category, image_size=32, labelled=folder, labelled_share=0.1)


def test_masks_and_overlays_are_never_labelled_images(noise, tmp_path):
    photos = ["nok/0.png", "nok/deep/1.png"]
    rest = ["nok/0_mask.png", "nok/mask_0.png", "nok/masks/1.png", "nok/0_overlay.png"]
    for number, name in enumerate((*photos, *rest, "nok/results/1.png")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(32, 24, seed=number)).save(tmp_path / name)
    records, problems = read_labelled(tmp_path / "nok")
    assert [f"nok/{one.relative_path}" for one in records] == photos
    assert [one.message.rpartition("nok: ")[2][:19] for one in problems] == [
        "3 images not read: ",
        "2 images not read: ",
    ]


def test_a_data_set_with_good_images_is_not_labelled_defective(category, tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,label\nbolt/train/good/000.png,good\n")
    for data in (category, manifest):
        with pytest.raises(InputError, match="this is a data set with good images"):
            read_labelled(data)
