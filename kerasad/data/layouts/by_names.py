"""Layouts of no data set: the names of folders, in any case and language, say what they hold."""

import abc
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.folders import Walker
from kerasad.data.layouts.found import list_found
from kerasad.data.layouts.places import Found


class LayoutByNames(Layout):
    """A layout that the names of the folders in a tree decide."""

    @abc.abstractmethod
    def fits(self, found: Found) -> bool:
        """Returns whether a tree has this layout.

        Args:
            found: `Found`. What the names of its folders say.
        """

    def recognizes(self, root: Path) -> bool:
        """Returns whether it is a folder whose inner folders are called as this layout has them."""
        return root.is_dir() and self.fits(_look_into(root, ImageReader(root)))

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of all folders.

        Raises:
            InputError: If it is not certain what a folder holds.
        """
        return list_found(root, reader, _look_into(root, reader))


def _look_into(root: Path, reader: ImageReader) -> Found:
    walker = Walker(root, reader)
    walker.visit(root)
    return walker.found
