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
        """Returns whether a folder, or a file that lists images, has this layout.

        It is asked about any path that a user gives: it looks at names only, opens no image and
        walks through no tree.
        """

    @abc.abstractmethod
    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of a folder that has this layout, with what is known of each.

        It states what the data set says. What may be used is decided later: images without a
        label, and defective ones among the training images, are left out by `read_category`.

        Args:
            root: The folder, or the file that lists the images.
            reader: `ImageReader`. It lists folders, and collects remarks on what is left out.

        Raises:
            InputError: If the folder can be understood in more than one way.
        """


def list_good(folder: Path, part: str | None, reader: ImageReader) -> list[FoundImage]:
    """Lists the images of a folder as good ones of one part; none if it does not exist."""
    paths = reader.list_images(folder) if folder.is_dir() else []
    return [FoundImage(path, part=part) for path in paths]
