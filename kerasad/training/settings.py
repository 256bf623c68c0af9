"""Sections of a configuration: dataclasses whose fields carry help and limits, and their loader."""

import dataclasses
import difflib
import operator
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, ClassVar, TypeVar

from kerasad.errors import InputError

Section = TypeVar("Section")


def setting(default: Any, help: str, *, user: str | None = None, **limits: Any) -> Any:
    """Returns a dataclass field for a setting.

    Args:
        default: any value.
        help: str. What the setting means, as `--help` shows it.
        user: str or None. What uses it, for sections that tell their fields by it.
        **limits: `choices`, a tuple of values; `at_least`, a number; `above` and `below`, numbers
            that are out of range themselves; `option`, another word for it on the command line.
    """
    return field(default=default, metadata={"help": help, "user": user, **limits})


_LIMITS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "choices": ("one of", lambda value, limit: value in limit),
    "at_least": ("at least", operator.ge),
    "above": ("above", operator.gt),
    "below": ("below", operator.lt),
}


class Checked:
    """Base class of a section: its values are checked whenever one is made.

    Attributes:
        section: str. Its name in the configuration.
    """

    section: ClassVar[str]

    def __post_init__(self):
        """Refuses a value outside the limits of its field."""
        for entry in dataclasses.fields(self):
            value, limits = getattr(self, entry.name), entry.metadata
            if value is None:  # left to a default elsewhere
                continue
            for limit, (words, holds) in _LIMITS.items():
                if limit in limits and not holds(value, limits[limit]):
                    raise InputError(
                        f"`{self.section}.{entry.name}` must be {words} {limits[limit]}, "
                        f"found {value!r}."
                    )


def merge(
    base: Mapping[str, Any],
    changes: Mapping[str, Any],
    source: str = "the configuration",
    prefix: str = "",
) -> dict[str, Any]:
    """Returns `base` with the leaves of `changes` put over it; nested dictionaries are merged.

    `None` in `changes` means "not given" and changes nothing.

    Args:
        base: mapping.
        changes: mapping.
        source: str. What to call `base` in error messages.
        prefix: str. Keys that lead to `base`, as in `"model."`.

    Raises:
        InputError: `base` has a value where `changes` has a mapping.
    """
    merged = dict(base)
    for key, value in changes.items():
        if isinstance(value, Mapping):
            inner = merged.get(key)
            if not isinstance(inner, Mapping | None):
                raise InputError(f"`{prefix}{key}` in {source} must be an object, found {inner!r}.")
            merged[key] = merge(inner or {}, value, source, f"{prefix}{key}.")
        elif value is not None:
            merged[key] = value
    return merged


def build_section(section: type[Section], values: Any, source: str, prefix: str) -> Section:
    """Returns a section from a dictionary; what is left out keeps its default.

    Raises:
        InputError: A key is unknown, or a value is of a wrong type or out of range.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"`{prefix[:-1]}` in {source} must be an object, found {values!r}.")
    refuse_unknown(values, section, source, prefix)
    expected = typing.get_type_hints(section)
    return section(
        **{
            key: _convert(value, expected[key], f"`{prefix}{key}` in {source}")
            for key, value in values.items()
        }
    )


def refuse_unknown(values: Mapping, section: type, source: str, prefix: str) -> None:
    """Refuses a key that is not a field of a section, and names the nearest one."""
    known = [entry.name for entry in dataclasses.fields(section)]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean `{prefix}{near[0]}`?" if near else f"known: {', '.join(known)}."
            raise InputError(f"`{prefix}{key}` in {source} is not a setting; {hint}")


def base_type(expected: Any) -> Any:
    """Returns the type that is meant by `X`, `X | None`, `dict[...]` or `tuple[...]`."""
    if isinstance(expected, types.UnionType):
        expected = next(kind for kind in typing.get_args(expected) if kind is not type(None))
    return typing.get_origin(expected) or expected


def _convert(value: Any, expected: Any, name: str) -> Any:
    """Returns `value` in the type of its field, or raises an error that names the field."""
    if value is None and isinstance(expected, types.UnionType):
        return None
    kind = base_type(expected)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is tuple:
        if typing.get_args(expected)[-1] is ...:
            return _convert_texts(value, name)
        length = len(typing.get_args(expected))
        if not isinstance(value, list | tuple) or len(value) != length:
            raise InputError(f"{name} must be a list of {length} numbers, found {value!r}.")
        return tuple(_convert(entry, float, name) for entry in value)
    if is_number and kind in (float, str):  # `"image_size": 256` is as good as "256"
        return kind(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"{name} must be of type {kind.__name__}, found {value!r}.")
    return value


def _convert_texts(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise InputError(f"{name} must be a list of texts, found {value!r}.")
    return tuple(value)
