"""A plain folder, searched recursively: all images are good, if no name in it says otherwise."""

from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.found import list_found
from kerasad.data.layouts.side_by_side import look_into


class PlainFolder(Layout):
    """See the module."""

    name = "folder"

    def recognizes(self, root: Path) -> bool:
        """Returns `True`: any folder may hold images."""
        return True

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists all images of the folder as good ones.

        If there are only folders that are surely called defective, their images are defective.

        Raises:
            InputError: If a name says that not all images are good.
        """
        return list_found(root, reader, look_into(root, reader))
