"""A plain folder of good images, searched recursively; refused if names say otherwise."""

import re
from collections.abc import Sequence
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.base import Layout
from kerasad.errors import InputError

GOOD_WORDS = frozenset({"good", "ok", "pass", "passed", "normal", "nominal", "io", "gut"})
DEFECT_WORDS = frozenset(
    ("bad", "nok", "notok", "ng", "ko", "fail", "failed", "failure", "defect", "defective", "nio")
    + ("anomaly", "anomalie", "anomalous", "abnormal", "positive", "reject", "rejected", "faulty")
    + ("broken", "damaged")
)
MASK_WORDS = frozenset(
    {"mask", "groundtruth", "gt", "label", "annotation", "segmentation", "seg", "truth"}
)
RESULT_WORDS = frozenset({"overlay", "prediction", "result", "heatmap"})
RESULT_FILE = "predictions.jsonl"
RESULT_ENDING = "_overlay"

_REMEDY = (
    "and every image of a plain folder is used for training as a good one: give a folder with only "
    "good images, or put these into train/good and the defective ones into test/<defect>."
)


class PlainFolder(Layout):
    """See the module."""

    name = "folder"

    def recognizes(self, root: Path) -> bool:
        """Returns `True`: any folder may hold images."""
        return True

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists all images of the folder as good ones.

        Raises:
            InputError: If the folder is an incomplete MVTec layout, or names in it say that not
                all images are good.
        """
        if any((root / name).is_dir() for name in ("train", "test", "ground_truth")):
            raise InputError(
                f"{root}: there is no folder {root / 'train' / 'good'}; put the good images there, "
                "or give a plain folder that holds only good images."
            )
        paths = reader.list_images(root, recursive=True)
        refuse_mixed_folder(root, paths)
        return [FoundImage(path) for path in paths]


def refuse_mixed_folder(root: Path, images: Sequence[Path]) -> None:
    """Refuses a plain folder in which names say that not all images are good.

    Refused are: an inner folder whose name says "defect", "mask" or "result"; an inner folder whose
    name says "good", with images outside of it; anything that `kerasad predict` wrote.

    Args:
        root: The plain folder; its own name does not count.
        images: Its image files, those of inner folders included.

    Raises:
        InputError: If it is refused.
    """
    folders = {path.parent.relative_to(root) for path in images} - {Path()}
    inner = sorted({parent for folder in folders for parent in (folder, *folder.parents)})
    for folder in inner:
        for words, meaning in (
            (DEFECT_WORDS, "defects"),
            (MASK_WORDS, "masks"),
            (RESULT_WORDS, "earlier results"),
        ):
            if _says(folder.name, words):
                raise InputError(
                    f"{root / folder}: its name says that it holds {meaning}, {_REMEDY}"
                )
    for folder in inner:
        if _says(folder.name, GOOD_WORDS) and any(
            folder not in path.relative_to(root).parents for path in images
        ):
            raise InputError(
                f"{root / folder}: its name says that it holds the good images, so those beside "
                f"it are not all good, {_REMEDY}"
            )
    for path in images:
        if path.stem.lower().endswith(RESULT_ENDING) or (path.parent / RESULT_FILE).is_file():
            raise InputError(f"{path}: this is a result of `kerasad predict`, {_REMEDY}")


def _says(name: str, words: frozenset[str]) -> bool:
    """Returns whether one of the words is in a folder's name, in the singular or the plural."""
    parts = re.findall(r"[^\W_]+", name.lower())
    candidates = {*parts, "".join(parts)}
    return any(word in words or word.removesuffix("s") in words for word in candidates)
