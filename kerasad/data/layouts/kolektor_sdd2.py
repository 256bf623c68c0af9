"""KolektorSDD2: good and defective images in both parts, each with its mask beside it.

- `train/N.png`, `test/N.png`: the images.
- `train/N_GT.png`, `test/N_GT.png`: the mask of each image; that of a good one is empty.

The defective images of `train` are left out: they must not train, and they are not test images.
"""

import os
import re
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.mask_labels import label_by_masks

_MASK = re.compile(r"(\d+)_GT\.png")
_ENDING = "_GT"


class KolektorSDD2(Layout):
    """See the module."""

    name = "kolektor_sdd2"

    def recognizes(self, root: Path) -> bool:
        """Returns whether `train` holds `N.png` with `N_GT.png`, and no folder."""
        try:
            with os.scandir(root / "train") as entries:
                found = {entry.name: entry.is_dir() for entry in entries}
        except OSError:
            return False
        masks = filter(None, map(_MASK.fullmatch, found))
        return not any(found.values()) and any(f"{match[1]}.png" in found for match in masks)

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of both parts; their masks are decoded, since they tell the label."""
        images = []
        for part in ("train", "test"):
            if (root / part).is_dir():
                paths = reader.list_images(root / part)
                photos = [path for path in paths if not path.stem.endswith(_ENDING)]
                masks = {path: path.with_name(f"{path.stem}{_ENDING}.png") for path in photos}
                images += label_by_masks(masks, reader, part)
        return images
