"""Opens images: a category to train with, images to predict on, good images to calibrate with."""

import dataclasses
import os
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from kerasad.data.category import Category
from kerasad.data.decoding import Decoding
from kerasad.data.geometry import Geometry, parse_image_size, plan_geometry
from kerasad.data.grouping import AUTO, NONE, FindCopies, compile_pattern, group_images, group_index
from kerasad.data.image_files import ImageRecord
from kerasad.data.image_stream import ImageStream
from kerasad.data.index import (
    CategoryIndex,
    choose_labelled,
    read_category,
    read_images,
    read_labelled,
)
from kerasad.data.layouts import is_manifest, refuse_test_part
from kerasad.data.pipeline import make_dataset
from kerasad.data.problems import Problem
from kerasad.data.provenance import read_provenance
from kerasad.data.real_defects import find_real_defects
from kerasad.data.region_files import RegionFiles
from kerasad.data.source import ImageSource
from kerasad.data.split import DEFECTIVE, GoodSplit, split_good
from kerasad.errors import InputError, check_whole

Paths = str | os.PathLike | Sequence[str | os.PathLike]
ImageSize = int | str | Sequence[int] | Geometry


def load_category(
    data: str | os.PathLike,
    image_size: ImageSize = 256,
    batch_size: int = 16,
    *,
    split: Sequence[float] | str | os.PathLike = (0.7, 0.1, 0.2),
    seed: int = 0,
    crop_size: ImageSize | None = None,
    crops_per_image: int | None = None,
    cache_megabytes: int = 1024,
    on_bad: str = "skip",
    decoding: Decoding = Decoding(),
    labelled: str | os.PathLike | None = None,
    labelled_share: float | None = None,
    tune_with: Sequence[str | os.PathLike] = (),
    good: Sequence[str] = (),
    bad: Sequence[str] = (),
    masks: Sequence[str] = (),
    exclude: Sequence[str] = (),
    group_by: str = AUTO,
    find_copies: FindCopies | None = None,
    crosswise: bool = False,
    trains: bool = False,
    roi: str | os.PathLike | None = None,
) -> Category:
    """Opens one category of images.

    Args:
        data: Folder of one category, in any layout of `kerasad.data.layouts`; or a file that
            lists its images.
        image_size: Size of whole images: `256`, `"256x640"`, `(256, 640)` (see
            `parse_image_size`), or the `Geometry` of an existing run. Defaults to `256`.
        batch_size: int. Images, or crops, in a training batch; whole images come in batches of
            as many pixels. Defaults to `16`.
        split: Three floats, the shares of train, validation and calibration; or the path of a
            run's `split.json` or `detector.keras`, to repeat its split.
        seed: int. Of the split, the order and the crops. Defaults to `0`.
        crop_size: Size of random training crops, written like `image_size`. None: whole images.
        crops_per_image: int or None. Crops of each image per epoch; None covers its area twice.
        cache_megabytes: int. Memory (MiB) for decoded images, training images first; what does
            not fit is decoded in each epoch. Defaults to `1024`.
        on_bad: `"skip"` or `"raise"`. What to do with a file that cannot be read.
        decoding: `Decoding`: the white level of 16-bit files, and the largest files to accept.
        labelled: Folder of images labelled defective, for models that learn from a few of them.
        labelled_share: float or None. Instead of a folder: label some of the defective test
            images, as a share of the training images. Labelled images are not test images.
        tune_with: Real defects to choose weights and the review band on, see `find_real_defects`.
            They are not test images.
        good: Folders of good images, whatever their names say, see `read_category`.
        bad: Folders of defective images.
        masks: Folders of masks.
        exclude: Good files that neither train nor calibrate: paths below `data` or the working
            folder, or ends of paths that only one good image has.
        group_by: str. Which images belong together, such as photos of one scene: `"auto"`,
            `"folder"`, `"none"` or a regular expression, see `kerasad.data.grouping.group_images`.
            A group stays in one part, and counts once in the calibration. Ignored if a split is
            repeated: it has its groups.
        find_copies: function that finds near-copies where the data set states no groups, such as
            `kerasad.training.near_copies.find_near_copies`. Defaults to None: `"auto"` then looks
            at no pixels.
        crosswise: bool. Whether all good images train and calibrate, see `split_good`.
        trains: bool. Whether networks are trained, see `Category.network_folds`.
        roi: The region of interest, see `RegionFiles`: a mask for all images, or a folder with one
            for each. What is outside is painted over and counts nowhere. Give `Category.roi` to
            `AnomalyDetector`.

    Returns:
        A `Category`. If the data has defective images, but no good ones to test, a fifth of the
        good images is set aside for tests, unless the data has a split of its own.

    Raises:
        InputError: If the folder, a file or an argument cannot be used; the message names it.
    """
    check_whole("batch_size", batch_size, 1)
    if crops_per_image is not None:
        check_whole("crops_per_image", crops_per_image, 1)
    if labelled is not None and labelled_share is not None:
        raise InputError("`labelled` and `labelled_share` were both given; give one of them.")
    compile_pattern(group_by)
    reading = {"on_bad": on_bad, "decoding": decoding, "exclude": exclude}
    regions = None if roi is None else RegionFiles(roi, decoding)
    index = read_category(data, good=good, bad=bad, masks=masks, **reading)
    if not good:
        refuse_test_part(Path(index.root))
    geometry = plan_geometry(index.good, image_size)
    _check_pixels(geometry, image_size, decoding.pixel_limit)
    if not isinstance(split, (str, os.PathLike)):
        index = group_index(index, group_by, find_copies)
    index, parts = _split(index, split, seed, crosswise=crosswise)
    defective = ()
    if labelled is not None:
        defective, problems = read_labelled(labelled, on_bad=on_bad, decoding=decoding)
        index = dataclasses.replace(index, problems=(*index.problems, *problems))
    elif labelled_share is not None:
        defective = choose_labelled(index, labelled_share, len(parts.train), seed)
    reading = {"on_bad": on_bad, "decoding": decoding}
    defects = find_real_defects(tune_with, index, **reading) if tune_with else ()
    if regions is not None:
        records = (*index.good, *index.test, *defective, *defects)
        _check_regions(regions, dict.fromkeys(records), geometry, parts)
    index = index.set_apart(defective).set_apart(defects)
    return Category(
        index,
        parts,
        geometry,
        labelled=defective,
        defects=defects,
        batch_size=batch_size,
        seed=seed,
        crop_size=_parse_crop_size(crop_size, geometry),
        crops_per_image=crops_per_image,
        cache_megabytes=cache_megabytes,
        decoding=decoding,
        trains=trains,
        regions=regions,
    )


