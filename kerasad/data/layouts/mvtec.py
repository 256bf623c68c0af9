"""MVTec's layout, in which many data sets are published.

- `train/good`: the good images.
- `test/<defect>`: test images; those in `test/good` are good.
- `ground_truth/<defect>/<stem>_mask.png`: the masks.
"""

from pathlib import Path

from kerasad.data.image_files import ImageReader, subfolders
from kerasad.data.layouts.base import FoundImages, Layout
from kerasad.data.masks import attach_masks, match_masks


class MVTec(Layout):
    """See the module."""

    name = "mvtec"

    def recognizes(self, root: Path) -> bool:
        """Returns whether there is a folder `train/good`."""
        return (root / "train" / "good").is_dir()

    def read(self, root: Path, reader: ImageReader) -> FoundImages:
        """Reads the three folders; only `train/good` is required."""
        good = reader.read_folder(root / "train" / "good")
        for folder in subfolders(root / "train"):
            if folder.name != "good":
                reader.remark(folder, "only the images in train/good are used for training.")
        test = []
        for folder in subfolders(root / "test"):
            records = reader.read_folder(folder, folder.name)
            if not records:
                reader.remark(folder, "no usable image.")
            if folder.name != "good":
                masks = match_masks(root / "ground_truth" / folder.name, records, reader)
                records = attach_masks(records, masks, reader)
            test += records
        return FoundImages(good, test, root / "train" / "good")
