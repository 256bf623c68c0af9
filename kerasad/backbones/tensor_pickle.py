"""Reads the pickle inside a PyTorch file into descriptions of tensors, and nothing else.

A pickle is a program for a stack machine, and Python's own machine runs whatever it names. This
machine knows only the instructions that tensors need. The few functions that PyTorch names map to
functions of this file: no name that was read is ever imported, looked up or called.
"""

import math
import pickletools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

_STORAGES = {
    "torch.DoubleStorage": "<f8",
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "<i1",
    "torch.ByteStorage": "<u1",
    "torch.BoolStorage": "|b1",
}
_INTEGERS = {"BININT", "BININT1", "BININT2", "LONG1"}
_STRINGS = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"}
_LITERALS = {*_INTEGERS, *_STRINGS, "BINFLOAT"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MAX_AXES = 16
_MAX_SIZE = 2**40  # far beyond any file, and still a machine's integer


@dataclass(frozen=True)
class StoredNumbers:
    """Where a tensor's numbers are.

    Args:
        key: str. The storage's name in the file.
        dtype: str. NumPy's code of its numbers.
        length: int. How many numbers it holds.
    """

    key: str
    dtype: str
    length: int


@dataclass(frozen=True)
class StridedTensor:
    """A tensor as a view of a storage, inside its bounds.

    Args:
        storage: `StoredNumbers`.
        offset: int. The first number of the tensor.
        shape: tuple of int.
        strides: tuple of int. In numbers, not bytes.
    """

    storage: StoredNumbers
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class _Name:
    """A global that a pickle names. It cannot be called and holds nothing but the name."""

    name: str


def read_tensor_pickle(file: BinaryIO) -> Any:
    """Runs one pickle, of numbers, strings, lists, tuples, dicts and tensors.

    Args:
        file: Binary file at the start of a pickle; afterwards at its end.

    Returns:
        value: what it describes, each tensor as a `StridedTensor`.

    Raises:
        ValueError: If it names any other global, uses any other instruction, describes a tensor
            beyond its storage, or is damaged.
    """
    stack, marks, memo = [], [], {}
    try:
        for instruction, argument, _ in pickletools.genops(file):
            if instruction.name == "STOP":
                return stack.pop()
            _run(instruction.name, argument, stack, marks, memo)
    except (IndexError, KeyError) as error:
        raise ValueError("its pickle takes what was never put on its stack") from error
    raise ValueError("its pickle does not end")


def _run(instruction: str, argument: Any, stack: list, marks: list, memo: dict) -> None:
    match instruction:
        case "PROTO" | "FRAME":
            pass
        case _ if instruction in _LITERALS:
            stack.append(argument)
        case _ if instruction in _CONSTANTS:
            stack.append(_CONSTANTS[instruction])
        case "EMPTY_LIST":
            stack.append([])
        case "EMPTY_DICT":
            stack.append({})
        case "MARK":
            marks.append(len(stack))
        case "TUPLE":
            items = _pop_to_mark(stack, marks)
            stack.append(tuple(items))
        case "TUPLE1" | "TUPLE2" | "TUPLE3":
            items = [stack.pop() for _ in range(_TUPLES[instruction])]
            stack.append(tuple(reversed(items)))
        case "APPEND" | "APPENDS":
            items = [stack.pop()] if instruction == "APPEND" else _pop_to_mark(stack, marks)
            _checked(stack[-1], list, instruction).extend(items)
        case "SETITEM" | "SETITEMS":
            if instruction == "SETITEM":
                marks.append(len(stack) - 2)
            items = _pop_to_mark(stack, marks)
            _set_items(_checked(stack[-1], dict, instruction), items[::2], items[1::2])
        case "BINPUT" | "LONG_BINPUT":
            memo[argument] = stack[-1]
        case "MEMOIZE":
            memo[len(memo)] = stack[-1]
        case "BINGET" | "LONG_BINGET":
            stack.append(memo[argument])
        case "GLOBAL":
            stack.append(_allowed(argument.replace(" ", ".")))
        case "STACK_GLOBAL":
            name, module = (_checked(stack.pop(), str, instruction) for _ in range(2))
            stack.append(_allowed(f"{module}.{name}"))
        case "BINPERSID":
            stack.append(_storage(stack.pop()))
        case "REDUCE" | "NEWOBJ":
            arguments = _checked(stack.pop(), tuple, instruction)
            function = _checked(stack.pop(), _Name, instruction)
            stack.append(_call(function.name, arguments))
        case "BUILD":
            # The state of a dict or a parameter: hooks, versions, whether it is trained.
            stack.pop()
            _checked(stack[-1], (dict, StridedTensor), instruction)
        case _:
            raise ValueError(
                f"its pickle holds the instruction {instruction} {argument!r:.60}, which no tensor "
                "needs"
            )


def _pop_to_mark(stack: list, marks: list) -> list:
    start = marks.pop()
    items = stack[start:]
    del stack[start:]
    return items


def _checked(value: Any, kind: type | tuple[type, ...], where: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"its pickle has a {type(value).__name__} in the wrong place ({where})")
    return value


def _set_items(target: dict, keys: Sequence, values: Sequence) -> None:
    if len(keys) != len(values):
        raise ValueError("its pickle has a key without a value")
    for key, value in zip(keys, values, strict=True):
        # Only flat keys: hashing a tuple nested a million times would overrun the C stack.
        target[_checked(key, (str, int), "a key")] = value


def _allowed(name: str) -> _Name:
    if name not in _STORAGES and name not in _CALLS:
        raise ValueError(f"its pickle names `{name:.200}`, which no tensor needs")
    return _Name(name)


def _call(name: str, arguments: tuple) -> Any:
    if name not in _CALLS:
        raise ValueError(f"its pickle calls `{name}`, which is not a function")
    try:
        return _CALLS[name](*arguments)
    except TypeError as error:
        raise ValueError(f"its pickle calls `{name}` with the wrong arguments") from error


def _storage(reference: Any) -> StoredNumbers:
    # In the sequential format a sixth item says of which other storage this one is a view.
    if isinstance(reference, tuple) and reference[5:] in ((), (None,)):
        match reference[:5]:
            case ("storage", _Name(name=name), str(key), str(), int(length)) if (
                name in _STORAGES and length >= 0
            ):
                return StoredNumbers(key, _STORAGES[name], length)
    raise ValueError("its pickle refers to something other than a storage of numbers")


def _mapping(items: Any = ()) -> dict:
    mapping = {}
    for item in _checked(items, (list, tuple), "collections.OrderedDict"):
        pair = _checked(item, (list, tuple), "collections.OrderedDict")
        _set_items(mapping, pair[:1], pair[1:])
    return mapping


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> StridedTensor:
    _checked(storage, StoredNumbers, "a tensor")
    for sizes in (shape, strides, (offset,)):
        for size in _checked(sizes, tuple, "a tensor"):
            if type(size) is not int or not 0 <= size <= _MAX_SIZE:
                raise ValueError("its pickle describes a tensor by something other than sizes")
    if len(shape) != len(strides) or len(shape) > _MAX_AXES:
        raise ValueError(f"its pickle describes a tensor of {len(shape)} axes")
    last = offset + sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    # An expanded tensor (stride 0) may be as large as it likes inside its storage: not here.
    if all(shape) and (last >= storage.length or math.prod(shape) > storage.length):
        raise ValueError(
            f"its pickle describes a tensor that is larger than its storage of {storage.length} "
            "numbers"
        )
    return StridedTensor(storage, offset, shape, strides)


def _parameter(data: Any, *_: Any) -> StridedTensor:
    return _checked(data, StridedTensor, "a parameter")


def _size(sizes: Any = ()) -> tuple:
    return tuple(_checked(sizes, (list, tuple), "torch.Size"))


_CALLS = {
    "collections.OrderedDict": _mapping,
    "torch.Size": _size,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
}
