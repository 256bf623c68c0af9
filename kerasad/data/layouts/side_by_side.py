"""Good and bad side by side: one folder of good images, others for defective ones and masks.

Names may be in any case and in several languages, see `names.py`. Another folder beside one of good
images is a kind of defect by its position. The kind is the name of the folder, with the folders
inside: those inside a folder that is only called defective, such as `nok/scratch`, give the kind
`scratch`.
"""

from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.folders import Found, Walker
from kerasad.data.layouts.found import list_found


class SideBySide(Layout):
    """See the module."""

    name = "good and bad side by side"

    def recognizes(self, root: Path) -> bool:
        """Returns whether a folder inside is surely called good."""
        if not root.is_dir():
            return False
        found = look_into(root, ImageReader(root))
        has_good = any(folder.place.defect == "good" for folder in found.folders)
        return found.is_labelled and has_good and not found.is_split and not found.categories

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of all folders.

        Raises:
            InputError: If it is not certain what a folder holds.
        """
        return list_found(root, reader, look_into(root, reader))


def look_into(root: Path, reader: ImageReader) -> Found:
    """Returns what the names of the folders in a tree say; `reader` gets the remarks."""
    walker = Walker(root, reader)
    walker.visit(root)
    return walker.found
