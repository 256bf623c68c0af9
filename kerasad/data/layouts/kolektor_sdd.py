"""KolektorSDD: one folder an item, with several photos of its surface.

- `kosNN/PartM.jpg`: the images.
- `kosNN/PartM_label.bmp`: the mask of each image; that of a good one is empty.

The archive has no split. The photos of a folder show one item, so they stay in one part.
"""

import re
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.mask_labels import label_by_masks

_FOLDER = re.compile(r"kos\d+")
_ENDING = "_label"


class KolektorSDD(Layout):
    """See the module."""

    name = "kolektor_sdd"

    def recognizes(self, root: Path) -> bool:
        """Returns whether all folders are called `kosNN`, and the first one holds masks."""
        folders = subfolders(root)
        return (
            bool(folders)
            and all(_FOLDER.fullmatch(folder.name) for folder in folders)
            and any(folders[0].glob(f"Part*{_ENDING}.bmp"))
        )

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of all items; their masks are decoded, since they tell the label."""
        images = []
        for folder in subfolders(root):
            paths = reader.list_images(folder)
            photos = [path for path in paths if not path.stem.endswith(_ENDING)]
            masks = {path: path.with_name(f"{path.stem}{_ENDING}.bmp") for path in photos}
            images += label_by_masks(masks, reader, group=folder.name)
        return images
