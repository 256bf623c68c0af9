"""Layouts that folder names decide, in any case and several languages."""

import abc
from dataclasses import dataclass
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.folders import Walker
from kerasad.data.layouts.found import list_found
from kerasad.data.layouts.places import Found
from kerasad.data.problems import Problem


@dataclass(frozen=True)
class Walk:
    """What a walk through a tree has found; several layouts can be asked about one walk.

    Args:
        found: `Found`.
        problems: list of `Problem`. What was left out on the way.
    """

    found: Found
    problems: list[Problem]


def walk_through(root: Path) -> Walk:
    """Reads the names in a tree.

    Raises:
        InputError: If the folder cannot be read.
    """
    reader = ImageReader(root)
    walker = Walker(root, reader)
    walker.visit(root)
    return Walk(walker.found, reader.problems)


class LayoutByNames(Layout):
    """A layout that folder names decide."""

    @abc.abstractmethod
    def fits(self, found: Found) -> bool:
        """Returns whether a tree has this layout.

        Args:
            found: `Found`. What the names of its folders say.
        """

    def recognizes(self, root: Path) -> bool:
        """Returns whether the names of the folders inside have this layout."""
        return root.is_dir() and self.fits(walk_through(root).found)

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of all folders.

        Raises:
            InputError: If the content of a folder is not certain.
        """
        return list_walk(root, reader, walk_through(root))


def list_walk(root: Path, reader: ImageReader, walk: Walk) -> list[FoundImage]:
    """Lists the images that a walk has found.

    Args:
        root: The top folder.
        reader: `ImageReader`. It collects remarks on what is left out.
        walk: `Walk`.

    Raises:
        InputError: If the content of a folder is not certain.
    """
    reader.problems += walk.problems
    return list_found(root, reader, walk.found)