def _check_regions(regions, records, geometry, parts):
    if parts.calibration_on_crops:
        raise InputError(
            "With fewer than 5 good images, crops of a photo set the thresholds, and a region of "
            "interest does not fit them: give at least 5 good images, or leave `roi` out."
        )
    regions.check(tuple(records), geometry)


def _split(index, split, seed, **options) -> tuple[CategoryIndex, GoodSplit]:
    if isinstance(split, (str, os.PathLike)):
        known = read_provenance(split)
        parts = known.restore(index.good, source=split)
        # An image that was labelled for the run is not a test image.
        index = index.without_test(known.hashes(*DEFECTIVE))
    else:
        labels = {record.label for record in index.test}
        for_test = labels == {1}
        parts = split_good(index.good, split, seed, for_test=for_test, **options)
    return index.with_test(parts.test), parts


def _check_pixels(geometry, image_size, pixel_limit):
    pixels = geometry.height * geometry.width
    if pixels > pixel_limit:
        raise InputError(
            f"image_size={image_size!r} makes images of {geometry.height} x {geometry.width} "
            f"(height x width), {pixels:,} pixels, more than the `pixel_limit` of {pixel_limit:,}: "
            "make `image_size` smaller."
        )


def _parse_crop_size(crop_size, geometry):
    if crop_size is None:
        return None
    height, width = parse_image_size(crop_size)
    if height > geometry.height or width > geometry.width:
        raise InputError(
            f"crop_size={crop_size!r} is larger than the images, which are resized to "
            f"{geometry.height} x {geometry.width} (height x width): make `crop_size` smaller or "
            "`image_size` larger."
        )
    return height, width


