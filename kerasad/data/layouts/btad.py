"""BTAD, the beanTech data set: MVTec's layout with `ok` and `ko` in place of names of defects.

- `train/ok`: the good images.
- `test/ok`, `test/ko`: test images.
- `ground_truth/ko/<stem>.png` or `.bmp`: the masks.
"""

from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.base import Layout, list_good
from kerasad.data.masks import match_masks

_CLASSES = frozenset({"ok", "ko"})


class BTAD(Layout):
    """See the module."""

    name = "btad"

    def recognizes(self, root: Path) -> bool:
        """Returns whether `train/ok` and `test` exist, and hold no folders but `ok` and `ko`."""
        train, test = (
            {folder.name for folder in subfolders(root / part)} for part in ("train", "test")
        )
        return "ok" in train and bool(test) and train | test <= _CLASSES

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of both parts."""
        images = []
        for part in ("train", "test"):
            images += list_good(root / part / "ok", part, reader)
            folder = root / part / "ko"
            if folder.is_dir():
                paths = reader.list_images(folder)
                masks = match_masks(root / "ground_truth/ko", paths, reader)
                images += [FoundImage(path, "ko", masks.get(path, ()), part) for path in paths]
        return images
