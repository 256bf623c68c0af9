"""From the folders of a tree to its images, each with its label, its part and its masks."""

import shlex
from collections.abc import Iterable
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.mask_folders import match_mask_folders
from kerasad.data.layouts.places import Found, FoundFolder, Question
from kerasad.data.layouts.top_folder import masks_around
from kerasad.errors import InputError

_MOST_NAMED = 3


def list_found(root: Path, reader: ImageReader, found: Found) -> list[FoundImage]:
    """Lists the images of a tree.

    Args:
        root: The top folder.
        reader: `ImageReader`. Masks that belong to no image become a remark.
        found: `Found`.

    Raises:
        InputError: If it is not certain what a folder holds.
    """
    if found.questions:
        raise InputError(_put(found.questions[0], root, found))
    defective = [
        path
        for folder in found.folders
        if folder.place.defect not in (None, "good")
        for path in folder.images
    ]
    masks = match_mask_folders(defective, found.mask_folders, reader, found.named_masks)
    if not found.mask_folders:
        # A part of a data set may be given alone; its masks lie beside it.
        silent = ImageReader(root)
        masks = match_mask_folders(defective, masks_around(root), silent)
    return [image for folder in found.folders for image in _describe(folder, masks)]


def _put(question: Question, root: Path, found: Found) -> str:
    """Returns a question in one sentence, with the options that leave the folder out, if any do."""
    if question.is_final:
        return f"{question.folder}: {question.why}; {question.remedy}."
    good = [folder for folder in found.folders if folder.place.defect == "good"]
    good = [folder.path for folder in good if not (folder.place.is_plain or folder.place.by_hand)]
    tops = [path for path in good if path != root and not set(good).intersection(path.parents)]
    is_apart = not any(top in (question.folder, *question.folder.parents) for top in tops)
    leave_out = ""
    if is_apart and 0 < len(tops) <= _MOST_NAMED:
        names = [shlex.quote(path.relative_to(root).as_posix()) for path in tops]
        verb = "leaves" if len(names) == 1 else "leave"
        what = question.folder.name
        if any(question.folder in top.parents for top in tops):
            what = "these images"
        leave_out = f" ({' '.join(f'--good {name}' for name in names)} {verb} {what} out)"
    return f"{question.folder}: {question.why}{leave_out}; {question.remedy}."


def _describe(folder: FoundFolder, masks: dict[Path, tuple[Path, ...]]) -> Iterable[FoundImage]:
    place = folder.place
    is_defective = place.defect not in (None, "good")
    # A defective image cannot train; it is tested, wherever the user keeps it.
    part = None if is_defective and place.part == "train" else place.part
    for path in folder.images:
        # Where an option says good, `refuse_marked` has a look at the masks.
        own = (*folder.masks.get(path, ()), *masks.get(path, ()))
        yield FoundImage(
            path,
            place.defect,
            own if is_defective or place.by_hand else (),
            part=part,
            by_position=place.by_position,
            is_assumed=place.is_plain,
        )