def load_images(
    paths: Paths,
    geometry: Geometry,
    batch_size: int = 16,
    *,
    decoding: Decoding = Decoding(),
    roi: str | os.PathLike | None = None,
) -> ImageStream:
    """Opens images to predict on: files, and folders searched recursively.

    Args:
        paths: One path, or several.
        geometry: `Geometry` of the run that predicts.
        batch_size: int. Defaults to `16`.
        decoding: `Decoding`.
        roi: The regions of interest of the images, see `load_category`. A detector that has one
            for all images needs none here.

    Returns:
        An `ImageStream`.
    """
    records, problems = read_images(paths, verify=False, decoding=decoding)
    options = {"decoding": decoding, "regions": None if roi is None else RegionFiles(roi, decoding)}
    return ImageStream(records, problems, geometry, batch_size, **options)


def _is_data_set(path):
    return not path.is_file() or is_manifest(path)


@dataclass(frozen=True)
class GoodImages:
    """Good images beyond those of a run; made by `load_good_images`.

    Args:
        dataset: `tf.data.Dataset` of model inputs, in the order of the records.
        records: tuple of `ImageRecord`, one of each content: copies of an image count once. Their
            `content_hash` tells whether a run has seen them.
        problems: tuple of `Problem`.
        index: `CategoryIndex` of the folder or list they come from; None for single files.
        num_known: int. Images that were left out because they are known.
    """

    dataset: tf.data.Dataset
    records: tuple[ImageRecord, ...]
    problems: tuple[Problem, ...]
    index: CategoryIndex | None = None
    num_known: int = 0


def load_good_images(
    paths: Paths,
    geometry: Geometry,
    batch_size: int = 16,
    *,
    on_bad: str = "skip",
    decoding: Decoding = Decoding(),
    good: Sequence[str] = (),
    bad: Sequence[str] = (),
    masks: Sequence[str] = (),
    exclude: Sequence[str] = (),
    group_by: str = NONE,
    find_copies: FindCopies | None = None,
    known: Container[str] = (),
    roi: str | os.PathLike | None = None,
) -> GoodImages:
    """Opens good images to calibrate a run with.

    Args:
        paths: One folder, or one file that lists images, read as `read_category` reads it, so that
            the defective images of a category never count as good; or a list of files and folders,
            all good.
        geometry: `Geometry` of the run.
        batch_size: int. Defaults to `16`.
        on_bad: `"skip"` or `"raise"`. What to do with a file that cannot be read.
        decoding: `Decoding`.
        good: Folders of good images in one folder, see `read_category`.
        bad: Folders of defective images.
        masks: Folders of masks.
        exclude: Good files of one folder to leave out, see `load_category`.
        group_by: Which images belong together, see `load_category`. Defaults to `"none"`.
        find_copies: See `load_category`.
        known: Content hashes of images to leave out.
        roi: As in `load_images`.

    Returns:
        `GoodImages`.

    Raises:
        InputError: If there is no usable image, none that is not known, or with `on_bad="raise"` a
            broken one.
    """
    index = None
    if isinstance(paths, (str, os.PathLike)) and _is_data_set(Path(paths).expanduser()):
        reading = {"on_bad": on_bad, "decoding": decoding, "exclude": exclude}
        index = read_category(paths, good=good, bad=bad, masks=masks, **reading)
        records, problems = index.good, index.problems
    else:
        records, problems = read_images(paths, on_bad=on_bad, decoding=decoding)
    if not records:
        reason = f" {problems[0].message}" if problems else ""
        raise InputError(f"There is no usable image among those given.{reason}")
    distinct = {}
    for record in records:
        distinct.setdefault(record.content_hash, record)
    new = tuple(record for record in distinct.values() if record.content_hash not in known)
    if not new:
        raise InputError(
            f"All {len(distinct)} good images given are known, such as {records[0].path}: give new "
            "ones."
        )
    records, grouped_by = group_images(new, group_by, find_copies)
    if index is not None:
        index = dataclasses.replace(index, good=records, grouped_by=grouped_by)
    regions = None if roi is None else RegionFiles(roi, decoding)
    if regions is not None:
        regions.check(records, geometry)
    source = ImageSource(records, geometry, decoding=decoding, regions=regions)
    num_known = len(distinct) - len(new)
    return GoodImages(make_dataset(source, batch_size), records, problems, index, num_known)
