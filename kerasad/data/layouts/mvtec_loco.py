"""MVTec LOCO: logical and structural anomalies, with several masks an image.

- `train/good`, `validation/good`: the good images.
- `test/good`, `test/logical_anomalies`, `test/structural_anomalies`: test images.
- `ground_truth/<kind>/<stem>/NNN.png`: the masks of one image, one for each thing that is wrong.
  Their values name it (`defects_config.json`); every value above 0 is a defect.
"""

from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.base import Layout, list_good

_KINDS = ("logical_anomalies", "structural_anomalies")


class MVTecLOCO(Layout):
    """See the module."""

    name = "mvtec_loco"

    def recognizes(self, root: Path) -> bool:
        """Returns whether there are the good folders and one of the two kinds of anomalies."""
        good = (root / part / "good" for part in ("train", "validation"))
        return all(folder.is_dir() for folder in good) and any(
            (root / "test" / kind).is_dir() for kind in _KINDS
        )

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the three parts, and the folder of masks of each anomalous image."""
        images = list_good(root / "train/good", "train", reader)
        images += list_good(root / "validation/good", "validation", reader)
        for folder in subfolders(root / "test"):
            if folder.name == "good":
                images += list_good(folder, "test", reader)
                continue
            masks = _find_masks(root / "ground_truth" / folder.name, reader)
            images += [
                FoundImage(path, folder.name, masks.pop(path.stem, ()), "test")
                for path in reader.list_images(folder)
            ]
            if masks:
                message = f"folders of masks without an image: {len(masks)}, such as {min(masks)}."
                reader.remark(root / "ground_truth" / folder.name, message)
        return images


def _find_masks(folder: Path, reader: ImageReader) -> dict[str, tuple[Path, ...]]:
    return {inner.name: tuple(reader.list_images(inner)) for inner in subfolders(folder)}
