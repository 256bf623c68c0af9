"""MVTec's layout, in which many data sets are published.

- `train/good`: the good images.
- `test/<defect>`: test images; those in `test/good` are good.
- `ground_truth/<defect>/<stem>_mask.png`: the masks.
"""

from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.names import Role, name_words, read_name
from kerasad.data.masks import match_masks


class MVTec(Layout):
    """See the module."""

    name = "mvtec"

    def recognizes(self, root: Path) -> bool:
        """Returns whether there is a folder `train/good`, and names are as MVTec has them.

        A folder `test/ok` holds no defects, and `validation` is no part of this layout: such a
        folder is split by its user.
        """
        if not (root / "train" / "good").is_dir():
            return False
        beside = (Role.VALIDATION, Role.GOOD, Role.BAD, Role.KIND)
        if any(read_name(folder.name).surely(*beside) for folder in subfolders(root)):
            return False
        names = {part: [f.name for f in subfolders(root / part)] for part in ("train", "test")}
        # A number is a kind of defect here as any word is.
        kinds = [name for name in names["test"] if name != "good" and name_words(name)]
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
        for folder in subfolders(root / "test"):
            paths = reader.list_images(folder)
            if not paths:
                reader.remark(folder, "no usable image.")
            masks = {}
            if folder.name != "good":
                masks = match_masks(root / "ground_truth" / folder.name, paths, reader)
            images += [
                FoundImage(path, folder.name, masks.get(path, ()), part="test") for path in paths
            ]
        return images
