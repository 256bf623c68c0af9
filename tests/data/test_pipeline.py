"""Order, crops, padding, memory and failures of the pipelines, on small files made here."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasad.data import pipeline, read_images
from kerasad.data.decoding import Decoding, decode_file
from kerasad.data.geometry import Geometry, unpack_inputs
from kerasad.data.image_files import read_record
from kerasad.data.plans import plan_grid
from kerasad.data.source import ImageSource, count_cacheable, name_bad_files
from kerasad.errors import InputError


@pytest.fixture
def write_images(tmp_path):
    """Writes noise of the given (height, width)s; image i holds only 8-bit values 10 i ... + 9."""

    # TIFF unless a test is about decoding: Pillow's way into the graph is traced faster.
    def write(sizes, suffix=".tiff"):
        for index, (height, width) in enumerate(sizes):
            rng = np.random.default_rng(index)
            pixels = rng.integers(10 * index, 10 * index + 10, (height, width, 3), dtype="uint8")
            Image.fromarray(pixels).save(tmp_path / f"{index:02d}{suffix}")
        return read_images(tmp_path)[0]

    return write


def collect(dataset):
    """All images (and validity) of one epoch, and the sizes of its batches."""
    parts = [unpack_inputs(x) for x in dataset]
    images = np.concatenate([images for images, _ in parts])
    valid = None if parts[0][1] is None else np.concatenate([valid for _, valid in parts])
    return images, valid, [len(images) for images, _ in parts]


def which(images):
    """The numbers of the files that `write_images` made these images of."""
    return (images.reshape(len(images), -1).min(axis=1) * 255 // 10).round().astype(int).tolist()


def is_inside(crop, image):
    """Whether a crop occurs in an image, bit by bit."""
    windows = np.lib.stride_tricks.sliding_window_view(image, crop.shape)
    return (windows == crop).all(axis=(-3, -2, -1)).any()


SQUARE = Geometry(16, 16)


def test_whole_images_come_in_the_order_of_the_records_bit_by_bit(write_images):
    records = write_images([(16, 16)] * 5)
    dataset = pipeline.make_dataset(ImageSource(records, SQUARE), batch_size=2)
    images, valid, sizes = collect(dataset)
    assert sizes == [2, 2, 1]
    assert valid is None
    assert int(dataset.cardinality()) == 3
    assert dataset.element_spec == tf.TensorSpec((None, 16, 16, 3), tf.float32)
    for image, record in zip(images, records, strict=True):
        np.testing.assert_array_equal(image, decode_file(record))


@pytest.mark.parametrize(
    ("suffixes", "num_cached"),
    [
        ((".png", ".png"), 0),
        pytest.param((".png", ".png"), 2, marks=pytest.mark.slow),  # the next one, but alike
        ((".png", ".png"), 4),
        ((".png", ".tiff"), 2),
        ((".tiff", ".tiff"), 0),
    ],
)
def test_memory_and_files_give_the_same_images(write_images, suffixes, num_cached):
    for suffix in suffixes:
        records = write_images([(20, 30)] * 2, suffix)
    records = (records * 2)[:4]
    frame = Geometry(12, 24, keep_aspect=True)
    budget = num_cached * 12 * 24 * 3 * 4
    source = ImageSource(records, frame, cache_bytes=budget + 5)
    assert source.num_cached == num_cached
    images, valid, _ = collect(pipeline.make_dataset(source, 3))
    for image, mask, record in zip(images, valid, records, strict=True):
        expected, expected_valid = decode_file(record, finish=frame.resize)
        np.testing.assert_array_equal(image, expected)
        np.testing.assert_array_equal(mask, expected_valid)


def test_the_budget_is_never_exceeded():
    frame = Geometry(10, 20)
    assert [count_cacheable(frame, b) for b in (-1, 0, 2399, 2400, 7199)] == [0, 0, 0, 1, 2]


def test_training_repeats_itself_under_a_seed_and_differs_between_epochs(write_images):
    source = ImageSource(write_images([(16, 16)] * 7), SQUARE, cache_bytes=10**6)

    def epochs(seed, tf_seed):
        tf.random.set_seed(tf_seed)
        dataset = pipeline.make_train_dataset(source, 4, seed=seed, crop_size=(8, 8))
        return [collect(dataset)[0] for _ in range(3)]

    first, again, other = epochs(1, 0), epochs(1, 99), epochs(2, 0)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], other[0])
    assert which(first[0]) != which(first[1])
    assert which(first[1]) != which(first[2])


def test_an_epoch_shows_every_image_once_in_batches_of_at_least_two(write_images):
    source = ImageSource(write_images([(16, 16)] * 9), SQUARE)
    dataset = pipeline.make_train_dataset(source, 4)
    images, _, sizes = collect(dataset)
    seen = which(images)
    assert sorted(seen[:9]) == list(range(9))
    assert sizes == [4, 4, 2]
    assert seen[9] == seen[0]  # the epoch's first image keeps its last one company
    assert int(dataset.cardinality()) == 3
    alone = ImageSource(source.records[:1], SQUARE)
    assert collect(pipeline.make_train_dataset(alone, 4))[2] == [1]
    assert collect(pipeline.make_train_dataset(source, 1))[2] == [1] * 9


def test_crops_lie_in_their_images_and_cover_them_twice(write_images):
    records = write_images([(24, 40)] * 3)
    source = ImageSource(records, Geometry(24, 40), cache_bytes=10**6)
    dataset = pipeline.make_train_dataset(source, 8, crop_size=(8, 12))
    images, _, _ = collect(dataset)
    assert images.shape == (60, 8, 12, 3)  # 2 * (24 * 40) / (8 * 12) = 20 an image
    numbers = which(images)
    assert [numbers.count(i) for i in range(3)] == [20, 20, 20]
    for number, crop in zip(numbers, images, strict=True):
        assert is_inside(crop, decode_file(records[number]))
    assert len({crop.tobytes() for crop in images}) > 50


def test_images_beyond_the_budget_are_decoded_once_for_four_crops(write_images):
    source = ImageSource(write_images([(16, 16)] * 3), SQUARE)
    images, _, _ = collect(
        pipeline.make_train_dataset(source, 4, crop_size=(8, 8), crops_per_image=6)
    )
    numbers = np.array(which(images)).reshape(-1, 4)
    assert len(images) == 3 * 8  # 6 rounded up
    assert (numbers == numbers[:, :1]).all()


def test_a_crop_as_large_as_the_image_is_the_image(write_images):
    records = write_images([(16, 16)] * 2)
    source = ImageSource(records, SQUARE, cache_bytes=10**6)
    images, _, _ = collect(pipeline.make_train_dataset(source, 2, crop_size=(16, 16)))
    assert len(images) == 2
    np.testing.assert_array_equal(images[which(images).index(1)], decode_file(records[1]))


def test_crops_of_padded_images_stay_on_real_pixels_where_they_can(write_images):
    frame = Geometry(16, 16, keep_aspect=True)
    # Real pixels: 16 x 16; 16 x 4, narrower than a crop; 6 x 16, lower than one.
    source = ImageSource(write_images([(32, 32), (64, 16), (12, 32)]), frame, cache_bytes=10**6)
    np.testing.assert_array_equal(source.inner_sizes, [(16, 16), (16, 4), (6, 16)])
    dataset = pipeline.make_train_dataset(source, 4, crop_size=(8, 8))
    assert dataset.element_spec == {
        "images": tf.TensorSpec((None, 8, 8, 3), tf.float32),
        "valid": tf.TensorSpec((None, 8, 8, 1), tf.float32),
    }
    images, valid, _ = collect(dataset)
    for number, mask in zip(which(images), valid, strict=True):
        expected = np.zeros((8, 8, 1))
        expected[: (8, 8, 6)[number], : (8, 4, 8)[number]] = 1
        np.testing.assert_array_equal(mask, expected)


def test_the_grid_covers_every_real_pixel_with_the_fewest_crops():
    plan = plan_grid(np.array([(16, 20), (5, 8)]), (8, 8))
    # 20 takes three crops of 8, evenly spread from 0 to 12; 5 is less than one.
    first = [(0, top, left) for top in (0, 8) for left in (0, 6, 12)]
    np.testing.assert_array_equal(plan, [*first, (1, 0, 0)])
    assert plan_grid(np.zeros((0, 2), int), (8, 8)).shape == (0, 3)


def test_validation_crops_are_the_same_each_epoch(write_images):
    source = ImageSource(write_images([(16, 24)] * 2), Geometry(16, 24))
    dataset = pipeline.make_grid_dataset(source, 4, (8, 16))
    first, again = collect(dataset)[0], collect(dataset)[0]
    assert first.shape == (8, 8, 16, 3)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[1], decode_file(source.records[0])[:8, 8:])


def test_windows_are_mirrored_out_to_the_full_size(write_images):
    records = write_images([(16, 24)])
    source = ImageSource(records, Geometry(16, 24))
    images, valid, _ = collect(pipeline.make_window_dataset(source, 5, seed=3))
    assert valid is None
    assert images.shape == (16, 16, 24, 3)
    for image in images:
        window = image[:8, :12]
        assert is_inside(window, decode_file(records[0]))
        np.testing.assert_array_equal(image[8:, :12], window[::-1])
        np.testing.assert_array_equal(image[:, 12:], image[:, 11::-1])
    again = collect(pipeline.make_window_dataset(source, 5, seed=3))[0]
    others = collect(pipeline.make_window_dataset(source, 5, seed=3, stream=1))[0]
    np.testing.assert_array_equal(images, again)
    assert not np.array_equal(images, others)


def test_windows_of_a_padded_image_keep_its_validity(write_images):
    source = ImageSource(write_images([(32, 16)]), Geometry(16, 16, keep_aspect=True))
    images, valid, _ = collect(pipeline.make_window_dataset(source, 16))
    np.testing.assert_array_equal(images[:, :8, 4:8], images[:, :8, 3::-1])
    np.testing.assert_array_equal(valid[:, :, :8], 1)
    np.testing.assert_array_equal(valid[:, :, 8:], 0)


def test_an_empty_list_gives_an_empty_dataset_of_the_right_type():
    source = ImageSource((), Geometry(16, 16, keep_aspect=True))
    dataset = pipeline.make_test_dataset(source, 4)
    assert list(dataset) == []
    x, targets = dataset.element_spec
    assert x["valid"].shape == (None, 16, 16, 1)
    assert targets["mask"].shape == (None, 16, 16, 1)


def test_a_file_that_changes_on_disk_is_named(write_images, tmp_path):
    records = write_images([(16, 16)] * 3, ".png")
    dataset = pipeline.make_dataset(ImageSource(records, SQUARE), 2)
    (tmp_path / "01.png").write_bytes((tmp_path / "02.png").read_bytes()[:-9])
    with pytest.raises(InputError, match=r"01\.png: the file changed"), name_bad_files(records):
        collect(dataset)
    # Even without the context, as inside `fit`, the error's text names the file.
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"01\.png: the file changed"):
        collect(dataset)


def test_a_file_that_breaks_without_changing_its_size_is_named(write_images, tmp_path):
    records = write_images([(16, 16)] * 3, ".png")
    path = tmp_path / "02.png"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    dataset = pipeline.make_dataset(ImageSource(records, SQUARE), 2)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"02\.png: the PNG is broken"), name_bad_files(records):
        collect(dataset)
    with pytest.raises(InputError, match=r"02\.png: the PNG is broken"):
        ImageSource(records, SQUARE, cache_bytes=10**6)


def test_a_file_that_vanishes_is_named(write_images, tmp_path):
    records = write_images([(16, 16)] * 2, ".png")
    dataset = pipeline.make_dataset(ImageSource(records, SQUARE), 2)
    (tmp_path / "00.png").unlink()
    with pytest.raises(InputError, match=r"00\.png"), name_bad_files(records):
        collect(dataset)
    with pytest.raises(InputError, match=r"00\.png: the file cannot be read"):
        ImageSource(records, SQUARE)


def test_an_image_of_another_size_with_as_many_bytes_is_named(write_images, tmp_path):
    records = write_images([(16, 32)], ".bmp")
    dataset = pipeline.make_dataset(ImageSource(records, SQUARE), 2)
    pixels = np.zeros((32, 16, 3), "uint8")
    Image.fromarray(pixels).save(tmp_path / "00.bmp")
    with pytest.raises(InputError, match=r"00\.bmp: the file changed"), name_bad_files(records):
        collect(dataset)


def test_a_slow_filling_of_the_memory_shows_its_progress(write_images, capsys):
    records = write_images([(16, 16)] * 3)
    ImageSource(records, SQUARE, cache_bytes=10**6, silent_seconds=-1.0)
    assert "decoding images into memory: 2 images, " in capsys.readouterr().out
    ImageSource(records, SQUARE, cache_bytes=10**6, silent_seconds=1e9)
    assert capsys.readouterr().out == ""


def test_other_errors_of_tensorflow_pass_through():
    with pytest.raises(tf.errors.OutOfRangeError), name_bad_files():
        raise tf.errors.OutOfRangeError(None, None, "end of sequence")


def test_sixteen_bits_and_orientation_are_as_in_decoding(tmp_path):
    grey = np.linspace(0, 4095, 16 * 24).astype("uint16").reshape(16, 24)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    turned = Image.fromarray(np.arange(16 * 24 * 3, dtype="uint8").reshape(24, 16, 3))
    exif = Image.Exif()
    exif[274] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    records = [read_record(tmp_path / name) for name in ("grey.png", "turned.jpg")]
    source = ImageSource(records, Geometry(16, 24), decoding=Decoding(max_value=4095))
    images, _, _ = collect(pipeline.make_dataset(source, 2))
    np.testing.assert_allclose(images[0, ..., 0], grey / 4095, atol=1e-6)
    np.testing.assert_array_equal(images[1], decode_file(records[1]))
