"""MVTec's layout, in which many data sets are published.

- `train/good`: the good images.
- `test/<defect>`: test images; those in `test/good` are good.
- `ground_truth/<defect>/<stem>_mask.png`: the masks.
"""

from collections.abc import Mapping
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.mask_folders import match_mask_folders
from kerasad.data.layouts.names import Role, name_words, opposite_names, read_name
from kerasad.data.masks import match_masks


class MVTec(Layout):
    """See the module."""

    name = "mvtec"

    def recognizes(self, root: Path) -> bool:
        """Returns whether there is a folder `train/good`, and names are as MVTec has them.

        A folder `test/ok` holds no defects, and `validation` is not part of this layout: such a
        folder is split by its user, and so is one with folders inside `train/good`, such as days.
        """
        good = root / "train" / "good"
        if not good.is_dir() or subfolders(good):
            return False
        beside = (Role.VALIDATION, Role.GOOD, Role.BAD, Role.KIND)
        if any(read_name(folder.name).surely(*beside) for folder in subfolders(root)):
            return False
        names = {part: [f.name for f in subfolders(root / part)] for part in ("train", "test")}
        # A number is a kind of defect here as any word is.
        kinds = [name for name in names["test"] if name != "good" and name_words(name)]
        if opposite_names(names["test"]):  # which of the two is good?
            return False
        other = {read_name(name).role for name in kinds}
        # Only words for defects, and words without a meaning, name a kind of defect.
        return other <= {None, Role.BAD, Role.KIND} and not any(
            read_name(name).role is Role.GOOD for name in names["train"] if name != "good"
        )

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the three folders; only `train/good` is required."""
        good = reader.list_images(root / "train" / "good")
        images = [FoundImage(path, part="train") for path in good]
        for folder in subfolders(root / "train"):
            if folder.name != "good":
                reader.remark(folder, "only the images in train/good are used for training.")
        tests: dict[Path, list[Path]] = {}
        for folder in subfolders(root / "test"):
            tests[folder] = reader.list_images(folder)
            if not tests[folder]:
                reader.remark(folder, "no usable image.")
        masks = _find_masks(root, tests, reader)
        images += [
            FoundImage(path, folder.name, masks.get(path, ()), part="test")
            for folder, paths in tests.items()
            for path in paths
        ]
        return images


def _find_masks(
    root: Path, tests: Mapping[Path, list[Path]], reader: ImageReader
) -> dict[Path, tuple[Path, ...]]:
    """Finds masks in `ground_truth/<defect>`, or wherever the user keeps them beside `test`."""
    kinds = [folder.name for folder in tests if folder.name != "good"]
    defective = {name: tests[root / "test" / name] for name in kinds}
    if not defective:
        return {}
    truth = root / "ground_truth"
    folders = [folder for folder in subfolders(root) if read_name(folder.name).surely(Role.MASKS)]
    inner = {folder.name for folder in subfolders(truth)}
    loose = ImageReader(truth).list_images(truth) if truth.is_dir() else []
    is_regular = folders in ([], [truth]) and inner <= set(kinds) and not loose
    if not is_regular:
        paths = [path for paths in defective.values() for path in paths]
        return match_mask_folders(paths, folders, reader)
    masks: dict[Path, tuple[Path, ...]] = {}
    for name, paths in defective.items():
        masks |= match_masks(truth / name, paths, reader)
    return masks
