"""What the names of the folders inside a folder say of it."""

from collections.abc import Mapping
from pathlib import Path

from kerasad.data.image_files import ImageReader
from kerasad.data.layouts.flat_names import read_flat_names
from kerasad.data.layouts.names import SPLITS, Meaning, Role, read_name, read_names


def names_split(meanings: Mapping[Path, Meaning]) -> bool:
    """Returns whether folders beside each other are parts of a split."""
    return any(map(_is_split, meanings.values())) or bool(read_flat_names(list(meanings)))


def says_quality(folder: Path) -> bool:
    """Returns whether names inside a folder say what is good, down through neutral names."""
    meanings = _read_inside(folder)
    if any(map(_is_good, meanings.values())) or names_split(meanings):
        return True
    neutral = (path for path, meaning in meanings.items() if meaning.role is Role.NEUTRAL)
    return any(map(says_quality, neutral))


def holds_data_set(folder: Path) -> bool:
    """Returns whether good images have a folder inside, so that its own name is a product's."""
    meanings = _read_inside(folder)
    # An archive may unfold to good/good.
    is_good = len(meanings) == 1 and read_name(folder.name).surely(Role.GOOD)
    if any(map(_is_good, meanings.values())) and not is_good:
        return True
    deeper = (p for p, meaning in meanings.items() if meaning.surely(Role.NEUTRAL, *SPLITS))
    return any(map(holds_data_set, deeper))


def holds_defective(folder: Path) -> bool:
    """Returns whether names directly inside a folder say defective for certain, and none good."""
    meanings = _read_inside(folder)
    says_bad = any(meaning.surely(Role.BAD, Role.KIND) for meaning in meanings.values())
    return says_bad and not any(map(_is_good, meanings.values())) and not names_split(meanings)


def _read_inside(folder: Path) -> dict[Path, Meaning]:
    _, inner = ImageReader(folder.parent).list_folder(folder)
    return read_names([path for path in inner if not path.is_symlink()])


def _is_good(meaning: Meaning) -> bool:
    return meaning.surely(Role.GOOD)


def _is_split(meaning: Meaning) -> bool:
    return meaning.surely(*SPLITS)
