"""One-class MNIST, Fashion-MNIST and CIFAR-10, from Keras' cache, as a category on disk.

`keras:mnist/3` is a category whose good images are the threes of the training part; its test images
are all of the test part, those of another class defective, with the class as the kind of defect.
Nothing is unpickled: `mnist.npz` holds plain arrays, the files of Fashion-MNIST are lists of bytes,
and the batches of CIFAR-10 are read instruction by instruction, without running any.
"""

import gzip
import os
import pickletools
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from kerasad.errors import InputError, unknown_name

PREFIX = "keras:"
_ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_CIFAR = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
_MNIST_HASH = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
_CIFAR_HASH = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
_FASHION_PARTS = ("train", "t10k")
_TEXTS = {
    *("SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES"),
    *("SHORT_BINUNICODE", "BINUNICODE"),
}

CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        *("t-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle-boot"),
    ),
    "cifar10": (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
}
"""The names of the classes of each data set, in the order of their numbers."""


def is_keras_dataset(data: str | os.PathLike) -> bool:
    """Returns whether a path is the name of one of these categories, or lies in one."""
    return os.fspath(data).startswith(PREFIX)


def resolve_keras_dataset(data: str | os.PathLike) -> Path:
    """Returns the folder of a category, which is written to the user's cache once.

    The files of the data set are downloaded by Keras if its cache does not have them.

    Args:
        data: `keras:NAME/CLASS`, the class by its name or number; a path inside may follow, as in
            `keras:mnist/3/test/7`.

    Raises:
        InputError: There is no such data set or class, or its files can neither be found nor
            downloaded, or are damaged.
    """
    name, _, rest = os.fspath(data).removeprefix(PREFIX).partition("/")
    if name not in CLASSES:
        raise InputError(unknown_name("data set of Keras", name, CLASSES))
    wanted, *inside = Path(rest).parts or ("",)
    classes = CLASSES[name]
    number = int(wanted) if wanted in map(str, range(len(classes))) else None
    if number is None:
        if wanted not in classes:
            example = f"{PREFIX}{name}/{classes[3]}"
            raise InputError(
                f"{data} does not name a class of {name}, such as {example}; its classes are "
                f"{', '.join(classes)}."
            )
        number = classes.index(wanted)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kerasad" / "keras"
    folder = cache / f"{name}-{classes[number]}"
    if not folder.is_dir():
        _write(folder, _load(name), classes, number)
    return folder.joinpath(*inside)


def _load(name):
    """Returns images and labels of the training part and of the test part."""
    readers = {"mnist": _load_mnist, "fashion_mnist": _load_fashion_mnist, "cifar10": _load_cifar10}
    try:
        parts = readers[name]()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"The files of {name} in Keras' cache ({_keras_cache()}) are damaged ({error}): delete "
            "them, and they are downloaded again."
        ) from error
    for images, labels in parts:
        if len(images) != len(labels) or images.dtype != np.uint8 or not len(images):
            raise InputError(
                f"The files of {name} in Keras' cache ({_keras_cache()}) hold {len(images)} images "
                f"and {len(labels)} labels: delete them, and they are downloaded again."
            )
    return parts


def _load_mnist():
    path = _find("mnist.npz") or _download("mnist.npz", _ORIGIN + "mnist.npz", _MNIST_HASH)
    with np.load(path, allow_pickle=False) as arrays:
        return [(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")]


def _load_fashion_mnist():
    def read(name, header):
        path = _find(f"fashion-mnist/{name}")
        path = path or _download(name, _ORIGIN + name, folder="datasets/fashion-mnist")
        with gzip.open(path) as file:
            return np.frombuffer(file.read(), "uint8", offset=header)

    parts = []
    for part in _FASHION_PARTS:
        labels = read(f"{part}-labels-idx1-ubyte.gz", 8)
        images = read(f"{part}-images-idx3-ubyte.gz", 16)
        parts.append((images.reshape(len(labels), 28, 28), labels))
    return parts


def _load_cifar10():
    # Keras has changed where it unpacks the archive.
    inner = "cifar-10-batches-py"
    folder = _find(f"{inner}-target/{inner}") or _find(inner)
    if folder is None:
        unpacked = _download(f"{inner}-target", _CIFAR, _CIFAR_HASH, extract=True)
        folder = Path(unpacked) / inner
    train = [read_cifar_batch(folder / f"data_batch_{number}") for number in range(1, 6)]
    images, labels = (np.concatenate(part) for part in zip(*train, strict=True))
    return [(images, labels), read_cifar_batch(folder / "test_batch")]


def read_cifar_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads a batch of CIFAR-10, a pickle, without running it.

    `pickletools` takes the pickle apart into instructions and their arguments. The string behind
    the key `data` holds the pixels, the integers behind the key `labels` are the labels; all else
    is skipped.

    Args:
        path: Path.

    Returns:
        images, labels: uint8 `(n, 32, 32, 3)`, and int `(n,)`.

    Raises:
        ValueError: The file is no such pickle.
    """
    key, pixels, labels = None, None, []
    with path.open("rb") as file:
        for instruction, argument, _ in pickletools.genops(file):
            if instruction.name in _TEXTS:
                text = argument if isinstance(argument, bytes) else argument.encode("latin-1")
                if text in (b"data", b"labels", b"batch_label", b"filenames"):
                    key = text
                elif key == b"data" and len(text) >= 3072:
                    pixels = np.frombuffer(text, "uint8")
            elif key == b"labels" and instruction.name in ("BININT", "BININT1", "BININT2"):
                labels.append(argument)
    if pixels is None or len(pixels) != 3072 * len(labels):
        raise ValueError(f"{path.name} is not a batch of CIFAR-10")
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images, np.asarray(labels)


def _keras_cache() -> Path:
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def _find(name):
    """Returns a file or folder of Keras' cache, or None."""
    path = _keras_cache() / "datasets" / name
    return path if path.exists() else None


def _download(name, origin, file_hash=None, folder="datasets", extract=False):
    import keras

    try:
        return keras.utils.get_file(
            name,
            origin=origin,
            file_hash=file_hash,
            cache_dir=str(_keras_cache()),
            cache_subdir=folder,
            extract=extract,
        )
    except Exception as error:  # a plain Exception is what get_file raises without a network
        raise InputError(
            f"{name} is neither in Keras' cache ({_keras_cache()}) nor can it be downloaded from "
            f"{origin}: connect to the network, or put the file into {folder} there."
        ) from error


def _write(folder, parts, classes, number):
    """Writes all images of a category, which appears when it is complete."""
    from PIL import Image

    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        for part, (images, labels) in zip(("train", "test"), parts, strict=True):
            labels = np.asarray(labels).reshape(-1)
            for place, (image, label) in enumerate(zip(images, labels, strict=True)):
                if part == "train" and label != number:
                    continue
                kind = "good" if label == number else classes[int(label)]
                path = temporary / part / kind / f"{place:05d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path)
        temporary.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # another process may have written the same in the meantime
            raise InputError(
                f"{folder} cannot be written ({error.strerror or error}): free some space there, "
                "or set the variable XDG_CACHE_HOME to another cache folder."
            ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
