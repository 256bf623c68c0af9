"""DAGM 2007: textures with drawn defects; one class is one category.

- `Train/N.PNG`, `Test/N.PNG`: the images, good and defective ones.
- `Train/Label/N_label.PNG`, and the same in `Test`: the masks of the defective ones.
- `Label/Labels.txt`: a line an image: a number, 0 or 1 for a defect, the image, a number, its mask.

An image is defective if it has a mask or the list says so, and good if neither does. The defective
images of `Train` are left out: they must not train, and they are not test images. The masks are
coarse ellipses.
"""

from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.base import Layout
from kerasad.errors import InputError

_ENDING = "_label"
_LIST = "Labels.txt"


class DAGM(Layout):
    """See the module."""

    name = "dagm"

    def recognizes(self, root: Path) -> bool:
        """Returns whether there is a folder `Train/Label` with the list or the masks in it."""
        folder = root / "Train/Label"
        return (folder / _LIST).is_file() or any(
            path.suffix.lower() == ".png" for path in folder.glob(f"*{_ENDING}.*")
        )

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of both parts.

        Raises:
            InputError: If masks and list contradict each other.
        """
        images = _find_part(root / "Train", "train", reader)
        if (root / "Test").is_dir():
            images += _find_part(root / "Test", "test", reader)
        return images


def _find_part(folder: Path, part: str, reader: ImageReader) -> list[FoundImage]:
    labels = folder / "Label"
    paths = reader.list_images(folder, elsewhere=(labels.name,))
    if not labels.is_dir():
        # The labels are lost, and the images may be of either kind.
        return [FoundImage(path, None, part=part) for path in paths]
    masks = {
        path.stem.removesuffix(_ENDING): path
        for path in sorted(labels.iterdir())
        if path.stem.endswith(_ENDING) and path.suffix.lower() == ".png"
    }
    listed = _read_list(labels / _LIST)
    images = []
    for path in paths:
        mask, is_defective = masks.pop(path.stem, None), listed.get(path.name.lower())
        if mask is not None and is_defective is False:
            raise InputError(
                f"{labels / _LIST}: {path.name} is listed as good but has the mask {mask.name}; "
                "restore both from the archive."
            )
        if mask is not None or is_defective:
            images.append(FoundImage(path, "defect", () if mask is None else (mask,), part))
        else:
            is_known = is_defective is False or not listed
            images.append(FoundImage(path, "good" if is_known else None, part=part))
    if masks:
        reader.remark(labels, f"masks without an image: {len(masks)}, such as {min(masks)}.")
    return images


def _read_list(path: Path) -> dict[str, bool]:
    """Returns which images the list calls defective; nothing if there is no list."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [line.split() for line in lines]
    return {row[2].lower(): row[1] == "1" for row in rows if len(row) >= 3 and row[1] in ("0", "1")}
