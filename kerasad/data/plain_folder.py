"""Refuses a plain folder whose inner folders say that not every image is a good one."""

import re
from collections.abc import Sequence
from pathlib import Path

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
    "and every image of a plain folder is trained on as a good one: give a folder with only good "
    "images, or put these into train/good and the defective ones into test/<defect>."
)


def refuse_mixed_folder(root: Path, images: Sequence[Path]) -> None:
    """Raises an `InputError` if the images of a plain folder are not all good by their names.

    Four signs count: a folder inside whose name says "defect", "mask" or "result"; a folder inside
    whose name says "good", with images elsewhere; a file or folder that `kerasad predict` wrote.

    Args:
        root: The plain folder; its own name says nothing.
        images: Its image files, those of inner folders included.
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
    """Whether a folder's name has one of the words in it, alone or in the plural."""
    parts = re.findall(r"[^\W_]+", name.lower())
    candidates = {*parts, "".join(parts)}
    return any(word in words or word.removesuffix("s") in words for word in candidates)
