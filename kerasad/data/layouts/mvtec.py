"""MVTec's layout, in which many data sets are published.

- `train/good`: the good images.
- `test/<defect>`: test images; those in `test/good` are good.
- `ground_truth/<defect>/<stem>_mask.png`: the masks.
"""

from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.base import Layout
from kerasad.data.masks import match_masks


class MVTec(Layout):
    """See the module."""

    name = "mvtec"

    def recognizes(self, root: Path) -> bool:
        """Returns whether there is a folder `train/good`."""
        return (root / "train" / "good").is_dir()

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
