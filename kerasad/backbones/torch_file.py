"""Reads the tensors of a PyTorch file (`.pth`) without PyTorch, and nothing but tensors."""

import hashlib
import io
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kerasad.backbones.tensor_pickle import StoredNumbers, StridedTensor, read_tensor_pickle
from kerasad.errors import InputError

# The first digits of the sha256 of `resnet18-f37072fd.pth` and `resnet18-5c106cde.pth`, which their
# publisher puts into the names.
TORCHVISION_RESNET18 = ("f37072fd", "5c106cde")
MAX_FILE_BYTES = 2**30

_ZIP_SIGNATURE = b"PK\x03\x04"
_SEQUENTIAL_MAGIC = 0x1950A86A20F9469CFC6C
_SEQUENTIAL_VERSION = 1001


def read_torch_tensors(
    path: str | Path,
    *,
    sha256: str | Sequence[str],
    prefixes: Sequence[str] = TORCHVISION_RESNET18,
    max_bytes: int = MAX_FILE_BYTES,
) -> dict[str, np.ndarray]:
    """Reads a file of named tensors, as `torch.save(module.state_dict(), path)` writes it.

    It reads both formats: the zip archive, and the older sequence of pickles and numbers. Two
    things protect the reader. The file's sha256 is compared before any byte is interpreted. And
    the content can only become tensors: any global other than the few that tensors need is
    refused, compressed entries are refused, and only numbers that are in the file are read, so
    that a file costs about twice its size in memory.

    Args:
        path: The file.
        sha256: The digest of the file, 64 hexadecimal digits, or several accepted ones.
        prefixes: The only shorter digests that are accepted. Their 32 bits detect a damaged,
            truncated or wrong file, but an attacker can make another file with the same prefix in
            minutes. Such a file could hold wrong numbers, but nothing else.
        max_bytes: Larger files are refused.

    Returns:
        tensors: name -> read-only array.

    Raises:
        InputError: If the file can't be read, is not the expected one, or holds anything but named
            tensors.
    """
    path = Path(path)
    content = _read(path, max_bytes)
    accepted = (sha256,) if isinstance(sha256, str) else tuple(sha256)
    _check_digest(path, content, accepted, prefixes)
    try:
        if content.startswith(_ZIP_SIGNATURE):
            values, storages = _read_zip(content)
        else:
            values, storages = _read_sequence(content)
        return {name: _array(tensor, storages) for name, tensor in values.items()}
    except ValueError as error:
        raise InputError(f"{path} cannot be read as a PyTorch file of tensors: {error}.") from error


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        if not path.is_file():
            raise InputError(f"{path} is not a file; pass the path of a PyTorch file of tensors.")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    if len(content) > max_bytes:
        raise InputError(
            f"{path} is larger than {max_bytes / 2**20:.4g} MB, more than a backbone has; "
            "pass another one."
        )
    return content


def _check_digest(
    path: Path, content: bytes, accepted: tuple[str, ...], prefixes: Sequence[str]
) -> None:
    for digest in accepted:
        if not re.fullmatch("[0-9a-f]{64}", digest) and digest not in prefixes:
            raise InputError(
                "`sha256` must be 64 lower-case hexadecimal digits, or a prefix out of "
                f"{', '.join(prefixes)}. Received: {digest!r}"
            )
    found = hashlib.sha256(content).hexdigest()
    if not any(found.startswith(digest) for digest in accepted):
        raise InputError(
            f"{path} is not the expected file: its sha256 is {found}, and should be "
            f"{' or '.join(accepted)}; download it again, or pass the digest of a file you trust."
        )


