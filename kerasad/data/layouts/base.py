"""What a layout of data sets has to provide."""

import abc
from dataclasses import dataclass
from pathlib import Path

from kerasad.data.image_files import ImageReader, ImageRecord


@dataclass(frozen=True)
class FoundImages:
    """The images of one category.

    Args:
        good: list of `ImageRecord`. The good images, to be split for training and calibration.
        test: list of `ImageRecord`. Good and defective images, the latter with their masks.
        good_folder: Path. Where good images were looked for, for messages.
    """

    good: list[ImageRecord]
    test: list[ImageRecord]
    good_folder: Path


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
    def read(self, root: Path, reader: ImageReader) -> FoundImages:
        """Reads a folder that has this layout.

        Args:
            root: The folder.
            reader: `ImageReader`. It reads the files, and collects the problems.

        Raises:
            InputError: If the folder can be understood in more than one way.
        """
