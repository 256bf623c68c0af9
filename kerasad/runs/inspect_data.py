"""The verb `inspect-data`: what would be read from a folder, as what, with a picture of it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from kerasad.data import CategoryIndex, ImageRecord, read_category
from kerasad.data.decoding import Decoding, decode_file
from kerasad.data.geometry import plan_geometry
from kerasad.data.grouping import compile_pattern, group_index
from kerasad.data.image_files import read_record
from kerasad.data.masks import read_mask
from kerasad.data.problems import format_problems
from kerasad.data.region_files import RegionFiles
from kerasad.data.tables import format_found, format_groups
from kerasad.errors import InputError
from kerasad.files import replace_file
from kerasad.runs.fonts import fit_font
from kerasad.training.config import DataConfig
from kerasad.training.locations import resolve_data
from kerasad.training.near_copies import copy_finder

EACH = 6
"""Thumbnails of each kind of image."""
SIDE = 144
GAP = 8
TITLE = 24
OUTLINE = (255, 0, 255)
DIMMED = 0.25
"""How bright the outside of a region of interest is drawn."""


@dataclass(frozen=True)
class Inspected:
    """What would be read from a folder.

    Args:
        text: str. A table, and all problems.
        values: dict. The same for machines: the layout, numbers of images and the problems.
    """

    text: str
    values: dict[str, Any]


def inspect_data(config: DataConfig, output: str | Path) -> Inspected:
    """Tells what would be read from a data folder, and writes a contact sheet.

    Args:
        config: DataConfig.
        output: str or Path. The PNG file; it may not lie in the data, where it would be a photo.

    Returns:
        What was found.

    Raises:
        InputError: It is not certain what a folder holds, or `output` lies in the data.
    """
    folder, output = resolve_data(config.path).resolve(), Path(output).expanduser().absolute()
    if folder.is_dir() and output.resolve().is_relative_to(folder):
        raise InputError(
            f"{output} lies in {folder}, where it would be read as a photo: choose another "
            "--output."
        )
    compile_pattern(config.group_by)
    index = read_category(folder, for_test=True, **config.reading)
    index = group_index(index, config.group_by, copy_finder(config))
    regions = None
    if config.roi is not None:
        regions = RegionFiles(config.roi, config.decoding)
        regions.check((*index.good, *index.test), plan_geometry(index.good, config.image_size))
    sheet = draw_contact_sheet(index, config.decoding, regions)
    output.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(output) as work:
        sheet.save(work, "PNG")
    groups = format_groups(index.good, index.grouped_by)
    share = None if regions is None else _share_inside(regions, index)
    region = None if share is None else f"region of interest: {share:.1%} of the pixels"
    parts = [format_found(index), groups, region, format_problems(index.problems)]
    values = {**_values_of(index), "roi": share}
    return Inspected("\n".join(filter(None, parts)), values)


def _share_inside(regions: RegionFiles, index: CategoryIndex) -> float:
    """Returns the share of pixels in a region, of the mask for all or the mean of images."""
    if regions.shared is not None:
        return float(regions.shared.mean())
    return float(np.mean([regions.of(record).mean() for record in (*index.good, *index.test)]))


def _values_of(index: CategoryIndex) -> dict[str, Any]:
    return {
        "name": index.name,
        "layout": index.layout,
        "good": len(index.good),
        "test": Counter(record.defect for record in index.test),
        "with_mask": sum(bool(record.mask_paths) for record in index.test),
        "unlabelled": len(index.unlabelled),
        "problems": [
            {"path": one.path, "message": one.message, "broken": one.broken}
            for one in index.problems
        ],
    }


def draw_contact_sheet(
    index: CategoryIndex, decoding: Decoding, regions: RegionFiles | None = None
) -> Image.Image:
    """Draws a row of thumbnails for each kind of image, masks as outlines.

    Args:
        index: `CategoryIndex`.
        decoding: `Decoding`.
        regions: `RegionFiles` or None. What is outside is dark.
    """
    rows = _collect_rows(index, decoding)
    width = GAP + EACH * (SIDE + GAP)
    sheet = Image.new("RGB", (width, GAP + len(rows) * (TITLE + SIDE + GAP)), (32, 32, 32))
    draw = ImageDraw.Draw(sheet)
    for number, (title, records) in enumerate(rows):
        top = GAP + number * (TITLE + SIDE + GAP)
        text, font = fit_font(title, 14)
        draw.text((GAP, top), text, font=font, fill=(255, 255, 255))
        for place, record in enumerate(records):
            labelled = number < len(rows) - bool(index.unlabelled)
            picture = _draw_thumbnail(record, decoding, regions if labelled else None)
            left = GAP + place * (SIDE + GAP) + (SIDE - picture.width) // 2
            sheet.paste(picture, (left, top + TITLE + (SIDE - picture.height) // 2))
    return sheet


def _collect_rows(
    index: CategoryIndex, decoding: Decoding
) -> list[tuple[str, Sequence[ImageRecord]]]:
    kinds: dict[str, list[ImageRecord]] = {}
    for record in (*index.good, *index.test):
        title = f"defective: {record.defect}" if record.label else "good"
        if record.part:
            title += f" ({record.part})"
        if record.by_position:
            title += ", taken as defective only by its position"
        kinds.setdefault(title, []).append(record)
    rows = [(f"{title}: {len(records)}", _spread(records)) for title, records in kinds.items()]
    if index.unlabelled:
        shown = []
        for path in _spread(index.unlabelled):
            try:
                shown.append(read_record(path, decoding=decoding))
            except InputError:  # nothing reads it but `predict`, which will name it
                continue
        rows.append((f"without a label, for predict only: {len(index.unlabelled)}", shown))
    return rows


def _spread(items: Sequence) -> Sequence:
    """Returns a few items from all over a sequence."""
    return items[:: math.ceil(len(items) / EACH)]


def _draw_thumbnail(
    record: ImageRecord, decoding: Decoding, regions: RegionFiles | None
) -> Image.Image:
    pixels = np.asarray(decode_file(record, decoding))
    if regions is not None:
        pixels = np.where(regions.of(record)[..., None], pixels, DIMMED * pixels)
    picture = Image.fromarray((pixels * 255).round().astype("uint8"))
    scale = SIDE / max(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    picture = picture.resize(size)
    if record.mask_paths:
        mask = Image.fromarray((read_mask(record, decoding)[..., 0] > 0).astype("uint8") * 255)
        # A box filter keeps marks that are smaller than a pixel of the thumbnail.
        inside = np.asarray(mask.resize(size, Image.Resampling.BOX)) > 0
        picture = Image.fromarray(_outline(np.array(picture), inside))
    return picture


def _outline(pixels: np.ndarray, inside: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    edge = ndimage.binary_dilation(inside, iterations=2) & ~inside
    pixels[edge] = OUTLINE
    return pixels
