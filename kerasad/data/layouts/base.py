"""What a layout of data sets has to provide."""

import abc
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader


class Layout(abc.ABC):
    """How the images of one category lie in a folder.

    Attributes:
        name: str. The layout's name in the index.
    """

    name: str

    @abc.abstractmethod
    def recognizes(self, root: Path) -> bool:
        """Returns whether a folder has this layout, without reading any image."""

    @abc.abstractmethod
    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of a folder that has this layout, with what is known of each.

        Args:
            root: The folder.
            reader: `ImageReader`. It lists folders, and collects remarks on what is left out.

        Raises:
            InputError: If the folder can be understood in more than one way.
        """
