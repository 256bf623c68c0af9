"""Rows of a benchmark as one table: means over the seeds, and of each model over the categories."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from kerasad.benchmark.folder import DONE

SCORES = (
    "image_auroc",
    "pixel_auroc",
    "aupro",
    "iou_oracle",
    "iou_pooled",
    "iou_per_image",
    "balanced_accuracy",
)
COSTS = (
    "fit_seconds",
    "train_seconds",
    "milliseconds_per_image",
    "fit_memory_mb",
    "peak_memory_mb",
    "model_mb",
)
COUNTS = ("train_images", "good_images", "image_size", "milliseconds_batch_size")

Identity = tuple[str, str, int]


def build_table(
    rows: Mapping[Identity, Mapping[str, Any] | None],
    categories: Sequence[str],
    models: Sequence[str],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Summarizes rows.

    Args:
        rows: By (category, model, seed), as `measure_row` returns them; None is not measured yet.
        categories: In the order of the table.
        models: In the order of the table.
        seeds: All seeds.

    Returns:
        dict, ready for JSON. `rows`: for each category and model the `seeds` that were measured;
        for each of `SCORES` and `COSTS` a dict of `mean`, `lowest` and `highest` over these seeds,
        or None; and `COUNTS`. `means`: the same for each model over the categories that have a
        value; their lowest and highest is over the seeds' means, and None where a seed lacks one.
        `notes`: why what is None is None.
    """
    lines = [_line(rows, category, model, seeds) for category in categories for model in models]
    means = [_mean_line(rows, lines, categories, model, seeds) for model in models]
    return {
        "seeds": list(seeds),
        "rows": lines,
        "means": means,
        "notes": [*_notes(rows, categories, models, seeds), *_notes_of_means(means, categories)],
    }


def _line(rows, category, model, seeds):
    done = [seed for seed in seeds if _is_done(rows[category, model, seed])]
    found = [rows[category, model, seed] for seed in done]
    line = {"category": category, "model": model, "seeds": done}
    for name in (*SCORES, *COSTS):
        line[name] = _spread([row[name] for row in found])
    for name in COUNTS:
        line[name] = found[0][name] if found else None
    return line


def _mean_line(rows, lines, categories, model, seeds):
    own = {line["category"]: line for line in lines if line["model"] == model}
    mean = {"model": model, "categories": {}}
    for name in (*SCORES, *COSTS):
        known = [category for category in categories if own[category][name] is not None]
        mean["categories"][name] = len(known)
        mean[name] = None
        if known:
            mean[name] = _mean_of_means(rows, own, known, model, seeds, name)
    return mean


def _mean_of_means(rows, own, known, model, seeds, name):
    """The mean of the categories' means; its range over the seeds if each seed has them all."""
    by_seed = []
    for seed in seeds:
        values = [_value(rows[category, model, seed], name) for category in known]
        by_seed.append(None if None in values else _mean(values))
    spread = {"lowest": None, "highest": None}
    if None not in by_seed:
        spread = {"lowest": min(by_seed), "highest": max(by_seed)}
    return {"mean": _mean([own[category][name]["mean"] for category in known]), **spread}


def _is_done(row):
    return row is not None and row["status"] == DONE


def _value(row, name):
    return row[name] if _is_done(row) else None


def _spread(values):
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"mean": _mean(values), "lowest": min(values), "highest": max(values)}


def _mean(values):
    return sum(values) / len(values)


def _notes(rows, categories, models, seeds):
    """One sentence for each reason, with all the seeds that it holds for."""
    notes: dict[tuple[str, str, str], list[int]] = {}
    for identity in itertools.product(categories, models, seeds):
        for text in _reasons(rows[identity]):
            notes.setdefault((*identity[:2], text), []).append(identity[2])
    return [
        f"{category}, {model}, {'seed' if len(known) == 1 else 'seeds'} "
        f"{', '.join(map(str, known))}: {text}"
        for (category, model, text), known in notes.items()
    ]


def _reasons(row):
    if row is None:
        return ["not measured yet"]
    if not _is_done(row):
        return [f"failed: {row['reason']}"]
    names: dict[str, list[str]] = {}
    for name in (*SCORES, *COSTS):
        if row[name] is None:
            names.setdefault(row["notes"].get(name, "not measured"), []).append(name)
    return [f"{', '.join(without)}: {reason}" for reason, without in names.items()]


def _notes_of_means(means, categories):
    notes = []
    for mean in means:
        counts: dict[int, list[str]] = {}
        for name, count in mean["categories"].items():
            if 0 < count < len(categories):
                counts.setdefault(count, []).append(name)
        notes += [
            f"mean of {mean['model']}: {', '.join(names)} over {count} of {len(categories)} "
            "categories"
            for count, names in counts.items()
        ]
    return notes
