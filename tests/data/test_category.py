"""A category as datasets: which images they hold, what they yield, and what is refused."""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasad.data import load_category
from kerasad.data.decoding import Decoding, decode_file
from kerasad.data.geometry import Geometry, unpack_inputs
from kerasad.data.loading import load_good_images, load_images
from kerasad.data.pipeline import make_dataset
from kerasad.data.provenance import Provenance
from kerasad.data.source import ImageSource
from kerasad.errors import InputError
from kerasad.files import write_json


def save(path, size=(32, 32), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype="uint8")
    Image.fromarray(pixels).save(path)
    return path


def save_mask(path, size, box):
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros(size, "uint8")
    top, left, bottom, right = box
    mask[top:bottom, left:right] = 255
    Image.fromarray(mask).save(path)


@pytest.fixture
def folder(tmp_path):
    """Ten good images; a good, a scratched, an unmasked and a barely defective test image."""
    root = tmp_path / "nut"
    for index in range(10):
        save(root / "train/good" / f"{index}.tiff", seed=index)
    save(root / "test/good/0.tiff", seed=20)
    save(root / "test/scratch/0.tiff", seed=21)
    save(root / "test/scratch/1.tiff", seed=22)
    save(root / "test/speck/0.tiff", seed=23)
    save_mask(root / "ground_truth/scratch/0_mask.png", (32, 32), (4, 8, 12, 32))
    save_mask(root / "ground_truth/speck/0_mask.png", (32, 32), (0, 0, 1, 1))
    return root


def collect(dataset):
    return np.concatenate([unpack_inputs(x)[0].numpy() for x in dataset])


def count_images(images):
    return Counter(image.tobytes() for image in np.asarray(images))


def count_files(records):
    return Counter(decode_file(record).tobytes() for record in records)


def test_a_training_can_start_at_any_epoch_and_see_what_others_see(folder):
    data = load_category(folder, 32, batch_size=4, seed=3)
    epochs = [collect(data.train) for _ in range(3)]
    again = data.train_from(0)
    later = data.train_from(2)
    np.testing.assert_array_equal(collect(again), epochs[0])
    np.testing.assert_array_equal(collect(again), epochs[1])
    np.testing.assert_array_equal(collect(later), epochs[2])
    assert (epochs[0] != epochs[1]).any()


def test_the_datasets_hold_the_images_of_the_split_and_of_nothing_else(folder):
    data = load_category(folder, (32, 32), batch_size=4, seed=5)
    assert (data.name, data.image_shape, data.full_shape) == ("nut", (32, 32, 3), (32, 32, 3))
    assert not data.keep_aspect
    for part in ("train", "validation", "calibration"):
        assert count_images(collect(getattr(data, part))) == count_files(getattr(data.split, part))
    assert data.validation_crops is data.validation
    assert data.steps_per_epoch == len(list(data.train)) == 2
    assert data.train.element_spec == tf.TensorSpec((None, 32, 32, 3), tf.float32)


def test_the_split_and_the_order_repeat_under_a_seed(folder):
    first, again, other = (load_category(folder, 32, seed=seed) for seed in (1, 1, 2))
    assert first.split == again.split != other.split
    for _ in range(2):
        np.testing.assert_array_equal(collect(first.train), collect(again.train))


def test_a_split_file_gives_the_split_of_its_run(folder, tmp_path):
    run = load_category(folder, 32, seed=3)
    write_json(tmp_path / "split.json", Provenance.from_split(run.split).to_dict())
    assert load_category(folder, 32, seed=9, split=tmp_path / "split.json").split == run.split


def test_test_images_come_with_labels_and_masks(folder):
    data = load_category(folder, "16x16", batch_size=8)
    [(images, targets)] = list(data.test)
    assert images.shape == (4, 16, 16, 3)
    np.testing.assert_array_equal(targets["label"], [0, 1, 1, 1])
    np.testing.assert_array_equal(targets["index"], [0, 1, 2, 3])
    # Good: true zeros. Without a mask: unknown. The speck's only pixel is lost at half the size.
    np.testing.assert_array_equal(targets["has_mask"], [True, True, False, False])
    mask = np.zeros((4, 16, 16, 1))
    mask[1, 2:6, 4:16] = 1
    np.testing.assert_array_equal(targets["mask"], mask)
    assert data.count_vanished_regions() == 1
    types = {name: (spec.dtype, spec.shape) for name, spec in data.test.element_spec[1].items()}
    assert types == {
        "mask": (tf.float32, (None, 16, 16, 1)),
        "has_mask": (tf.bool, (None,)),
        "label": (tf.int32, (None,)),
        "index": (tf.int32, (None,)),
    }


