"""Folders that the user names: `--good`, `--bad` and `--masks` win over every name."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.folders import Walker
from kerasad.data.layouts.found import list_found
from kerasad.data.layouts.names import SPLITS, Role, read_name
from kerasad.data.layouts.places import Place, Question
from kerasad.errors import InputError


@dataclass(frozen=True)
class Named:
    """Folders of known content; paths are absolute, or start from the data folder.

    Args:
        good: Folders of good images.
        bad: Folders of defective images.
        masks: Folders of masks.
    """

    good: Sequence[str] = ()
    bad: Sequence[str] = ()
    masks: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.good or self.bad or self.masks)

    def photos(self, root: Path) -> list[Path]:
        """Returns the folders of good and defective images."""
        roles = self.resolve(root)
        return [path for path, role in roles.items() if role is not Role.MASKS]

    def resolve(self, root: Path) -> dict[Path, Role]:
        """Returns the role of each folder.

        Raises:
            InputError: A folder does not exist, or is named twice.
        """
        roles: dict[Path, Role] = {}
        options = ((self.good, "good"), (self.bad, "bad"), (self.masks, "masks"))
        for names, option in options:
            for name in names:
                path = Path(os.path.normpath(root / Path(name).expanduser()))
                if not path.is_dir():
                    raise InputError(
                        f"--{option} {name}: there is no folder {path}; give a path that starts "
                        "from DATA, or an absolute one."
                    )
                role = {"good": Role.GOOD, "bad": Role.BAD, "masks": Role.MASKS}[option]
                if roles.setdefault(path, role) is not role:
                    raise InputError(
                        f"{path} is named by two of --good, --bad and --masks; name it once."
                    )
        return roles


class ByHand(Layout):
    """Reads the folders that are named, and beside them only those whose names are certain.

    Args:
        named: `Named`.
    """

    name = "folders named by hand"

    def __init__(self, named: Named):
        self.named = named

    def recognizes(self, root: Path) -> bool:
        """Returns `True`: what is named need not be recognized."""
        return True

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of the named folders, then of the rest.

        Raises:
            InputError: A folder does not exist, or has no image, or it is not certain what another
                one holds.
        """
        if not root.is_dir():
            raise InputError(
                f"{root}: not a folder, so --good, --bad and --masks cannot name folders in it; "
                "give a folder, or leave these options out."
            )
        roles = self.named.resolve(root)
        for path, role in roles.items():
            _refuse_empty(path, role, root)
        walker = Walker(root, reader, roles)
        places = _places(roles, root)
        for path, role in roles.items():
            if role is Role.MASKS:
                walker.found.mask_folders.append(path)
                walker.found.named_masks.append(path)
            else:
                walker.visit(path, places[path])
        if root not in roles:
            walker.visit(root)
        found = walker.found
        if found.categories:
            why = "it holds good and defective images of its own"
            remedy = "name its folders with --good and --bad"
            found.questions.append(Question(found.categories[0], why, remedy, is_final=True))
        return list_found(root, reader, found)


def _refuse_empty(path: Path, role: Role, root: Path) -> None:
    """Refuses a named folder without one image: the user has meant another one."""
    reader = ImageReader(path)
    if reader.list_images(path, recursive=True):
        return
    option = {Role.GOOD: "good", Role.BAD: "bad", Role.MASKS: "masks"}[role]
    reason = f" {reader.problems[0].message}" if reader.problems else ""
    name = os.path.relpath(path, root)
    raise InputError(
        f"--{option} {name}: there is no image in {path} (PNG, JPEG, BMP or TIFF); name another "
        f"folder, or leave the option out.{reason}"
    )


def _places(roles: dict[Path, Role], root: Path) -> dict[Path, Place]:
    """Returns the place of each folder of photos; good ones train if no others do.

    Without training images, `test` is a name as any other: else no option could make them train.
    """
    photos = {path: role for path, role in roles.items() if role is not Role.MASKS}
    places = {path: _place(path, root, role) for path, role in photos.items()}
    good = [path for path, role in photos.items() if role is Role.GOOD]
    held_back = ("test", "validation")
    if all(places[path].part in held_back for path in good) and not _has_training_part(good, root):
        places |= {path: dataclasses.replace(places[path], part=None) for path in good}
    return places


def _has_training_part(folders: Sequence[Path], root: Path) -> bool:
    """Returns whether a folder called train lies beside these, or beside those around them."""
    around = {folder for path in folders for folder in path.parents if path.is_relative_to(root)}
    inside = {folder for folder in around if folder.is_relative_to(root)}
    beside = (folder for outer in inside for folder in subfolders(outer))
    return any(read_name(folder.name).surely(Role.TRAIN) for folder in beside)


def _place(path: Path, root: Path, role: Role) -> Place:
    place = Place(defect="good", by_hand=True)
    if path.is_relative_to(root):
        meanings = (read_name(name) for name in path.relative_to(root).parts)
        parts = [SPLITS[meaning.role] for meaning in meanings if meaning.surely(*SPLITS)]
        place = dataclasses.replace(place, part=parts[-1] if parts else None)
    if role is Role.BAD:
        is_vague = path == root or read_name(path.name).surely(Role.BAD)
        place = dataclasses.replace(place, defect=path.name, is_vague=is_vague)
    return place