def _read_zip(content: bytes) -> tuple[Mapping, Mapping]:
    """Reads the zip format: `<name>/data.pkl`, and `<name>/data/<key>` for each storage."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            _check_entries(archive.infolist(), len(content))
            roots = [name[:-8] for name in entries if re.fullmatch(r"[^/]+/data\.pkl", name)]
            if len(roots) != 1:
                raise ValueError("its archive has no `data.pkl`, or several")
            order = f"{roots[0]}byteorder"
            if order in entries and archive.read(order) != b"little":
                raise ValueError("its numbers are big-endian")
            values = read_tensor_pickle(io.BytesIO(archive.read(f"{roots[0]}data.pkl")))
            storages = {}
            for key, storage in _storages(values).items():
                name = f"{roots[0]}data/{key}"
                if name not in entries:
                    raise ValueError(f"its archive lacks `{name:.200}`")
                storages[key] = archive.read(name)
                if len(storages[key]) != _num_bytes(storage):
                    raise ValueError(f"its archive holds `{name:.200}` in another size")
    except (zipfile.BadZipFile, RuntimeError, EOFError, OSError, struct.error) as error:
        raise ValueError(f"its archive is damaged ({error})") from error
    return values, storages


def _check_entries(entries: Sequence[zipfile.ZipInfo], length: int) -> None:
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("its archive is compressed, which PyTorch never does")
    if len({entry.filename for entry in entries}) != len(entries):
        raise ValueError("its archive has two entries of one name")
    if sum(entry.file_size for entry in entries) > length:
        raise ValueError("its archive claims to be larger than the file")


def _read_sequence(content: bytes) -> tuple[Mapping, Mapping]:
    """Reads the older format: magic number, version, system, values, keys, then the numbers."""
    file = io.BytesIO(content)
    try:
        magic = read_tensor_pickle(file)
    except ValueError as error:
        raise ValueError(f"it is not a zip archive, and {error}") from error
    if magic != _SEQUENTIAL_MAGIC:
        raise ValueError("it begins like neither of the two formats of `torch.save`")
    version, system = read_tensor_pickle(file), read_tensor_pickle(file)
    if version != _SEQUENTIAL_VERSION or not isinstance(system, dict):
        raise ValueError("its version is unknown")
    if system.get("little_endian") is not True:
        raise ValueError("its numbers are big-endian")
    values, keys = read_tensor_pickle(file), read_tensor_pickle(file)
    described = _storages(values)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("its list of storages is damaged")
    if len(set(keys)) != len(keys) or not set(described) <= set(keys):
        raise ValueError("its list of storages does not fit its tensors")
    storages, position = {}, file.tell()
    for key in keys:
        if key not in described:
            raise ValueError("it stores numbers that belong to no tensor")
        start, position = position + 8, position + 8 + _num_bytes(described[key])
        if position > len(content):
            raise ValueError("it ends too early")
        if int.from_bytes(content[start - 8 : start], "little") != described[key].length:
            raise ValueError("it holds a storage in another size")
        storages[key] = memoryview(content)[start:position]
    return values, storages


def _storages(values: object) -> dict[str, StoredNumbers]:
    """Returns the storages of named tensors, by key."""
    if not isinstance(values, dict):
        raise ValueError(f"it holds a {type(values).__name__} where named tensors were expected")
    storages = {}
    for name, tensor in values.items():
        if not isinstance(name, str) or not isinstance(tensor, StridedTensor):
            raise ValueError(
                f"it holds a {type(tensor).__name__} named {name!r:.200} where named tensors were "
                "expected"
            )
        if storages.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise ValueError("it describes one storage in two ways")
    return storages


def _num_bytes(storage: StoredNumbers) -> int:
    return storage.length * np.dtype(storage.dtype).itemsize


def _array(tensor: StridedTensor, storages: Mapping) -> np.ndarray:
    dtype = np.dtype(tensor.storage.dtype)
    if not all(tensor.shape):
        return np.zeros(tensor.shape, dtype)
    return np.ndarray(
        tensor.shape,
        dtype,
        buffer=storages[tensor.storage.key],
        offset=tensor.offset * dtype.itemsize,
        strides=[step * dtype.itemsize for step in tensor.strides],
    )
