"""Who is where: the good and the defective images of one category, each looked at once.

Two layouts are read. MVTec's: `train/good`, `test/<defect>` (`test/good` being the good ones) and
`ground_truth/<defect>/<stem>_mask.png`. Or a plain folder of good images, with folders inside.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kerasad.data.decoding import Decoding
from kerasad.data.folders import category_folders, list_images, subfolders
from kerasad.data.image_record import (
    ImageRecord,
    Problem,
    format_problems,
    inspect_image,
    read_record,
)
from kerasad.data.masks import find_masks, with_mask
from kerasad.data.plain_folder import refuse_mixed_folder
from kerasad.errors import InputError, check_choice

__all__ = [
    "CategoryIndex",
    "ImageRecord",
    "Problem",
    "format_problems",
    "read_category",
    "read_images",
    "read_record",
]

# Below this a side shows no structure, and such a picture among real ones is an icon or a mistake.
MIN_TRAINING_SIDE = 8


@dataclass(frozen=True)
class CategoryIndex:
    """The images of one category.

    Args:
        name: str. The folder's name.
        root: str. Absolute path of the folder.
        layout: str. `"mvtec"` or `"folder"`.
        good: tuple of `ImageRecord`. `train/good`, or all images of a plain folder.
        test: tuple of `ImageRecord`. Empty for a plain folder, or without a `test` folder.
        problems: tuple of `Problem`. What was left out, and what else is worth knowing.
    """

    name: str
    root: str
    layout: str
    good: tuple[ImageRecord, ...]
    test: tuple[ImageRecord, ...]
    problems: tuple[Problem, ...]


def read_category(
    data: str | os.PathLike,
    *,
    on_bad: str = "skip",
    decoding: Decoding = Decoding(),
    verify: bool = True,
) -> CategoryIndex:
    """Reads the images of one category, and what is wrong with them.

    Images are PNG, JPEG, BMP or TIFF. A training image that is also a test image (by content) is
    broken, since testing on what was trained on proves nothing. A defective image whose mask is
    missing, empty or broken stays in `test`, without a mask.

    Args:
        data: The folder.
        on_bad: str. `"skip"` names broken files in `problems` and leaves them out; `"raise"`
            refuses them.
        decoding: `Decoding`.
        verify: bool. Decode each image and mask once, so that broken ones are found now and not in
            the midst of training; without it only headers are looked at, and a truncated file or an
            empty mask isn't noticed here. Defaults to `True`.

    Returns:
        A `CategoryIndex`, its images in the order of their paths.

    Raises:
        InputError: If the folder is missing, of another layout, or without a usable good image; if
            names inside a plain folder say that not all images are good; or with
            `on_bad="raise"`, if a file is broken.
    """
    check_choice("on_bad", on_bad, ("skip", "raise"))
    root = Path(os.path.abspath(Path(data).expanduser()))
    layout = _find_layout(root)
    good_folder = root / "train" / "good" if layout == "mvtec" else root
    if layout == "folder":
        refuse_mixed_folder(root, list_images(root, recursive=True)[0])
    inspect = partial(_inspect, root=root, decoding=decoding, verify=verify)
    good, problems, brightest = inspect(good_folder, "good", recursive=layout == "folder")
    good, too_small = _split_off_small(good)
    problems += too_small
    test = []
    if layout == "mvtec":
        problems += _unused_folders(root)
        for folder in subfolders(root / "test"):
            records, found, _ = inspect(folder, folder.name)
            records, found_in_masks = _attach_masks(records, root, folder.name, decoding, verify)
            test += records
            problems += found + found_in_masks
            if not records:
                problems.append(Problem(str(folder), f"{folder}: no usable image.", broken=False))
        good, shared = _split_off_test_images(good, test)
        problems += shared + _contradictions(test)
    problems += _judge_brightness(good_folder, brightest, decoding.max_value)
    if not good:
        first = next((" " + problem.message for problem in problems if problem.broken), "")
        raise InputError(f"{good_folder}: no usable good image (PNG, JPEG, BMP or TIFF).{first}")
    if on_bad == "raise":
        refuse_broken(problems)
    return CategoryIndex(root.name, str(root), layout, tuple(good), tuple(test), tuple(problems))


def read_images(
    paths: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    on_bad: str = "skip",
    decoding: Decoding = Decoding(),
    verify: bool = True,
) -> tuple[tuple[ImageRecord, ...], tuple[Problem, ...]]:
    """Reads images that a user names: files, and folders searched recursively.

    Args:
        paths: One path, or several.
        on_bad: See `read_category`; so are the other arguments.
        decoding: `Decoding`.
        verify: bool.

    Returns:
        (records, problems). The relative paths of the records start from the folder that all have
        in common, so that they differ; all are labelled good.

    Raises:
        InputError: With `on_bad="raise"`, if a file is broken.
    """
    check_choice("on_bad", on_bad, ("skip", "raise"))
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    paths = [Path(os.path.abspath(Path(path).expanduser())) for path in paths]
    if not paths:
        raise InputError("`paths` is empty; give image files or folders.")
    root = Path(os.path.commonpath([path if path.is_dir() else path.parent for path in paths]))
    files, problems = [], []
    for path in paths:
        if path.is_dir():
            found, found_problems = list_images(path, recursive=True)
            files += found
            problems += found_problems
        else:
            files.append(path)
    files = list(dict.fromkeys(files))  # a file may be named twice, alone and by its folder
    records, broken, _ = _inspect_files(files, "good", root, decoding, verify)
    problems += broken
    if on_bad == "raise":
        refuse_broken(problems)
    return tuple(records), tuple(problems)


def refuse_broken(problems: Iterable[Problem]) -> None:
    """Raises an `InputError` with the first broken file, if there is one."""
    broken = [problem for problem in problems if problem.broken]
    if broken:
        more = f" ({len(broken) - 1} more files are broken.)" if len(broken) > 1 else ""
        raise InputError(broken[0].message + more)


def _find_layout(root: Path) -> str:
    if not root.is_dir():
        found = "it is a file" if root.exists() else "there is no such folder"
        raise InputError(f"{root}: {found}; give the folder of one category.")
    if (root / "train" / "good").is_dir():
        return "mvtec"
    if any((root / name).is_dir() for name in ("train", "test", "ground_truth")):
        raise InputError(
            f"{root}: there is no folder {root / 'train' / 'good'}; put the good images there, or "
            "give a plain folder that holds only good images."
        )
    categories = [folder.name for folder in category_folders(root)]
    if categories:
        raise InputError(
            f"{root}: it holds the categories {', '.join(categories)}; give one of these folders."
        )
    return "folder"


def _inspect(folder, defect, root, decoding, verify, recursive=False):
    """Looks at all images of a folder: (records, problems, brightest 16-bit value or None)."""
    paths, problems = list_images(folder, recursive=recursive)
    records, broken, brightest = _inspect_files(paths, defect, root, decoding, verify)
    return records, problems + broken, brightest


def _inspect_files(paths, defect, root, decoding, verify):
    def inspect(path):
        try:
            return inspect_image(path, root, defect, decoding, verify)
        except InputError as error:
            return Problem(str(path), str(error)), None

    # Reading, hashing and decoding all let go of Python's lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(inspect, paths))
    records = [result for result, _ in results if isinstance(result, ImageRecord)]
    problems = [result for result, _ in results if isinstance(result, Problem)]
    return records, problems, max((value for _, value in results if value), default=None)


def _attach_masks(records, root, defect, decoding, verify):
    if defect == "good":
        return records, []
    masks, problems = find_masks(root / "ground_truth" / defect, records)
    attached = []
    for record in records:
        record, problem = with_mask(record, masks.get(record.path), decoding, verify)
        attached.append(record)
        problems += [problem] if problem else []
    return attached, problems


def _unused_folders(root):
    return [
        Problem(str(folder), f"{folder}: only train/good is trained on.", broken=False)
        for folder in subfolders(root / "train")
        if folder.name != "good"
    ]


def _split_off_small(good):
    small = [record for record in good if min(record.height, record.width) < MIN_TRAINING_SIDE]
    problems = [
        Problem(
            record.path,
            f"{record.path}: {record.width} x {record.height} pixels are too few to learn from.",
        )
        for record in small
    ]
    return [record for record in good if record not in small], problems


def _split_off_test_images(good, test):
    tested = {record.content_hash: record.path for record in test}
    problems = [
        Problem(
            record.path,
            f"{record.path}: the same picture is in the test set ({tested[record.content_hash]}); "
            "keep it in one of them.",
        )
        for record in good
        if record.content_hash in tested
    ]
    return [record for record in good if record.content_hash not in tested], problems


def _contradictions(test):
    first, problems = {}, []
    for record in test:
        other = first.setdefault(record.content_hash, record)
        if other.label != record.label:
            message = f"{record.path}: the same picture is also in test as {other.relative_path}."
            problems.append(Problem(record.path, message, broken=False))
    return problems


def _judge_brightness(folder, brightest, max_value):
    """A 12-bit camera's images look nearly black where 65535 is taken for white."""
    if brightest is None:
        return []
    if max_value is not None and brightest > max_value:
        message = f"values up to {brightest} in 16-bit images are cut off at max_value={max_value}."
    elif max_value is None and 0 < brightest <= 16383:
        white = next(white for white in (1023, 4095, 16383) if brightest <= white)
        message = (
            f"16-bit images reach only {brightest} of 65535 and are nearly black; if the camera's "
            f"white is {white}, pass max_value={white}."
        )
    else:
        return []
    return [Problem(str(folder), f"{folder}: {message}", broken=False)]
