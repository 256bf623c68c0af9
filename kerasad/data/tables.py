"""Tables for people: what was found in a data folder, and what each image is used for."""

import os
from collections import Counter
from collections.abc import Sequence

from kerasad.console import count_of
from kerasad.data.grouping import LOOKS
from kerasad.data.image_files import ImageRecord
from kerasad.data.index import CategoryIndex
from kerasad.data.layouts.plain_folder import PlainFolder
from kerasad.data.problems import format_problems
from kerasad.data.split import GoodSplit, number_groups


def format_found(index: CategoryIndex) -> str:
    """Formats what was found: the layout, and the folders by what they hold, with counts.

    Args:
        index: `CategoryIndex`.
    """
    rows = Counter(map(_describe_folder, (*index.good, *index.test)))
    masked = Counter(map(_describe_folder, (r for r in index.test if r.mask_paths)))
    for path in index.unlabelled:
        folder = os.path.relpath(os.path.dirname(path), index.root)
        rows["no label", folder, "for predict only"] += 1
    width = max((len(folder) for _, folder, _ in rows), default=0)
    lines = [f"{index.name}: read as {index.layout}"]
    order = {"good": 0, "defective": 1, "no label": 2}
    for row in sorted(rows, key=lambda row: (order[row[0]], row)):
        (role, folder, remark), count = row, rows[row]
        if masked[row]:
            remark += f", {masked[row]} with a mask"
        lines.append(f"  {role:<12}{folder:<{width}}{count:>7}  {remark}".rstrip())
    return "\n".join(lines)


def format_groups(records: Sequence[ImageRecord], grouped_by: str | None) -> str | None:
    """Returns a line on the groups of good images, or None if each image is its own.

    Args:
        records: The good images.
        grouped_by: str or None. See `CategoryIndex`.
    """
    count, different = len(set(number_groups(records))), len({r.content_hash for r in records})
    if grouped_by is None or count == different:
        return None
    if grouped_by == LOOKS:
        scenes = f"about {count} scene{'s' * (count > 1)} in {len(records)} good images"
        return f"  groups: {scenes} (--group-by none counts each photo)"
    return f"  groups: {count} in {len(records)} good images, by {grouped_by}"


def _describe_folder(record: ImageRecord) -> tuple[str, str, str]:
    folder = record.relative_path.rpartition("/")[0] or "."
    remarks = [f"your {record.part} part"] if record.part else []
    if record.part == "validation" and not record.label:
        remarks.append("which calibrates and never trains")
    if record.label:
        remarks.insert(0, f"kind: {record.defect}")
        if record.by_position:
            remarks.append("taken as defective only because it lies beside good images")
    return ("defective" if record.label else "good", folder, ", ".join(remarks))


def format_split_table(index: CategoryIndex, split: GoodSplit) -> str:
    """Formats a table for people: how many images do what, then the note and all problems.

    Args:
        index: `CategoryIndex`.
        split: `GoodSplit` of its good images.
    """
    rows = [("train", "good", len(split.train), "")]
    if split.crosswise:
        folds = max(split.train_folds) + 1
        remark = (
            f"each also calibrates, scored by a model of the other {folds - 1} of {folds} folds"
        )
        rows = [("train", "good", len(split.train), remark)]
    elif split.calibration_on_crops:
        rows.append(("left out", "good", len(split.calibration), "validates and calibrates"))
    else:
        rows.append(("validation", "good", len(split.validation), ""))
        rows.append(("calibration", "good", len(split.calibration), ""))
    rows += _count_test_images(index)
    width = max(len(name) for _, name, _, _ in rows)
    lines = [format_found(index)]
    num_good = count_of(len(index.good), "good image")
    num_test = count_of(len(index.test), "test image")
    lines.append(f"  use: {num_good}, {num_test}")
    for part, name, count, remark in rows:
        lines.append(f"  {part:<12}{name:<{width}}{count:>7}  {remark}".rstrip())
    good = (*split.train, *split.validation, *split.calibration, *split.test)
    lines += filter(None, [format_groups(good, index.grouped_by)])
    if split.note:
        lines.append(f"  note: {split.note}")
    if index.problems:
        lines.append(format_problems(index.problems))
    return "\n".join(lines)


def format_good_table(index: CategoryIndex, count: int) -> str:
    """Formats a table for a command that uses good images alone.

    Args:
        index: `CategoryIndex`.
        count: int. The number of different good images.
    """
    use = f"  use: {count_of(count, 'different good image')}"
    if index.test or index.unlabelled:
        use += "; test images and those without a label are left out"
    groups = filter(None, [format_groups(index.good, index.grouped_by)])
    problems = [format_problems(index.problems)] if index.problems else []
    return "\n".join([format_found(index), use, *groups, *problems])


def format_test_table(index: CategoryIndex) -> str:
    """Formats a table of the test images alone.

    Args:
        index: `CategoryIndex`.
    """
    rows = _count_test_images(index)
    width = max((len(name) for _, name, _, _ in rows), default=0)
    lines = [f"{index.name}: read as {index.layout}, {len(index.test)} test images"]
    if index.layout == PlainFolder.name and not any(record.label for record in index.test):
        lines.append(
            "  Nothing says that an image here is defective, so all count as good; if they are "
            "defective, pass --bad ."
        )
    for part, name, count, remark in rows:
        lines.append(f"  {part:<12}{name:<{width}}{count:>7}  {remark}".rstrip())
    if index.problems:
        lines.append(format_problems(index.problems))
    return "\n".join(lines)


def _count_test_images(index: CategoryIndex) -> list[tuple[str, str, int, str]]:
    masks = Counter(record.defect for record in index.test if record.mask_paths)
    by_position = {record.defect for record in index.test if record.by_position}
    classes = Counter((record.label, record.defect) for record in index.test)
    rows = []
    for (label, name), count in sorted(classes.items()):
        remark = f"{masks[name]} with a mask" if label else ""
        if name in by_position:
            remark += ", defective by its position beside good images"
        rows.append(("test", name, count, remark))
    return rows
