"""The index of a category: its good, test and labelled images, each read once."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasad.data.decoding import Decoding
from kerasad.data.exclusion import find_excluded, without_excluded
from kerasad.data.image_files import FoundImage, ImageReader, ImageRecord
from kerasad.data.keras_datasets import is_keras_dataset, resolve_keras_dataset
from kerasad.data.layouts import Named, find_images, find_layout, is_category, is_manifest
from kerasad.data.likely_masks import refuse_likely_masks
from kerasad.data.masks import attach_masks, refuse_marked
from kerasad.data.photos import list_defective
from kerasad.data.problems import Problem
from kerasad.data.remarks import remark_contradictions, remark_white_level
from kerasad.data.twins import examine_twins
from kerasad.errors import InputError, check_choice

# A training image with a shorter side shows no structure; it is an icon, or a mistake.
MIN_TRAINING_SIDE = 8

ON_BAD = ("skip", "raise")


@dataclass(frozen=True)
class CategoryIndex:
    """The images of one category.

    Args:
        name: str. The folder's name, or that of the list of images without its suffix.
        root: str. Absolute path of the folder or list.
        layout: str. Name of its layout, such as `"mvtec"` or `"folder"`.
        good: tuple of `ImageRecord`. The good images, for training and calibration.
        test: tuple of `ImageRecord`. Empty if there are no test images.
        problems: tuple of `Problem`. What was left out, and other remarks.
        unlabelled: tuple of str. Paths of images without a label; they are not read.
        grouped_by: str or None. What has grouped the good images, see `group_images`.
        excluded: tuple of str. Relative paths of the good files that the user has left out.
    """

    name: str
    root: str
    layout: str
    good: tuple[ImageRecord, ...]
    test: tuple[ImageRecord, ...]
    problems: tuple[Problem, ...]
    unlabelled: tuple[str, ...] = ()
    grouped_by: str | None = None
    excluded: tuple[str, ...] = ()

    def without_test(self, hashes: Iterable[str]) -> "CategoryIndex":
        """Returns the index without the test images that have these content hashes."""
        hashes = set(hashes)
        test = tuple(record for record in self.test if record.content_hash not in hashes)
        return dataclasses.replace(self, test=test)

    def with_test(self, records: Iterable[ImageRecord]) -> "CategoryIndex":
        """Returns the index with some of the good images as test images."""
        chosen = {record.path for record in records}
        kept = tuple(record for record in self.good if record.path not in chosen)
        moved = (record for record in self.good if record.path in chosen)
        test = tuple(sorted((*self.test, *moved), key=lambda record: record.path))
        return dataclasses.replace(self, good=kept, test=test)

    def set_apart(self, labelled: Sequence[ImageRecord]) -> "CategoryIndex":
        """Returns the index without labelled images, or copies of them, among the test images.

        Raises:
            InputError: If a labelled image is also a good one.
        """
        paths = {record.content_hash: record.path for record in labelled}
        for record in self.good:
            if record.content_hash in paths:
                raise InputError(
                    f"{paths[record.content_hash]}: labelled defective, but the same image is "
                    f"among the good ones ({record.path}); keep only one of them."
                )
        return self.without_test(paths)


def read_category(
    data: str | os.PathLike,
    *,
    on_bad: str = "skip",
    decoding: Decoding = Decoding(),
    verify: bool = True,
    good: Sequence[str] = (),
    bad: Sequence[str] = (),
    masks: Sequence[str] = (),
    exclude: Sequence[str] = (),
    for_test: bool = False,
) -> CategoryIndex:
    """Reads the images of one category, in any layout of `kerasad.data.layouts`.

    Images are PNG, JPEG, BMP or TIFF. A good image that is also a test image, by content, is left
    out, since a test on a training image proves nothing. A defective image without a usable mask
    stays a test image. Images without a label, and defective images that the data set counts as
    training images, are left out: they are neither training nor test images.

    Args:
        data: The folder, a file that lists the images, or a name such as `keras:mnist/3`.
        on_bad: str. `"skip"` leaves out broken files and lists them in `problems`; `"raise"`
            refuses them.
        decoding: `Decoding`.
        verify: bool. Decode each image and mask once, so that broken ones are found now and not
            during training. Otherwise only headers are read, and a truncated file or an empty mask
            goes unnoticed. Defaults to `True`.
        good: Folders of good images, whatever their names say; paths are absolute or start from
            `data`. Also for the other two: an option lists all folders of its kind, and if good
            ones are named, nothing else is read whose name is not certain.
        bad: Folders of defective images.
        masks: Folders of masks.
        exclude: Good files to leave out, see `find_excluded`; so are files of the same content.
        for_test: bool. Whether test images are wanted and good ones may be missing. A folder that
            is itself called like a defect is then read as defective. Defaults to `False`.

    Returns:
        A `CategoryIndex`, its images sorted by path.

    Raises:
        InputError: If the folder is missing, cannot be understood, or has no usable good image; or
            with `on_bad="raise"`, if a file is broken.
    """
    check_choice("on_bad", on_bad, ON_BAD)
    root = _absolute(resolve_keras_dataset(data) if is_keras_dataset(data) else data)
    reader = ImageReader(root.parent if root.is_file() else root, decoding, verify)
    named = Named(good, bad, masks)
    layout, found = find_images(root, reader, named, for_test)
    images = _usable(found, root, reader)
    excluded = find_excluded(exclude, images, reader)
    images = [image for image in images if image.path not in excluded]
    refuse_marked(images, reader)
    if not root.is_file():
        examine_twins(images, reader)
        refuse_likely_masks(images, reader, named.photos(root))
    records = attach_masks(reader.read(images), images, reader)
    test = [record for record in records if record.label or record.part == "test"]
    training = [record for record in records if not (record.label or record.part == "test")]
    training = without_excluded(training, excluded, reader)
    usable = _for_training(training, test, reader)
    remark_contradictions(test, reader)
    remark_white_level(training, root, reader)
    if not usable and not (for_test and test):
        raise _nothing_usable(root, bool(test) and not training, reader)
    _finish(reader, on_bad)
    return CategoryIndex(
        root.stem if root.is_file() else root.name,
        str(root),
        layout,
        tuple(usable),
        tuple(test),
        tuple(reader.problems),
        tuple(str(image.path) for image in found if image.defect is None),
        excluded=tuple(sorted(excluded.values())),
    )


def read_images(
    paths: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    on_bad: str = "skip",
    decoding: Decoding = Decoding(),
    verify: bool = True,
    list_folder: Callable[[Path, ImageReader], list[Path]] | None = None,
) -> tuple[tuple[ImageRecord, ...], tuple[Problem, ...]]:
    """Reads images that a user names: files, and folders searched recursively.

    Args:
        paths: One path, or several; a file that lists images stands for these.
        on_bad: See `read_category`, also for the other arguments.
        decoding: `Decoding`.
        verify: bool.
        list_folder: function of a folder and a reader, or None. It returns the images of a folder;
            None takes all that are inside.

    Returns:
        (records, problems). The relative paths of the records start from the folder that all have
        in common, so that no two are equal; all are labelled good.

    Raises:
        InputError: With `on_bad="raise"`, if a file is broken.
    """
    check_choice("on_bad", on_bad, ON_BAD)
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    paths = [_absolute(path) for path in paths]
    if not paths:
        raise InputError("`paths` is empty; give image files or folders.")
    root = Path(os.path.commonpath([path if path.is_dir() else path.parent for path in paths]))
    reader = ImageReader(root, decoding, verify)
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += (
                list_folder(path, reader)
                if list_folder
                else reader.list_images(path, recursive=True)
            )
        elif is_manifest(path):
            files += [image.path for image in find_layout(path).find(path, reader)]
        else:
            files.append(path)
    # A file may be named twice, alone and by its folder.
    records = reader.read([FoundImage(path) for path in dict.fromkeys(files)])
    _finish(reader, on_bad)
    return tuple(records), tuple(reader.problems)


def read_labelled(
    folder: str | os.PathLike, **options
) -> tuple[tuple[ImageRecord, ...], tuple[Problem, ...]]:
    """Reads a folder, searched recursively, in which all images are defective.

    Args:
        folder: The folder.
        **options: See `read_images`.

    Returns:
        (records, problems), see `read_images`.

    Raises:
        InputError: If there is no usable image, or if good images are in it as well.
    """
    if is_category(_absolute(folder)):
        raise InputError(
            f"{os.fspath(folder)}: this is a data set with good images; to label images as "
            "defective, give a folder that holds nothing else."
        )
    records, problems = read_images(folder, list_folder=list_defective, **options)
    if not records:
        reason = f" {problems[0].message}" if problems else ""
        raise InputError(f"{os.fspath(folder)}: no usable image labelled defective.{reason}")
    labelled = (dataclasses.replace(record, label=1, defect="labelled") for record in records)
    return tuple(labelled), problems


def choose_labelled(
    index: CategoryIndex, share: float, num_train: int, seed: int
) -> tuple[ImageRecord, ...]:
    """Chooses defective test images to be labelled, spread evenly over the kinds of defects.

    Args:
        index: `CategoryIndex`.
        share: float > 0. Labelled images to training images; CAVGA's is 0.02. At least one image.
        num_train: int. Number of training images.
        seed: int.

    Returns:
        Their records, sorted by path.

    Raises:
        InputError: If the share is not above 0, or no defective image would be left to test.
    """
    if not share > 0:
        raise InputError(f"`labelled_share` must be above 0. Received: {share!r}")
    rng = np.random.default_rng(seed)
    kinds: dict[str, list[ImageRecord]] = {}
    for record in index.test:
        if record.label:
            kinds.setdefault(record.defect, []).append(record)
    queues = [[records[i] for i in rng.permutation(len(records))] for records in kinds.values()]
    queues = [queues[i] for i in rng.permutation(len(queues))]
    total = sum(map(len, queues))
    count = max(1, round(share * num_train))
    if count >= total:
        raise InputError(
            f"`labelled_share`={share} asks for {count} labelled images, but there are {total} "
            "defective ones and some must be left to test; lower it, or name a folder of labelled "
            "images."
        )
    turns = [queue[turn] for turn in range(total) for queue in queues if turn < len(queue)]
    return tuple(sorted(turns[:count], key=lambda record: record.path))


def _nothing_usable(root, is_all_for_test, reader) -> InputError:
    # A remark on left-out folders explains it; one on a mask, which has a kind, does not.
    remarks = (problem for problem in reader.problems if problem.broken or problem.kind is None)
    reasons = (f" {p.message}" for p in sorted(remarks, key=lambda problem: not problem.broken))
    remedy = "name the folder of good images with `good`"
    if is_all_for_test:
        remedy = f"all that was found is defective or for tests: {remedy}"
    return InputError(
        f"{root}: no usable good image (PNG, JPEG, BMP or TIFF); {remedy}." + next(reasons, "")
    )


def _absolute(path):
    return Path(os.path.abspath(Path(path).expanduser()))


def _usable(images, root, reader):
    """Returns the images that can train or test, sorted by path."""
    unlabelled = [image for image in images if image.defect is None]
    if unlabelled:
        message = (
            f"images without a label: {len(unlabelled)}, such as {unlabelled[0].path.name}; left "
            "out (`kerasad predict` takes them)."
        )
        reader.remark(root, message)
    labelled = [image for image in images if image.defect is not None]
    kept = [image for image in labelled if image.defect == "good" or image.part != "train"]
    if len(kept) < len(labelled):
        message = (
            f"defective images among the training images: {len(labelled) - len(kept)}; left out "
            "(they neither train nor test)."
        )
        reader.remark(root, message)
    return sorted(kept, key=lambda image: image.path.as_posix())


def _finish(reader, on_bad):
    """Refuses the first broken file, if `on_bad` asks for it."""
    broken = [problem for problem in reader.problems if problem.broken]
    if broken and on_bad == "raise":
        more = f" ({len(broken) - 1} more files are broken.)" if len(broken) > 1 else ""
        raise InputError(broken[0].message + more)


def _for_training(good, test, reader):
    """Returns the good images without those that are too small, or also in the test set."""
    tested = {record.content_hash: record.path for record in test}
    kept = []
    for record in good:
        copy = tested.get(record.content_hash)
        if min(record.height, record.width) < MIN_TRAINING_SIDE:
            message = f"{record.width} x {record.height} pixels are too few to learn from."
            reader.remark(record, message, broken=True)
        elif copy is not None:
            message = f"the same image is in the test set ({copy}); keep only one of them."
            reader.remark(record, message, broken=True)
        else:
            kept.append(record)
    return kept
