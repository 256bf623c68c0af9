"""What is known of the folders of a tree: what each holds, and what is not certain."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """What is known of a folder from those that it lies in, or from an option.

    Args:
        defect: str or None. `"good"`, the kind of defect, or None if nothing has said it yet.
        part: str or None. The part of the user's split.
        is_vague: bool. Whether the kind is only a word for "defective", which the name of an inner
            folder replaces.
        by_position: bool. See `FoundImage`.
        is_plain: bool. Whether the images are taken as good since nothing says otherwise.
        by_hand: bool. Whether an option says so, whatever a name hints at.
    """

    defect: str | None = None
    part: str | None = None
    is_vague: bool = False
    by_position: bool = False
    is_plain: bool = False
    by_hand: bool = False


@dataclass(frozen=True)
class FoundFolder:
    """The photos directly inside one folder, all of one kind.

    Args:
        path: Path. The folder.
        place: Place. What they are.
        images: list of Path.
        masks: dict. The masks that lie beside them, by photo.
    """

    path: Path
    place: Place
    images: list[Path]
    masks: dict[Path, tuple[Path, ...]]


@dataclass(frozen=True)
class Question:
    """What is not certain about a folder.

    Args:
        folder: Path. The folder.
        why: str. What its name or place leaves open.
        remedy: str. What to do about it.
        is_final: bool. Whether no option settles it.
    """

    folder: Path
    why: str
    remedy: str
    is_final: bool = False


@dataclass
class Found:
    """What a tree of folders holds.

    Args:
        folders: list of FoundFolder.
        mask_folders: list of Path. They are to be searched recursively.
        named_masks: list of Path. Those of them that an option names: their images may be anywhere.
        questions: list of Question. What is not certain.
        categories: list of Path. Inner folders that are data sets of their own.
        is_split: bool. Whether there are folders of a user's split.
        is_labelled: bool. Whether a name says for certain that images are good or defective.
    """

    folders: list[FoundFolder] = field(default_factory=list)
    mask_folders: list[Path] = field(default_factory=list)
    named_masks: list[Path] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    categories: list[Path] = field(default_factory=list)
    is_split: bool = False
    is_labelled: bool = False
