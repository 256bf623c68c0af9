"""Magnetic tile defects: one folder a kind, with the mask beside each image.

- `MT_Free/Imgs/x.jpg`: the good images.
- `MT_Blowhole`, `MT_Break`, `MT_Crack`, `MT_Fray`, `MT_Uneven`, each with `Imgs/x.jpg`: the
  defective images.
- `Imgs/x.png`: the mask of `x.jpg`; that of a good image is empty.

The archive has no split.
"""

from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.base import Layout

_PREFIX = "MT_"
_GOOD = "MT_Free"


class MagneticTile(Layout):
    """See the module."""

    name = "magnetic_tile"

    def recognizes(self, root: Path) -> bool:
        """Returns whether there is a folder `MT_Free/Imgs`."""
        return (root / _GOOD / "Imgs").is_dir()

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of all kinds."""
        images = []
        for folder in subfolders(root):
            if not folder.name.startswith(_PREFIX) or not (folder / "Imgs").is_dir():
                reader.remark(folder, "only folders such as MT_Free/Imgs are read.")
                continue
            paths = reader.list_images(folder / "Imgs")
            masks = {path.stem: path for path in paths if path.suffix.lower() == ".png"}
            photos = [path for path in paths if path.suffix.lower() != ".png"]
            if folder.name == _GOOD:
                images += [FoundImage(path) for path in photos]
                continue
            kind = folder.name.removeprefix(_PREFIX).lower()
            for path in photos:
                mask = masks.pop(path.stem, None)
                images.append(FoundImage(path, kind, () if mask is None else (mask,)))
            if masks:
                message = f"masks without an image: {len(masks)}, such as {min(masks)}.png."
                reader.remark(folder, message)
        return images
