"""MVTec AD 2: a public test set with masks, and private ones without labels.

- `train/good`, `validation/good`: the good images.
- `test_public/good`, `test_public/bad`: test images.
- `test_public/ground_truth/bad/<stem>_mask.png`: the masks.
- `test_private`, `test_private_mixed`: images without a label, for `kerasad predict` only.
"""

from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.base import Layout, list_good
from kerasad.data.masks import match_masks

_PRIVATE = ("test_private", "test_private_mixed")


class MVTecAD2(Layout):
    """See the module."""

    name = "mvtec_ad2"

    def recognizes(self, root: Path) -> bool:
        """Returns whether there are `train/good` and a folder `test_public`."""
        return (root / "train/good").is_dir() and (root / "test_public").is_dir()

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the good images, the public test images, and those without a label."""
        images = list_good(root / "train/good", "train", reader)
        images += list_good(root / "validation/good", "validation", reader)
        public = root / "test_public"
        for folder in subfolders(public):
            if folder.name == "good":
                images += list_good(folder, "test", reader)
            elif folder.name != "ground_truth":
                paths = reader.list_images(folder)
                masks = match_masks(public / "ground_truth" / folder.name, paths, reader)
                images += [
                    FoundImage(path, folder.name, masks.get(path, ()), "test") for path in paths
                ]
        for name in _PRIVATE:
            if (root / name).is_dir():
                images += [
                    FoundImage(path, None, part="test") for path in reader.list_images(root / name)
                ]
        return images
