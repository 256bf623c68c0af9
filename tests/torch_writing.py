"""Writes files in PyTorch's two formats, instruction by instruction and without PyTorch."""

import hashlib
import io
import struct
import zipfile
from typing import Any, NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


class Name(NamedTuple):
    """A global."""

    module: str
    name: str


class Call(NamedTuple):
    """What a function returns; `new` is the instruction that classes are made by."""

    function: Any
    arguments: tuple
    new: bool = False
    state: Any = None


class Stored(NamedTuple):
    """What is kept outside the pickle, by its reference."""

    reference: tuple


ORDERED_DICT = Name("collections", "OrderedDict")
REBUILD = Name("torch._utils", "_rebuild_tensor_v2")


def pickled(value):
    """The pickle (protocol 2) of a value."""
    return b"\x80\x02" + _instructions(value, {}) + b"."


def _instructions(value, memo):
    if isinstance(value, Name):
        # PyTorch writes a global once and then refers to it.
        if value in memo:
            return b"h" + bytes([memo[value]])
        memo[value] = len(memo)
        return f"c{value.module}\n{value.name}\n".encode() + b"q" + bytes([memo[value]])
    if isinstance(value, Call):
        made = _instructions(value.function, memo) + _instructions(value.arguments, memo)
        made += b"\x81" if value.new else b"R"
        return made if value.state is None else made + _instructions(value.state, memo) + b"b"
    if isinstance(value, Stored):
        return _instructions(value.reference, memo) + b"Q"
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(content)]) + content
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    items = value if isinstance(value, (list, tuple)) else [x for kv in value.items() for x in kv]
    content = b"(" + b"".join(_instructions(item, memo) for item in items)
    if isinstance(value, tuple):
        return content + b"t"
    return (b"]" + content + b"e") if isinstance(value, list) else (b"}" + content + b"u")


def stored(array, key, sequential=False):
    """A reference to an array's numbers."""
    storage = Name("torch", STORAGES[array.dtype.name])
    reference = ("storage", storage, key, "cpu", array.size)
    return Stored((*reference, None) if sequential else reference)


def tensor(array, key, sequential=False):
    """The description of an array, kept in C order."""
    strides = tuple(step // array.itemsize for step in np.empty(array.shape, array.dtype).strides)
    arguments = (stored(array, key, sequential), 0, array.shape, strides, False)
    return Call(REBUILD, (*arguments, Call(ORDERED_DICT, ())))


def described(arrays, sequential=False):
    """The pickled part of named arrays."""
    return {
        name: tensor(array, str(index), sequential)
        for index, (name, array) in enumerate(arrays.items())
    }


def numbers(arrays):
    """The part that is not pickled: the bytes of each storage."""
    return {str(index): array.tobytes() for index, array in enumerate(arrays.values())}


def zip_content(values, storages, compression=zipfile.ZIP_STORED, order=b"little"):
    """A file in the zip format. `values` may be bytes: a pickle of one's own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", _pickle_of(values))
        archive.writestr("archive/byteorder", order)
        for key, content in storages.items():
            archive.writestr(f"archive/data/{key}", content)
        archive.writestr("archive/version", b"3\n")
    return file.getvalue()


def sequential_content(values, storages, itemsize=4, little_endian=True):
    """A file in the sequential format."""
    system = {"protocol_version": 1001, "little_endian": little_endian}
    parts = [pickled(MAGIC), pickled(1001), pickled(system), _pickle_of(values)]
    parts.append(pickled(list(storages)))
    for content in storages.values():
        parts.append(struct.pack("<q", len(content) // itemsize) + content)
    return b"".join(parts)


def _pickle_of(values):
    return values if isinstance(values, bytes) else pickled(values)


def write(path, content):
    """Writes a file and returns its digest."""
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def write_tensors(path, arrays):
    """Writes named arrays in the zip format and returns the file's digest."""
    return write(path, zip_content(described(arrays), numbers(arrays)))
