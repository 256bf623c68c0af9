"""The table of who trains, validates, calibrates and tests, for people to read."""

from collections import Counter

from kerasad.data.image_record import format_problems
from kerasad.data.records import CategoryIndex
from kerasad.data.split import GoodSplit


def format_split_table(index: CategoryIndex, split: GoodSplit) -> str:
    """Returns lines of text: how many images do what, then the note and all problems.

    Args:
        index: `CategoryIndex`.
        split: `GoodSplit` of its good images.
    """
    rows = [("train", "good", len(split.train), "")]
    if split.calibration_on_crops:
        rows.append(("left out", "good", len(split.calibration), "validates and calibrates"))
    else:
        rows.append(("validation", "good", len(split.validation), ""))
        rows.append(("calibration", "good", len(split.calibration), ""))
    masks = Counter(record.defect for record in index.test if record.mask_path)
    classes = Counter((record.label, record.defect) for record in index.test)
    for (label, name), count in sorted(classes.items()):
        rows.append(("test", name, count, f"{masks[name]} with a mask" if label else ""))
    width = max(len(name) for _, name, _, _ in rows)
    lines = [f"{index.name}: {len(index.good)} good images, {len(index.test)} test images"]
    for part, name, count, remark in rows:
        lines.append(f"  {part:<12}{name:<{width}}{count:>7}  {remark}".rstrip())
    if split.note:
        lines.append(f"  note: {split.note}")
    if index.problems:
        lines.append(format_problems(index.problems))
    return "\n".join(lines)