def test_varying_aspect_ratios_are_padded_masks_too(tmp_path):
    for index, size in enumerate([(40, 20), (20, 40), (30, 30), (40, 30), (20, 30), (24, 24)]):
        save(tmp_path / f"train/good/{index}.tiff", size, seed=index)
    save(tmp_path / "test/hole/0.tiff", (20, 40), seed=9)
    save_mask(tmp_path / "ground_truth/hole/0_mask.png", (20, 40), (0, 20, 20, 40))
    data = load_category(tmp_path, "32x32", batch_size=2)
    assert data.keep_aspect
    assert set(data.train.element_spec) == {"images", "valid"}
    for x in data.train:
        assert x["valid"].shape == (len(x["images"]), 32, 32, 1)
    [(x, targets)] = list(data.test)
    np.testing.assert_array_equal(x["valid"][0, :16], 1)
    np.testing.assert_array_equal(x["valid"][0, 16:], 0)
    expected = np.zeros((32, 32))
    expected[:16, 16:] = 1
    np.testing.assert_array_equal(targets["mask"][0, ..., 0], expected)


def test_a_run_keeps_its_geometry_on_other_data(folder):
    frame = Geometry(32, 64, keep_aspect=True)
    data = load_category(folder, frame)
    assert data.geometry is frame
    assert unpack_inputs(next(iter(data.calibration)))[1].shape[1:] == (32, 64, 1)


def test_experts_learn_from_each_image_once_or_from_crops(folder):
    data = load_category(folder, (32, 32), batch_size=3)
    assert len(data.split.train) == 7
    assert len(collect(data.train)) == 8  # no batch of one
    assert count_images(collect(data.train_for_experts)) == count_files(data.split.train)
    data = load_category(folder, "64x64", batch_size=8, crop_size=32)
    crops = collect(data.train_for_experts)
    assert crops.shape[1:] == (32, 32, 3)
    np.testing.assert_array_equal(collect(data.train_for_experts), crops)


def test_crops_are_for_fitting_and_whole_images_for_the_rest(folder):
    data = load_category(folder, "64x64", batch_size=8, crop_size=32, crops_per_image=3)
    assert (data.image_shape, data.full_shape) == ((32, 32, 3), (64, 64, 3))
    assert collect(data.train).shape == (3 * len(data.split.train), 32, 32, 3)
    assert collect(data.validation_crops).shape == (4 * len(data.split.validation), 32, 32, 3)
    assert collect(data.validation).shape == (len(data.split.validation), 64, 64, 3)
    assert collect(data.calibration).shape == (len(data.split.calibration), 64, 64, 3)
    assert "random crops of 32 x 32" in data.split_table()


def test_four_photos_train_on_three_and_calibrate_on_windows_of_the_other(tmp_path):
    for index in range(4):
        save(tmp_path / f"{index}.tiff", (64, 64), seed=index)
    data = load_category(tmp_path, (64, 64), batch_size=8, crop_size="32x32")
    assert data.split.calibration_on_crops
    assert collect(data.train).shape == (3 * 8, 32, 32, 3)  # each area twice
    [left_out] = data.split.calibration
    photo = decode_file(left_out)
    windows = {name: collect(getattr(data, name)) for name in ("validation", "calibration")}
    for images in windows.values():
        assert images.shape == (16, 64, 64, 3)
        views = np.lib.stride_tricks.sliding_window_view(photo, (32, 32, 3))[:, :, 0]
        for image in images:
            assert (views == image[:32, :32]).all(axis=(-3, -2, -1)).any()
    assert not np.array_equal(windows["validation"], windows["calibration"])
    np.testing.assert_array_equal(windows["calibration"], collect(data.calibration))
    np.testing.assert_array_equal(collect(data.validation_crops)[0], photo[:32, :32])
    assert "left-out" in data.split_table() or "left out" in data.split_table()


def test_memory_goes_to_training_images_first(folder):
    one_image = 4 * 32 * 32 * 3 / 2**20
    data = load_category(folder, (32, 32), cache_megabytes=8 * one_image, split=(0.7, 0.2, 0.1))
    source = data._validation_source
    assert (len(data.split.train), len(source), source.num_cached) == (7, 2, 1)
    assert load_category(folder, 32, cache_megabytes=0)._validation_source.num_cached == 0


def test_a_file_that_breaks_during_training_is_named(folder):
    data = load_category(folder, 32, cache_megabytes=0)
    path = data.split.train[0].path
    dataset = data.train
    with open(path, "r+b") as file:
        file.truncate(100)
    with pytest.raises(InputError, match=path), data.name_bad_files():
        collect(dataset)


def test_broken_files_are_skipped_and_named_or_refused(folder):
    (folder / "train/good/11.png").write_bytes(b"no image")
    data = load_category(folder, 32)
    assert len(data.index.good) == 10
    assert "11.png" in data.split_table()
    with pytest.raises(InputError, match=r"11\.png"):
        load_category(folder, 32, on_bad="raise")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"image_size": "large"}, "image_size="),
        ({"crop_size": 64}, "crop_size=64 is larger"),
        ({"batch_size": 0}, "batch_size"),
        ({"crops_per_image": 1.5}, "crops_per_image"),
        ({"on_bad": "ignore"}, "on_bad"),
    ],
)
def test_bad_arguments_are_named(folder, arguments, name):
    with pytest.raises(InputError, match=name):
        load_category(folder, **{"image_size": 32, **arguments})


