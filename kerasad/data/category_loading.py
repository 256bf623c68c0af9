"""Opens one category of images: reads the folder, decides sizes and splits the good images."""

import dataclasses
from collections.abc import Sequence
from os import PathLike

from kerasad.data.category import Category
from kerasad.data.decoding import Decoding
from kerasad.data.geometry import Geometry, parse_image_size, plan_geometry
from kerasad.data.labelled import choose_labelled, read_labelled, set_apart, without
from kerasad.data.records import read_category
from kerasad.data.split import LABELLED, read_split, restore_split, split_good
from kerasad.errors import InputError

ImageSize = int | str | Sequence[int] | Geometry


def load_category(
    data: str | PathLike,
    image_size: ImageSize = 256,
    batch_size: int = 16,
    *,
    split: Sequence[float] | str | PathLike = (0.7, 0.1, 0.2),
    seed: int = 0,
    crop_size: ImageSize | None = None,
    crops_per_image: int | None = None,
    cache_megabytes: int = 1024,
    on_bad: str = "skip",
    decoding: Decoding = Decoding(),
    labelled: str | PathLike | None = None,
    labelled_share: float | None = None,
) -> Category:
    """Opens one category of images.

    Args:
        data: Folder: a category in MVTec layout, or a plain folder of good images.
        image_size: Size of whole images: `256`, `"256x640"`, `(256, 640)` (see
            `parse_image_size`), or the `Geometry` of an existing run. Defaults to `256`.
        batch_size: int. Images, or crops, of a training batch; whole images come in batches of
            as many pixels. Defaults to `16`.
        split: Three floats, the shares of train, validation and calibration; or the path of a
            run's `split.json`, to split as it says.
        seed: int. Of the split, the order and the crops. Defaults to `0`.
        crop_size: Size of random training crops, written as `image_size`. None: whole images.
        crops_per_image: int or None. Crops of each image an epoch; None covers its area twice.
        cache_megabytes: int. Memory (MiB) for decoded images, training images first; what does
            not fit is decoded each epoch. Defaults to `1024`.
        on_bad: `"skip"` or `"raise"`. What to do with a file that cannot be read.
        decoding: `Decoding`: what is white in 16-bit files, and the largest files to accept.
        labelled: Folder of images labelled defective, for models that learn from some.
        labelled_share: float or None. Instead of a folder: so many of the defective test images,
            as a share of the training images, are set apart and labelled. Either way they are
            test images no more.

    Returns:
        A `Category`.

    Raises:
        InputError: If the folder, a file or an argument is of no use; the message names it.
    """
    _check_positive("batch_size", batch_size)
    if crops_per_image is not None:
        _check_positive("crops_per_image", crops_per_image)
    index = read_category(data, on_bad=on_bad, decoding=decoding)
    geometry = plan_geometry(index.good, image_size)
    _check_pixels(geometry, image_size, decoding.pixel_limit)
    parts = _split(index.good, split, seed)
    if isinstance(split, (str, PathLike)):  # what the run was labelled with is no test image
        index = dataclasses.replace(index, test=without(index.test, read_split(split)[LABELLED]))
    if labelled is not None and labelled_share is not None:
        raise InputError("`labelled` and `labelled_share` were both given; give one of them.")
    defective = ()
    if labelled is not None:
        defective, problems = read_labelled(labelled, on_bad=on_bad, decoding=decoding)
        index = dataclasses.replace(index, problems=(*index.problems, *problems))
    elif labelled_share is not None:
        defective = choose_labelled(index, labelled_share, len(parts.train), seed)
    return Category(
        set_apart(index, defective),
        parts,
        geometry,
        labelled=defective,
        batch_size=batch_size,
        seed=seed,
        crop_size=_parse_crop_size(crop_size, geometry),
        crops_per_image=crops_per_image,
        cache_megabytes=cache_megabytes,
        decoding=decoding,
    )


def _split(records, split, seed):
    if isinstance(split, (str, PathLike)):
        return restore_split(split, records)
    return split_good(records, split, seed)


def _check_positive(name, value):
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"`{name}` must be a whole number, at least 1. Received: {value!r}")


def _check_pixels(geometry, image_size, pixel_limit):
    if geometry.height * geometry.width > pixel_limit:
        raise InputError(
            f"image_size={image_size!r} makes images of {geometry.height} x {geometry.width} "
            f"(height x width), {geometry.height * geometry.width:,} pixels, more than the "
            f"`pixel_limit` of {pixel_limit:,}: make `image_size` smaller."
        )


def _parse_crop_size(crop_size, geometry):
    if crop_size is None:
        return None
    height, width = parse_image_size(crop_size)
    if height > geometry.height or width > geometry.width:
        raise InputError(
            f"crop_size={crop_size!r} is larger than the images, which are brought to "
            f"{geometry.height} x {geometry.width} (height x width): make `crop_size` smaller or "
            "`image_size` larger."
        )
    return height, width
