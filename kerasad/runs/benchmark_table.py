"""Rows of a benchmark as one table: means over the seeds, and of each model over the categories."""

from collections.abc import Mapping, Sequence
from typing import Any

from kerasad.metrics.registry import MEASURES

DONE = "done"
FAILED = "failed"

NUMBERS = tuple(MEASURES)
SHOWN = tuple(m for m in MEASURES.values() if m.headline or m.kind == "cost")
"""The measures that the page has columns of."""

COUNTS = ("train_images", "good_images", "image_size")

Rows = Mapping[tuple[str, str, int], Mapping[str, Any] | None]


def build_table(rows: Rows) -> dict[str, Any]:
    """Summarizes rows.

    Args:
        rows: By (category, model, seed), in the order of the table; None is not measured yet.

    Returns:
        dict, ready for JSON. `rows` has a dict for each category and model: the `seeds` that were
        measured, each of `COUNTS`, and each of `MEASURES` as a dict of `mean`, `lowest` and
        `highest` over these seeds, or None. `means` has the same numbers for each model over the
        categories that have a value, and their count under `categories`; the range over the seeds
        is None where a seed lacks a category. `notes` says why what is None is None, and
        which models have collapsed.
    """
    categories, models, seeds = (list(dict.fromkeys(part)) for part in zip(*rows, strict=True))
    lines = []
    for category in categories:
        for model in models:
            own = _done(rows, [category], model, seeds)
            measured = [seed for (_, seed) in own]
            first = next(iter(own.values()), {})
            line = {"category": category, "model": model, "seeds": measured}
            lines.append(line | {name: first.get(name) for name in COUNTS} | _summary(own))
    means = []
    for model in models:
        own = _done(rows, categories, model, seeds)
        counts = {
            name: len({category for (category, _), row in own.items() if row[name] is not None})
            for name in NUMBERS
        }
        means.append({"model": model, "categories": counts, **_summary(own)})
    notes = [*_notes(rows), *_notes_of_means(means, len(categories))]
    return {"seeds": seeds, "rows": lines, "means": means, "notes": notes}


def _done(rows, categories, model, seeds):
    """The measured rows of a model, by category and seed."""
    keys = [(category, seed) for category in categories for seed in seeds]
    found = {(category, seed): rows[category, model, seed] for category, seed in keys}
    return {key: row for key, row in found.items() if row is not None and row["status"] == DONE}


def _summary(rows):
    return {name: _spread({key: row[name] for key, row in rows.items()}) for name in NUMBERS}


def _spread(values):
    """The mean over the seeds, then over the categories, and its range over the seeds."""
    values = {key: value for key, value in values.items() if value is not None}
    if not values:
        return None
    categories, seeds = ({*part} for part in zip(*values, strict=True))
    over_seeds = [_mean([v for (c, _), v in values.items() if c == own]) for own in categories]
    spread = {"mean": _mean(over_seeds), "lowest": None, "highest": None}
    if len(values) == len(categories) * len(seeds):
        by_seed = [_mean([v for (_, s), v in values.items() if s == own]) for own in seeds]
        spread |= {"lowest": min(by_seed), "highest": max(by_seed)}
    return spread


def _mean(values):
    return sum(values) / len(values)


def _notes(rows):
    """One sentence for each reason, with all the seeds that it holds for."""
    notes: dict[tuple[str, str, str], list[str]] = {}
    for (category, model, seed), row in rows.items():
        for text in _reasons(row):
            notes.setdefault((category, model, text), []).append(str(seed))
    return [
        f"{category}, {model}, {'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}: {text}"
        for (category, model, text), seeds in notes.items()
    ]


def _reasons(row):
    if row is None:
        return ["not measured yet"]
    if row["status"] != DONE:
        return [f"failed: {row['reason']}"]
    without = [name for name in NUMBERS if row[name] is None]
    # Numbers of a model that has learnt nothing measure that, not the method.
    collapses = list(row.get("collapses", ()))
    return collapses + _join_names(
        {name: row["notes"].get(name, "not measured") for name in without}, ": "
    )


def _notes_of_means(means, num_categories):
    notes = []
    for mean in means:
        some = {name: count for name, count in mean["categories"].items() if count > 0}
        some = {name: count for name, count in some.items() if count < num_categories}
        for text in _join_names(some, " over "):
            notes.append(f"mean of {mean['model']}: {text} of {num_categories} categories")
    return notes


def _join_names(values, sign):
    """`a, b: x` and `c: y` for `{"a": "x", "c": "y", "b": "x"}`."""
    names: dict[Any, list[str]] = {}
    for name, value in values.items():
        names.setdefault(value, []).append(name)
    return [f"{', '.join(own)}{sign}{value}" for value, own in names.items()]


def format_table(table: Mapping[str, Any]) -> str:
    """Returns the table and its notes as Markdown."""
    header = ["category", "model", *(measure.heading for measure in SHOWN)]
    lines = []
    for row in table["rows"]:
        images = size = ""
        if row["image_size"] is not None:
            images = f"{row['train_images']} of {row['good_images']}"
            size = "x".join(map(str, row["image_size"]))
        lines.append([row["category"], row["model"], *_cells(row, table["seeds"]), images, size])
    count = len(table["rows"]) // len(table["means"])
    for mean in table["means"]:
        cells = _cells(mean, table["seeds"])
        lines.append([f"mean of {count}", mean["model"], *cells, "", ""])
    seeds = ", ".join(map(str, table["seeds"]))
    several = len(table["seeds"]) > 1
    head = f"Mean over the seeds {seeds} (lowest..highest). " if several else f"Seed {seeds}. "
    legend = " ".join(f"{measure.title}: {measure.meaning}." for measure in SHOWN)
    legend += " trained on: images used for training, of all good ones; others set thresholds."
    parts = [markdown_table([*header, "trained on", "image size"], lines), head + legend]
    parts += ["\n".join(f"- {note}" for note in table["notes"])] if table["notes"] else []
    return "\n\n".join(parts) + "\n"


def _cells(row, seeds):
    cells = []
    for measure in SHOWN:
        value = row[measure.name] or {"mean": None, "lowest": None}
        cells.append(measure.format(value["mean"], undefined=""))
        if measure.kind != "cost" and len(seeds) > 1 and value["lowest"] is not None:
            cells[-1] += f" ({measure.format(value['lowest'])}..{measure.format(value['highest'])})"
    return cells


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table with columns of one width, to be read in a terminal, too."""
    cells = [list(header), *map(list, lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
