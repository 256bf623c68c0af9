"""Labels of data sets in which every image has a mask, and that of a good one is empty."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.problems import Problem
from kerasad.errors import InputError


def label_by_masks(
    masks: Mapping[Path, Path],
    reader: ImageReader,
    part: str | None = None,
    group: str | None = None,
) -> list[FoundImage]:
    """Returns images, labelled good where the mask is empty and `"defect"` elsewhere.

    An image whose mask is missing or broken may be either, so it becomes a problem.

    Args:
        masks: The mask of each image; the file may be missing.
        reader: `ImageReader`.
        part: See `FoundImage`.
        group: See `FoundImage`.
    """

    def label(image):
        mask = masks[image]
        if not mask.is_file():
            return Problem(
                str(image),
                f"{image}: there is no mask {mask.name}, which would tell whether it is good.",
            )
        try:
            is_good = reader.is_mask_empty(mask)
        except InputError as error:
            return Problem(str(mask), f"{error} The image {image.name} is left out.")
        return FoundImage(
            image, "good" if is_good else "defect", () if is_good else (mask,), part, group
        )

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(label, masks))
    reader.problems += [result for result in results if isinstance(result, Problem)]
    return [result for result in results if isinstance(result, FoundImage)]
