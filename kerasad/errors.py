"""Errors that the command line turns into one sentence, and checks of arguments."""

import difflib
import errno
import math
import numbers
import os
import sys
from collections.abc import Iterable, Sequence

OUT_OF_MEMORY = (
    "Memory ran out: train with a smaller --image-size or --batch-size, or on crops (--tile)."
)


class InputError(ValueError):
    """A bad argument, file or folder.

    The message is one sentence that names the argument or the file, what was found and what to
    do. The command line prints it and exits with code 2.
    """

    # Keras leaves errors with this mark as they are. To others that arise in a call of a layer it
    # adds a page about the call's arguments.
    _keras_call_info_injected = True


class MissingPackageError(InputError):
    """An optional package is not installed; the message has the command that installs it."""

    @classmethod
    def of_extra(cls, purpose: str, package: str, extra: str, otherwise: str = ""):
        """Returns the error of a package that an extra of kerasad installs.

        Args:
            purpose: str. What needs the package; the subject of the sentence.
            package: str. Its name.
            extra: str. The extra, see `setup.cfg`.
            otherwise: str. What to do without it, or empty.
        """
        otherwise = f", or {otherwise}" if otherwise else ""
        return cls(
            f"{purpose} needs {package}, which is missing or incomplete: run "
            f'`pip install ".[{extra}]"` in the source folder of kerasad{otherwise}.'
        )


class NotFiniteError(InputError):
    """A model gave values that are NaN or infinite: its weights are damaged."""


class FailedError(RuntimeError):
    """The work failed although the input was valid; the message says why.

    The command line prints it and exits with code 1.
    """


class SearchFailedError(FailedError):
    """No trial of a search was completed."""


class TrainingDivergedError(FailedError):
    """A loss became NaN or infinite; the message names it."""


def describe_machine_failure(error: BaseException) -> str | None:
    """Returns a sentence if the disk or the memory was not sufficient, else None."""
    # Only where TensorFlow is loaded can it have failed; nobody else waits for its import.
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and isinstance(error, tensorflow.errors.OpError):
        refused = _find_refused_file(str(error))
        if refused is not None:
            return _describe_refused_file(*refused)
        if not isinstance(error, tensorflow.errors.ResourceExhaustedError):
            return None
        return OUT_OF_MEMORY
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if not isinstance(error, OSError):
        return None
    if error.filename is None or error.strerror is None:
        return str(error)
    return _describe_refused_file(os.fsdecode(error.filename), error.strerror)


def _find_refused_file(message: str) -> tuple[str, str] | None:
    """Returns the file that TensorFlow could not write and the system's reason, if that is it."""
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
    for reason in map(os.strerror, numbers):
        # {{an operation}} the path; the reason [an operation]
        name, found, _ = message.rpartition(f"; {reason}")
        if found:
            return name.rpartition("}} ")[2], reason
    return None


def _describe_refused_file(name: str, reason: str) -> str:
    return (
        f"{name} cannot be read or written ({reason}): make room and check its permissions, or "
        "name another folder."
    )


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Returns a message about an unknown name, with the nearest known ones.

    Args:
        kind: str. What the name is one of, such as `"backbone"`.
        name: The name that was given.
        known: All names.
    """
    known = list(known)
    lower = {}
    for other in known:
        lower.setdefault(other.lower(), other)
    near = [lower[key] for key in difflib.get_close_matches(str(name).lower(), lower, n=3)]
    if near:
        hint = f"did you mean {' or '.join(repr(other) for other in near)}?"
    else:
        more = f" and {len(known) - 20} more" if len(known) > 20 else ""
        hint = f"known: {', '.join(known[:20])}{more}."
    return f"Unknown {kind} {name!r}; {hint}"


def check_choice(name: str, value, choices) -> None:
    """Raises an `InputError` that names the argument and its choices unless `value` is one."""
    if value not in choices:
        names = ", ".join(repr(choice) for choice in choices)
        raise InputError(f"`{name}` must be one of {names}. Received: {value!r}")


def check_at_least(name: str, value, lowest) -> None:
    """Raises an `InputError` that names the argument unless it is a finite number `>= lowest`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise InputError(f"`{name}` must be a finite number. Received: {value!r}")
    if not value >= lowest:
        raise InputError(f"`{name}` must be at least {lowest}. Received: {value!r}")


def check_whole(name: str, value, lowest) -> None:
    """Raises an `InputError` that names the argument unless it is a whole number `>= lowest`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise InputError(f"`{name}` must be a whole number. Received: {value!r}")
    check_at_least(name, value, lowest)


def checked_image_shape(
    image_shape: Sequence[int | None], smallest_side: int | None = None
) -> tuple[int | None, int | None, int]:
    """Returns `(height, width, 3)`; a side may be None unless there is a smallest one.

    Raises:
        InputError: For anything else.
    """
    image_shape = tuple(side if side is None else int(side) for side in image_shape)
    sides = [side for side in image_shape[:2] if side is not None]
    is_open = smallest_side is not None and len(sides) < 2
    too_small = min(sides, default=1) < (smallest_side or 1)
    if len(image_shape) != 3 or image_shape[2] != 3 or is_open or too_small:
        hint = ""
        if smallest_side is not None:
            hint = (
                f" with sides of at least {smallest_side} pixels; on the command line --image-size "
                "sets it, or --tile when training on crops"
            )
        raise InputError(f"`image_shape` must be (height, width, 3){hint}. Received: {image_shape}")
    return image_shape
