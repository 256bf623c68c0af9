"""Regions of interest in files: one mask for all images, or a folder with one for each."""

import dataclasses
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerasad.data.decoding import Decoding, decode_mask
from kerasad.data.geometry import Geometry
from kerasad.data.image_files import ImageReader, ImageRecord
from kerasad.data.mask_names import mask_stem, normal_stem, region_stem
from kerasad.data.region import NothingLeftError, resize_region
from kerasad.errors import InputError


class RegionFiles:
    """The regions of interest of images, by their files.

    Args:
        path: A mask that all images share, or a folder with one for each. In a folder, the mask of
            `a.jpg` is `a.png`, `a_roi.png` or `a_mask.png`; where several have that name, the one
            whose folders agree best, so that a folder may mirror that of the images.
        decoding: `Decoding`. Its `pixel_limit` holds; every pixel that is not 0 is inside.

    Raises:
        InputError: If there is no such file or folder, no mask in it, or a mask for all is empty.
    """

    def __init__(self, path: str | os.PathLike, decoding: Decoding = Decoding()):
        self.path = Path(path).expanduser()
        self._decoding = dataclasses.replace(decoding, mask_foreground="nonzero", max_value=None)
        self._of_stem: dict[str, list[Path]] = defaultdict(list)
        self._shared = None
        if self.path.is_dir():
            reader = ImageReader(self.path, decoding=self._decoding, verify=False)
            for file in reader.list_images(self.path, recursive=True):
                stems = {normal_stem(file), mask_stem(file), region_stem(file)} - {None}
                for stem in stems:
                    self._of_stem[stem].append(file)
            if not self._of_stem:
                raise InputError(f"{self.path} has no mask: name a picture, or a folder of them.")
        elif self.path.is_file():
            self._shared = self._read(self.path)
        else:
            raise InputError(
                f"{self.path}: there is no such file or folder; `roi` names a mask for all images, "
                "or a folder with one for each."
            )

    @property
    def shared(self) -> np.ndarray | None:
        """The mask of all images, bool `(height, width)`; None if each image has its own."""
        return self._shared

    def check(self, records: Sequence[ImageRecord], geometry: Geometry) -> None:
        """Refuses regions that do not fit images; reads each mask once.

        Args:
            records: the images.
            geometry: `Geometry`, see `in_frame`.

        Raises:
            InputError: If an image has no mask, a mask has another size, is empty or cannot be
                read, or two images of different folders would share one.
        """
        if self._shared is not None:
            for record in records:
                _check_size(self.path, self._shared, record)
            for record in records[:1]:
                self.in_frame(record, geometry)
            return
        owner: dict[Path, ImageRecord] = {}
        for record in records:
            file = self._find(record)
            other = owner.setdefault(file, record)
            if other.path != record.path:
                raise InputError(
                    f"{file} is named like {other.relative_path} and {record.relative_path}: "
                    f"sort the masks in {self.path} into folders like those of the images."
                )
            self.in_frame(record, geometry)

    def of(self, record: ImageRecord) -> np.ndarray:
        """Returns the region of an image, bool `(height, width)` of its file.

        Raises:
            InputError: If it has none, or one that does not fit.
        """
        file = self._file_of(record)
        mask = self._read(file) if self._shared is None else self._shared
        _check_size(file, mask, record)
        return mask

    def in_frame(self, record: ImageRecord, geometry: Geometry) -> np.ndarray:
        """Returns the region of an image in its frame, bool `(height, width)`.

        Raises:
            InputError: As `of`; or if nothing is left of it at this size.
        """
        frame = (geometry.height, geometry.width, geometry.keep_aspect)
        try:
            return resize_region(self.of(record), *frame)
        except NothingLeftError as error:
            raise InputError(f"{self._file_of(record)}: {error}") from error

    def _file_of(self, record):
        return self.path if self._shared is not None else self._find(record)

    def _find(self, record):
        found = self._of_stem.get(normal_stem(Path(record.path)), [])
        if not found:
            raise InputError(
                f"{record.path} has no region of interest: there is no mask of its name in "
                f"{self.path}."
            )
        folders = Path(record.path).parent.parts
        agreeing = [_count_equal(folders, file.parent.parts) for file in found]
        best = [file for file, n in zip(found, agreeing, strict=True) if n == max(agreeing)]
        if len(best) > 1:
            raise InputError(
                f"{record.path} has several regions of interest: {best[0]} and {best[1]}; leave "
                "one of them."
            )
        return best[0]

    def _read(self, file):
        mask = decode_mask(file, self._decoding)[..., 0] > 0
        if not mask.any():
            raise InputError(f"{file} is empty: no pixel of it is inside the region of interest.")
        return mask


def _check_size(file, mask, record):
    if mask.shape != (record.height, record.width):
        raise InputError(
            f"{file} is {mask.shape[1]} x {mask.shape[0]} pixels and its image {record.path} is "
            f"{record.width} x {record.height}; make them the same size."
        )


def _count_equal(first, second) -> int:
    """Returns how many names at the end of two paths are equal."""
    count = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one != other:
            break
        count += 1
    return count
