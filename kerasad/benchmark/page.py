"""The table of a benchmark, and published numbers beside it, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from kerasad.benchmark.published import METRICS, Published, category_names

# Name in the table, in the order of the columns, and the digits after the point.
COLUMNS = {
    "image_auroc": ("image AUROC", 3),
    "pixel_auroc": ("pixel AUROC", 3),
    "aupro": ("AUPRO", 3),
    "iou_oracle": ("IoU, best", 3),
    "fit_seconds": ("fit s", 1),
    "train_seconds": ("epochs s", 1),
    "milliseconds_per_image": ("ms an image", 1),
    "fit_memory_mb": ("fit MB", 0),
    "peak_memory_mb": ("evaluate MB", 0),
    "model_mb": ("model MB", 1),
}
SPREAD = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle")

# Which of our metrics stand beside a published one.
BESIDE = {
    "image_auroc": ("image_auroc",),
    "pixel_auroc": ("pixel_auroc",),
    "aupro": ("aupro",),
    "iou": ("iou_oracle", "iou_per_image"),
    "iou_oracle": ("iou_oracle",),
    "balanced_accuracy": ("balanced_accuracy",),
}
TITLES = {
    **{name: title for name, (title, _) in COLUMNS.items()},
    "iou": "IoU, protocol not stated",
    "iou_per_image": "IoU, per image",
    "balanced_accuracy": "balanced accuracy",
}

LEGEND = (
    "IoU, best: pooled pixels, at the best threshold, which needs the labels. fit: all that "
    "`kerasad train` does, and the peak of its memory; epochs: the training of the network alone. "
    "evaluate MB: peak of memory of `kerasad evaluate`. ms an image: from memory, {batch}. "
    "trained on: of the good images for training; the others choose scales and thresholds."
)
CAUTION = (
    "Measured by others, with other image sizes, splits, seeds and protocols; a category is found "
    "by the name of its folder alone. CAVGA's IoU is at a fixed threshold, and how it is pooled is "
    "not stated: .47 with a pixel AUROC of .89 is not plausible for pooled pixels, where PatchCore "
    "reaches .449 at its best threshold. A year is that of the source. Means are over all 15 "
    "categories of MVTec AD; ours is beside them if all 15 were measured."
)


def format_page(table: Mapping[str, Any], published: Sequence[Published]) -> str:
    """Returns the table, its notes, and published numbers, as Markdown.

    Args:
        table: as `build_table` returns it.
        published: as `published_for` returns it.
    """
    parts = [markdown_table(_header(), _table_lines(table)), _legend(table)]
    if table["notes"]:
        parts.append("\n".join(f"- {note}" for note in table["notes"]))
    if published:
        parts += ["## Published numbers", CAUTION, *_category_parts(table, published)]
        parts += ["### Means over MVTec AD", _means_table(table, published), _sources(published)]
    return "\n\n".join(parts) + "\n"


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table whose columns are aligned, to be read in a terminal, too."""
    cells = [list(header), *map(list, lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _header():
    titles = [title for title, _ in COLUMNS.values()]
    return ["category", "model", *titles, "trained on", "image size"]


def _table_lines(table):
    several = len(table["seeds"]) > 1
    lines = []
    for row in table["rows"]:
        images = size = ""
        if row["image_size"] is not None:
            images = f"{row['train_images']} of {row['good_images']}"
            size = "x".join(map(str, row["image_size"]))
        lines.append([row["category"], row["model"], *_cells(row, several), images, size])
    count = len(table["rows"]) // len(table["means"])
    for mean in table["means"]:
        lines.append([f"mean of {count}", mean["model"], *_cells(mean, several), "", ""])
    return lines


def _cells(row, several):
    return [
        _cell(row[name], digits, several and name in SPREAD)
        for name, (_, digits) in COLUMNS.items()
    ]


def _cell(value, digits, spread=False):
    if value is None:
        return ""
    text = f"{value['mean']:.{digits}f}"
    if spread and value["lowest"] is not None:
        text += f" ({value['lowest']:.{digits}f}..{value['highest']:.{digits}f})"
    return text


def _legend(table):
    sizes = dict.fromkeys(row["milliseconds_batch_size"] for row in table["rows"])
    sizes = [str(size) for size in sizes if size is not None]
    batch = f"in batches of {' or '.join(sizes)}" if sizes else "not measured"
    seeds = ", ".join(map(str, table["seeds"]))
    head = f"Seed {seeds}. "
    if len(table["seeds"]) > 1:
        head = f"Mean over the seeds {seeds} (lowest..highest). "
    return head + LEGEND.format(batch=batch)


def _category_parts(table, published):
    """For each metric that is known for categories: ours, then that of others."""
    names = {row["category"] for row in table["rows"]} & {*category_names()}
    categories = [name for name in dict.fromkeys(row["category"] for row in table["rows"])]
    categories = [name for name in categories if name in names]
    ours = {(row["category"], row["model"]): row for row in table["rows"]}
    models = [mean["model"] for mean in table["means"]]
    numbers = _source_numbers(published)
    parts = []
    for metric in METRICS:
        others = [entry for entry in published if entry.metric == metric and entry.categories]
        others = [entry for entry in others if names & {*entry.categories}]
        if not others:
            continue
        own = [(model, name) for model in models for name in BESIDE[metric]]
        header = ["category", *(f"{model} {_own_title(metric, name)}" for model, name in own)]
        header = [title.strip() for title in header]
        header += [f"{entry.method} {_year(entry)}[{numbers[entry.source]}]" for entry in others]
        lines = [
            [
                category,
                *(_cell(ours[category, model][name], 3) for model, name in own),
                *(_number(entry.categories.get(category)) for entry in others),
            ]
            for category in categories
        ]
        parts += [f"### {TITLES[metric]}", markdown_table(header, lines)]
    return parts


def _own_title(metric, name):
    return "" if metric == name else f"({TITLES[name].removeprefix('IoU, ')})"


def _means_table(table, published):
    """Ours where it is of the same categories, then those of others."""
    numbers = _source_numbers(published)
    methods: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in published:
        if entry.mean is not None:
            values = methods.setdefault((entry.method, entry.source.name), {"entry": entry})
            values[entry.metric] = entry.mean
    header = ["method", "year", "source", *(TITLES[metric] for metric in METRICS)]
    lines = []
    if {row["category"] for row in table["rows"]} == {*category_names()}:
        lines = [
            [mean["model"], "", "here", *(_own_mean(mean, metric) for metric in METRICS)]
            for mean in table["means"]
        ]
    lines += [
        [
            method,
            _year(values["entry"]).strip(),
            f"[{numbers[values['entry'].source]}]",
            *(_number(values.get(metric)) for metric in METRICS),
        ]
        for (method, _), values in methods.items()
    ]
    return markdown_table(header, lines)


def _own_mean(mean, metric):
    complete = metric != "iou" and mean["categories"][metric] == len(category_names())
    return _cell(mean[metric], 3) if complete else ""


def _sources(published):
    lines = []
    for source, number in _source_numbers(published).items():
        note = f" {source.note}" if source.note else ""
        lines.append(f"- [{number}] {source.reference}.{note}")
    return "\n".join(lines)


def _source_numbers(published):
    sources = dict.fromkeys(entry.source for entry in published)
    return {source: number for number, source in enumerate(sources, 1)}


def _year(entry):
    return "" if entry.source.year is None else f"{entry.source.year} "


def _number(value):
    return "" if value is None else f"{value:.3f}"
