"""What the name of the data folder itself says, and the folders around it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.mask_folders import match_mask_folders
from kerasad.data.layouts.names import Role, read_name
from kerasad.errors import InputError


def judge_top(root: Path, images: Sequence[FoundImage], for_test: bool) -> list[FoundImage]:
    """Labels the images of a plain folder by its own name or place, as far as these count.

    A folder may be called after its product (`mask`, `label`), so only a kind of defect beside good
    images counts, or the place in a folder of defective or of test images.

    Args:
        root: The folder.
        images: Its images.
        for_test: bool. Whether they are to be tested: then they are defective. Otherwise they are
            refused.

    Raises:
        InputError: If the name says that the images are defective and good ones are needed; if it
            says that they are masks or results of the photos beside; or if they are in a user's
            test folder and nothing says what they are.
    """
    images = list(images)
    if any(image.defect != "good" for image in images):
        return images
    meaning = read_name(root.name)
    if meaning.surely(Role.GOOD):
        return images
    _refuse_masks(root)
    is_kind = meaning.surely(Role.KIND) and _has_beside(root, Role.GOOD)
    is_below_test = is_test_folder(root.parent)
    # As inside `test`, a word that nobody knows is a kind of defect.
    is_tested_defect = is_below_test and meaning.role in (Role.BAD, Role.KIND, None)
    if (
        is_kind
        or is_tested_defect
        or (read_name(root.parent.name).surely(Role.BAD) and not is_below_test)
    ):
        if not for_test:
            raise needs_good(root)
        masks = match_mask_folders(
            [image.path for image in images], masks_around(root), ImageReader(root)
        )
        return [_as_defective(image, root, masks.get(image.path, ())) for image in images]
    beside_good = meaning.role in (None, Role.UNSORTED) and _has_beside(root, Role.GOOD)
    if meaning.surely(Role.KIND) or is_test_folder(root) or is_below_test or beside_good:
        raise InputError(
            f"{root}: its name does not tell whether its images are good or defective; say so with "
            "--good . or --bad . (the dot is this folder)."
        )
    return images


def is_called_defective(root: Path) -> bool:
    """Returns whether the name of the data folder says that all in it is defective."""
    return read_name(root.name).surely(Role.BAD)


def needs_good(root: Path) -> InputError:
    """Returns the error about a folder of defective images where good ones are needed."""
    return InputError(
        f"{root}: its name or the folder that it lies in says that its images are defective, and "
        "good images are needed; give another folder, or --good . if they are good (the dot is "
        "this folder)."
    )


def _refuse_masks(root: Path) -> None:
    """Refuses a folder of masks or results beside photos, or one that lies in such a folder."""
    for folder in (root, root.parent):
        meaning = read_name(folder.name)
        is_product = folder != root and not meaning.certain
        if meaning.role not in (Role.MASKS, Role.REGIONS, Role.RESULTS) or is_product:
            continue
        if _has_beside(folder, Role.GOOD, Role.TRAIN):
            raise InputError(
                f"{root}: the name {folder.name} says {meaning.role.value}, and photos lie beside "
                f"it; give the folder {folder.parent}, or say what the images are with --good . or "
                "--bad . (the dot is this folder)."
            )


def masks_around(root: Path) -> list[Path]:
    """Returns folders of masks that lie beside a folder of test images, or of one defect."""
    if is_test_folder(root):
        outer = root.parent
    elif is_test_folder(root.parent):
        outer = root.parent.parent
    elif read_name(root.name).surely(Role.BAD, Role.KIND) and _has_beside(root, Role.GOOD):
        outer = root.parent
    else:
        return []
    return [folder for folder in subfolders(outer) if read_name(folder.name).surely(Role.MASKS)]


def _as_defective(image: FoundImage, root: Path, masks: tuple[Path, ...]) -> FoundImage:
    inner = image.path.parent.relative_to(root).as_posix()
    return dataclasses.replace(image, defect=root.name if inner == "." else inner, masks=masks)


def is_test_folder(folder: Path) -> bool:
    """Returns whether a folder is `test` of a split, with another part or masks beside it."""
    beside = (Role.TRAIN, Role.VALIDATION, Role.MASKS)
    return read_name(folder.name).surely(Role.TEST) and _has_beside(folder, *beside)


def refuse_test_part(root: Path) -> None:
    """Refuses a user's test or validation images, or a folder of them, where images train.

    Args:
        root: The folder that was given, or a list of images, which says itself what they are.

    Raises:
        InputError: If it is the part of a split that must not train, and the images that shall lie
            beside it.
    """
    for folder in (root, root.parent) if root.is_dir() else ():
        name = read_name(folder.name)
        if name.surely(Role.TEST, Role.VALIDATION) and _has_beside(folder, Role.TRAIN):
            raise InputError(
                f"{root}: these are images for {name.role.value} of the split in {folder.parent}, "
                f"which must not train; give {folder.parent}, or name good images with --good if "
                "they shall train nevertheless (--good . if all are good; the dot is this folder)."
            )


def _has_beside(folder: Path, *roles: Role) -> bool:
    others = (other for other in subfolders(folder.parent) if other != folder)
    return any(read_name(other.name).surely(*roles) for other in others)
