"""Flat names of a split: `train_good` and `test_bad` beside each other, without folders inside."""

from collections.abc import Sequence
from pathlib import Path

from kerasad.data.layouts.names import (
    SPLITS,
    Meaning,
    Role,
    common_words,
    name_words,
    read_name,
)
from kerasad.data.layouts.places import Place


def read_flat_names(folders: Sequence[Path]) -> dict[Path, tuple[str, Meaning]]:
    """Returns the part of a split, and what else the name says, of folders beside each other.

    One such name alone proves nothing, nor do several that all name one part and no good images.

    Args:
        folders: All folders inside of one.

    Returns:
        For each folder with such a name, the part and the meaning of the rest of its name; none if
        the names are not those of a split.
    """
    ignored = common_words([path.name for path in folders])
    found = {}
    for path in folders:
        words = [word for word in name_words(path.name) if word not in ignored]
        for part, rest in ((words[:1], words[1:]), (words[-1:], words[:-1])):
            role = read_name("".join(part)).role
            if role in SPLITS and rest and path not in found:
                found[path] = SPLITS[role], read_name(" ".join(rest))
    others = [path for path in folders if read_name(path.name).surely(*SPLITS)]
    is_pair = len(found) + len(others) > 1
    parts = {part for part, _ in found.values()}
    tells = others or len(parts) > 1 or any(rest.surely(Role.GOOD) for _, rest in found.values())
    return found if is_pair and tells else {}


def flat_place(name: str, part: str, rest: Meaning, has_good: bool) -> Place | None:
    """Returns the place of a folder with such a name; None if the name leaves open what it holds.

    Args:
        name: The whole name, which becomes the kind of defect.
        part: The part of the split.
        rest: What the rest of the name says.
        has_good: Whether the rest of another name says good: then an unknown word among the test
            images is a kind of defect by its position.
    """
    if rest.surely(Role.GOOD):
        return Place("good", part)
    if rest.surely(Role.BAD, Role.KIND):
        return Place(name, part, is_vague=rest.surely(Role.BAD))
    if rest.role is Role.NEUTRAL:
        return Place(part=part)
    if rest.role is None and part == "test" and has_good:
        return Place(name, part, by_position=True)
    return None
