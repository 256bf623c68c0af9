"""A split by the user: `train`, `validation` and `test`, each with good and bad side by side.

`train` may also hold good images alone. Parts may lie inside the folders of good and bad images, as
in `good/train`. Images of `validation` and `test` without a label are for `predict` only.
"""

from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.found import list_found
from kerasad.data.layouts.side_by_side import look_into


class UserSplit(Layout):
    """See the module."""

    name = "split by the user"

    def recognizes(self, root: Path) -> bool:
        """Returns whether a folder inside is surely called like a part of a split."""
        if not root.is_dir():
            return False
        found = look_into(root, ImageReader(root))
        return found.is_split and not found.categories

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of all parts.

        Raises:
            InputError: If it is not certain what a folder holds.
        """
        return list_found(root, reader, look_into(root, reader))