def test_predicting_names_bad_files_and_goes_on(folder):
    good = folder / "train/good"
    (good / "broken.png").write_bytes(save(good / "9.png").read_bytes()[:-30])
    (good / "text.png").write_text("no image")
    stream = load_images([good, good / "missing.png"], Geometry(32, 32), batch_size=4)
    images, numbers = zip(*stream.dataset, strict=True)
    assert [len(part) for part in images] == [4, 4, 3]
    names = [stream.records[index].relative_path for index in np.concatenate(numbers)]
    assert sorted(names) == sorted([f"{i}.tiff" for i in range(10)] + ["9.png"])
    for image, index in zip(np.concatenate(images), np.concatenate(numbers), strict=True):
        np.testing.assert_array_equal(image, decode_file(stream.records[index]))
    list(stream.dataset)  # a second pass names nothing twice
    assert sorted(problem.path.rsplit("/")[-1] for problem in stream.problems) == [
        "broken.png",
        "missing.png",
        "text.png",
    ]
    assert all(problem.path in problem.message for problem in stream.problems)


def test_predicting_and_training_see_the_same_pixels(tmp_path):
    save(tmp_path / "a.png", (50, 20))
    save(tmp_path / "b.jpg", (20, 50))
    frame = Geometry(24, 24, keep_aspect=True)
    stream = load_images(tmp_path, frame)
    [(x, _)] = list(stream.dataset)
    [trained] = list(make_dataset(ImageSource(stream.records, frame), 2))
    np.testing.assert_array_equal(x["images"], trained["images"])
    np.testing.assert_array_equal(x["valid"], trained["valid"])


def test_good_images_never_hold_the_defects_of_an_mvtec_folder(folder):
    more = load_good_images(folder, Geometry(32, 32), batch_size=4)
    assert len(more.records) == 10
    assert count_images(collect(more.dataset)) == count_files(more.records)
    chosen = load_good_images([folder / "test/good"], Geometry(32, 32))
    assert [record.relative_path for record in chosen.records] == ["0.tiff"]
    one = load_good_images(folder / "test/good/0.tiff", Geometry(32, 32))
    assert collect(one.dataset).shape == (1, 32, 32, 3)


def test_no_usable_good_image_is_refused(tmp_path):
    (tmp_path / "note.png").write_text("hello")
    with pytest.raises(InputError, match=r"no usable .* image"):
        load_good_images([tmp_path / "note.png"], Geometry(32, 32))
    with pytest.raises(InputError, match="no such folder"):
        load_good_images(tmp_path / "absent", Geometry(32, 32))


def test_real_photos_fill_all_parts(shared_data):
    data = load_category(shared_data / "mvtec/leather_subset", 768, crop_size=256, batch_size=16)
    assert data.image_shape == (256, 256, 3)
    assert data.full_shape == (768, 768, 3)
    assert data.steps_per_epoch == 4  # 3 photos, 18 crops each
    x = next(iter(data.train))
    assert 0.05 < float(tf.reduce_mean(x)) < 0.95
    _, targets = next(iter(data.test))
    for index, usable in zip(targets["index"], targets["has_mask"], strict=True):
        record = data.index.test[index]
        assert bool(usable) == (record.label == 0 or bool(record.mask_paths))


def test_an_image_size_above_the_pixel_limit_is_refused_before_any_work(folder):
    with pytest.raises(InputError, match=r"image_size='100x200' .* 20,000 pixels.* of 19,999"):
        load_category(folder, image_size="100x200", decoding=Decoding(pixel_limit=19_999))
    assert load_category(folder, image_size="100x200", decoding=Decoding(pixel_limit=20_000))


def test_networks_see_all_folds_but_one_and_are_validated_on_that_one(folder):
    data = load_category(folder, 32, crosswise=True, trains=True)
    images = collect(data.train_in_order)
    assert data.network_folds.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    for fold in (0, 3):
        seen = collect(data.train_from(0, without_fold=fold))
        assert count_images(seen) == count_images(images[data.network_folds != fold])
    assert count_images(collect(data.train)) == count_images(images[2:])
    np.testing.assert_array_equal(collect(data.validation), images[:2])


@pytest.mark.parametrize("options", [{"crosswise": True}, {"trains": True}])
def test_there_are_folds_of_networks_only_where_train_images_calibrate(folder, options):
    data = load_category(folder, 32, **options)
    assert data.network_folds is None
    assert len(collect(data.train)) == len(data.split.train)
