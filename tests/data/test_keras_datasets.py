import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from kerasad.data import load_category
from kerasad.data.keras_datasets import read_cifar_batch, resolve_keras_dataset
from kerasad.errors import InputError
from kerasad.training.locations import full_path, resolve_data


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of Keras, and one of kerasad, whose downloads fail as without a network."""

    def refuse(*arguments, **options):
        raise Exception("URL fetch failure")  # as Keras raises it

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("keras.utils.get_file", refuse)
    folder = tmp_path / "keras" / "datasets"
    folder.mkdir(parents=True)
    return folder


def draw(count, shape, seed):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, *shape), "uint8")
    return images, np.arange(count, dtype="uint8") % 10


def cifar_pickle(pixels, labels):
    """The bytes of a batch, as Python 2 wrote them: protocol 2, an array that NumPy rebuilds."""

    def text(value):
        value = value if isinstance(value, bytes) else value.encode()
        if len(value) < 256:
            return b"U" + bytes([len(value)]) + value
        return b"T" + struct.pack("<i", len(value)) + value

    shape = b"".join(b"M" + struct.pack("<H", side) for side in pixels.shape)
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text("b")
    array += b"\x87R(K\x01" + shape + b"\x86cnumpy\ndtype\n" + text("u1") + b"K\x00K\x01\x87R(K\x03"
    array += text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    array += text(pixels.tobytes()) + b"tb"
    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    values = text("batch_label") + text("training batch 1 of 5")
    values += text("labels") + b"](" + numbers + b"e" + text("data") + array
    values += text("filenames") + b"](" + text("leptodactylus_s_000.png") + b"e"
    return b"\x80\x02}(" + values + b"u."


def check(name, number, kind, images, labels):
    """The category has the images of the class, and all others as defects of its kind."""
    category = load_category(name, (32, 32))
    assert len(category.index.good) == sum(labels == number)
    counts = {}
    for record in category.index.test:
        counts[record.defect] = counts.get(record.defect, 0) + 1
        assert not record.mask_paths
    assert len(counts) == 10
    assert counts["good"] == counts[kind]
    path = next(iter(sorted(record.path for record in category.index.good)))
    np.testing.assert_array_equal(np.asarray(Image.open(path)), images[labels == number][0])


def test_a_digit_of_mnist_is_good_and_all_others_are_defects(cache):
    (x, y), (x_test, y_test) = draw(80, (28, 28), 0), draw(20, (28, 28), 1)
    np.savez(cache / "mnist.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    check("keras:mnist/3", 3, "7", x, y)
    inside = resolve_data("keras:mnist/3/test/7")
    assert len(list(inside.glob("*.png"))) == 2
    assert full_path("keras:mnist/3") == "keras:mnist/3"


def test_fashion_mnist_is_read_from_its_four_files(cache):
    folder = cache / "fashion-mnist"
    folder.mkdir()
    parts = {"train": draw(80, (28, 28), 2), "t10k": draw(20, (28, 28), 3)}
    for part, (images, labels) in parts.items():
        header = struct.pack(">4i", 2051, len(images), 28, 28)
        path = folder / f"{part}-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(header + images.tobytes()))
        path = folder / f"{part}-labels-idx1-ubyte.gz"
        path.write_bytes(gzip.compress(struct.pack(">2i", 2049, len(labels)) + labels.tobytes()))
    check("keras:fashion_mnist/bag", 8, "ankle-boot", *parts["train"])


def test_the_pickles_of_cifar10_are_read_but_not_run(cache, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(f"pickle.{name}", refuse)
    folder = cache / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    parts = []
    for seed, name in enumerate(names):
        pixels, labels = draw(20, (3072,), seed)
        (folder / name).write_bytes(cifar_pickle(pixels, labels))
        parts.append((pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels))
    images, labels = (np.concatenate(part) for part in zip(*parts[:5], strict=True))
    check("keras:cifar10/cat", 3, "truck", images, labels)


def test_the_hand_made_pickle_is_what_pickle_reads():
    import pickle

    pixels, labels = draw(20, (3072,), 0)
    found = pickle.loads(cifar_pickle(pixels, labels), encoding="bytes")
    np.testing.assert_array_equal(found[b"data"], pixels)
    assert found[b"labels"] == labels.tolist()


def test_a_pickle_of_something_else_is_refused(tmp_path):
    path = tmp_path / "data_batch_1"
    path.write_bytes(cifar_pickle(np.zeros((2, 3072), "uint8"), [1, 2, 3]))
    with pytest.raises(ValueError, match="data_batch_1 is not a batch"):
        read_cifar_batch(path)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_missing_download_is_one_sentence(cache, name):
    with pytest.raises(InputError, match=r"neither in Keras' cache .* nor can it be downloaded"):
        resolve_keras_dataset(f"keras:{name}/3")


def test_damaged_files_are_one_sentence(cache):
    (cache / "mnist.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match="are damaged"):
        resolve_keras_dataset("keras:mnist/3")


def test_arrays_that_would_have_to_be_unpickled_are_refused(cache):
    objects = np.array([{}, {}], object)
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(cache / "mnist.npz", **dict.fromkeys(names, objects))
    with pytest.raises(InputError, match=r"are damaged.*allow_pickle=False"):
        resolve_keras_dataset("keras:mnist/3")


@pytest.mark.parametrize(
    ("name", "message"),
    [("keras:minst/3", "minst"), ("keras:mnist", "such as keras:mnist/3"), ("keras:mnist/x", "0")],
)
def test_an_unknown_name_is_refused(cache, name, message):
    with pytest.raises(InputError, match=message):
        resolve_keras_dataset(name)
