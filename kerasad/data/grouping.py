"""Which good images belong together, as `group_by` says: by folder, by name or by their looks."""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from kerasad.data.image_files import ImageRecord
from kerasad.data.index import CategoryIndex
from kerasad.errors import InputError

AUTO, FOLDER, NONE = "auto", "folder", "none"
LAYOUT, PATTERN, LOOKS = "the data set", "a pattern", "their looks"
"""What can have grouped images, besides `FOLDER`."""

# A regular expression may take time that grows fast with the text.
_MAX_CHARACTERS = 200

FindCopies = Callable[[Sequence[ImageRecord]], np.ndarray]


def compile_pattern(group_by: str) -> re.Pattern | None:
    """Returns the regular expression of `group_by`, or None if it is one of the words.

    Raises:
        InputError: If it is neither a word nor a regular expression with one group.
    """
    if group_by in (AUTO, FOLDER, NONE):
        return None
    remedy = r"Give auto, folder, none, or a pattern such as '(scene\d+)_' whose group names it."
    try:
        pattern = re.compile(group_by)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(
            f"group_by={group_by!r} is not a regular expression ({error}). {remedy}"
        ) from error
    if pattern.groups != 1:
        raise InputError(
            f"group_by={group_by!r} has {pattern.groups} groups in parentheses, and exactly one "
            f"must name the group of an image ((?:...) groups without naming). {remedy}"
        )
    return pattern


def group_images(
    records: Sequence[ImageRecord],
    group_by: str = AUTO,
    find_copies: FindCopies | None = None,
) -> tuple[tuple[ImageRecord, ...], str | None]:
    """Sets the group of good images.

    Args:
        records: The good images.
        group_by: `"auto"`: the groups that the data set states, else the near-copies that
            `find_copies` finds. `"folder"`: the folder that a file lies in. `"none"`: each image
            is its own. Anything else is a regular expression that is searched in the relative
            path, of which the last 200 characters count; what its one group matches is the name
            of the image's group, and images that it does not match are their own.
        find_copies: function of records that returns an int for each image, equal for near-copies;
            or None to look at no pixels.

    Returns:
        (records, what): the records with their groups, and what has grouped them, None if nothing.

    Raises:
        InputError: If the pattern is invalid or matches no image, or if all images are one group.
    """
    pattern = compile_pattern(group_by)
    if group_by == NONE:
        return _with_groups(records, [None] * len(records)), None
    if group_by == AUTO:
        if any(record.group is not None for record in records):
            return tuple(records), LAYOUT
        if find_copies is None:
            return tuple(records), None
        return _with_groups(records, _name_groups(records, find_copies(records))), LOOKS
    if pattern is None:
        names = [record.relative_path.rpartition("/")[0] or "." for record in records]
    else:
        names = [_name_by_pattern(record, pattern) for record in records]
        if records and not any(names):
            raise InputError(
                f"group_by={group_by!r} matches no image, such as {records[0].relative_path}; "
                "change the pattern, or leave it out."
            )
    if len(records) > 1 and len(set(names)) == 1:
        raise InputError(
            f"group_by={group_by!r} puts all {len(records)} good images into one group, "
            f"{names[0]}, and a group is never split; choose another pattern, or none."
        )
    return _with_groups(records, names), FOLDER if pattern is None else PATTERN


def group_index(
    index: CategoryIndex, group_by: str, find_copies: FindCopies | None = None
) -> CategoryIndex:
    """Returns an index with its good images in groups, see `group_images`."""
    good, grouped_by = group_images(index.good, group_by, find_copies)
    return dataclasses.replace(index, good=good, grouped_by=grouped_by)


def _name_by_pattern(record, pattern):
    found = pattern.search(record.relative_path[-_MAX_CHARACTERS:])
    return (found.group(1) or None) if found else None


def _name_groups(records, numbers):
    """Names each group after its first image; an image alone has none."""
    numbers = np.asarray(numbers).tolist()
    first: dict[int, str] = {}
    for record, number in zip(records, numbers, strict=True):
        first.setdefault(number, record.relative_path)
    sizes = Counter(numbers)
    return [first[number] if sizes[number] > 1 else None for number in numbers]


def _with_groups(records, names):
    pairs = zip(records, names, strict=True)
    return tuple(dataclasses.replace(record, group=name) for record, name in pairs)
